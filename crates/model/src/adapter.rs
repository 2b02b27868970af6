//! An adapter on disk, as PEFT reads and writes it: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Both files are replaced whole or not at all. Nothing of ours goes into them; provenance lies beside them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use crate::config::Config;
use crate::lora::{self, LoraConfig, Projection};

/// An adapter in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Its shape.
    pub lora: LoraConfig,
    /// Its numbers by PEFT's names.
    pub matrices: BTreeMap<String, Matrix>,
}

/// Numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// `rows · columns` numbers.
    pub values: Vec<f32>,
}

/// Why an adapter cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("cannot {verb} {path}")]
    Io {
        /// read or write.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file that is not what its name says.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A kind of adapter that we do not compute.
    #[error("{path}: the adapter uses {feature}, which is not supported")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// PEFT's name of it.
        feature: String,
    },
    /// A LoRA configuration that cannot be.
    #[error("{path}")]
    Lora {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: lora::Error,
    },
}

/// PEFT's name of one matrix, `side` being 'A' or 'B'.
pub fn key(layer: usize, projection: Projection, side: char) -> String {
    format!("base_model.model.model.layers.{layer}.{}.lora_{side}.weight", projection.path())
}

impl Adapter {
    /// The untrained adapter of a model: A drawn by the seed, B zero.
    pub fn initial(config: &Config, lora: &LoraConfig, seed: u64) -> Adapter {
        let mut matrices = BTreeMap::new();
        for layer in 0..config.layers {
            for &projection in &lora.targets {
                let (out, width) = projection.shape(config);
                let values = lora::initial_a(seed, layer, projection, lora.rank, width);
                let a = Matrix { rows: lora.rank, columns: width, values };
                let b = Matrix { rows: out, columns: lora.rank, values: vec![0.0; out * lora.rank] };
                matrices.insert(key(layer, projection, 'A'), a);
                matrices.insert(key(layer, projection, 'B'), b);
            }
        }
        Adapter { lora: lora.clone(), matrices }
    }

    /// Writes both files into `folder`, which is made if it is not there. Equal adapters make equal bytes.
    pub fn save(&self, folder: &Path, base_model: &str) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(|source| Error::Io {
            verb: "make",
            path: folder.into(),
            source,
        })?;
        let path = folder.join(WEIGHTS);
        let bytes: Vec<(&String, Vec<u8>, &Matrix)> = self
            .matrices
            .iter()
            .map(|(name, matrix)| {
                (name, matrix.values.iter().flat_map(|value| value.to_le_bytes()).collect(), matrix)
            })
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, bytes, matrix) in &bytes {
            let view = TensorView::new(Dtype::F32, vec![matrix.rows, matrix.columns], bytes)
                .map_err(|error| content(&path, format!("tensor `{name}`: {error}")))?;
            views.push((name.as_str(), view));
        }
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let serialized = safetensors::serialize(views, Some(metadata))
            .map_err(|error| content(&path, error.to_string()))?;
        write(&path, &serialized)?;
        // The configuration comes last: a folder that has one has the weights it describes.
        let mut config = serde_json::to_vec_pretty(&self.config_json(base_model))
            .map_err(|error| content(&folder.join(CONFIG), error.to_string()))?;
        config.push(b'\n');
        write(&folder.join(CONFIG), &config)
    }

    /// Reads a PEFT folder.
    pub fn load(folder: &Path) -> Result<Adapter, Error> {
        let lora = load_config(&folder.join(CONFIG))?;
        let path = folder.join(WEIGHTS);
        let bytes = read(&path)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| content(&path, error.to_string()))?;
        let mut matrices = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            let dtype = match view.dtype() {
                Dtype::F32 => crate::dtype::Dtype::F32,
                Dtype::F16 => crate::dtype::Dtype::F16,
                Dtype::BF16 => crate::dtype::Dtype::BF16,
                other => return Err(content(&path, format!("tensor `{name}` is stored as {other:?}"))),
            };
            let [rows, columns] = *view.shape() else {
                return Err(content(&path, format!("tensor `{name}` is {:?}, not a matrix", view.shape())));
            };
            let mut values = vec![0.0; rows * columns];
            dtype.decode(view.data(), &mut values);
            matrices.insert(name, Matrix { rows, columns, values });
        }
        Ok(Adapter { lora, matrices })
    }

    fn config_json(&self, base_model: &str) -> Value {
        let targets: Vec<&str> = self.lora.targets.iter().map(|target| target.name()).collect();
        json!({
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_pattern": null,
            "layers_to_transform": null,
            "lora_alpha": number(self.lora.alpha),
            "lora_dropout": self.lora.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.lora.rank,
            "revision": null,
            "target_modules": targets,
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": false,
        })
    }
}

const CONFIG: &str = "adapter_config.json";
/// The file of an adapter's numbers, in its folder.
pub const WEIGHTS: &str = "adapter_model.safetensors";

fn load_config(path: &Path) -> Result<LoraConfig, Error> {
    let value: Value =
        serde_json::from_slice(&read(path)?).map_err(|error| content(path, error.to_string()))?;
    if value["peft_type"] != "LORA" {
        return Err(Error::Unsupported {
            path: path.into(),
            feature: format!("peft_type {}", value["peft_type"]),
        });
    }
    let set = |key: &str| match &value[key] {
        Value::Null | Value::Bool(false) => false,
        Value::Object(object) => !object.is_empty(),
        Value::Array(array) => !array.is_empty(),
        Value::String(text) => text != "none",
        _ => true,
    };
    let features = [
        "use_dora",
        "use_rslora",
        "fan_in_fan_out",
        "bias",
        "rank_pattern",
        "alpha_pattern",
        "modules_to_save",
        "layers_to_transform",
        "layer_replication",
        "exclude_modules",
        "target_parameters",
        "trainable_token_indices",
        "alora_invocation_tokens",
        "use_qalora",
        "lora_bias",
    ];
    if let Some(feature) = features.into_iter().find(|feature| set(feature)) {
        return Err(Error::Unsupported { path: path.into(), feature: format!("`{feature}`") });
    }
    let missing = |key: &str| content(path, format!("`{key}` is missing or of the wrong type"));
    let rank = value["r"].as_u64().ok_or_else(|| missing("r"))? as usize;
    let alpha = value["lora_alpha"].as_f64().ok_or_else(|| missing("lora_alpha"))?;
    let dropout = value["lora_dropout"].as_f64().unwrap_or(0.0);
    let names = value["target_modules"].as_array().ok_or_else(|| missing("target_modules"))?;
    let lora = |source| Error::Lora { path: path.into(), source };
    let mut targets = Vec::new();
    for name in names {
        let name = name.as_str().ok_or_else(|| missing("target_modules"))?;
        targets.push(Projection::from_name(name).map_err(lora)?);
    }
    targets.sort();
    targets.dedup();
    let config = LoraConfig { rank, alpha, dropout, targets };
    config.check().map_err(lora)?;
    Ok(config)
}

/// PEFT's α is an integer in nearly every adapter, and some readers insist.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Io { verb: "read", path: path.into(), source })
}

/// Writes beside the target, syncs, and renames over it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { verb: "write", path: path.into(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn content(path: &Path, problem: String) -> Error {
    Error::Content { path: path.into(), problem }
}
