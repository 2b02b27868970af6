//! One measurement, in the process that calls it.

use std::time::Instant;

use anyhow::{Context, Result};
use model::base::Base;
use model::config::Config;
use model::device;
use model::lora::LoraConfig;
use model::nf4::Quantization;
use model::transformer::{LoadOptions, Model};
use train::step::gradient::{Method, Row, accumulate};
use train::step::optimizer::{AdamW, Precision};

use crate::{Case, Figures};

/// Ids of a row, the same numbers as `hf_peft.py` makes.
pub fn ids(tokens: usize, vocabulary: usize) -> Vec<i64> {
    (0..tokens as i64).map(|at| (at * 7919 + at * at * 31 + 17) % vocabulary.min(40_000) as i64).collect()
}

/// Trains on one row, again and again; a quarter of it is prompt.
pub fn measure(case: &Case) -> Result<Figures> {
    // The peer of a real base computes on the CPU.
    let device = device::parse(if case.base.is_some() { "cpu" } else { "auto" })?;
    let options = LoadOptions {
        device,
        dtype: device::natural_kind(device),
        quantization: if case.nf4 { Quantization::Nf4 { double: false } } else { Quantization::None },
        lora: Some(LoraConfig::all(16, 16.0)),
        host_embedding: case.host_embedding,
        ..LoadOptions::cpu()
    };
    let model = match &case.base {
        Some(base) => Model::load(&Base::open(&base.display().to_string())?, &options)?,
        None => Model::random(&Config::qwen3_8b(), &options)?,
    };
    let row = Row { ids: ids(case.tokens, model.config().vocab_size), learned: case.tokens / 4..case.tokens };
    let method = Method { checkpointing: case.checkpointing, group_tokens: case.tokens };
    let mut optimizer = AdamW::new(model.parameters(), Precision::Full, 0.0);
    let (mut losses, mut fastest) = (Vec::new(), f64::INFINITY);
    for step in 0..=case.steps {
        let started = Instant::now();
        let sum = accumulate(&model, &[&row], method, None)[0];
        // Clipping reads the norm, so the device has done all work when the clock is read.
        optimizer.clip(1.0);
        optimizer.step(2e-4);
        optimizer.zero_grad();
        if step > 0 {
            fastest = fastest.min(started.elapsed().as_secs_f64());
        }
        losses.push(sum / row.learned_tokens() as f64);
    }
    Ok(Figures {
        tokens_per_second: case.tokens as f64 / fastest,
        peak_memory_bytes: device::peak_memory(device)
            .context("this system does not say how much memory was used")?,
        losses,
    })
}
