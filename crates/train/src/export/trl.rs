//! The recipe in the words of `trl sft --config` (TRL 1.9; its fields are those of `SFTConfig`, which extends
//! transformers' `TrainingArguments`, of `ModelConfig` and of `DatasetMixtureConfig`).

use super::{ROWS, Spread, is_four_bit, quoted, schedule, targets};
use crate::plan::Frozen;
use crate::recipe::{Dtype, Optimizer};

/// The file's name.
pub const FILE: &str = "trl-sft.yaml";

/// Writes the configuration. Numbers are written without exponents: PyYAML takes `2e-4` for a word.
pub fn config(frozen: &Frozen) -> String {
    let (recipe, course) = (&frozen.recipe, &frozen.course);
    let spread = Spread::of(frozen);
    let f32 = recipe.dtype == Dtype::F32;
    format!(
        "# The arm {arm} of {experiment}: `trl sft --config {FILE} --num_processes {cards}`, in this folder, TRL 1.9 or newer.\n\
         # Rows carry `input_ids` and `labels`, which TRL takes as they are. {cards} card(s) times {accum} rows are the {rows} rows of a step.\n\
         # Not the same as here: A is drawn by torch's generator, the first step of a warm-up has a rate of 0, and TRL keeps\n\
         # the adapter of a 4-bit base in bf16.\n\
         model_name_or_path: {base}\ndtype: {dtype}\n\
         load_in_4bit: {four_bit}\nbnb_4bit_quant_type: nf4\nuse_bnb_nested_quant: {nested}\n\
         use_peft: true\nlora_r: {rank}\nlora_alpha: {alpha}\nlora_dropout: {dropout}\nlora_target_modules:\n{targets}\
         datasets:\n  - path: json\n    data_files: {ROWS}\n    split: train\n\
         max_length: {limit}\npacking: false\npadding_free: false\nshuffle_dataset: false\n\
         train_sampling_strategy: {sampling}\n\
         per_device_train_batch_size: 1\ngradient_accumulation_steps: {accum}\nmax_steps: {steps}\n\
         learning_rate: {rate}\nlr_scheduler_type: {schedule}\nwarmup_steps: {warmup}\n\
         optim: {optimizer}\nweight_decay: {decay}\nmax_grad_norm: {clip}\n\
         gradient_checkpointing: {checkpointing}\nbf16: {bf16}\nseed: {seed}\n\
         logging_steps: 1\nsave_steps: {save}\nreport_to: none\noutput_dir: ./adapter\n",
        arm = frozen.data.arm,
        experiment = frozen.experiment,
        cards = spread.cards,
        accum = spread.accumulation,
        rows = recipe.grad_accum,
        base = quoted(&recipe.base),
        dtype = if f32 { "float32" } else { "bfloat16" },
        four_bit = is_four_bit(frozen),
        nested = recipe.double_quantization,
        rank = recipe.lora.rank,
        alpha = recipe.lora.alpha,
        dropout = recipe.lora.dropout,
        targets = targets(frozen),
        limit = recipe.max_seq_length,
        sampling = if recipe.shuffle { "random" } else { "sequential" },
        steps = course.steps,
        rate = recipe.learning_rate,
        schedule = schedule(frozen),
        warmup = course.warmup_steps,
        optimizer = match recipe.optimizer {
            Optimizer::Adamw => "adamw_torch",
            Optimizer::Adamw8bit => "adamw_bnb_8bit",
        },
        decay = recipe.weight_decay,
        clip = recipe.max_grad_norm,
        checkpointing = recipe.checkpointing,
        bf16 = !f32,
        seed = recipe.seed,
        save = recipe.save_every,
    )
}
