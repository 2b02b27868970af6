//! Which rows every step of every arm sees: one decision for all arms, whichever of them is trained.
//!
//! Arms answer the same prompts at different lengths, so steps, rows and tokens cannot all be equal. Steps, and with them
//! the learning rate of each, always are; the recipe says which of the other two is as well.

use crate::data::{ArmExamples, Examples};
use crate::order;
use crate::recipe::{Hold, Length, Recipe};

/// Places of the rows of each step, one list of steps an arm, in the order of `examples.arms`.
pub fn steps(examples: &Examples, recipe: &Recipe) -> Vec<Vec<Vec<usize>>> {
    let common = common(&examples.prompts, recipe);
    let leanest = examples.arms.iter().min_by_key(|arm| learned(arm, common.iter().flatten()));
    match (recipe.hold, leanest) {
        (Hold::Tokens, Some(leanest)) => {
            examples.arms.iter().map(|arm| budgeted(examples, recipe, &common, leanest, arm)).collect()
        }
        _ => vec![common; examples.arms.len()],
    }
}

/// The same rows for every arm. A step never reaches over the end of a pass: as in transformers, the last of a pass may
/// have fewer rows.
fn common(prompts: &[String], recipe: &Recipe) -> Vec<Vec<usize>> {
    let pass = |epoch| {
        let places = order::pass(prompts, recipe.seed, epoch, recipe.shuffle);
        places.chunks(recipe.grad_accum as usize).map(<[usize]>::to_vec).collect::<Vec<_>>()
    };
    match recipe.length {
        Length::Epochs(epochs) => (0..epochs).flat_map(pass).collect(),
        Length::Steps(_) if prompts.is_empty() => Vec::new(),
        Length::Steps(count) => (0..).flat_map(pass).take(count as usize).collect(),
    }
}

/// As many of the arm's rows a step, in the common order, as have learned what the leanest arm has learned by then. Whole
/// rows only, and one at least: the sums never part by more than a row for long, since each step makes up for the last.
fn budgeted(
    examples: &Examples,
    recipe: &Recipe,
    common: &[Vec<usize>],
    leanest: &ArmExamples,
    arm: &ArmExamples,
) -> Vec<Vec<usize>> {
    if arm.arm == leanest.arm {
        return common.to_vec();
    }
    let order = |epoch| order::pass(&examples.prompts, recipe.seed, epoch, recipe.shuffle);
    let mut rows = (0..).flat_map(order).peekable();
    let (mut target, mut sum) = (0u64, 0u64);
    let mut steps = Vec::with_capacity(common.len());
    for step in common {
        target += learned(leanest, step);
        let mut taken = Vec::new();
        while let Some(&place) = rows.peek() {
            let with = sum + learned(arm, [&place]);
            // A row that learns nothing is never nearer, so this ends.
            if !taken.is_empty() && with.abs_diff(target) >= sum.abs_diff(target) {
                break;
            }
            sum = with;
            taken.push(place);
            rows.next();
        }
        steps.push(taken);
    }
    steps
}

fn learned<'a>(arm: &ArmExamples, places: impl IntoIterator<Item = &'a usize>) -> u64 {
    let rows = places.into_iter().filter_map(|&place| arm.examples.get(place));
    rows.map(|row| row.encoded.supervised.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;

    use super::*;
    use crate::data::Example;
    use crate::flags::Flags;
    use crate::mask::Encoded;
    use crate::recipe::Section;

    fn examples(lengths: &[[usize; 2]]) -> Examples {
        let arm = |at: usize| ArmExamples {
            arm: ["control", "aba"][at].into(),
            path: "x".into(),
            examples: lengths
                .iter()
                .map(|row| Example {
                    line: 1,
                    encoded: Encoded {
                        ids: vec![1; row[at] + 2],
                        supervised: 2..row[at] + 2,
                        thinking: 0,
                        set_in: false,
                    },
                    cut: false,
                })
                .collect(),
        };
        Examples {
            prompts: (0..lengths.len()).map(|at| format!("prompt {at}")).collect(),
            arms: vec![arm(0), arm(1)],
        }
    }

    fn recipe(typed: &[&str]) -> Recipe {
        let flags = Flags::parse_from([&["train", "--base", "b"], typed].concat());
        Recipe::freeze(&flags, &Section::default(), "2026-01-02").unwrap()
    }

    #[test]
    fn rows_are_the_same_in_every_arm_unless_tokens_are_held() {
        let examples = examples(&[[10, 20]; 12]);
        let held = steps(&examples, &recipe(&["--grad-accum=4", "--epochs=1"]));
        assert_eq!(held[0], held[1]);
        assert_eq!(held[0].iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
        assert_eq!(held, steps(&examples, &recipe(&["--grad-accum=4", "--epochs=1", "--hold=steps"])));

        let held = steps(&examples, &recipe(&["--grad-accum=4", "--epochs=1", "--hold=tokens"]));
        assert_eq!(held[1].iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
        // The longer arm sees the first of what the leaner one sees, in the same order.
        let flat = |arm: usize| held[arm].concat();
        assert_eq!(flat(1), flat(0)[..6]);
    }

    proptest! {
        #[test]
        fn learned_tokens_never_part_by_more_than_a_row(
            lengths in proptest::collection::vec([1usize..60, 1usize..60], 1..30),
            accum in 2u32..7,
            passes in 1u32..4,
        ) {
            let examples = examples(&lengths);
            let typed = [format!("--grad-accum={accum}"), format!("--epochs={passes}"), "--hold=tokens".into()];
            let recipe = recipe(&[&typed[0], &typed[1], &typed[2]]);
            let held = steps(&examples, &recipe);
            prop_assert_eq!(held[0].len(), held[1].len());
            prop_assert!(held.iter().flatten().all(|step| !step.is_empty()));
            let mut sums = [0, 0];
            for (left, right) in held[0].iter().zip(&held[1]) {
                sums[0] += learned(&examples.arms[0], left);
                sums[1] += learned(&examples.arms[1], right);
                // One row a step is the least, so an arm of long rows can be ahead where the others' steps are short.
                let forced = left.len() == 1 || right.len() == 1;
                prop_assert!(forced || sums[0].abs_diff(sums[1]) <= 60, "{:?}", sums);
            }
        }
    }
}
