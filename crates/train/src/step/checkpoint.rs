//! What a run needs to go on after any interruption, as folders that are there whole or not at all.
//!
//! ```text
//! checkpoints/step-000050/adapter_model.safetensors, adapter_config.json
//!                         optimizer.safetensors
//!                         state.json          format, step, recipe, sha256 of rows and order
//! ```
//! A checkpoint of other rows or another recipe is refused, with the difference. This module never trains.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use model::adapter::{self, Adapter};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use super::gradient::Row;
use crate::recipe::Recipe;

/// Where the run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Layout of the folder; 1.
    pub format: u32,
    /// Steps taken.
    pub step: u64,
    /// The recipe that they were taken by.
    pub recipe: Recipe,
    /// SHA-256 over the base's files; older checkpoints do not say, and are known by its name alone.
    #[serde(default)]
    pub base: String,
    /// [`fingerprint`] of the rows and their order.
    pub rows: String,
}

/// A checkpoint in memory.
pub struct Checkpoint {
    /// Where the run stands.
    pub state: State,
    /// The adapter.
    pub adapter: Adapter,
    /// The optimizer's state by name, on the CPU.
    pub optimizer: BTreeMap<String, Tensor>,
}

/// Why a checkpoint cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error(
        "cannot write or read the checkpoint at {path}; once that is mended, --resume goes on from the last whole one"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The adapter's files.
    #[error(transparent)]
    Adapter(#[from] adapter::Error),
    /// A file that is not what its name says.
    #[error("{path} is no part of a checkpoint: {problem}; remove its folder to go on from the one before")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The settings are not those of the checkpoint.
    #[error("the checkpoint at {path} was made by another recipe:{}\ngive the same settings, or start anew in another --out", lines(.differences))]
    Recipe {
        /// The checkpoint.
        path: PathBuf,
        /// One line a setting.
        differences: Vec<String>,
    },
    /// The data is not that of the checkpoint.
    #[error(
        "the checkpoint at {path} was made on other rows, or in another order; start anew in another --out"
    )]
    Rows {
        /// The checkpoint.
        path: PathBuf,
    },
}

/// How many of the newest checkpoints stay.
const KEPT: usize = 2;
const FORMAT: u32 = 1;

/// A sha256 of everything that the rows and their order mean to training.
pub fn fingerprint(rows: &[Row], steps: &[Vec<usize>]) -> String {
    let mut hash = Sha256::new();
    let mut number = |value: usize| hash.update((value as u64).to_le_bytes());
    for step in steps {
        number(step.len());
        step.iter().for_each(|&row| number(row));
    }
    for row in rows {
        [row.ids.len(), row.learned.start, row.learned.end].into_iter().for_each(&mut number);
        row.ids.iter().for_each(|&id| number(id as usize));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The newest checkpoint under a run's folder, and its step.
pub fn latest(run: &Path) -> Option<(u64, PathBuf)> {
    all(run).pop()
}

/// Writes a checkpoint under a run's folder, and removes those that are no longer needed.
///
/// # Errors
/// [`Error::Io`], [`Error::Adapter`].
pub fn save(run: &Path, checkpoint: &Checkpoint) -> Result<PathBuf, Error> {
    let parent = run.join("checkpoints");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    fs::create_dir_all(&parent).map_err(failed(&parent))?;
    let target = parent.join(format!("step-{:06}", checkpoint.state.step));
    if target.exists() {
        return Ok(target);
    }
    let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&parent).map_err(failed(&parent))?;
    checkpoint.adapter.save(draft.path(), &checkpoint.state.recipe.base)?;
    let optimizer = serialize(&checkpoint.optimizer);
    write(&draft.path().join("optimizer.safetensors"), &optimizer)?;
    let state = serde_json::to_vec_pretty(&checkpoint.state)
        .map_err(|error| Error::Content { path: target.clone(), problem: error.to_string() })?;
    write(&draft.path().join("state.json"), &state)?;
    let draft = draft.keep();
    fs::rename(&draft, &target).map_err(failed(&target))?;
    sync_folder(&parent);
    let mut old = all(run);
    old.truncate(old.len().saturating_sub(KEPT));
    for (_, path) in old {
        // One that stays in the way costs room, and nothing else.
        drop(fs::remove_dir_all(path));
    }
    Ok(target)
}

/// Reads a checkpoint and holds it against what is to be trained now.
///
/// # Errors
/// Any of [`Error`].
pub fn load(path: &Path, recipe: &Recipe, base: &str, rows: &str) -> Result<Checkpoint, Error> {
    let read = |name: &str| {
        let path = path.join(name);
        fs::read(&path).map_err(|source| Error::Io { path, source })
    };
    let content = |name: &str, problem: String| Error::Content { path: path.join(name), problem };
    let state: State =
        serde_json::from_slice(&read("state.json")?).map_err(|e| content("state.json", e.to_string()))?;
    if state.format != FORMAT {
        return Err(content("state.json", format!("its format is {}, not {FORMAT}", state.format)));
    }
    let differences = differences(&state, recipe, base);
    if !differences.is_empty() {
        return Err(Error::Recipe { path: path.into(), differences });
    }
    if state.rows != rows {
        return Err(Error::Rows { path: path.into() });
    }
    let optimizer = deserialize(&read("optimizer.safetensors")?);
    let optimizer = optimizer.map_err(|problem| content("optimizer.safetensors", problem))?;
    Ok(Checkpoint { state, adapter: Adapter::load(path)?, optimizer })
}

/// Removes all checkpoints of a run that is done.
///
/// # Errors
/// [`Error::Io`].
pub fn clear(run: &Path) -> Result<(), Error> {
    let path = run.join("checkpoints");
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Io { path, source: error }),
        _ => Ok(()),
    }
}

impl State {
    /// A state of this format.
    pub fn new(step: u64, recipe: &Recipe, base: &str, rows: &str) -> State {
        State { format: FORMAT, step, recipe: recipe.clone(), base: base.to_owned(), rows: rows.to_owned() }
    }
}

/// Complete checkpoints, oldest first. Drafts have another name.
fn all(run: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Settings that differ, as `key: then → now`. How often to save changes no number, what the run began with is in the
/// checkpoint, and the base is the same wherever it lies.
fn differences(then: &State, now: &Recipe, base: &str) -> Vec<String> {
    let by_name = then.base.is_empty();
    let flat = |recipe: &Recipe, base: &str| {
        let mut out = BTreeMap::new();
        flatten("", &serde_json::to_value(recipe).unwrap_or_default(), &mut out);
        out.remove("save_every");
        out.remove("lora.init");
        if !by_name {
            out.remove("base");
            out.insert("the base's sha256".to_owned(), base.to_owned());
        }
        out
    };
    let (then, now) = (flat(&then.recipe, &then.base), flat(now, base));
    let keys: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let absent = "absent".to_owned();
    keys.into_iter()
        .map(|key| (key, then.get(key).unwrap_or(&absent), now.get(key).unwrap_or(&absent)))
        .filter(|(_, then, now)| then != now)
        .map(|(key, then, now)| format!("{key}: {then} then, {now} now"))
        .collect()
}

fn flatten(prefix: &str, value: &serde_json::Value, out: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, out);
            }
        }
        other => drop(out.insert(prefix.to_owned(), other.to_string())),
    }
}

fn lines(differences: &[String]) -> String {
    differences.iter().map(|line| format!("\n  {line}")).collect()
}

fn serialize(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let bytes: Vec<(&String, Vec<u8>, &Tensor)> =
        tensors.iter().map(|(name, tensor)| (name, bytes_of(tensor), tensor)).collect();
    let views = bytes.iter().map(|(name, bytes, tensor)| {
        let dtype = if tensor.kind() == Kind::Uint8 { Dtype::U8 } else { Dtype::F32 };
        let shape = tensor.size().iter().map(|&size| size as usize).collect();
        let view = TensorView::new(dtype, shape, bytes);
        (
            name.as_str(),
            view.unwrap_or_else(|_| unreachable!("a contiguous tensor has the bytes of its shape")),
        )
    });
    safetensors::serialize(views, None).unwrap_or_else(|_| unreachable!("names are distinct and short"))
}

fn deserialize(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let tensor = |(name, view): (String, TensorView)| {
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::U8 => Kind::Uint8,
            other => return Err(format!("`{name}` is stored as {other:?}")),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        let tensor =
            Tensor::f_from_data_size(view.data(), &shape, kind).map_err(|error| error.to_string())?;
        Ok((name, tensor))
    };
    tensors.tensors().into_iter().map(tensor).collect()
}

fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.to_device(Device::Cpu).contiguous();
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.into(), source };
    let mut file = fs::File::create(path).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)
}

/// Makes a rename last through a power cut. Windows has no such call and does it by itself.
fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(path) {
        drop(folder.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}
