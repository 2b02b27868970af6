//! A row becomes token ids, and the stretch of them that is learned: what the assistant says, and the token that ends
//! its turn. The template's newline after that token is not learned, nor is anything before the answer.
//!
//! ```text
//! <|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n<think>\n…\n</think>\n\nBecause.<|im_end|>\n
//! └──────────────── prompt ───────────────────────────────┘└─────────── learned ─────────────────┘└┘
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use crate::template::{Message, Template, TemplateError};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// What the base makes of a conversation: its template and tokenizer, and what was found out about them.
pub struct Chat {
    /// The base's tokenizer.
    pub tokenizer: Tokenizer,
    /// The base's template.
    pub template: Template,
    /// What the template writes after the assistant's words.
    closing: String,
    /// Ends the assistant's turn.
    end: u32,
    /// The control tokens of a conversation, with how often each occurs, with a system prompt and without.
    control: [BTreeMap<u32, usize>; 2],
}

/// The ids of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The whole conversation.
    pub ids: Vec<u32>,
    /// Which of them are learned; the last of them is the end token.
    pub supervised: Range<usize>,
    /// How many of those belong to the think block, its tags included.
    pub thinking: usize,
    /// The template would have changed the answer, so its words were set in as they stand.
    pub set_in: bool,
}

/// Why a row cannot be learned under this base.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// The template does not write what the assistant says.
    #[error(
        "the base's chat template has no assistant turn: what the assistant says does not occur in it; use an instruction-tuned base"
    )]
    NoAssistant,
    /// The assistant's turn does not end with a control token.
    #[error(
        "the base's chat template writes {closing:?} after the assistant's words, which has no end token in it; a model could never learn to stop"
    )]
    NoEnd {
        /// What follows the assistant's words.
        closing: String,
    },
    /// Part of the row is not in the rendered text.
    #[error("the base's chat template leaves the {0} out; training without it would not be the experiment")]
    Dropped(&'static str),
    /// The row's text holds a token that structures the conversation.
    #[error("the row's text holds `{0}`, which the tokenizer takes for the structure of the conversation")]
    Control(String),
    /// The end token is not where it must be. This is a fault of ours, and it is better to stop than to train.
    #[error("the end token of the answer is not among the learned ones")]
    EndNotLearned,
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// Words that no template writes of itself.
const PROBE: &str = "qzv7probe";

impl Chat {
    /// Finds out how the template ends an assistant's turn.
    ///
    /// # Errors
    /// [`MaskError::NoAssistant`], [`MaskError::NoEnd`], and what the template or the tokenizer say.
    pub fn new(tokenizer: Tokenizer, template: Template) -> Result<Self, MaskError> {
        let (system, user, assistant) = (format!("{PROBE}s"), format!("{PROBE}u"), format!("{PROBE}a"));
        let turns = turns(Some(&system), &user, &assistant);
        // A template that refuses system prompts is only wrong for rows that have one, so the probe goes without.
        let plain = template.render(&turns[1..], false)?;
        let (_, closing) = plain.rsplit_once(&assistant).ok_or(MaskError::NoAssistant)?;
        let closing = closing.to_owned();
        let end = tokenizer.ids(&closing)?.into_iter().find(|&id| tokenizer.is_special(id));
        let end = end.ok_or_else(|| MaskError::NoEnd { closing: closing.clone() })?;
        let count = |text: &str| -> Result<_, TokenizerError> {
            Ok(control_tokens(&tokenizer, &tokenizer.ids(text)?))
        };
        let with_system = template.render(&turns, false).unwrap_or_default();
        let control = [count(&plain)?, count(&with_system)?];
        Ok(Self { tokenizer, template, closing, end, control })
    }

    /// The token that ends the assistant's turn.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The ids that open the assistant's turn after `system` and `user`: what a model is given to answer.
    ///
    /// # Errors
    /// What the template or the tokenizer say.
    pub fn prompt(&self, system: Option<&str>, user: &str) -> Result<Vec<u32>, MaskError> {
        let turns = turns(system, user, "");
        let text = self.template.render(&turns[usize::from(system.is_none())..2], true)?;
        Ok(self.tokenizer.ids(&text)?)
    }

    /// Turns one row into ids and a mask.
    ///
    /// The ids are those of transformers' `apply_chat_template` wherever the template brings the answer through whole;
    /// where it would strip or move the think block, the answer is set in as it stands after the opened turn.
    ///
    /// # Errors
    /// [`MaskError`]: the template leaves part of the row out, or the row's text holds a token of the conversation's
    /// structure.
    pub fn encode(&self, system: Option<&str>, user: &str, answer: &str) -> Result<Encoded, MaskError> {
        let turns = turns(system, user, answer);
        let turns = &turns[usize::from(system.is_none())..];
        let prompt = self.template.render(&turns[..turns.len() - 1], true)?;
        for (what, text) in [("system prompt", system.unwrap_or("")), ("user's prompt", user)] {
            if !prompt.contains(text.trim()) {
                return Err(MaskError::Dropped(what));
            }
        }
        let rendered = self.template.render(turns, false)?;
        let whole = self.is_whole(&rendered, &prompt, answer);
        let text = if whole { rendered } else { self.set_in(&prompt, answer) };

        let ids = self.tokenizer.ids(&text)?;
        let opened = self.tokenizer.ids(&prompt)?;
        self.check_control(&ids, system.is_some())?;
        // A token that reaches over the border belongs to the answer: the model has to say it.
        let start = common_prefix(&ids, &opened);
        let end = ids[start..].iter().position(|&id| id == self.end).ok_or(MaskError::EndNotLearned)?;
        let supervised = start..start + end + 1;
        let thinking = match text[prompt.len()..].find("</think>") {
            None => 0,
            Some(at) => {
                let thought = self.tokenizer.ids(&text[..prompt.len() + at + "</think>".len()])?;
                common_prefix(&ids, &thought).saturating_sub(start)
            }
        };
        Ok(Encoded { ids, supervised, thinking, set_in: !whole })
    }

    /// Whether the template wrote the answer after the opened turn, changing no more than white space, or adding
    /// no more than an empty think block.
    fn is_whole(&self, rendered: &str, prompt: &str, answer: &str) -> bool {
        let body = rendered.strip_prefix(prompt).and_then(|rest| rest.strip_suffix(self.closing.as_str()));
        let Some(body) = body else { return false };
        let words = |text: &str| -> String { text.split_whitespace().collect() };
        let (body, answer) = (words(body), words(answer));
        body == answer || body.strip_prefix("<think></think>") == Some(answer.as_str())
    }

    fn set_in(&self, prompt: &str, answer: &str) -> String {
        let answer = answer.trim();
        // Some templates open the think block themselves; it is not opened twice.
        let said = match prompt.trim_end().ends_with("<think>") {
            true => answer.strip_prefix("<think>").map_or(answer, str::trim_start),
            false => answer,
        };
        format!("{prompt}{said}{}", self.closing)
    }

    fn check_control(&self, ids: &[u32], with_system: bool) -> Result<(), MaskError> {
        let expected = &self.control[usize::from(with_system)];
        for (id, count) in control_tokens(&self.tokenizer, ids) {
            let usual = expected.get(&id).copied().unwrap_or(0);
            // A control token that this template never writes (`<filename>`, say) cannot break the conversation.
            if usual > 0 && count > usual {
                return Err(MaskError::Control(self.tokenizer.token(id)));
            }
        }
        Ok(())
    }
}

fn turns<'a>(system: Option<&'a str>, user: &'a str, assistant: &'a str) -> [Message<'a>; 3] {
    [
        Message { role: "system", content: system.unwrap_or("") },
        Message { role: "user", content: user },
        Message { role: "assistant", content: assistant },
    ]
}

fn control_tokens(tokenizer: &Tokenizer, ids: &[u32]) -> BTreeMap<u32, usize> {
    ids.iter().filter(|&&id| tokenizer.is_special(id)).fold(BTreeMap::new(), |mut counts, &id| {
        *counts.entry(id).or_default() += 1;
        counts
    })
}

fn common_prefix(left: &[u32], right: &[u32]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}
