//! Memory and time of a run before it begins, from the model's shape and the rows' lengths.

use std::fmt::Write as _;

use model::config::Config;
use model::forecast::{Forecast, Host, Load};
use model::lora::{LoraConfig, Projection};
use model::nf4;

use crate::prepare::Planned;
use crate::recipe::{Optimizer, Quantization, Recipe};

/// Where the run will compute, as far as a forecast needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Bytes of a number of the computation: 4 for f32, 2 for bf16.
    pub compute_bytes: usize,
    /// Bytes that are free there, where the system says.
    pub free: Option<u64>,
    /// Bytes that this process holds there before the base is loaded, and keeps; they are not among the free ones.
    pub held: u64,
    /// Whether it is a GPU.
    pub gpu: bool,
    /// Whether the embedding lies in host memory all the same.
    pub host_embedding: bool,
    /// Cores, where it is not.
    pub cores: usize,
}

/// Floating-point operations a second that a core of a CPU gave in f32 on SmolLM2-135M: 135 tokens/s on two, measured.
const PER_CORE: f64 = 55e9;

/// The same for a GPU in bf16, from what torchtune reports for an 8B model on a 4090; not measured here.
const PER_GPU: f64 = 1.2e14;

/// The adapter's settings as the model takes them.
///
/// # Errors
/// A target that is none of the seven projections.
pub fn lora(recipe: &Recipe) -> Result<LoraConfig, model::lora::Error> {
    let targets = recipe.lora.targets.iter().map(|name| Projection::from_name(name));
    let targets = targets.collect::<Result<_, _>>()?;
    Ok(LoraConfig {
        rank: recipe.lora.rank as usize,
        alpha: recipe.lora.alpha,
        dropout: recipe.lora.dropout,
        targets,
    })
}

/// How the model holds its matrices under this recipe.
pub fn quantization(recipe: &Recipe) -> nf4::Quantization {
    match recipe.quantization {
        Quantization::None => nf4::Quantization::None,
        Quantization::Nf4 => nf4::Quantization::Nf4 { double: recipe.double_quantization },
    }
}

/// The forecast of memory for rows of up to `longest` tokens.
///
/// # Errors
/// As [`lora`].
pub fn memory(
    recipe: &Recipe,
    config: &Config,
    place: Place,
    longest: usize,
) -> Result<Forecast, model::lora::Error> {
    let lora = lora(recipe)?;
    // With checkpointing, rows go through a layer together for as long as they have no more tokens than the limit.
    let limit = longest.max(recipe.max_seq_length as usize);
    let together = (longest * recipe.grad_accum as usize).min(limit);
    Ok(Forecast::of(&Load {
        config,
        quantization: quantization(recipe),
        lora: &lora,
        compute_bytes: place.compute_bytes,
        seq_len: longest,
        together: if recipe.checkpointing { together } else { longest },
        head_chunk: 256,
        checkpointing: recipe.checkpointing,
        optimizer_bytes: match recipe.optimizer {
            Optimizer::Adamw => 8,
            Optimizer::Adamw8bit => 2,
        },
        // On a CPU that is the same memory.
        host_embedding: place.gpu && place.host_embedding,
        host: (!place.gpu).then_some(Host { process: place.held as usize }),
    }))
}

/// Whether `forecast` is more than what is free at `place`.
pub fn is_too_large(forecast: &Forecast, place: Place) -> bool {
    place.free.is_some_and(|free| forecast.peak() as u64 > free + place.held)
}

/// The forecast in words, with what would fit if this does not.
///
/// # Errors
/// As [`lora`].
pub fn describe(
    recipe: &Recipe,
    config: &Config,
    place: Place,
    longest: usize,
) -> Result<String, model::lora::Error> {
    let forecast = memory(recipe, config, place, longest)?;
    let mut text = String::from("memory, by forecast\n");
    for (part, bytes) in forecast.parts() {
        let _ = writeln!(text, "  {part:<22}{:>9.3} GiB", gib(bytes as f64));
    }
    let _ = writeln!(text, "  {:<22}{:>9.3} GiB", "peak", gib(forecast.peak() as f64));
    match place.free {
        None => text.push_str("  what is free, the device does not say\n"),
        Some(free) => {
            let _ = writeln!(text, "  {:<22}{:>9.3} GiB", "free", gib(free as f64));
            if is_too_large(&forecast, place) {
                text.push_str(&fitting(recipe, config, place, longest)?);
            }
        }
    }
    Ok(text)
}

fn fitting(
    recipe: &Recipe,
    config: &Config,
    place: Place,
    longest: usize,
) -> Result<String, model::lora::Error> {
    let thrifty = Recipe {
        quantization: Quantization::Nf4,
        double_quantization: true,
        checkpointing: true,
        ..recipe.clone()
    };
    let host_embedding = place.gpu && !config.tie_word_embeddings;
    let place = Place { host_embedding, ..place };
    let embedding = if host_embedding { " --embedding host" } else { "" };
    let lengths = std::iter::successors(Some(longest), |&length| (length > 64).then_some(length / 2));
    for length in lengths {
        let recipe = Recipe { max_seq_length: length as u32, ..thrifty.clone() };
        if !is_too_large(&memory(&recipe, config, place, length)?, place) {
            return Ok(format!(
                "  too large; --quantization nf4 --double-quantization{embedding} with checkpointing and rows of up to {length} tokens would fit\n"
            ));
        }
    }
    Ok("  too large; no row length would fit, so take a smaller base or another device\n".into())
}

/// The forecast of time over all plans, in words. It is rough, and says so.
pub fn time(recipe: &Recipe, config: &Config, place: Place, planned: &Planned) -> String {
    let total: u64 = planned.plans.iter().map(|plan| plan.frozen.data.trained_tokens).sum();
    let matrices: usize = Projection::ALL
        .into_iter()
        .map(|projection| {
            let (rows, columns) = projection.shape(config);
            rows * columns
        })
        .sum();
    let parameters = (config.layers * matrices + config.vocab_size * config.hidden_size) as f64;
    // Forward, back to the inputs, and forward again: weights have no gradient of their own.
    let passes = if recipe.checkpointing { 6.0 } else { 4.0 };
    let rate = if place.gpu { PER_GPU } else { PER_CORE * place.cores as f64 };
    let seconds = passes * parameters * total as f64 / rate;
    format!("time, very roughly and not measured on this machine: {} for {total} tokens\n", duration(seconds))
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn gib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::flags::Flags;
    use crate::recipe::Section;

    fn check(typed: &[&str], free_gib: u64) -> String {
        let flags = Flags::parse_from([&["train", "--base", "b"], typed].concat());
        let recipe = Recipe::freeze(&flags, &Section::default(), "2026-01-02").unwrap();
        let place = Place {
            compute_bytes: 2,
            free: Some(free_gib << 30),
            held: 0,
            gpu: true,
            host_embedding: typed.contains(&"host"),
            cores: 0,
        };
        describe(&recipe, &Config::qwen3_8b(), place, 4096).unwrap()
    }

    #[test]
    fn an_embedding_on_the_host_is_not_counted_on_the_card() {
        let peak = |text: String| -> f64 {
            let line = text.lines().find_map(|line| line.trim().strip_prefix("peak ")).unwrap();
            line.trim().strip_suffix(" GiB").unwrap().parse().unwrap()
        };
        let freed = peak(check(&[], 15)) - peak(check(&["--embedding", "host"], 15));
        // 151,936 words of 4,096 numbers in bf16.
        assert!((freed - 1.159).abs() < 0.002, "{freed}");
    }

    #[test]
    fn eight_billion_at_4096_fit_a_card_of_16_gib_and_in_bf16_do_not() {
        assert!(!check(&[], 15).contains("too large"), "{}", check(&[], 15));
        let none = check(&["--quantization", "none"], 15);
        assert!(none.contains("--embedding host with checkpointing") && none.contains("would fit"), "{none}");
        assert!(check(&[], 4).contains("no row length would fit"));
    }
}
