//! Logits of tiny random models against transformers and PEFT, in f32.

use model::adapter::Adapter;
use model::base::Base;
use model::forecast::{Forecast, Load};
use model::lora::LoraConfig;
use model::nf4::Quantization;
use model::transformer::{LoadOptions, Model};
use tch::Tensor;

use crate::reference::{Reference, fixture};

/// The largest deviation that is allowed, on logits of size 1 to 10.
const TOLERANCE: f32 = 1e-4;

pub fn load(base: &str, options: &LoadOptions) -> Model {
    let base = Base::open(fixture(base).to_str().unwrap()).unwrap();
    Model::load(&base, options).unwrap()
}

pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.numel()];
    tensor.contiguous().copy_data(&mut values, tensor.numel());
    values
}

pub fn assert_near(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = theirs.iter().fold(0f32, |size, value| size.max(value.abs()));
    assert!(size > 0.5, "the reference says nothing: its largest logit is {size}");
    assert!(worst <= tolerance, "deviates by {worst} at a size of {size}");
}

fn check(base: &str, expected: &str) {
    let reference = Reference::open(expected);
    let ids = Tensor::from_slice(&reference.ids("ids")).unsqueeze(0);
    let logits = load(base, &LoadOptions::cpu()).logits(&ids);
    assert_near(&floats(&logits), &reference.floats("logits"), TOLERANCE);
}

#[test]
fn qwen3_with_a_tied_head_equals_transformers() {
    check("qwen3-tied", "qwen3-tied/expected.st");
}

#[test]
fn qwen3_with_its_own_head_in_two_shards_equals_transformers() {
    check("qwen3-untied", "qwen3-untied/expected.st");
}

#[test]
fn llama_with_a_tied_head_and_llama3_scaling_equals_transformers() {
    check("llama-tied", "llama-tied/expected.st");
}

#[test]
fn llama_with_its_own_head_and_linear_scaling_equals_transformers() {
    check("llama-untied", "llama-untied/expected.st");
}

#[test]
fn a_gguf_file_in_six_formats_equals_transformers() {
    check("llama.gguf", "llama.gguf.expected.st");
}

#[test]
fn an_adapter_of_peft_changes_the_logits_as_peft_does() {
    let reference = Reference::open("llama-untied-adapter/expected.st");
    let ids = Tensor::from_slice(&reference.ids("ids")).unsqueeze(0);
    let adapter = Adapter::load(&fixture("llama-untied-adapter")).unwrap();
    let options = LoadOptions { lora: Some(adapter.lora.clone()), ..LoadOptions::cpu() };
    let mut model = load("llama-untied", &options);
    let untrained = floats(&model.logits(&ids));
    assert_near(&untrained, &Reference::open("llama-untied/expected.st").floats("logits"), TOLERANCE);
    model.set_adapter(&adapter).unwrap();
    assert_near(&floats(&model.logits(&ids)), &reference.floats("logits"), TOLERANCE);
    assert_eq!(model.adapter().unwrap(), adapter);
}

#[test]
fn an_adapter_of_another_shape_is_refused_by_name() {
    let options = LoadOptions { lora: Some(LoraConfig::all(4, 6.0)), ..LoadOptions::cpu() };
    let mut model = load("llama-untied", &options);
    let mut adapter = model.adapter().unwrap();
    let (key, matrix) = adapter.matrices.pop_last().unwrap();
    let error = model.set_adapter(&adapter).unwrap_err().to_string();
    assert_eq!(error, format!("the adapter does not fit the model: tensor `{key}` is missing from it"));
    adapter.matrices.insert(key, matrix);
    adapter.lora.rank = 8;
    let error = model.set_adapter(&adapter).unwrap_err().to_string();
    assert!(error.contains("it has rank 8, alpha 6 on q_proj, k_proj"), "{error}");
}

#[test]
fn greedy_decoding_with_a_cache_chooses_what_whole_rows_choose() {
    for quantization in [Quantization::None, Quantization::Nf4 { double: true }] {
        for base in ["qwen3-untied", "llama-tied"] {
            let model = load(base, &LoadOptions { quantization, ..LoadOptions::cpu() });
            let mut ids: Vec<i64> = vec![5, 42, 79];
            let answer = model.greedy(&ids, 12, &[]);
            for chosen in &answer {
                let logits = model.logits(&Tensor::from_slice(&ids).unsqueeze(0));
                let best = logits.get(0).get(-1).argmax(0, false).int64_value(&[]);
                assert_eq!(*chosen, best, "{base} after {ids:?}");
                ids.push(best);
            }
            assert_eq!(answer.len(), 12);
            let stopped = model.greedy(&[5, 42, 79], 12, &[answer[4]]);
            let first = answer.iter().position(|id| *id == answer[4]).unwrap();
            assert_eq!(stopped, answer[..first]);
        }
    }
}

#[test]
fn nf4_moves_the_logits_a_little_and_holds_what_the_forecast_says() {
    let options = LoadOptions { quantization: Quantization::Nf4 { double: true }, ..LoadOptions::cpu() };
    let model = load("qwen3-untied", &options);
    let ids = Tensor::from_slice(&[1i64, 2, 3]).unsqueeze(0);
    let dense = load("qwen3-untied", &LoadOptions::cpu());
    let (four, full) = (floats(&model.logits(&ids)), floats(&dense.logits(&ids)));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosine = dot(&four, &full) / (dot(&four, &four) * dot(&full, &full)).sqrt();
    assert!((0.8..0.9999).contains(&cosine), "four bits move the logits, and not far: cosine {cosine}");
    for (model, quantization) in [(&model, options.quantization), (&dense, Quantization::None)] {
        let (matrices, tables) = model.frozen_bytes();
        let forecast = Forecast::of(&Load {
            config: model.config(),
            quantization,
            lora: &LoraConfig::all(4, 4.0),
            compute_bytes: 4,
            seq_len: 3,
            together: 3,
            head_chunk: 3,
            checkpointing: true,
            optimizer_bytes: 8,
            host_embedding: false,
            host: None,
        });
        let norms = (2 * 2 + 1) * 32 * 4;
        assert_eq!((forecast.weights, forecast.embedding_and_head), (matrices, tables + norms));
    }
}
