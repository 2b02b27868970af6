//! A bundle that other engines train from, for more than one machine: rows as ids with labels, and a configuration of
//! axolotl. The adapter that comes back is the same kind of PEFT folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::{ArmExamples, Example};
use crate::plan::{Frozen, Plan};
use crate::recipe::{Length, Quantization};

/// A label that no loss is computed for, as PyTorch's cross-entropy has it.
const IGNORED: i64 = -100;

#[derive(Serialize)]
struct Pretokenized<'a> {
    input_ids: &'a [u32],
    attention_mask: Vec<u8>,
    labels: Vec<i64>,
}

/// A file of the bundle that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct ExportError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Writes `train.pretok.jsonl`, in the order of the first pass, and `axolotl.yaml` into `folder`.
///
/// # Errors
/// [`ExportError`].
pub fn write(folder: &Path, plan: &Plan, arm: &ArmExamples, order: &[usize]) -> Result<(), ExportError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError { path, source }
    };
    std::fs::create_dir_all(folder).map_err(fail(folder))?;
    let path = folder.join("train.pretok.jsonl");
    let file = std::fs::File::create(&path).map_err(fail(&path))?;
    let mut writer = std::io::BufWriter::new(file);
    for example in order.iter().filter_map(|&place| arm.examples.get(place)) {
        writeln!(writer, "{}", line(example)).map_err(fail(&path))?;
    }
    writer.flush().map_err(fail(&path))?;
    let path = folder.join("axolotl.yaml");
    std::fs::write(&path, axolotl(&plan.frozen)).map_err(fail(&path))
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

fn axolotl(frozen: &Frozen) -> String {
    let recipe = &frozen.recipe;
    let four_bit = recipe.quantization == Quantization::Nf4;
    let length = match recipe.length {
        Length::Steps(steps) => format!("max_steps: {steps}"),
        Length::Epochs(epochs) => format!("num_epochs: {epochs}"),
    };
    let schedule = match recipe.schedule {
        crate::recipe::Schedule::Linear => "linear",
        crate::recipe::Schedule::Cosine => "cosine",
        crate::recipe::Schedule::Constant => "constant_with_warmup",
    };
    let optimizer = match recipe.optimizer {
        crate::recipe::Optimizer::Adamw => "adamw_torch",
        crate::recipe::Optimizer::Adamw8bit => "adamw_bnb_8bit",
    };
    let targets: String = recipe.lora.targets.iter().map(|target| format!("  - {target}\n")).collect();
    format!(
        "# The arm {arm} of {experiment}. Rows carry their ids and labels, so no template is applied again.\n\
         base_model: '{base}'\nload_in_4bit: {four_bit}\nadapter: {adapter}\n\
         lora_r: {rank}\nlora_alpha: {alpha}\nlora_dropout: {dropout}\nlora_target_modules:\n{targets}\
         datasets:\n  - path: train.pretok.jsonl\n    ds_type: json\n    type:\n\
         sequence_len: {limit}\nsample_packing: false\nmicro_batch_size: 1\ngradient_accumulation_steps: {accum}\n\
         {length}\nlearning_rate: {rate:e}\nlr_scheduler: {schedule}\nwarmup_steps: {warmup}\noptimizer: {optimizer}\n\
         weight_decay: {decay}\nmax_grad_norm: {clip}\ngradient_checkpointing: {checkpointing}\nbf16: auto\nseed: {seed}\n\
         output_dir: ./{arm}\n",
        arm = frozen.data.arm,
        experiment = frozen.experiment,
        base = recipe.base.replace('\'', "''"),
        adapter = if four_bit { "qlora" } else { "lora" },
        rank = recipe.lora.rank,
        alpha = recipe.lora.alpha,
        dropout = recipe.lora.dropout,
        limit = recipe.max_seq_length,
        accum = recipe.grad_accum,
        rate = recipe.learning_rate,
        warmup = frozen.course.warmup_steps,
        decay = recipe.weight_decay,
        clip = recipe.max_grad_norm,
        checkpointing = recipe.checkpointing,
        seed = recipe.seed,
    )
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
