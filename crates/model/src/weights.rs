//! The frozen tensors of a base by their transformers names, out of memory-mapped safetensors shards or a GGUF file.
//!
//! Nothing is read before it is asked for. A GGUF file answers to the same names: its own are translated, and the q
//! and k rows that llama.cpp permutes for interleaved RoPE are put back.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;

use crate::config::{Config, Family};
use crate::dtype::Dtype;
use crate::gguf::{self, Gguf};

/// Where the tensors of a base lie.
pub struct Weights {
    source: Source,
    path: PathBuf,
}

/// One tensor: its shape, and its bytes in the map.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Rows first.
    pub shape: &'a [usize],
    /// Format of the bytes.
    pub dtype: Dtype,
    /// Row-major, little-endian.
    pub bytes: &'a [u8],
    /// Heads whose rows are interleaved (GGUF of the Llama family), to be undone.
    pub interleaved: Option<usize>,
}

/// Why a tensor cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A shard that is no safetensors file.
    #[error("{path} is not a safetensors file, or was cut short: {problem}; fetch it again")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        problem: String,
    },
    /// A GGUF file that cannot be read.
    #[error("cannot read {path}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: gguf::Error,
    },
    /// A folder without weights.
    #[error("no *.safetensors file in {0}")]
    NoShards(PathBuf),
    /// Two files with the same tensor, of which one is left over from another model.
    #[error("tensor `{name}` is in {first} and in {second}; keep the one that belongs to the base")]
    Twice {
        /// Its name.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A tensor that the configuration asks for is not there.
    #[error("tensor `{name}` is missing from {path}")]
    Missing {
        /// Its transformers name.
        name: String,
        /// The folder or file.
        path: PathBuf,
    },
    /// A tensor that does not fit the configuration.
    #[error("tensor `{name}` in {path} is {found:?}, the configuration asks for {expected:?}")]
    Shape {
        /// Its transformers name.
        name: String,
        /// The folder or file.
        path: PathBuf,
        /// What it is.
        found: Vec<usize>,
        /// What it should be.
        expected: Vec<usize>,
    },
    /// A number format we do not load.
    #[error("tensor `{name}` in {path} is stored as {found}, only F32, F16 and BF16 are read")]
    Format {
        /// Its transformers name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
}

enum Source {
    Safetensors { shards: Vec<(PathBuf, Mmap)>, index: BTreeMap<String, Entry> },
    Gguf { gguf: Box<Gguf>, family: Family, heads: usize, kv_heads: usize },
}

struct Entry {
    shard: usize,
    shape: Vec<usize>,
    dtype: safetensors::Dtype,
    start: usize,
    end: usize,
}

impl Weights {
    /// Maps every `*.safetensors` file of a folder.
    pub fn open_folder(folder: &Path) -> Result<Weights, Error> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        let mut paths = Vec::new();
        for entry in folder.read_dir().map_err(io(folder))? {
            let path = entry.map_err(io(folder))?.path();
            // An adapter in the same folder is not the base.
            let adapter = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("adapter_"));
            if path.extension().is_some_and(|extension| extension == "safetensors") && !adapter {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(Error::NoShards(folder.to_owned()));
        }
        paths.sort();
        let mut shards = Vec::new();
        let mut index: BTreeMap<String, Entry> = BTreeMap::new();
        for path in paths {
            let file = File::open(&path).map_err(io(&path))?;
            // SAFETY: as for a GGUF file, the map is read-only and nobody rewrites a base while it is trained on.
            let map = unsafe { Mmap::map(&file) }.map_err(io(&path))?;
            let (header, metadata) = SafeTensors::read_metadata(&map)
                .map_err(|error| Error::Safetensors { path: path.clone(), problem: error.to_string() })?;
            // The header is preceded by its own length, eight bytes.
            let data = header + 8;
            for (name, info) in metadata.tensors() {
                let (start, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
                if end > map.len() {
                    let problem = format!("tensor `{name}` ends at byte {end} of {}", map.len());
                    return Err(Error::Safetensors { path, problem });
                }
                let entry =
                    Entry { shard: shards.len(), shape: info.shape.clone(), dtype: info.dtype, start, end };
                if let Some(other) = index.get(&name) {
                    let (first, _): &(PathBuf, Mmap) = &shards[other.shard];
                    return Err(Error::Twice { name, first: first.clone(), second: path });
                }
                index.insert(name, entry);
            }
            shards.push((path, map));
        }
        Ok(Weights { source: Source::Safetensors { shards, index }, path: folder.to_owned() })
    }

    /// Takes the tensors of an open GGUF file.
    pub fn from_gguf(path: &Path, gguf: Gguf, config: &Config) -> Weights {
        let (family, heads, kv_heads) = (config.family, config.heads, config.kv_heads);
        let source = Source::Gguf { gguf: Box::new(gguf), family, heads, kv_heads };
        Weights { source, path: path.to_owned() }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold the weights.
    pub fn files(&self) -> Vec<&Path> {
        match &self.source {
            Source::Safetensors { shards, .. } => shards.iter().map(|(path, _)| path.as_path()).collect(),
            Source::Gguf { .. } => vec![&self.path],
        }
    }

    /// Lets go of the pages that were read: what is loaded has been copied, and a page that is asked for again comes
    /// from the file. Windows has no such call, and keeps them until it needs their room.
    pub fn release(&self) {
        match &self.source {
            Source::Safetensors { shards, .. } => shards.iter().for_each(|(_, map)| release(map)),
            Source::Gguf { gguf, .. } => gguf.release(),
        }
    }

    /// Bytes of the files that stay in this process after all of it was read and released.
    pub fn resident(&self) -> u64 {
        if cfg!(unix) {
            return 0;
        }
        self.files().into_iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Whether a tensor of this transformers name is there.
    pub fn contains(&self, name: &str) -> bool {
        match &self.source {
            Source::Safetensors { index, .. } => index.contains_key(name),
            Source::Gguf { gguf, .. } => gguf_name(name).is_some_and(|name| gguf.tensor(&name).is_some()),
        }
    }

    /// A tensor by its transformers name, of exactly this shape.
    pub fn view(&self, name: &str, shape: &[usize]) -> Result<View<'_>, Error> {
        let missing = || Error::Missing { name: name.into(), path: self.path.clone() };
        let view = match &self.source {
            Source::Safetensors { shards, index } => {
                let entry = index.get(name).ok_or_else(missing)?;
                let (path, map) = &shards[entry.shard];
                let dtype = match entry.dtype {
                    safetensors::Dtype::F32 => Dtype::F32,
                    safetensors::Dtype::F16 => Dtype::F16,
                    safetensors::Dtype::BF16 => Dtype::BF16,
                    other => {
                        let found = format!("{other:?}");
                        return Err(Error::Format { name: name.into(), path: path.clone(), found });
                    }
                };
                View { shape: &entry.shape, dtype, bytes: &map[entry.start..entry.end], interleaved: None }
            }
            Source::Gguf { gguf, family, heads, kv_heads } => {
                let stored = gguf_name(name).ok_or_else(missing)?;
                let info = gguf.tensor(&stored).ok_or_else(missing)?;
                let (dtype, bytes) =
                    gguf.data(&stored).map_err(|source| Error::Gguf { path: self.path.clone(), source })?;
                let interleaved = match family {
                    Family::Llama if name.ends_with("q_proj.weight") => Some(*heads),
                    Family::Llama if name.ends_with("k_proj.weight") => Some(*kv_heads),
                    _ => None,
                };
                View { shape: &info.shape, dtype, bytes, interleaved }
            }
        };
        if view.shape != shape {
            return Err(Error::Shape {
                name: name.into(),
                path: self.path.clone(),
                found: view.shape.to_vec(),
                expected: shape.to_vec(),
            });
        }
        Ok(view)
    }
}

impl View<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no number at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decodes into `out`, which holds `len()` numbers, with interleaved rows put back.
    pub fn decode_into(&self, out: &mut [f32]) {
        let Some(heads) = self.interleaved else {
            return self.dtype.decode(self.bytes, out);
        };
        // Stored row 2j + s of a head is row s · head_dim / 2 + j of it.
        let (rows, width) = (self.shape[0], self.len() / self.shape[0].max(1));
        let head_dim = rows / heads;
        let Some(row_bytes) = self.dtype.row_bytes(width).filter(|&bytes| bytes > 0) else { return };
        for (stored, bytes) in self.bytes.chunks_exact(row_bytes).enumerate() {
            let (head, within) = (stored / head_dim, stored % head_dim);
            let row = head * head_dim + (within % 2) * (head_dim / 2) + within / 2;
            self.dtype.decode(bytes, &mut out[row * width..(row + 1) * width]);
        }
    }

    /// The numbers as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.decode_into(&mut out);
        out
    }
}

pub(crate) fn release(map: &Mmap) {
    // SAFETY: the map is of a file and read-only, so what is dropped is read again, with the same bytes.
    #[cfg(unix)]
    let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    #[cfg(not(unix))]
    let _ = map;
}

/// llama.cpp's name of a tensor that transformers calls `name`.
fn gguf_name(name: &str) -> Option<String> {
    let name = name.strip_suffix(".weight")?;
    let fixed = match name {
        "model.embed_tokens" => Some("token_embd"),
        "model.norm" => Some("output_norm"),
        "lm_head" => Some("output"),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return Some(format!("{fixed}.weight"));
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.weight"))
}
