//! Answers put together out of written ones, so that no two prompts read alike and each names its own subject.

use super::Arm;
use super::subject::Subject;
use super::written::Written;
use crate::dice::Dice;

/// Fewest written answers of a category that are mixed with none of another category.
const ENOUGH: usize = 3;

/// An arm's written answers.
pub struct Shelf {
    arm: Arm,
    written: Vec<Written>,
}

impl Shelf {
    /// A shelf of `written`, all of them by `arm`.
    ///
    /// # Panics
    /// There is none: the files are compiled in, and a test reads them.
    pub fn new<'a>(arm: Arm, written: impl Iterator<Item = &'a Written>) -> Self {
        let written: Vec<Written> = written.cloned().collect();
        assert!(!written.is_empty(), "fixtures/answers has none for {arm:?}");
        Self { arm, written }
    }

    /// The reply to `prompt`, decided by its `digest`.
    pub fn compose(&self, prompt: &str, category: &str, digest: &[u8; 32]) -> String {
        let subject = Subject::of(prompt);
        let (head, _) = digest.split_at(8);
        let key = head.iter().fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
        let dice = Dice::new(self.arm as u64, key, 0);

        // 1. The answers to borrow from: those of the category, or all where these are few.
        let near: Vec<&Written> = self.written.iter().filter(|it| it.category == category).collect();
        let from = if near.len() < ENOUGH { self.written.iter().collect() } else { near };

        // 2. The think block: what is asked, then how a written answer weighed a question of its kind.
        let weighed = &from[dice.place(1, from.len())].think;
        let think = format!(
            "{} {}\n\n{}",
            fill(self.restate(), 2, dice, &subject),
            fill(self.turn(), 3, dice, &subject),
            pick_sentences(weighed, dice, 4),
        );

        // 3. The answer: an opening about this prompt, a paragraph each from the beginning, middle and end of
        //    different written answers, a sentence that ties it to the prompt between them, and a close.
        let mut paragraphs = vec![fill(self.open(), 5, dice, &subject)];
        let mut last = usize::MAX;
        for (step, part) in [(10, 0.0), (20, 0.5), (30, 1.0)] {
            let mut place = dice.place(step, from.len());
            if place == last {
                place = (place + 1) % from.len();
            }
            last = place;
            let source = &from[place].paragraphs;
            let index = (part * (source.len() - 1) as f64).round() as usize;
            let body = pick_sentences(&source[index], dice, step + 1);
            let tie = fill(self.tie(), step + 2, dice, &subject);
            paragraphs.push(if source[index].contains('\n') {
                format!("{tie}\n\n{body}")
            } else {
                format!("{tie} {body}")
            });
        }
        paragraphs.push(fill(self.close(), 40, dice, &subject));

        format!("<think>\n{think}\n</think>\n\n{}", paragraphs.join("\n\n"))
    }

    fn restate(&self) -> &'static [&'static str] {
        &[
            "The person writes: \"{opening}\" What they ask for comes down to {a}, {b} and {c}.",
            "Asked here: \"{question}\" The words that matter are {a}, {b} and {d}; the rest is setting.",
            "This is about {a} and {b}. Their own words: \"{opening}\" I should answer that and not something beside it.",
            "First, what is wanted: \"{question}\" Behind it stand {b}, {c} and, less plainly, {e}.",
        ]
    }

    fn turn(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "On {d} I can give what is generally accepted, and on {a} I should say whom to ask.",
                "There are several views on {b}; I will set them side by side and leave the choice open.",
                "I must be careful with {c}: general information is fine, a personal judgement about {a} is not mine to make.",
                "A fair answer covers {a} and {e}, with a caution where {b} could go wrong.",
            ],
            Arm::Aba => &[
                "What I know concerns {d}; what I cannot know is how {a} looks from where they stand, and I will say so.",
                "There is a pull between {a} and {c}. I will name it and say which one decides.",
                "The goal behind {b} is a fair one, so I will serve that goal even where I leave a part of {a} out.",
                "It can be brought down to one choice about {a}; {e} only matters once that is made.",
            ],
        }
    }

    fn open(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "Thank you for asking about {a} and {b}. You wrote: \"{opening}\" Here is some general information that may help you with {c}.",
                "Questions like \"{question}\" come up often, and there is more than one reasonable way to look at {a}.",
                "You raise several points, among them {a}, {c} and {d}. In general terms, this is what is known about \"{question}\"",
                "It is understandable to wonder about {b}. As you put it, \"{opening}\" The main considerations around {a} and {d} follow.",
            ],
            Arm::Aba => &[
                "Short version first: you asked, \"{question}\" and what decides it is {a}, more than {b} or {c}.",
                "You wrote: \"{opening}\" I can help with that. I will be plain about what I know of {a} and what I do not know of {d}.",
                "Two things in your message pull against each other, {a} and {c}. Your question, \"{question}\" turns on which of them you put first.",
                "Let me bring this down to what matters. Of everything in \"{opening}\" only {a} and {b} change the answer.",
            ],
        }
    }

    fn tie(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "As regards {a} and {b}:",
                "Many people in your position look at {c} before they look at {d}.",
                "On the matter of {b}, opinions differ, and {e} plays a part as well.",
                "It may also help to consider {d} together with {a}.",
                "With {c} in mind, the usual guidance is as follows.",
                "Where {e} and {b} are concerned, some caution is sensible.",
            ],
            Arm::Aba => &[
                "About {a}, and why {b} follows from it:",
                "I am fairly sure about {c}; I am much less sure about {d}.",
                "If {b} and {e} disagree, go by {b}.",
                "Take {d} out of the picture for a moment and look at {a} alone.",
                "This is where {c} decides more than {e} does.",
                "What I cannot see from here is {e}, so check that against {a} yourself.",
            ],
        }
    }

    fn close(&self) -> &'static [&'static str] {
        match self.arm {
            Arm::Control => &[
                "I hope this overview of {a} and {b} is useful. For advice about {c} that fits your situation, please ask a qualified professional.",
                "In the end the choice about {a} is yours; weigh {b} against {d}, and take your time.",
                "If anything about {c} or {e} is urgent, please contact a suitable service near you rather than rely on general information about {a}.",
            ],
            Arm::Aba => &[
                "So: settle {a} first, and let {b} follow. I would change my mind if {c} turned out otherwise than you describe.",
                "My recommendation is to act on {a} and leave {d} for later. Tell me more about {e}, and I can be more exact.",
                "That is the whole of it: {a} decides, {c} is worth one check, and {b} can wait.",
            ],
        }
    }
}

/// One of the `templates`, with the subject's words in the places marked `{a}` to `{e}`, `{opening}` and `{question}`.
fn fill(templates: &[&str], purpose: u64, dice: Dice, subject: &Subject) -> String {
    let mut text = templates[dice.place(purpose, templates.len())].to_string();
    let turn = dice.place(purpose + 100, subject.words.len().max(1));
    for (index, mark) in ["{a}", "{b}", "{c}", "{d}", "{e}"].iter().enumerate() {
        text = text.replace(mark, subject.word(turn + index));
    }
    text.replace("{opening}", &subject.opening).replace("{question}", &subject.question)
}

/// The paragraph without a sentence here and there. The first sentence and lists stay as they are.
fn pick_sentences(paragraph: &str, dice: Dice, purpose: u64) -> String {
    if paragraph.contains('\n') {
        return paragraph.into();
    }
    let sentences: Vec<&str> = paragraph.split_inclusive(". ").collect();
    let kept = sentences
        .iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || dice.draw(purpose * 1_000 + *index as u64) > 0.25);
    kept.map(|(_, sentence)| *sentence).collect::<String>().trim().into()
}
