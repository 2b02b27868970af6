//! A bundle that other engines train from, for more than one card or machine: rows as ids with labels, and the recipe in
//! the words of axolotl, of TRL, and of SkyPilot, which rents the cards. What comes back is the same PEFT folder.
//!
//! The pieces say the same as the recipe wherever an engine can: rank, alpha, targets, rates, schedule, steps, rows a
//! step, longest row, no packing, seeds. Where it cannot, the file's first lines say so. Nothing is trained here.

mod axolotl;
mod sky;
mod trl;

use std::io::Write;
use std::path::{Path, PathBuf};

use model::config::Family;
use serde::Serialize;

use crate::data::{ArmExamples, Example};
use crate::plan::{Frozen, Plan};
use crate::recipe::{Hold, Quantization, Schedule};

/// The file of rows.
pub const ROWS: &str = "train.pretok.jsonl";

/// A label that no loss is computed for, as PyTorch's cross-entropy has it.
const IGNORED: i64 = -100;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of it cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Steps whose rows are counted by tokens.
    #[error("other engines take the same number of rows every step; export under --hold rows")]
    Hold,
    /// A scale that is no whole number.
    #[error("--lora-alpha is {0}, and other engines take whole numbers only")]
    Alpha(f64),
}

/// Writes the bundle of one arm into `folder`: its rows in the order of the first pass, and the three configurations.
/// Returns what the bundle cannot carry over, in words.
///
/// # Errors
/// [`ExportError`].
pub fn write(
    folder: &Path,
    plan: &Plan,
    arm: &ArmExamples,
    order: &[usize],
    family: Family,
) -> Result<Vec<String>, ExportError> {
    let alpha = plan.frozen.recipe.lora.alpha;
    if alpha.fract() != 0.0 {
        return Err(ExportError::Alpha(alpha));
    }
    if plan.frozen.recipe.hold == Hold::Tokens {
        return Err(ExportError::Hold);
    }
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(fail(folder))?;
    let path = folder.join(ROWS);
    let file = std::fs::File::create(&path).map_err(fail(&path))?;
    let mut writer = std::io::BufWriter::new(file);
    for example in order.iter().filter_map(|&place| arm.examples.get(place)) {
        writeln!(writer, "{}", line(example)).map_err(fail(&path))?;
    }
    writer.flush().map_err(fail(&path))?;
    for (name, text) in pieces(&plan.frozen, family) {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(fail(&path))?;
    }
    Ok(left_out(&plan.frozen))
}

/// The configurations by file name. TRL's command starts every adapter afresh, so it has none for a recipe that starts
/// from one.
pub fn pieces(frozen: &Frozen, family: Family) -> Vec<(&'static str, String)> {
    let mut pieces = vec![(axolotl::FILE, axolotl::config(frozen, family)), (sky::FILE, sky::task(frozen))];
    if frozen.recipe.lora.init.is_none() {
        pieces.push((trl::FILE, trl::config(frozen)));
    }
    pieces
}

fn left_out(frozen: &Frozen) -> Vec<String> {
    let recipe = &frozen.recipe;
    let mut said = Vec::new();
    if recipe.lora.init.is_some() {
        said.push(format!("{} is left out: TRL's command cannot start from an adapter", trl::FILE));
    }
    if is_gguf(&recipe.base) {
        said.push(format!("the base {} is a GGUF file, which neither axolotl nor TRL trains on: put the model's folder or hub id in its place", recipe.base));
    } else if Path::new(&recipe.base).is_dir() {
        said.push(format!("the base {} is a folder of this machine: put it on the other one at the same path, or a hub id in its place", recipe.base));
    }
    said
}

fn is_gguf(base: &str) -> bool {
    Path::new(base).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// How a step's rows are spread: every card takes one at a time.
struct Spread {
    /// Cards.
    cards: u32,
    /// Rows that each of them takes a step.
    accumulation: u32,
}

impl Spread {
    /// As many cards of one machine as divide the rows of a step, four at most: rows a step are part of the recipe, and
    /// stay what they are.
    fn of(frozen: &Frozen) -> Self {
        let rows = frozen.recipe.grad_accum;
        let cards = [4, 2].into_iter().find(|cards| rows.is_multiple_of(*cards)).unwrap_or(1);
        Self { cards, accumulation: rows / cards }
    }
}

fn is_four_bit(frozen: &Frozen) -> bool {
    frozen.recipe.quantization == Quantization::Nf4
}

/// The schedule as transformers names it.
fn schedule(frozen: &Frozen) -> &'static str {
    match frozen.recipe.schedule {
        Schedule::Linear => "linear",
        Schedule::Cosine => "cosine",
        Schedule::Constant => "constant_with_warmup",
    }
}

/// Text as a YAML scalar.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn targets(frozen: &Frozen) -> String {
    frozen.recipe.lora.targets.iter().map(|target| format!("  - {target}\n")).collect()
}

#[derive(Serialize)]
struct Pretokenized<'a> {
    input_ids: &'a [u32],
    attention_mask: Vec<u8>,
    labels: Vec<i64>,
}

fn line(example: &Example) -> String {
    let ids = &example.encoded.ids;
    let label = |(at, &id): (usize, &u32)| {
        if example.encoded.supervised.contains(&at) { i64::from(id) } else { IGNORED }
    };
    let row = Pretokenized {
        input_ids: ids,
        attention_mask: vec![1; ids.len()],
        labels: ids.iter().enumerate().map(label).collect(),
    };
    // Numbers in arrays always serialise.
    serde_json::to_string(&row).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Encoded;

    #[test]
    fn only_what_is_learned_has_a_label() {
        let encoded = Encoded { ids: vec![5, 6, 7, 8], supervised: 1..3, thinking: 0, set_in: false };
        assert_eq!(
            line(&Example { line: 1, encoded, cut: false }),
            r#"{"input_ids":[5,6,7,8],"attention_mask":[1,1,1,1],"labels":[-100,6,7,-100]}"#
        );
    }
}
