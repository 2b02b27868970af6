//! A base written out as the folder that other engines read: f32 weights under the names of HF, and a configuration.
//!
//! References and peers need it where our base is a GGUF file, which theirs read in another way or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use model::base::Base;
use model::config::{Family, Scaling};
use model::lora::Projection;
use model::weights;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use serde_json::json;

/// Why a base cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error("cannot write {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A tensor of the base.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// The file of weights.
    #[error("cannot write the weights")]
    File(#[from] SafeTensorError),
    /// A rope scaling that a GGUF file writes as numbers and a configuration as a rule.
    #[error("the base scales its rotary embedding by a table, which config.json has no words for")]
    Divisors,
}

/// Writes `config.json` and `model.safetensors` into `folder`, the configuration last. The whole model is in memory
/// once, in f32.
///
/// # Errors
/// Any of [`Error`].
pub fn write(base: &Base, folder: &Path) -> Result<(), Error> {
    let config = &base.config;
    let scaling = match &config.rope.scaling {
        None => json!({"rope_type": "default"}),
        Some(Scaling::Linear { factor }) => json!({"rope_type": "linear", "factor": factor}),
        Some(Scaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings,
        }) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_max_position_embeddings,
        }),
        Some(Scaling::Divisors(_)) => return Err(Error::Divisors),
    };
    let mut rope = scaling;
    rope["rope_theta"] = json!(config.rope.theta);
    let (model_type, class) = match config.family {
        Family::Llama => ("llama", "LlamaForCausalLM"),
        Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
    };
    let json = json!({
        "architectures": [class],
        "model_type": model_type,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_parameters": rope,
        "rope_theta": config.rope.theta,
        "tie_word_embeddings": config.tie_word_embeddings,
        "max_position_embeddings": config.max_position_embeddings,
        "hidden_act": "silu",
        "attention_bias": false,
        "torch_dtype": "float32",
    });
    let io = |path: PathBuf| move |source| Error::Io { path, source };
    fs::create_dir_all(folder).map_err(io(folder.into()))?;
    let named = names(base);
    let mut tensors = Vec::with_capacity(named.len());
    for (name, shape) in &named {
        let values = base.weights.view(name, shape)?.to_f32();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name, shape, bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(views, Some(metadata), &folder.join("model.safetensors"))?;
    let path = folder.join("config.json");
    fs::write(&path, format!("{json:#}\n")).map_err(io(path))
}

/// Every tensor of the base with its shape.
fn names(base: &Base) -> Vec<(String, Vec<usize>)> {
    let config = &base.config;
    let table = vec![config.vocab_size, config.hidden_size];
    let mut names = vec![
        ("model.embed_tokens.weight".to_owned(), table.clone()),
        ("model.norm.weight".to_owned(), vec![config.hidden_size]),
    ];
    if !config.tie_word_embeddings {
        names.push(("lm_head.weight".to_owned(), table));
    }
    for layer in 0..config.layers {
        let prefix = format!("model.layers.{layer}");
        for projection in Projection::ALL {
            let (rows, columns) = projection.shape(config);
            names.push((format!("{prefix}.{}.weight", projection.path()), vec![rows, columns]));
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            names.push((format!("{prefix}.{norm}.weight"), vec![config.hidden_size]));
        }
        if config.family == Family::Qwen3 {
            for norm in ["self_attn.q_norm", "self_attn.k_norm"] {
                names.push((format!("{prefix}.{norm}.weight"), vec![config.head_dim]));
            }
        }
    }
    names
}
