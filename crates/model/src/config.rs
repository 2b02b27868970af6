//! The shape of a model: every number is read, from `config.json` or from GGUF metadata, and none is derived.
//!
//! It knows two families and names everything it does not support; it never guesses a default that changes logits,
//! except those that the families' own configuration classes state.

use serde_json::{Map, Value};

use crate::gguf::Gguf;

/// What a transformer of either family looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Which of the two block layouts.
    pub family: Family,
    /// D, the width of the residual stream.
    pub hidden_size: usize,
    /// F, the width of the MLP.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// H, query heads.
    pub heads: usize,
    /// K, key and value heads; divides H.
    pub kv_heads: usize,
    /// Width of one head. Not `hidden_size / heads` in general.
    pub head_dim: usize,
    /// V, rows of the embedding.
    pub vocab_size: usize,
    /// ε of every RMS norm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding.
    pub rope: Rope,
    /// The head is the embedding.
    pub tie_word_embeddings: bool,
    /// Positions that the base was trained for.
    pub max_position_embeddings: usize,
}

/// The families whose blocks we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// RMS norm of q and k over the head before RoPE.
    Qwen3,
    /// No q/k norm: Llama 2 and 3, SmolLM2.
    Llama,
}

/// Rotary embedding: θ and what is done to its frequencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the geometric series of frequencies.
    pub theta: f64,
    /// How a longer context was made, if it was.
    pub scaling: Option<Scaling>,
}

/// Rope scalings that need no knowledge of the sequence at hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Every frequency divided by `factor`.
    Linear {
        /// Divisor.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high ones kept, a ramp between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original / low` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original / high` are kept.
        high_freq_factor: f64,
        /// Context of the base before it was stretched.
        original_max_position_embeddings: f64,
    },
    /// One divisor per frequency, as a GGUF file stores them (`rope_freqs.weight`), [head_dim / 2].
    Divisors(Vec<f32>),
}

/// What a configuration lacks, or has and we do not support.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// Neither family.
    #[error(
        "architecture `{0}` is not supported, only Qwen3ForCausalLM and LlamaForCausalLM (GGUF: qwen3, llama) are"
    )]
    Architecture(String),
    /// A key is missing.
    #[error("`{0}` is missing from the model's configuration")]
    Missing(String),
    /// A key has the wrong type or an impossible value.
    #[error("`{key}` is {value} in the model's configuration, expected {expected}")]
    Value {
        /// The key as written.
        key: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// A feature that changes the logits and that we do not compute.
    #[error("the model uses {0}, which is not supported")]
    Unsupported(String),
}

impl Config {
    /// Qwen3-8B, for forecasts and measurements that do without the model.
    pub fn qwen3_8b() -> Config {
        Config {
            family: Family::Qwen3,
            hidden_size: 4096,
            intermediate_size: 12_288,
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

    /// Reads the text of `config.json`, as transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`) writes it.
    pub fn from_json(config: &Map<String, Value>) -> Result<Config, Error> {
        let architecture = config
            .get("architectures")
            .and_then(|list| list.get(0))
            .and_then(Value::as_str)
            .or_else(|| config.get("model_type").and_then(Value::as_str))
            .ok_or_else(|| Error::Missing("architectures".into()))?;
        let family = match architecture {
            "Qwen3ForCausalLM" | "qwen3" => Family::Qwen3,
            "LlamaForCausalLM" | "llama" => Family::Llama,
            other => return Err(Error::Architecture(other.into())),
        };
        let heads = count(config, "num_attention_heads")?;
        let hidden_size = count(config, "hidden_size")?;
        let kv_heads = optional_count(config, "num_key_value_heads")?.unwrap_or(heads);
        let head_dim = match (optional_count(config, "head_dim")?, family) {
            (Some(head_dim), _) => head_dim,
            // Both classes' own defaults: 128 is Qwen3's, the quotient is Llama's.
            (None, Family::Qwen3) => 128,
            (None, Family::Llama) => hidden_size / heads,
        };
        refuse_unsupported(config)?;
        let parsed = Config {
            family,
            hidden_size,
            intermediate_size: count(config, "intermediate_size")?,
            layers: count(config, "num_hidden_layers")?,
            heads,
            kv_heads,
            head_dim,
            vocab_size: count(config, "vocab_size")?,
            rms_norm_eps: number(config, "rms_norm_eps")?,
            rope: rope_from_json(config)?,
            tie_word_embeddings: config.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
            max_position_embeddings: count(config, "max_position_embeddings")?,
        };
        parsed.check()
    }

    /// Reads the metadata of a GGUF file. A file without `output.weight` has a tied head.
    pub fn from_gguf(gguf: &Gguf) -> Result<Config, Error> {
        let architecture =
            gguf.text("general.architecture").ok_or_else(|| Error::Missing("general.architecture".into()))?;
        let family = match architecture {
            "qwen3" => Family::Qwen3,
            "llama" => Family::Llama,
            other => return Err(Error::Architecture(other.into())),
        };
        let optional = |key: &str| gguf.number(&format!("{architecture}.{key}"));
        let required =
            |key: &str| optional(key).ok_or_else(|| Error::Missing(format!("{architecture}.{key}")));
        let size = |key: &str| required(key).map(|value| value as usize);
        let heads = size("attention.head_count")?;
        let hidden_size = size("embedding_length")?;
        if heads == 0 {
            return Err(wrong("attention.head_count", "0", "a positive number"));
        }
        let scaling = match gguf.text(&format!("{architecture}.rope.scaling.type")) {
            None | Some("none") => gguf.divisors().map(Scaling::Divisors),
            Some("linear") => Some(Scaling::Linear { factor: required("rope.scaling.factor")? }),
            Some(other) => return Err(Error::Unsupported(format!("rope scaling `{other}`"))),
        };
        let head_dim = optional("attention.key_length").map_or(hidden_size / heads, |value| value as usize);
        if optional("rope.dimension_count").is_some_and(|turned| turned as usize != head_dim) {
            return Err(Error::Unsupported("a rotary embedding of a part of each head".into()));
        }
        if gguf.tensor("blk.0.attn_q.bias").is_some() {
            return Err(Error::Unsupported("`attention_bias`".into()));
        }
        let embedding =
            gguf.tensor("token_embd.weight").ok_or_else(|| Error::Missing("token_embd.weight".into()))?;
        let parsed = Config {
            family,
            hidden_size,
            intermediate_size: size("feed_forward_length")?,
            layers: size("block_count")?,
            heads,
            kv_heads: optional("attention.head_count_kv").map_or(heads, |value| value as usize),
            head_dim,
            vocab_size: embedding.shape.first().copied().unwrap_or(0),
            rms_norm_eps: required("attention.layer_norm_rms_epsilon")?,
            rope: Rope { theta: optional("rope.freq_base").unwrap_or(10_000.0), scaling },
            tie_word_embeddings: gguf.tensor("output.weight").is_none(),
            max_position_embeddings: size("context_length")?,
        };
        parsed.check()
    }

    /// Rows of the query projection: H · head_dim.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Rows of the key and of the value projection: K · head_dim.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Inverse frequencies after scaling, [head_dim / 2], in f32 as transformers computes them.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let half = self.head_dim / 2;
        let plain = (0..half).map(|i| {
            let exponent = (2 * i) as f32 / self.head_dim as f32;
            1.0 / (self.rope.theta as f32).powf(exponent)
        });
        match &self.rope.scaling {
            None => plain.collect(),
            Some(Scaling::Linear { factor }) => plain.map(|f| f / *factor as f32).collect(),
            Some(Scaling::Divisors(divisors)) => plain.zip(divisors).map(|(f, d)| f / d).collect(),
            Some(Scaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            }) => plain
                .map(|f| {
                    let wavelength = std::f64::consts::TAU / f64::from(f);
                    let context = *original_max_position_embeddings;
                    if wavelength < context / high_freq_factor {
                        return f;
                    }
                    if wavelength > context / low_freq_factor {
                        return f / *factor as f32;
                    }
                    let smooth =
                        (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    ((1.0 - smooth) * f64::from(f) / factor + smooth * f64::from(f)) as f32
                })
                .collect(),
        }
    }

    fn check(self) -> Result<Config, Error> {
        let positive = [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.layers),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("vocab_size", self.vocab_size),
        ];
        for (key, value) in positive {
            if value == 0 || value > 1 << 24 {
                return Err(wrong(key, value, "a number from 1 to 16777216"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(wrong("num_key_value_heads", self.kv_heads, "a divisor of num_attention_heads"));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) || self.head_dim > 1 << 16 {
            return Err(wrong("head_dim", self.head_dim, "a positive even number"));
        }
        if let Some(Scaling::Divisors(divisors)) = &self.rope.scaling
            && divisors.len() != self.head_dim / 2
        {
            return Err(wrong("rope_freqs.weight", divisors.len(), "head_dim / 2 values"));
        }
        Ok(self)
    }
}

fn refuse_unsupported(config: &Map<String, Value>) -> Result<(), Error> {
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
        if config.get(key).and_then(Value::as_bool) == Some(true) {
            return Err(Error::Unsupported(format!("`{key}`")));
        }
    }
    match config.get("hidden_act").and_then(Value::as_str) {
        None | Some("silu") => {}
        Some(other) => return Err(Error::Unsupported(format!("the activation `{other}`"))),
    }
    if config.get("quantization_config").is_some_and(|value| !value.is_null()) {
        return Err(Error::Unsupported("weights quantised on disk (`quantization_config`)".into()));
    }
    // transformers 5 writes it among the rope's parameters.
    let within = config.get("rope_parameters").and_then(|rope| rope.get("partial_rotary_factor"));
    let factors = [config.get("partial_rotary_factor"), within];
    match factors.into_iter().flatten().filter_map(Value::as_f64).find(|&factor| factor != 1.0) {
        Some(_) => Err(Error::Unsupported("`partial_rotary_factor`".into())),
        None => Ok(()),
    }
}

fn rope_from_json(config: &Map<String, Value>) -> Result<Rope, Error> {
    let parameters = ["rope_parameters", "rope_scaling"]
        .iter()
        .find_map(|key| config.get(*key).and_then(Value::as_object))
        .cloned()
        .unwrap_or_default();
    let theta = config
        .get("rope_theta")
        .or_else(|| parameters.get("rope_theta"))
        .and_then(Value::as_f64)
        .ok_or_else(|| Error::Missing("rope_theta".into()))?;
    let kind = parameters.get("rope_type").or_else(|| parameters.get("type")).and_then(Value::as_str);
    let scaling = match kind {
        None | Some("default") => None,
        Some("linear") => Some(Scaling::Linear { factor: number(&parameters, "factor")? }),
        Some("llama3") => Some(Scaling::Llama3 {
            factor: number(&parameters, "factor")?,
            low_freq_factor: number(&parameters, "low_freq_factor")?,
            high_freq_factor: number(&parameters, "high_freq_factor")?,
            original_max_position_embeddings: number(&parameters, "original_max_position_embeddings")?,
        }),
        Some(other) => return Err(Error::Unsupported(format!("rope scaling `{other}`"))),
    };
    Ok(Rope { theta, scaling })
}

fn optional_count(config: &Map<String, Value>, key: &str) -> Result<Option<usize>, Error> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count) if count > 0 && count <= u64::from(u32::MAX) => Ok(Some(count as usize)),
            _ => Err(wrong(key, value, "a positive number")),
        },
    }
}

fn count(config: &Map<String, Value>, key: &str) -> Result<usize, Error> {
    optional_count(config, key)?.ok_or_else(|| Error::Missing(key.into()))
}

fn number(config: &Map<String, Value>, key: &str) -> Result<f64, Error> {
    let value = config.get(key).ok_or_else(|| Error::Missing(key.into()))?;
    value.as_f64().ok_or_else(|| wrong(key, value, "a number"))
}

fn wrong(key: &str, value: impl ToString, expected: &'static str) -> Error {
    Error::Value { key: key.into(), value: value.to_string(), expected }
}
