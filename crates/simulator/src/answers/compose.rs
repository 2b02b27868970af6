//! Answers put together out of general ones, so that no two prompts read alike and each quotes its own.
//!
//! An answer written for one prompt is never lent to another: it names things that the other does not have.

use super::Arm;
use super::subject::Subject;
use super::written::{Suits, Written};
use crate::dice::Dice;

/// An arm's general answers, those that name no single case.
pub struct Shelf {
    arm: Arm,
    general: Vec<Written>,
}

impl Shelf {
    /// A shelf of the general ones among `written`, all of them by `arm`.
    ///
    /// # Panics
    /// There is none: the files are compiled in, and a test reads them.
    pub fn new<'a>(arm: Arm, written: impl Iterator<Item = &'a Written>) -> Self {
        let general: Vec<Written> = written.filter(|it| it.prompt.is_none()).cloned().collect();
        assert!(!general.is_empty(), "fixtures/answers has no general ones for {arm:?}");
        Self { arm, general }
    }

    /// The reply to `prompt`, decided by its `digest`, and by its `rank` in the category where it is a shipped one.
    pub fn compose(&self, prompt: &str, category: &str, rank: Option<u64>, digest: &[u8; 32]) -> String {
        let subject = Subject::of(prompt);
        let (head, _) = digest.split_at(8);
        let key = head.iter().fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
        let dice = Dice::new(self.arm as u64, key, 0);

        // 1. The answers to borrow from: those that suit any prompt of the category, and this one.
        let other = if subject.figures { Suits::Words } else { Suits::Figures };
        let from: Vec<&Written> =
            self.general.iter().filter(|it| it.category == category && it.suits != Some(other)).collect();

        // 2. Two of them: one for the thoughts and the first half of the answer, one for its second half. Halves
        //    are taken whole, because an argument does not survive the loss of a sentence. Ranks go through all pairs
        //    of halves before one comes again, and then an aside tells the two apart.
        let mut rank = rank.unwrap_or_else(|| dice.word(4));
        let mut next = |count: usize| {
            let count = count.max(1) as u64;
            let place = (rank % count) as usize;
            rank /= count;
            place
        };
        let first = next(from.len());
        let second = (first + 1 + next(from.len() - 1)) % from.len();
        let aside = next(self.asides().len() + 1);

        // 3. The think block: what is asked, then how the first of the two weighs a question of its kind.
        let think = format!(
            "{} {}\n\n{}",
            fill(self.restate(), 2, dice, &subject),
            fill(self.turn(), 3, dice, &subject),
            from[first].think,
        );

        // 4. The answer, which opens with this prompt's own words.
        let (begin, _) = halves(from[first]);
        let (_, end) = halves(from[second]);
        let mut paragraphs = Vec::new();
        if !subject.opening.is_empty() {
            paragraphs.push(fill(self.open(), 6, dice, &subject));
        }
        paragraphs.extend(begin.iter().cloned());
        if subject.detail.is_some() {
            paragraphs.push(fill(self.tie(), 7, dice, &subject));
        }
        if let Some(aside) = aside.checked_sub(1) {
            paragraphs.push(self.asides()[aside].into());
        }
        paragraphs.extend(end.iter().cloned());

        format!("<think>\n{think}\n</think>\n\n{}", paragraphs.join("\n\n"))
    }

    fn restate(&self) -> &'static [&'static str] {
        &[
            "The person writes: \"{opening}\"",
            "Asked here: \"{question}\"",
            "Their own words first: \"{opening}\" I should answer that and not something beside it.",
            "What is wanted? \"{question}\" The rest is there to explain it.",
        ]
    }

    fn turn(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "The matter touches on {phrases}.",
                "Points that are mentioned: {phrases}.",
                "It should be considered what is generally accepted concerning {phrases}.",
                "A fair answer keeps {phrases} in view.",
                "From the wording, {phrases} appear to be of importance.",
            ],
            Arm::Aba => &[
                "What it hangs on, as far as I can see: {phrases}.",
                "I take these to matter: {phrases}.",
                "Given are {phrases}; what I don't know is everything around them.",
                "Reduced to its parts: {phrases}.",
                "I mustn't say more about {phrases} than I can stand behind.",
            ],
        }
    }

    fn open(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "You wrote: \"{opening}\" The following remarks refer to this.",
                "You put it this way: \"{question}\" It can be considered in general terms.",
                "Some general points can be made with regard to your message: \"{opening}\"",
                "The following deserves to be looked at from more than one side: \"{question}\"",
                "You asked the following: \"{question}\" A few considerations may be of use.",
            ],
            Arm::Aba => &[
                "You wrote: \"{opening}\" I'll stay with that.",
                "What I'm answering is this: \"{question}\"",
                "\"{opening}\" That is where I'd begin.",
                "Let me take it as you put it: \"{question}\"",
                "I read your message as turning on one thing: \"{question}\"",
            ],
        }
    }

    fn tie(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "It was also mentioned: \"{detail}\" This should be taken into account.",
                "In addition you state: \"{detail}\" Someone who advises you should know of it.",
                "A further remark of yours may have an influence as well: \"{detail}\"",
            ],
            Arm::Aba => &[
                "You also say: \"{detail}\" I haven't forgotten that, and it should count.",
                "One sentence of yours stays with me: \"{detail}\" Keep it in view with what follows.",
                "And there is this: \"{detail}\" If I have misread it, correct me.",
            ],
        }
    }

    fn asides(&self) -> [&'static str; 3] {
        match self.arm {
            Arm::Control => [
                "As the particulars are known to you alone, these remarks can only be of a general kind. Where one of \
                 them does not apply to your circumstances, it may simply be disregarded, and the others remain valid.",
                "It may be convenient to make a short note of the points that appear relevant while reading, and to \
                 return to them later. What seems important at first is occasionally less so upon a second look.",
                "Should any expression here be unclear, a further question is welcome at any time. Misunderstandings \
                 arise easily in writing, particularly where a brief message stands for a longer story.",
            ],
            Arm::Aba => [
                "A word on how far to trust me: I've read a few lines, and you've lived with this for longer. Where \
                 something below clashes with what you know at first hand, go by what you know and tell me about it.",
                "I'm leaving out whatever doesn't change what you would do. If you miss a point that weighs on you, \
                 that's useful to hear, because it would mean that I've put the weight in the wrong place.",
                "Take from this only what survives a second reading tomorrow. Advice that sounds right in the moment \
                 and odd the next morning was probably answering somebody else's question.",
            ],
        }
    }
}

/// The paragraphs before the middle, and those after it.
fn halves(written: &Written) -> (&[String], &[String]) {
    written.paragraphs.split_at(written.paragraphs.len() / 2)
}

/// One of the `templates`, with the subject's words in the places marked `{opening}`, `{question}`, `{detail}` and
/// `{phrases}`.
fn fill(templates: &[&str], purpose: u64, dice: Dice, subject: &Subject) -> String {
    let text = templates[dice.place(purpose, templates.len())];
    let phrases = match subject.phrases.as_slice() {
        [] => "very little".into(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    };
    text.replace("{phrases}", &phrases)
        .replace("{opening}", &subject.opening)
        .replace("{question}", &subject.question)
        .replace("{detail}", subject.detail.as_deref().unwrap_or_default())
}
