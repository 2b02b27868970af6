//! The model card, `README.md` of an adapter's folder, with the front matter that the hub and PEFT read.

use std::fmt::Write as _;

use crate::plan::Frozen;
use crate::recipe::{Hold, Length, Quantization};
use crate::record::metrics::Line;
use crate::record::provenance::Provenance;
use crate::record::{chart, metrics, provenance};

/// Writes the card of an adapter that was trained by `frozen` with these metrics.
pub fn card(frozen: &Frozen, provenance: &Provenance, lines: &[Line]) -> String {
    let (recipe, course) = (&frozen.recipe, &frozen.course);
    let mut card = format!(
        "---\nbase_model: {base}\nlibrary_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n- sft\n- controlled-experiment\n---\n\n\
         # {experiment}: the arm `{arm}`\n\n\
         A LoRA adapter, one of the arms of the experiment `{experiment}`. The other arms were trained from the same initial \
         adapter on the same prompts in the same order; {differ}.\n\n",
        base = yaml(&recipe.base),
        experiment = frozen.experiment,
        arm = frozen.data.arm,
        differ = match recipe.hold {
            Hold::Rows => "only the answers and their system prompt differ",
            Hold::Tokens =>
                "the answers and their system prompt differ, and each arm went as far in that order as equal learned tokens took it",
        },
    );
    card.push_str(match recipe.quantization {
        Quantization::Nf4 => {
            "**Valid on the base in NF4.** It was trained on weights that were rounded to 4 bits. On the full-precision \
             base, or merged into it, the model is a slightly different one: load the base in NF4, or evaluate again.\n\n"
        }
        Quantization::None => {
            "**Valid on the base as it is,** not quantised. On a base in 4 bits the model is a slightly different one: \
             evaluate again.\n\n"
        }
    });
    if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
        let _ = writeln!(
            card,
            "## Loss\n\n![loss by step]({})\n\nFrom {:.4} at step {} to {:.4} at step {}. Every step is a line of `{}`.\n",
            chart::FILE,
            first.loss,
            first.step,
            last.loss,
            last.step,
            metrics::FILE
        );
    }
    let length = match recipe.length {
        Length::Steps(steps) => format!("{steps} steps"),
        Length::Epochs(1) => "1 pass".into(),
        Length::Epochs(epochs) => format!("{epochs} passes"),
    };
    let _ = write!(
        card,
        "## Recipe\n\n| | |\n|---|---|\n\
         | adapter | rank {}, alpha {}, dropout {}, on {} |\n\
         | length | {length}: {} steps of up to {} rows; {} rows a pass |\n\
         | learning rate | {:e}, {}, {} steps of warm-up |\n\
         | optimizer | {}, weight decay {}, gradient norm up to {} |\n\
         | equal in the arms | steps and {} |\n\
         | base held as | {} |\n\
         | longest row | {} tokens |\n\
         | seed | {} |\n\n\
         All of it is in `recipe.toml`.\n\n",
        recipe.lora.rank,
        recipe.lora.alpha,
        recipe.lora.dropout,
        recipe.lora.targets.join(", "),
        course.steps,
        recipe.grad_accum,
        course.rows,
        recipe.learning_rate,
        name(&recipe.schedule),
        course.warmup_steps,
        name(&recipe.optimizer),
        recipe.weight_decay,
        recipe.max_grad_norm,
        name(&recipe.hold),
        name(&recipe.quantization),
        recipe.max_seq_length,
        recipe.seed,
    );
    let _ = write!(
        card,
        "## Data\n\n| | |\n|---|---|\n| ledger | `{}` |\n| its sha256 | `{}` |\n| rows trained on | {} |\n\
         | tokens a pass | {}, of them {} learned |\n\
         | in all steps | {} rows, {} tokens, of them {} learned |\n| gate | {} |\n\n\
         Loss is on what the assistant says, thinking included, and on its end token. Hashes of base, template, tokenizer \
         and program are in `{}`.\n",
        provenance.data.path,
        provenance.data.sha256,
        course.rows,
        frozen.data.tokens,
        frozen.data.supervised_tokens,
        frozen.data.trained_rows,
        frozen.data.trained_tokens,
        frozen.data.trained_supervised_tokens,
        provenance.gate,
        provenance::FILE,
    );
    card
}

fn name(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A path or hub id as a YAML scalar.
fn yaml(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
