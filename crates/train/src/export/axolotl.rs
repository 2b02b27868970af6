//! The recipe in the words of axolotl (<https://docs.axolotl.ai/docs/config-reference.html>, 0.18): QLoRA under FSDP where
//! there is more than one card.

use model::config::Family;

use super::{ROWS, Spread, is_four_bit, quoted, schedule, targets};
use crate::plan::Frozen;
use crate::recipe::{Dtype, Optimizer};

/// The file's name.
pub const FILE: &str = "axolotl.yaml";

/// Writes the configuration. Numbers are written without exponents: PyYAML takes `2e-4` for a word.
pub fn config(frozen: &Frozen, family: Family) -> String {
    let (recipe, course) = (&frozen.recipe, &frozen.course);
    let spread = Spread::of(frozen);
    let four_bit = is_four_bit(frozen);
    let mut text = format!(
        "# The arm {arm} of {experiment}: `axolotl train {FILE}`, in this folder, on {cards} card(s).\n\
         # Rows carry their ids and labels, so no template is applied again. {cards} card(s) times {accum} rows are the {rows} rows of a step.\n\
         # Not the same as here: A is drawn by axolotl's generator, and the first step of a warm-up has a rate of 0.\n\
         base_model: {base}\nload_in_4bit: {four_bit}\nadapter: {adapter}\n",
        arm = frozen.data.arm,
        experiment = frozen.experiment,
        cards = spread.cards,
        accum = spread.accumulation,
        rows = recipe.grad_accum,
        base = quoted(&recipe.base),
        adapter = if four_bit { "qlora" } else { "lora" },
    );
    if four_bit {
        // Axolotl's own choice is double quantisation, whatever the recipe has.
        text.push_str(&format!(
            "bnb_config_kwargs:\n  bnb_4bit_quant_type: nf4\n  bnb_4bit_use_double_quant: {}\n",
            recipe.double_quantization
        ));
    }
    if let Some(folder) = &recipe.lora.init {
        text.push_str(&format!("lora_model_dir: {}\n", quoted(&folder.display().to_string())));
    }
    text.push_str(&format!(
        "lora_r: {rank}\nlora_alpha: {alpha}\nlora_dropout: {dropout}\nlora_target_modules:\n{targets}\
         datasets:\n  - path: {ROWS}\n    ds_type: json\n    type:\ndataset_prepared_path: prepared\nval_set_size: 0\n\
         shuffle_merged_datasets: {shuffle}\ncurriculum_sampling: {in_order}\n\
         sequence_len: {limit}\nexcess_length_strategy: raise\nsample_packing: false\npad_to_sequence_len: false\n\
         micro_batch_size: 1\ngradient_accumulation_steps: {accum}\nmax_steps: {steps}\n\
         learning_rate: {rate}\nlr_scheduler: {schedule}\nwarmup_steps: {warmup}\n\
         optimizer: {optimizer}\nweight_decay: {decay}\nmax_grad_norm: {clip}\n\
         gradient_checkpointing: {checkpointing}\nbf16: {bf16}\ntf32: false\nseed: {seed}\n\
         logging_steps: 1\nsave_steps: {save}\noutput_dir: ./adapter\n",
        rank = recipe.lora.rank,
        alpha = recipe.lora.alpha,
        dropout = recipe.lora.dropout,
        targets = targets(frozen),
        shuffle = recipe.shuffle,
        in_order = !recipe.shuffle,
        limit = recipe.max_seq_length,
        accum = spread.accumulation,
        steps = course.steps,
        rate = recipe.learning_rate,
        schedule = schedule(frozen),
        warmup = course.warmup_steps,
        optimizer = match (recipe.optimizer, spread.cards) {
            (Optimizer::Adamw, _) => "adamw_torch",
            (Optimizer::Adamw8bit, 1) => "adamw_bnb_8bit",
            // Axolotl refuses the one of bitsandbytes under FSDP 2.
            (Optimizer::Adamw8bit, _) => "adamw_torch_8bit",
        },
        decay = recipe.weight_decay,
        clip = recipe.max_grad_norm,
        checkpointing = recipe.checkpointing,
        bf16 = match recipe.dtype {
            Dtype::Auto => "auto",
            Dtype::F32 => "false",
            Dtype::Bf16 => "true",
        },
        seed = recipe.seed,
        save = recipe.save_every,
    ));
    if spread.cards > 1 {
        let layer = match family {
            Family::Qwen3 => "Qwen3DecoderLayer",
            Family::Llama => "LlamaDecoderLayer",
        };
        text.push_str(&format!(
            "fsdp_version: 2\nfsdp_config:\n  offload_params: false\n  cpu_ram_efficient_loading: true\n\
             \x20 auto_wrap_policy: TRANSFORMER_BASED_WRAP\n  transformer_layer_cls_to_wrap: {layer}\n\
             \x20 state_dict_type: FULL_STATE_DICT\n  reshard_after_forward: true\n"
        ));
    }
    text
}
