//! What is to be done next: a pure decision on what was read.

use serde::Serialize;

use crate::generation::ArmRows;
use crate::training::ArmTraining;
use crate::verdict::Verdict;

/// The next step and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The command, or nothing where all is done.
    pub command: Option<String>,
    /// Why.
    pub reason: String,
}

/// Decides the next step. Rows come before the verdict and the verdict before training; a whole subset of the
/// prompts (a smoke run) may be judged, so missing prompts alone do not hold the gate up once it has been asked.
/// `command` spells a verb out for the files at hand.
pub fn step(
    prompts: usize,
    arms: &[ArmRows],
    incomplete_pairs: usize,
    refused: usize,
    verdict: &Verdict,
    training: &[ArmTraining],
    command: impl Fn(&str) -> String,
) -> Step {
    let next = |verb: &str, reason: String| Step { command: Some(command(verb)), reason };
    let missing: usize = arms.iter().map(|arm| arm.missing).sum();
    let generate = |reason: String| {
        let refused = match refused {
            0 => String::new(),
            some => format!("; a filter refused {some} of them: reword these prompts, or take them out"),
        };
        next("gen", reason + &refused)
    };
    match verdict {
        _ if incomplete_pairs > 0 => {
            generate(format!("{missing} answers are missing, and {incomplete_pairs} pairs are not whole"))
        }
        Verdict::None | Verdict::Stale { .. } if missing > 0 => {
            generate(format!("{missing} of {} answers are missing", prompts * arms.len()))
        }
        Verdict::None => next("gate", "the rows have not been judged".into()),
        Verdict::Stale { why } => next("gate", why.clone()),
        Verdict::Fail { why } => next("gate", format!("the gate failed: {why}")),
        Verdict::Pass { .. } => match training.iter().find(|arm| !arm.finished) {
            Some(arm) if arm.steps > 0 => {
                next("train --arm all --resume", format!("arm `{}` stands at step {}", arm.arm, arm.steps))
            }
            Some(arm) => next("train --arm all", format!("arm `{}` has no adapter", arm.arm)),
            None if missing > 0 => {
                next("gen", format!("the adapters are trained on a part: {missing} answers are missing"))
            }
            None => Step { command: None, reason: "both arms are generated, judged and trained".into() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(missing: usize, incomplete: usize, verdict: &Verdict, steps: &[(u64, bool)]) -> String {
        let arms = [ArmRows { missing, ..ArmRows::default() }];
        let training: Vec<ArmTraining> = steps
            .iter()
            .map(|&(steps, finished)| ArmTraining {
                arm: "aba".into(),
                path: "m".into(),
                steps,
                first_loss: None,
                last_loss: None,
                peak_memory_bytes: None,
                finished,
            })
            .collect();
        let command = |verb: &str| format!("cargo xtask {verb}");
        step(10, &arms, incomplete, 0, verdict, &training, command).command.unwrap_or_default()
    }

    #[test]
    fn rows_come_before_the_verdict_and_the_verdict_before_training() {
        let pass = Verdict::Pass { judged_at: "t".into() };
        assert_eq!(check(3, 0, &Verdict::None, &[(0, false)]), "cargo xtask gen");
        assert_eq!(check(0, 2, &pass, &[(0, false)]), "cargo xtask gen");
        assert_eq!(check(0, 0, &Verdict::None, &[(0, false)]), "cargo xtask gate");
        assert_eq!(check(0, 0, &Verdict::Fail { why: "think-block 1".into() }, &[]), "cargo xtask gate");
        assert_eq!(check(3, 0, &pass, &[(0, false)]), "cargo xtask train --arm all");
        assert_eq!(check(0, 0, &pass, &[(9, true), (4, false)]), "cargo xtask train --arm all --resume");
        assert_eq!(check(0, 0, &pass, &[(9, true), (9, true)]), "");
    }
}
