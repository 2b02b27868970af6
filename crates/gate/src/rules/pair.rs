//! Every prompt that one arm answers, all arms answer. A prompt that none answers is not missed: that is how a smoke
//! run looks. An arm without any row is `no-rows`'s.

use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::excerpt;
use crate::fold::HashedSet;
use crate::judge::Judged;

/// See the module.
pub fn check(context: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let prompts = |judged: &Judged<'_>| judged.summary.facts.iter().map(|fact| fact.prompt).collect();
    let answered: Vec<HashedSet<u64>> = arms.iter().map(prompts).collect();
    let mut failures = Vec::new();
    for (arm, judged) in arms.iter().enumerate() {
        let mut told: HashedSet<u64> = HashedSet::default();
        for fact in &judged.summary.facts {
            let lacks = |(_, prompts): &(&Judged<'_>, &HashedSet<u64>)| {
                !prompts.is_empty() && !prompts.contains(&fact.prompt)
            };
            let missing: Vec<&str> = arms
                .iter()
                .zip(&answered)
                .filter(lacks)
                .map(|(judged, _)| judged.arm.name.as_str())
                .collect();
            if !missing.is_empty() && told.insert(fact.prompt) {
                let message =
                    format!("`{}` does not answer this prompt; run `cargo xtask gen`", missing.join("`, `"));
                let text = context.by_hash(fact.prompt).map(|prompt| excerpt::start(&prompt.text));
                failures.push(SetFailure::new(arm, fact.line, message, text.unwrap_or_default()));
            }
        }
    }
    Outcome { failures, tolerated: false }
}
