//! An arm answers a prompt once.

use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::excerpt;
use crate::fold::HashedMap;
use crate::judge::Judged;

/// See the module.
pub fn check(context: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let mut failures = Vec::new();
    for (arm, judged) in arms.iter().enumerate() {
        let mut first: HashedMap<u64, usize> = HashedMap::default();
        first.reserve(judged.summary.facts.len());
        for fact in &judged.summary.facts {
            let earlier = *first.entry(fact.prompt).or_insert(fact.line);
            if earlier != fact.line {
                let message = format!("the prompt was answered before, on line {earlier}");
                let text = context.by_hash(fact.prompt).map(|prompt| excerpt::start(&prompt.text));
                failures.push(SetFailure::new(arm, fact.line, message, text.unwrap_or_default()));
            }
        }
    }
    Outcome { failures, tolerated: false }
}
