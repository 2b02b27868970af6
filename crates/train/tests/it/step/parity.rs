//! Twenty steps beside HF + PEFT: the values are written down in `tests/peft/trajectory.json`, with the script that made
//! them.

use std::path::Path;

use model::lora::LoraConfig;
use model::nf4::Quantization;
use serde_json::Value;
use train::step::gradient::{Method, accumulate};
use train::step::optimizer::{AdamW, Precision};

use crate::step::support::{fixture, initial, load, row, smollm2};

fn check(name: &str, path: &Path) {
    let written = include_str!("../../peft/trajectory.json");
    let expected = &serde_json::from_str::<Value>(written).unwrap()[name];
    let numbers = |key: &str| -> Vec<f64> {
        expected[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let number = |key: &str| expected[key].as_f64().unwrap();
    let (losses, norms) = (numbers("losses"), numbers("norms"));
    let lora = LoraConfig::all(number("rank") as usize, number("alpha"));
    let mut model = load(path, lora, Quantization::None);
    let first = initial(&model);
    model.set_adapter(&first).unwrap();
    let mut optimizer = AdamW::new(model.parameters(), Precision::Full, 0.01);
    let vocabulary = model.config().vocab_size;
    for (step, (&loss, &norm)) in losses.iter().zip(&norms).enumerate() {
        let rows = [row(step * 2 % 6, vocabulary), row((step * 2 + 1) % 6, vocabulary)];
        let learned: usize = rows.iter().map(|row| row.learned_tokens()).sum();
        let method = Method { checkpointing: true, group_tokens: 1000 };
        let sums = accumulate(&model, &[&rows[0], &rows[1]], method, None);
        let own = sums.iter().sum::<f64>() / learned as f64;
        let own_norm = optimizer.clip(1.0);
        optimizer.step(number("rate") * (1.0 - step as f64 / losses.len() as f64));
        optimizer.zero_grad();
        let (loss_bar, norm_bar) = if step == 0 { (1e-5, 1e-4) } else { (1e-3, 1e-2) };
        assert!((own / loss - 1.0).abs() < loss_bar, "{name}, step {}: loss {own}, HF {loss}", step + 1);
        assert!(
            (own_norm / norm - 1.0).abs() < norm_bar,
            "{name}, step {}: norm {own_norm}, HF {norm}",
            step + 1
        );
    }
    // The rows come round every third step.
    assert!(losses[18] < 0.95 * losses[0], "the reference itself learns nothing");
}

#[test]
fn tiny_qwen3_follows_hf_and_peft() {
    check("qwen3-tied", &fixture("qwen3-tied"));
}

#[test]
fn tiny_llama_follows_hf_and_peft() {
    check("llama-untied", &fixture("llama-untied"));
}

#[test]
fn smollm2_follows_hf_and_peft() {
    if let Some(path) = smollm2() {
        check("smollm2", &path);
    }
}
