//! Random weights of a large model's shape: what a card can do, without the model.

use anyhow::Result;
use model::config::{Config, Family, Rope};

use crate::{Case, Figures};

/// Qwen3-8B.
pub fn qwen3_8b() -> Config {
    Config {
        family: Family::Qwen3,
        hidden_size: 4096,
        intermediate_size: 12288,
        layers: 36,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        vocab_size: 151_936,
        rms_norm_eps: 1e-6,
        rope: Rope { theta: 1e6, scaling: None },
        tie_word_embeddings: false,
        max_position_embeddings: 40_960,
    }
}

/// Measures at 2048 and 4096 tokens, NF4, checkpointing.
pub fn report(measure: impl Fn(&Case) -> Result<Figures>) -> Result<()> {
    if !tch::Cuda::is_available() {
        anyhow::bail!("there is no CUDA device here, and on a CPU a step of this shape takes many minutes");
    }
    println!("| tokens | tokens/s | peak memory |\n|---:|---:|---:|");
    for tokens in [2048, 4096] {
        let figures = measure(&Case { base: None, tokens, checkpointing: true, nf4: true, steps: 5 })?;
        let gib = figures.peak_memory_bytes as f64 / f64::from(1 << 30);
        println!("| {tokens} | {:.0} | {gib:.2} GiB |", figures.tokens_per_second);
    }
    println!(
        "\nbf16 matrix products alone bound an H100 to about 9,000 tokens/s at this shape; what is missing from that is norms, RoPE and SwiGLU, which are not fused here, and the dequantisation of each layer twice a step"
    );
    Ok(())
}
