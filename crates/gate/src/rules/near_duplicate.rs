//! Answers of an arm do not repeat each other. A few may: they are shown, and the verdict stands.

use rayon::prelude::*;

use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::judge::Judged;
use crate::minhash::repeats;

/// See the module.
pub fn check(context: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let thresholds = context.thresholds;
    if thresholds.near_duplicate_similarity > 1.0 {
        return Outcome::default();
    }
    let found: Vec<Vec<SetFailure>> = arms
        .par_iter()
        .enumerate()
        .map(|(arm, judged)| {
            let lines = &judged.summary.signed;
            let failure = |repeat: crate::minhash::Repeat| {
                let share = (repeat.similarity * 100.0).round();
                let message = format!("the answer is about {share} % that of line {}", lines[repeat.earlier]);
                SetFailure::new(arm, lines[repeat.later], message, String::new())
            };
            let found = repeats(&judged.summary.signatures, thresholds.near_duplicate_similarity);
            found.into_iter().map(failure).collect()
        })
        .collect();
    let within = |(judged, found): (&Judged<'_>, &Vec<SetFailure>)| {
        found.len() as f64 <= judged.summary.rows as f64 * thresholds.near_duplicate_share
    };
    let tolerated = arms.iter().zip(&found).all(within);
    Outcome { failures: found.into_iter().flatten().collect(), tolerated }
}
