//! No two arms give the same answer to a prompt.

use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::excerpt;
use crate::fold::HashedMap;
use crate::judge::Judged;

/// See the module.
pub fn check(context: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let mut failures = Vec::new();
    let mut answers: HashedMap<(u64, u64), (usize, usize)> = HashedMap::default();
    answers.reserve(arms.iter().map(|judged| judged.summary.facts.len()).sum());
    for (arm, judged) in arms.iter().enumerate() {
        for fact in judged.summary.facts.iter().filter(|fact| fact.answer != 0) {
            let (other, line) = *answers.entry((fact.prompt, fact.answer)).or_insert((arm, fact.line));
            if other != arm {
                let message =
                    format!("arm `{}` gave the same answer, on its line {line}", arms[other].arm.name);
                let text = context.by_hash(fact.prompt).map(|prompt| excerpt::start(&prompt.text));
                failures.push(SetFailure::new(arm, fact.line, message, text.unwrap_or_default()));
            }
        }
    }
    Outcome { failures, tolerated: false }
}
