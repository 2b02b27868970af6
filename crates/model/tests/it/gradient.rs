//! What trains and what does not, and that a recomputed layer is the same layer.

use std::sync::{Mutex, PoisonError};

use model::backward::Keep;
use model::lora::LoraConfig;
use model::nf4::Quantization;
use model::transformer::LoadOptions;
use tch::{Kind, Tensor};

use crate::logits::{assert_near, floats, load};

/// libtorch has one generator for the whole process: tests that drop inputs take turns.
static GENERATOR: Mutex<()> = Mutex::new(());

fn options(dropout: f64, quantization: Quantization) -> LoadOptions {
    let lora = Some(LoraConfig { dropout, ..LoraConfig::all(4, 6.0) });
    LoadOptions { lora, quantization, seed: 9, ..LoadOptions::cpu() }
}

fn ids() -> Tensor {
    Tensor::from_slice(&[5i64, 42, 79, 20, 57]).unsqueeze(0)
}

#[test]
fn gradients_reach_every_b_and_no_frozen_weight() {
    for quantization in [Quantization::None, Quantization::Nf4 { double: false }] {
        let model = load("qwen3-untied", &options(0.0, quantization));
        model.logits(&ids()).square().mean(Kind::Float).backward();
        let parameters = model.parameters();
        assert_eq!(parameters.len(), 2 * 7 * 2);
        for (name, parameter) in &parameters {
            let gradient = parameter.grad();
            assert!(gradient.defined(), "{name} has no gradient");
            // A's gradient is zero as long as B is.
            let moved = gradient.abs().max().double_value(&[]) > 0.0;
            assert_eq!(moved, name.contains("lora_B"), "{name}");
        }
        assert!(!model.head_weight().requires_grad() && !model.embed(&ids()).requires_grad());
    }
}

#[test]
fn a_gradient_equals_the_difference_quotient() {
    let model = load("llama-untied", &options(0.0, Quantization::None));
    for (name, mut parameter) in model.parameters() {
        if name.contains("lora_B") {
            // Not from libtorch's generator, which the tests of this process share.
            let waves =
                Tensor::arange(parameter.numel() as i64, (Kind::Float, parameter.device())).sin() * 0.3;
            tch::no_grad(|| parameter.copy_(&waves.view_as(&parameter)));
        }
    }
    let loss = || model.logits(&ids()).log_softmax(-1, Kind::Double).select(2, 7).mean(Kind::Double);
    loss().backward();
    for name in ["0.self_attn.k_proj.lora_A", "0.mlp.gate_proj.lora_B", "1.self_attn.o_proj.lora_B"] {
        let (_, parameter) = model.parameters().into_iter().find(|(key, _)| key.contains(name)).unwrap();
        let gradient = parameter.grad();
        let direction = gradient.shallow_clone() / gradient.norm();
        let step = |size: f64| {
            let _guard = tch::no_grad_guard();
            parameter.shallow_clone().copy_(&(&parameter + &direction * size));
        };
        // The slope along the gradient is the gradient's own length.
        step(5e-3);
        let above = loss().double_value(&[]);
        step(-1e-2);
        let below = loss().double_value(&[]);
        step(5e-3);
        let (slope, length) = ((above - below) / 1e-2, gradient.norm().double_value(&[]));
        assert!((slope / length - 1.0).abs() < 5e-3, "{name}: slope {slope}, gradient {length}");
    }
}

#[test]
fn the_first_adapter_depends_on_the_seed_alone() {
    let first = load("llama-untied", &options(0.0, Quantization::None)).adapter().unwrap();
    let again = load("llama-untied", &options(0.0, Quantization::Nf4 { double: true })).adapter().unwrap();
    assert_eq!(first, again);
    let config = load("llama-untied", &options(0.0, Quantization::None)).config().clone();
    assert_eq!(first, model::adapter::Adapter::initial(&config, &first.lora, 9));
    let other = LoadOptions { seed: 10, ..options(0.0, Quantization::None) };
    assert_ne!(first, load("llama-untied", &other).adapter().unwrap());
}

#[test]
fn the_same_seed_drops_the_same_inputs() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let model = load("llama-untied", &options(0.5, Quantization::None));
    for (name, mut parameter) in model.parameters() {
        if name.contains("lora_B") {
            let _ = tch::no_grad(|| parameter.fill_(0.1));
        }
    }
    let (x, rope) = (model.embed(&ids()), model.rope(5));
    let layer = model.layer(1).materialize();
    let run = |seed| floats(&layer.forward(&x, &rope, seed));
    assert_eq!(run(Some(1)), run(Some(1)));
    assert_ne!(run(Some(1)), run(Some(2)));
    assert_ne!(run(Some(1)), run(None));
    assert_eq!(run(None), run(None));
}

#[test]
fn a_layer_recomputed_from_its_input_gives_the_gradients_of_the_whole() {
    let model = load("qwen3-tied", &options(0.0, Quantization::Nf4 { double: true }));
    for (name, mut parameter) in model.parameters() {
        if name.contains("lora_B") {
            let _ = tch::no_grad(|| parameter.fill_(0.05));
        }
    }
    let rope = model.rope(5);
    model.logits(&ids()).square().mean(Kind::Float).backward();
    let whole: Vec<Vec<f32>> = model.parameters().iter().map(|(_, p)| floats(&p.grad())).collect();
    for (_, mut parameter) in model.parameters() {
        parameter.zero_grad();
    }
    let inputs = tch::no_grad(|| {
        let mut inputs = vec![model.embed(&ids())];
        for index in 0..model.len() {
            inputs.push(model.layer(index).materialize().forward(&inputs[index], &rope, None));
        }
        inputs
    });
    let top = inputs[model.len()].detach().set_requires_grad(true);
    let logits = model.final_norm(&top).linear(model.head_weight(), None::<&Tensor>);
    logits.square().mean(Kind::Float).backward();
    let mut gradient = top.grad();
    for index in (0..model.len()).rev() {
        let input = inputs[index].detach().set_requires_grad(true);
        let output = model.layer(index).materialize().forward(&input, &rope, None);
        (output * &gradient).sum(Kind::Float).backward();
        gradient = input.grad();
    }
    for ((name, parameter), whole) in model.parameters().iter().zip(&whole) {
        let scale = whole.iter().fold(0f32, |size, value| size.max(value.abs()));
        let worst =
            floats(&parameter.grad()).iter().zip(whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-5 * scale, "{name}: off by {worst} of {scale}");
    }
}

#[test]
fn pulling_a_gradient_back_equals_autograd_through_the_block() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    for (dropout, quantization) in [(0.0, Quantization::None), (0.3, Quantization::Nf4 { double: true })] {
        let model = load("qwen3-untied", &options(dropout, quantization));
        for (name, mut parameter) in model.parameters() {
            if name.contains("lora_B") {
                let waves = Tensor::arange(parameter.numel() as i64, (Kind::Float, parameter.device())).sin();
                tch::no_grad(|| parameter.copy_(&(waves * 0.3).view_as(&parameter)));
            }
        }
        let (x, rope, layer) = (model.embed(&ids()), model.rope(5), model.layer(1).materialize());
        let gradient = Tensor::arange(x.numel() as i64, (Kind::Float, x.device())).cos().view_as(&x);
        let collect = |input: Tensor| {
            let mut all = vec![floats(&input)];
            for (name, mut parameter) in model.parameters() {
                if name.contains("layers.1.") {
                    all.push(floats(&parameter.grad()));
                    parameter.zero_grad();
                }
            }
            all
        };
        let leaf = x.detach().set_requires_grad(true);
        (layer.forward(&leaf, &rope, Some(4)) * &gradient).sum(Kind::Float).backward();
        let whole = collect(leaf.grad());
        assert_eq!(whole.len(), 1 + 14);
        for keep in [Keep::Input, Keep::Attention, Keep::Products] {
            let (y, trace) = layer.trace(&x, &rope, Some(4), keep);
            assert_near(&floats(&y), &floats(&layer.forward(&x, &rope, Some(4))), 1e-5);
            let pulled = collect(layer.pull_back(trace, &gradient, &rope, Some(4), true).unwrap());
            for (whole, pulled) in whole.iter().zip(&pulled) {
                let scale = whole.iter().fold(0f32, |size, value| size.max(value.abs()));
                let worst = whole.iter().zip(pulled).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(scale > 0.0 && worst <= 1e-5 * scale, "{keep:?}: off by {worst} of {scale}");
            }
            // The first block's adapters train without the gradient by its input.
            let (_, trace) = layer.trace(&x, &rope, Some(4), keep);
            assert!(layer.pull_back(trace, &gradient, &rope, Some(4), false).is_none());
            assert_eq!(collect(x.shallow_clone())[1..], pulled[1..]);
        }
    }
}
