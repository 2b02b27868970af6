//! Random weights of a large model's shape: what a card can do, without the model.

use anyhow::Result;

use crate::{Case, Figures};

/// Measures at 2048 and 4096 tokens, NF4, checkpointing, with the embedding on the card and on the host.
pub fn report(measure: impl Fn(&Case) -> Result<Figures>) -> Result<()> {
    if !tch::Cuda::is_available() {
        anyhow::bail!("there is no CUDA device here, and on a CPU a step of this shape takes many minutes");
    }
    println!("| tokens | embedding | tokens/s | peak memory |\n|---:|---|---:|---:|");
    for tokens in [2048, 4096] {
        for host_embedding in [false, true] {
            let case = Case { base: None, tokens, checkpointing: true, nf4: true, host_embedding, steps: 5 };
            let figures = measure(&case)?;
            let gib = figures.peak_memory_bytes as f64 / f64::from(1 << 30);
            let place = if host_embedding { "host" } else { "card" };
            println!("| {tokens} | {place} | {:.0} | {gib:.2} GiB |", figures.tokens_per_second);
        }
    }
    println!(
        "\nbf16 matrix products alone bound an H100 to about 9,000 tokens/s at this shape; what is missing from that is norms, RoPE and SwiGLU, which are not fused here, and the dequantisation of each layer twice a step"
    );
    Ok(())
}
