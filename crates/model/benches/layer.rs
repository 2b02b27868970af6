//! One block of SmolLM2-135M's shape on this CPU: dequantising it, running it, and running it backwards.
//!
//! `cargo bench -p model --features libtorch`; set `OMP_WAIT_POLICY=passive` where other work shares the cores.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use model::backward::Keep;
use model::config::{Config, Family, Rope};
use model::lora::LoraConfig;
use model::nf4::{Nf4, Quantization};
use model::transformer::{LoadOptions, Model};
use tch::{Device, Kind, Tensor};

fn smollm2() -> Config {
    Config {
        family: Family::Llama,
        hidden_size: 576,
        intermediate_size: 1536,
        layers: 1,
        heads: 9,
        kv_heads: 3,
        head_dim: 64,
        vocab_size: 1000,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 1e5, scaling: None },
        tie_word_embeddings: true,
        max_position_embeddings: 2048,
    }
}

fn dequantize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("nf4");
    let values: Vec<f32> =
        (0..4096 * 1024).map(|i: u32| (i.wrapping_mul(2_654_435_761) as f32).sin()).collect();
    let quantized = Nf4::quantize(&values, true);
    let mut out = vec![0f32; values.len()];
    group.throughput(Throughput::Bytes(values.len() as u64 * 4));
    group.bench_function("dequantize", |bencher| bencher.iter(|| quantized.dequantize_into(&mut out)));
    group.bench_function("quantize", |bencher| bencher.iter(|| Nf4::quantize(&values, true)));
    group.finish();
}

fn layer(criterion: &mut Criterion) {
    for (name, quantization) in [("f32", Quantization::None), ("nf4", Quantization::Nf4 { double: true })] {
        let options =
            LoadOptions { quantization, lora: Some(LoraConfig::all(16, 16.0)), ..LoadOptions::cpu() };
        let model = Model::random(&smollm2(), &options).expect("a small model fits");
        let mut group = criterion.benchmark_group(format!("layer/{name}"));
        group.sample_size(10);
        group.bench_function("materialize", |bencher| bencher.iter(|| model.layer(0).materialize()));
        for len in [512i64, 1024] {
            let x = Tensor::randn([1, len, 576], (Kind::Float, Device::Cpu));
            let rope = model.rope(len);
            group.throughput(Throughput::Elements(len as u64));
            group.bench_function(BenchmarkId::new("forward", len), |bencher| {
                let dense = model.layer(0).materialize();
                bencher.iter(|| tch::no_grad(|| dense.forward(&x, &rope, None)))
            });
            for keep in [Keep::Attention, Keep::Products] {
                let name = format!("forward and backward, {keep:?} kept");
                group.bench_function(BenchmarkId::new(name, len), |bencher| {
                    let dense = model.layer(0).materialize();
                    bencher.iter(|| {
                        let (y, trace) = dense.trace(&x, &rope, None, keep);
                        dense.pull_back(trace, &y, &rope, None, true)
                    })
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, dequantize, layer);
criterion_main!(benches);
