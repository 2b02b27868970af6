//! The plan of one arm: its recipe, its data, and which rows every step sees.
//!
//! Both arms' plans are made from one set of pairs and one recipe, and [`difference`] shows what is not the same in
//! them: the data, and nothing else. A plan is written to `recipe.toml` before the first step; a resume under another
//! plan stops and shows the difference.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::{Example, Examples, Ledger};
use crate::recipe::{Dtype, Hold, Recipe};
use crate::schedule::{self, Schedule};
use crate::{hold, order};

/// What one arm's training will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is frozen in `recipe.toml`.
    pub frozen: Frozen,
    /// The learning rate.
    pub schedule: Schedule,
    /// Places of the rows of each step, one micro-batch a row.
    steps: Vec<Vec<usize>>,
}

/// `recipe.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The experiment's name.
    pub experiment: String,
    /// Settings, the same for every arm.
    pub recipe: Recipe,
    /// What the recipe comes to on these prompts, the same for every arm.
    pub course: Course,
    /// The arm's own.
    pub data: Data,
}

/// What a recipe comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Optimizer steps.
    pub steps: u32,
    /// Those of warm-up among them.
    pub warmup_steps: u32,
    /// Rows a pass.
    pub rows: usize,
    /// SHA-256 over the prompts in the order of the first pass.
    pub order_sha256: String,
    /// SHA-256 over the base's files.
    pub base_sha256: String,
    /// SHA-256 of the chat template.
    pub template_sha256: String,
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer_sha256: String,
    /// SHA-256 of the weights of the adapter that training starts from; absent where it is a fresh one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_sha256: Option<String>,
    /// What the numbers are computed in; absent until the device is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<Dtype>,
}

/// What one arm is trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The arm.
    pub arm: String,
    /// SHA-256 of its ledger.
    pub ledger_sha256: String,
    /// Tokens of one pass.
    pub tokens: u64,
    /// Those among them that are learned.
    pub supervised_tokens: u64,
    /// Rows of all steps.
    pub trained_rows: usize,
    /// Their tokens.
    pub trained_tokens: u64,
    /// Those among them that are learned.
    pub trained_supervised_tokens: u64,
}

/// Hashes of the base, for the course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseHashes {
    /// Over all of its files.
    pub base: String,
    /// Of the chat template.
    pub template: String,
    /// Of `tokenizer.json`.
    pub tokenizer: String,
    /// Of the adapter that training starts from, where it is not a fresh one.
    pub initial: Option<String>,
}

/// One setting that is not the same in two plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its place in `recipe.toml`, e.g. `recipe.lora.rank`.
    pub key: String,
    /// Its value in the one, absent where it is not set.
    pub left: Option<String>,
    /// And in the other.
    pub right: Option<String>,
}

/// Why two plans cannot be laid side by side.
#[derive(Debug, thiserror::Error)]
#[error("a recipe cannot be written as TOML")]
pub struct PlanError(#[from] toml::ser::Error);

impl Plan {
    /// Plans the training of `ledger`'s arm on `examples`. The examples of that arm must be among them.
    pub fn new(
        experiment: &str,
        recipe: &Recipe,
        base: &BaseHashes,
        examples: &Examples,
        ledger: &Ledger,
    ) -> Self {
        let place = examples.arms.iter().position(|arm| arm.arm == ledger.arm);
        let steps = place.map_or_else(Vec::new, |place| hold::steps(examples, recipe).swap_remove(place));
        let count = steps.len() as u32;
        let warmup = recipe.warmup_steps.unwrap_or_else(|| schedule::default_warmup(count)).min(count);
        let first = order::pass(&examples.prompts, recipe.seed, 0, recipe.shuffle);
        let arm = examples.arm(&ledger.arm);
        let sum = |length: fn(&Example) -> usize| {
            arm.map_or(0, |arm| arm.examples.iter().map(|example| length(example) as u64).sum())
        };
        let (trained_tokens, trained_supervised_tokens) =
            arm.map_or((0, 0), |arm| tokens(&steps, &arm.examples));
        let frozen = Frozen {
            experiment: experiment.to_owned(),
            recipe: recipe.clone(),
            course: Course {
                steps: count,
                warmup_steps: warmup,
                rows: examples.prompts.len(),
                order_sha256: hash(first.iter().map(|&place| examples.prompts[place].as_str())),
                base_sha256: base.base.clone(),
                template_sha256: base.template.clone(),
                tokenizer_sha256: base.tokenizer.clone(),
                initial_sha256: base.initial.clone(),
                dtype: None,
            },
            data: Data {
                arm: ledger.arm.clone(),
                ledger_sha256: ledger.sha256.clone(),
                tokens: sum(|example| example.encoded.ids.len()),
                supervised_tokens: sum(|example| example.encoded.supervised.len()),
                trained_rows: steps.iter().map(Vec::len).sum(),
                trained_tokens,
                trained_supervised_tokens,
            },
        };
        let schedule = Schedule { peak: recipe.learning_rate, warmup, steps: count, shape: recipe.schedule };
        Self { frozen, schedule, steps }
    }

    /// How many steps there are.
    pub fn len(&self) -> u32 {
        self.frozen.course.steps
    }

    /// Whether there are none; a plan always has one.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The rows of `step` (from 0), as places in the arm's examples; empty past the end.
    pub fn rows(&self, step: u32) -> &[usize] {
        self.steps.get(step as usize).map_or(&[], Vec::as_slice)
    }

    /// The rows of all steps.
    pub fn steps(&self) -> &[Vec<usize>] {
        &self.steps
    }
}

/// Tokens of all steps, and the learned ones among them.
fn tokens(steps: &[Vec<usize>], examples: &[Example]) -> (u64, u64) {
    let rows = steps.iter().flatten().filter_map(|&place| examples.get(place));
    rows.fold((0, 0), |(all, learned), row| {
        (all + row.encoded.ids.len() as u64, learned + row.encoded.supervised.len() as u64)
    })
}

/// What is not the same in two frozen plans, in the order of their keys. A base or an adapter to start from that lies in
/// another place is the same by its hash.
///
/// # Errors
/// [`PlanError`], which would be a fault of ours.
pub fn difference(left: &Frozen, right: &Frozen) -> Result<Vec<Difference>, PlanError> {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    flatten("", &toml::Value::try_from(left)?, &mut ours);
    flatten("", &toml::Value::try_from(right)?, &mut theirs);
    let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let course = [&left.course, &right.course];
    let same = |key: &str| match key {
        "recipe.base" => course[0].base_sha256 == course[1].base_sha256,
        // One of them was not asked of a device, or is of a version that did not say.
        "course.dtype" => course.iter().any(|course| course.dtype.is_none()),
        "recipe.lora.init" => course[0].initial_sha256 == course[1].initial_sha256,
        _ => false,
    };
    let unequal = keys.into_iter().filter(|&key| ours.get(key) != theirs.get(key) && !same(key));
    Ok(unequal
        .map(|key| Difference {
            key: key.clone(),
            left: ours.get(key).cloned(),
            right: theirs.get(key).cloned(),
        })
        .collect())
}

fn flatten(place: &str, value: &toml::Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let dot = if place.is_empty() { "" } else { "." };
                flatten(&format!("{place}{dot}{key}"), value, leaves);
            }
        }
        toml::Value::String(text) => drop(leaves.insert(place.to_owned(), text.clone())),
        other => drop(leaves.insert(place.to_owned(), other.to_string())),
    }
}

/// Which of steps, rows and tokens the arms have alike, in words.
pub fn held_equal(plans: &[&Plan]) -> String {
    let Some(first) = plans.first() else { return String::new() };
    let every = |words: fn(&Data) -> String| -> String {
        let arms = plans.iter().map(|plan| &plan.frozen.data);
        arms.map(|data| format!("{} {}", data.arm, words(data))).collect::<Vec<_>>().join(", ")
    };
    let tokens =
        every(|data| format!("{} ({} learned)", data.trained_tokens, data.trained_supervised_tokens));
    let rows = every(|data| data.trained_rows.to_string());
    let steps = first.len();
    match first.frozen.recipe.hold {
        Hold::Rows => {
            let rows = first.frozen.data.trained_rows;
            format!("equal: {steps} steps, {rows} rows; not held equal: tokens, {tokens}")
        }
        Hold::Tokens => {
            format!(
                "equal: {steps} steps, learned tokens as near as whole rows come, {tokens}; not held equal: rows, {rows}"
            )
        }
    }
}

fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    dataset::receipt::hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::data::{ArmExamples, Gate};
    use crate::flags::Flags;
    use crate::mask::Encoded;
    use crate::recipe::Section;

    fn examples(rows: usize) -> Examples {
        let arm = |arm: &str, length: usize| ArmExamples {
            arm: arm.into(),
            path: arm.into(),
            examples: (0..rows)
                .map(|place| Example {
                    line: place + 1,
                    encoded: Encoded {
                        ids: vec![1; length + place],
                        supervised: 2..length,
                        thinking: 0,
                        set_in: false,
                    },
                    cut: false,
                })
                .collect(),
        };
        Examples {
            prompts: (0..rows).map(|place| format!("prompt {place}")).collect(),
            arms: vec![arm("control", 5), arm("aba", 9)],
        }
    }

    fn plan(typed: &[&str], rows: usize, arm: &str) -> Plan {
        let flags = Flags::parse_from([&["train", "--base", "b"], typed].concat());
        let recipe = Recipe::freeze(&flags, &Section::default(), "2026-01-02").unwrap();
        let base =
            BaseHashes { base: "x".into(), template: "y".into(), tokenizer: "z".into(), initial: None };
        let ledger = Ledger {
            arm: arm.into(),
            path: arm.into(),
            sha256: format!("sha of {arm}"),
            gate: Gate::Passed,
            states_system: true,
            lines: vec![],
        };
        Plan::new("x", &recipe, &base, &examples(rows), &ledger)
    }

    #[test]
    fn the_arms_differ_in_their_data_alone() {
        let (control, aba) = (plan(&[], 10, "control"), plan(&[], 10, "aba"));
        let keys: Vec<String> =
            difference(&control.frozen, &aba.frozen).unwrap().into_iter().map(|d| d.key).collect();
        let tokens = ["supervised_tokens", "tokens", "trained_supervised_tokens", "trained_tokens"];
        let own = [&["arm", "ledger_sha256"], &tokens[..]].concat();
        assert_eq!(keys, own.into_iter().map(|key| format!("data.{key}")).collect::<Vec<_>>());
        assert_eq!(control.steps, aba.steps);
        assert_eq!(
            held_equal(&[&control, &aba]),
            "equal: 4 steps, 20 rows; not held equal: tokens, control 190 (60 learned), aba 270 (140 learned)"
        );
    }

    #[test]
    fn tokens_can_be_held_equal_instead_of_rows() {
        let typed = ["--hold=tokens", "--epochs=4"];
        let (control, aba) = (plan(&typed, 10, "control"), plan(&typed, 10, "aba"));
        assert_eq!((control.len(), aba.len()), (8, 8));
        assert_eq!((control.schedule, &control.frozen.recipe), (aba.schedule, &aba.frozen.recipe));
        let shown = difference(&control.frozen, &aba.frozen).unwrap();
        let rows = shown.iter().find(|d| d.key == "data.trained_rows").unwrap();
        assert_eq!((rows.left.as_deref(), rows.right.as_deref()), (Some("40"), Some("17")));
        assert!(shown.iter().all(|d| d.key.starts_with("data.")), "{shown:?}");
        assert_eq!(
            held_equal(&[&control, &aba]),
            "equal: 8 steps, learned tokens as near as whole rows come, control 380 (120 learned), aba 230 (119 learned); not held equal: rows, control 40, aba 17"
        );
    }

    #[test]
    fn a_recipe_that_changed_is_shown_key_by_key() {
        let (left, right) =
            (plan(&[], 10, "aba"), plan(&["--lora-rank", "8", "--warmup-steps", "1"], 10, "aba"));
        let shown = difference(&left.frozen, &right.frozen).unwrap();
        let keys: Vec<(&str, Option<&str>, Option<&str>)> =
            shown.iter().map(|d| (d.key.as_str(), d.left.as_deref(), d.right.as_deref())).collect();
        assert_eq!(
            keys,
            [("recipe.lora.rank", Some("16"), Some("8")), ("recipe.warmup_steps", None, Some("1"))]
        );
    }

    #[test]
    fn the_same_base_in_another_place_is_the_same_and_other_bytes_in_its_place_are_not() {
        let plan = plan(&["--init-adapter", "a"], 10, "aba").frozen;
        let mut other = plan.clone();
        (other.recipe.base, other.recipe.lora.init) = ("elsewhere".into(), Some("b".into()));
        assert_eq!(difference(&plan, &other).unwrap(), []);
        other = plan.clone();
        other.course.initial_sha256 = Some("w".into());
        other.course.base_sha256 = "v".into();
        let keys: Vec<String> = difference(&plan, &other).unwrap().into_iter().map(|d| d.key).collect();
        assert_eq!(keys, ["course.base_sha256", "course.initial_sha256"]);
        let computed = |dtype| {
            let mut plan = plan.clone();
            plan.course.dtype = dtype;
            plan
        };
        let [none, narrow, wide] = [None, Some(Dtype::Bf16), Some(Dtype::F32)].map(computed);
        assert_eq!(difference(&none, &wide).unwrap(), []);
        assert_eq!(difference(&narrow, &wide).unwrap()[0].key, "course.dtype");
    }

    #[test]
    fn every_pass_sees_every_row_once_and_steps_run_over_as_many_passes_as_they_need() {
        let plan = plan(&["--max-steps", "5", "--grad-accum", "4"], 10, "aba");
        assert_eq!(plan.len(), 5);
        let sizes: Vec<usize> = (0..6).map(|step| plan.rows(step).len()).collect();
        assert_eq!(sizes, [4, 4, 2, 4, 4, 0]);
        let mut first: Vec<usize> = (0..3).flat_map(|step| plan.rows(step).to_vec()).collect();
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        assert_ne!(plan.rows(0), plan.rows(3));
    }

    #[test]
    fn a_frozen_plan_reads_back() {
        let frozen = plan(&[], 3, "aba").frozen;
        let text = toml::to_string(&frozen).unwrap();
        assert_eq!(toml::from_str::<Frozen>(&text).unwrap(), frozen);
    }
}
