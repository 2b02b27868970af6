//! How much memory a training run will hold on its device, part by part, before anything is loaded.
//!
//! Pure arithmetic over the configuration. Parts are what `transformer` and the training step really allocate at their
//! peak. In host memory the process itself and the allocator's slack are parts as well, since there the peak is that of
//! the whole process; held against 8 measured runs of SmolLM2-135M (`train`'s tests hold it against smaller ones). On a
//! card neither they nor the CUDA context (some 0.5 GiB) are in it, and nothing of it was measured. The formulas follow
//! the code: change one with the other.

use crate::config::Config;
use crate::lora::{LoraConfig, Projection};
use crate::nf4::Quantization;

/// What decides the memory of a run.
#[derive(Debug, Clone)]
pub struct Load<'a> {
    /// The base.
    pub config: &'a Config,
    /// How its matrices are held.
    pub quantization: Quantization,
    /// What trains.
    pub lora: &'a LoraConfig,
    /// Bytes of the compute type: 2 for bf16, 4 for f32.
    pub compute_bytes: usize,
    /// Tokens of the longest row.
    pub seq_len: usize,
    /// Tokens of the rows that are taken through a layer together, of which every layer keeps something.
    pub together: usize,
    /// Positions of the head at once.
    pub head_chunk: usize,
    /// Little of each layer is kept, and the rest recomputed; otherwise the values of every layer's products are kept.
    pub checkpointing: bool,
    /// Bytes of optimizer state per trained number: 8 for AdamW, 2 for its 8-bit form.
    pub optimizer_bytes: usize,
    /// The embedding lies in host memory.
    pub host_embedding: bool,
    /// The run computes in host memory, where more of each layer is kept and the process itself counts.
    pub host: Option<Host>,
}

/// A run in host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Bytes that the process holds before the base is loaded, and keeps.
    pub process: usize,
}

/// What libtorch's code, threads and buffers come to once they are at work, measured on Linux with two threads.
const RUNTIME: usize = 62 << 20;
/// One part in so many of what comes and goes within a step stays with the allocator: rows of many lengths, and layers that are
/// kept beside others that are let go, leave gaps. Measured as `RUNTIME`.
const SLACK: usize = 11;

/// Bytes, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// The seven matrices of every block.
    pub weights: usize,
    /// Embedding, head and norms.
    pub embedding_and_head: usize,
    /// A and B in fp32; in host memory also those that the run began with, for the next arm.
    pub adapters: usize,
    /// Their gradients in fp32.
    pub gradients: usize,
    /// The optimizer's state.
    pub optimizer: usize,
    /// What is kept of the layers from forward to backward.
    pub checkpoints: usize,
    /// A layer at work: its dequantised matrices, and its products where they are not kept.
    pub recompute: usize,
    /// What is there beside them on the way back through a layer.
    pub in_flight: usize,
    /// A chunk of logits, its softmax and its gradient, while the last layer waits for it.
    pub logits: usize,
    /// What the allocator holds in gaps; 0 on a card.
    pub slack: usize,
    /// The process without the model: code, threads, tokenizer, rows; 0 on a card.
    pub process: usize,
}

impl Forecast {
    /// The forecast of a load.
    pub fn of(load: &Load) -> Forecast {
        let config = load.config;
        let matrix = |projection: Projection| {
            let (rows, columns) = projection.shape(config);
            rows * columns
        };
        let weights = |quantization: Quantization| -> usize {
            Projection::ALL.into_iter().map(|p| quantization.bytes(matrix(p), load.compute_bytes)).sum()
        };
        let trained = load.lora.parameters(config);
        let table = config.vocab_size * config.hidden_size * load.compute_bytes;
        let tables = match (config.tie_word_embeddings, load.host_embedding) {
            (true, _) | (false, true) => 1,
            (false, false) => 2,
        };
        let norms = (2 * config.layers + 1) * config.hidden_size * load.compute_bytes;
        // A dense base is used where it lies.
        let dequantised = match load.quantization {
            Quantization::None => 0,
            Quantization::Nf4 { .. } => weights(Quantization::None),
        };
        let (checkpoint, products) = kept(load);
        let (checkpoints, again) = if load.checkpointing {
            // The last layer goes forward only once; what passes from layer to layer is there for every row.
            let passing = config.hidden_size * load.compute_bytes;
            (((config.layers - 1) * checkpoint + passing) * load.together, load.seq_len * products)
        } else {
            (config.layers * products * load.together, 0)
        };
        let recompute = dequantised + again;
        let in_flight = in_flight(load);
        // Logits become their gradient where they lie, in f32; another compute type has them once more, before and after.
        let copy = if load.compute_bytes == 4 { 0 } else { 2 * load.compute_bytes };
        let logits = load.head_chunk.min(load.seq_len) * config.vocab_size * (4 + copy);
        let adapters = trained * 4;
        Forecast {
            weights: config.layers * weights(load.quantization),
            embedding_and_head: tables * table + norms,
            adapters: if load.host.is_some() { 2 * adapters } else { adapters },
            gradients: trained * 4,
            optimizer: trained * load.optimizer_bytes,
            checkpoints,
            recompute,
            in_flight,
            logits,
            slack: load.host.map_or(0, |_| (checkpoints + recompute + in_flight) / SLACK),
            process: load.host.map_or(0, |host| host.process + RUNTIME),
        }
    }

    /// Every part with its name, in the order of a table.
    pub fn parts(&self) -> [(&'static str, usize); 11] {
        [
            ("weights", self.weights),
            ("embedding and head", self.embedding_and_head),
            ("adapters", self.adapters),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("checkpoints", self.checkpoints),
            ("recompute", self.recompute),
            ("in flight", self.in_flight),
            ("logits", self.logits),
            ("the allocator's slack", self.slack),
            ("the process itself", self.process),
        ]
    }

    /// The peak: a chunk of logits and a layer's way back are never there together, so the larger of them counts.
    pub fn peak(&self) -> usize {
        let parts: usize = self.parts().iter().map(|(_, bytes)| bytes).sum();
        parts - self.in_flight.min(self.logits)
    }
}

/// What a layer keeps of one token with and without checkpointing; see `backward::Keep`.
fn kept(load: &Load) -> (usize, usize) {
    let config = load.config;
    let (hidden, mlp) = (config.hidden_size, config.intermediate_size);
    let (query, kv) = (config.query_width(), config.kv_width());
    let low = load.lora.rank * load.compute_bytes;
    // What attention gave, merged, the sum after it, and its log-sum-exp in f32.
    let attended = (query + hidden) * load.compute_bytes + config.heads * 4 + low;
    // Host memory has room for that as well; a card has not.
    let with_attention = if load.host.is_some() { attended } else { 0 };
    let input = hidden * load.compute_bytes;
    // q, k and v; gate and up.
    let products = (query + 2 * kv + 2 * mlp) * load.compute_bytes + load.lora.targets.len() * low;
    (input + with_attention, input + attended + products)
}

/// The most that is there beside a layer's products on the way back through it.
fn in_flight(load: &Load) -> usize {
    let (hidden, mlp) = (load.config.hidden_size, load.config.intermediate_size);
    // SiLU, what goes down or its gradient, and the gradient by gate or up; the gradients by output and input; a norm
    // in f32 with its square.
    load.seq_len * ((3 * mlp + 2 * hidden) * load.compute_bytes + 2 * hidden * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gib(bytes: usize) -> f64 {
        bytes as f64 / f64::from(1 << 30)
    }

    #[test]
    fn an_8b_model_at_4096_tokens_fits_where_the_arithmetic_by_hand_says() {
        let (config, lora) = (Config::qwen3_8b(), LoraConfig::all(16, 16.0));
        let load = Load {
            config: &config,
            quantization: Quantization::Nf4 { double: true },
            lora: &lora,
            compute_bytes: 2,
            seq_len: 4096,
            together: 4096,
            head_chunk: 256,
            checkpointing: true,
            optimizer_bytes: 8,
            host_embedding: false,
            host: None,
        };
        let forecast = Forecast::of(&load);
        assert_eq!(lora.parameters(&config), 43_646_976);
        assert!((gib(forecast.weights) - 3.34).abs() < 0.01, "{forecast:?}");
        assert!((gib(forecast.embedding_and_head) - 2.32).abs() < 0.01, "{forecast:?}");
        assert!((gib(forecast.checkpoints) - 1.13).abs() < 0.05, "{forecast:?}");
        assert!((7.5..9.0).contains(&gib(forecast.peak())), "{} GiB of {forecast:?}", gib(forecast.peak()));
        let hosted = Forecast::of(&Load { host_embedding: true, ..load.clone() });
        assert!(forecast.peak() - hosted.peak() == 151_936 * 4096 * 2);
        let single = Forecast::of(&Load { quantization: Quantization::Nf4 { double: false }, ..load });
        assert!((gib(single.weights - forecast.weights) - 0.30).abs() < 0.01);
    }
}
