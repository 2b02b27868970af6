//! The base model: where it lies, its configuration, its weights, and what its tokenizer and template are made of.
//!
//! A base is a folder as transformers saves it, a GGUF file, or the id of a model in the local hub cache. It is never
//! fetched from here: what is not there is an error that names the command which fetches it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::{self, Config};
use crate::gguf::{self, Gguf};
use crate::weights::{self, Weights};

/// An opened base. Weights are mapped, not read.
pub struct Base {
    /// What the user called it: a path or a hub id. Goes into `adapter_config.json`.
    pub name: String,
    /// The folder or the GGUF file.
    pub path: PathBuf,
    /// Its shape.
    pub config: Config,
    /// Its tensors.
    pub weights: Weights,
    /// What the tokenizer is made of.
    pub tokenizer: TokenizerSource,
    /// The Jinja source of its chat template, if it has one.
    pub chat_template: Option<String>,
    /// Tokens that end a turn or a text.
    pub eos_ids: Vec<u32>,
    /// `bos_token` as the template sees it.
    pub bos_token: Option<String>,
    /// `eos_token` as the template sees it.
    pub eos_token: Option<String>,
}

/// What the tokenizer is made of.
#[derive(Debug, Clone)]
pub enum TokenizerSource {
    /// `tokenizer.json` of the folder.
    File(PathBuf),
    /// The vocabulary out of a GGUF file.
    Gguf(GgufTokenizer),
}

/// A byte-level BPE as a GGUF file stores it.
#[derive(Debug, Clone)]
pub struct GgufTokenizer {
    /// Text of each id.
    pub tokens: Vec<String>,
    /// Merges, "left right", best first.
    pub merges: Vec<String>,
    /// 1 normal, 3 control, 4 user-defined, 6 byte.
    pub token_types: Vec<u32>,
    /// Name of the pre-tokenizer: `smollm`, `llama-bpe`, `qwen2`.
    pub pre: String,
    /// Beginning of text.
    pub bos: Option<u32>,
    /// End of text or turn.
    pub eos: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
    /// Unknown.
    pub unk: Option<u32>,
    /// Whether a text begins with `bos`.
    pub add_bos: bool,
}

/// Why a base cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such folder, file or cached model.
    #[error("no base at `{spec}`: it is neither a folder with a config.json, nor a GGUF file{}", hint(.spec, .looked))]
    NotFound {
        /// What was asked for.
        spec: String,
        /// Where in the hub cache, if it looks like a hub id.
        looked: Option<PathBuf>,
    },
    /// A file of the base is not readable.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of the base is no JSON object.
    #[error("{path} is not a JSON object: {problem}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        problem: String,
    },
    /// A configuration we cannot load.
    #[error("cannot use the base at {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: config::Error,
    },
    /// Weights we cannot load.
    #[error("cannot use the weights of the base")]
    Weights(#[from] weights::Error),
    /// A GGUF file we cannot read.
    #[error("cannot read {path}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: gguf::Error,
    },
    /// No tokenizer.
    #[error("{path} has no tokenizer we can build: {problem}")]
    Tokenizer {
        /// The folder or file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
}

impl Base {
    /// Opens a folder, a GGUF file, or a hub id that is in the local cache.
    pub fn open(spec: &str) -> Result<Base, Error> {
        Base::open_with(spec, hub_cache().as_deref())
    }

    /// The same with the hub cache at `cache`; `None` where there is no such folder.
    pub fn open_with(spec: &str, cache: Option<&Path>) -> Result<Base, Error> {
        let path = Path::new(spec);
        if path.is_file() {
            return Base::open_gguf(spec, path);
        }
        if path.join("config.json").is_file() {
            return Base::open_folder(spec, path);
        }
        let cache = cache.filter(|_| is_hub_id(spec) && !path.exists());
        let looked = cache.map(|cache| cache.join(format!("models--{}", spec.replace('/', "--"))));
        if let Some(snapshot) = looked.as_deref().and_then(snapshot)
            && snapshot.join("config.json").is_file()
        {
            return Base::open_folder(spec, &snapshot);
        }
        Err(Error::NotFound { spec: spec.into(), looked })
    }

    /// Files that define the base, with their sha256 in hex: weights, configuration, tokenizer and template.
    ///
    /// Reads every byte; some seconds for a large base.
    pub fn hashes(&self) -> Result<Vec<(PathBuf, String)>, Error> {
        let mut paths: Vec<PathBuf> = self.weights.files().into_iter().map(Path::to_owned).collect();
        if self.path.is_dir() {
            let names = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
            paths.extend(names.iter().map(|name| self.path.join(name)).filter(|path| path.is_file()));
        }
        paths.into_iter().map(|path| sha256(&path).map(|hash| (path, hash))).collect()
    }

    fn open_folder(spec: &str, folder: &Path) -> Result<Base, Error> {
        let path = folder.join("config.json");
        let json = read_object(&path)?;
        let config = Config::from_json(&json).map_err(|source| Error::Config { path, source })?;
        let weights = Weights::open_folder(folder)?;
        let tokenizer = folder.join("tokenizer.json");
        if !tokenizer.is_file() {
            return Err(Error::Tokenizer {
                path: folder.into(),
                problem: "tokenizer.json is missing".into(),
            });
        }
        let settings = read_optional_object(&folder.join("tokenizer_config.json"))?;
        let generation = read_optional_object(&folder.join("generation_config.json"))?;
        let standalone = folder.join("chat_template.jinja");
        let chat_template = if standalone.is_file() {
            Some(fs::read_to_string(&standalone).map_err(|source| Error::Io { path: standalone, source })?)
        } else {
            settings.get("chat_template").and_then(template)
        };
        let eos = generation.get("eos_token_id").or_else(|| json.get("eos_token_id"));
        Ok(Base {
            name: spec.into(),
            path: folder.into(),
            config,
            weights,
            tokenizer: TokenizerSource::File(tokenizer),
            chat_template,
            eos_ids: eos.map(ids).unwrap_or_default(),
            bos_token: settings.get("bos_token").and_then(token),
            eos_token: settings.get("eos_token").and_then(token),
        })
    }

    fn open_gguf(spec: &str, path: &Path) -> Result<Base, Error> {
        let gguf = Gguf::open(path).map_err(|source| Error::Gguf { path: path.into(), source })?;
        let config =
            Config::from_gguf(&gguf).map_err(|source| Error::Config { path: path.into(), source })?;
        let tokenizer = gguf_tokenizer(&gguf)
            .map_err(|problem| Error::Tokenizer { path: path.into(), problem: problem.into() })?;
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.tokens.get(id as usize)).cloned();
        let mut eos_ids: Vec<u32> = tokenizer.eos.into_iter().collect();
        // Llama 3's turn ends with a token of its own.
        eos_ids.extend(gguf.number("tokenizer.ggml.eot_token_id").map(|id| id as u32));
        eos_ids.dedup();
        Ok(Base {
            name: spec.into(),
            path: path.into(),
            chat_template: gguf.text("tokenizer.chat_template").map(str::to_owned),
            eos_ids,
            bos_token: text(tokenizer.bos),
            eos_token: text(tokenizer.eos),
            tokenizer: TokenizerSource::Gguf(tokenizer),
            weights: Weights::from_gguf(path, gguf, &config),
            config,
        })
    }
}

/// sha256 of a file, in hex.
pub fn sha256(path: &Path) -> Result<String, Error> {
    let io = |source| Error::Io { path: path.into(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn hint(spec: &str, looked: &Option<PathBuf>) -> String {
    match looked {
        Some(looked) => format!(
            ", nor is it in the local hub cache at {}; `hf download {spec}` fetches it",
            looked.display()
        ),
        None => {
            "; give a path that exists, or a hub id such as Qwen/Qwen3-8B after `hf download Qwen/Qwen3-8B`"
                .into()
        }
    }
}

/// `organisation/name`, with nothing of a path in it.
fn is_hub_id(spec: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    spec.split_once('/').is_some_and(|(organisation, name)| plain(organisation) && plain(name))
}

/// The hub library's own order of look-up.
fn hub_cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("HF_HUB_CACHE")
        .or_else(|| variable("HF_HOME").map(|home| home.join("hub")))
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("huggingface").join("hub")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache").join("huggingface").join("hub")))
}

fn snapshot(model: &Path) -> Option<PathBuf> {
    let revision = fs::read_to_string(model.join("refs").join("main")).ok()?;
    let snapshot = model.join("snapshots").join(revision.trim());
    snapshot.is_dir().then_some(snapshot)
}

fn read_object(path: &Path) -> Result<Map<String, Value>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
    serde_json::from_str(&text).map_err(|error| Error::Json { path: path.into(), problem: error.to_string() })
}

fn read_optional_object(path: &Path) -> Result<Map<String, Value>, Error> {
    if path.is_file() { read_object(path) } else { Ok(Map::new()) }
}

/// A template is a string, or a list of named ones of which `default` is meant.
fn template(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let named = value.as_array()?.iter().find(|entry| entry["name"] == "default")?;
    named["template"].as_str().map(str::to_owned)
}

/// A special token is a string, or an object with its `content`.
fn token(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

fn ids(value: &Value) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value.as_array() {
        Some(list) => list.iter().filter_map(id).collect(),
        None => id(value).into_iter().collect(),
    }
}

fn gguf_tokenizer(gguf: &Gguf) -> Result<GgufTokenizer, &'static str> {
    if gguf.text("tokenizer.ggml.model") != Some("gpt2") {
        return Err("only byte-level BPE (`tokenizer.ggml.model` = gpt2) is supported in a GGUF file");
    }
    let tokens = gguf.texts("tokenizer.ggml.tokens").ok_or("`tokenizer.ggml.tokens` is missing")?.to_vec();
    let merges = gguf.texts("tokenizer.ggml.merges").ok_or("`tokenizer.ggml.merges` is missing")?.to_vec();
    let types = gguf.numbers("tokenizer.ggml.token_type").ok_or("`tokenizer.ggml.token_type` is missing")?;
    let id = |key: &str| gguf.number(&format!("tokenizer.ggml.{key}_token_id")).map(|id| id as u32);
    Ok(GgufTokenizer {
        token_types: types.iter().map(|&kind| kind as u32).collect(),
        tokens,
        merges,
        pre: gguf.text("tokenizer.ggml.pre").unwrap_or("default").into(),
        bos: id("bos"),
        eos: id("eos"),
        pad: id("padding"),
        unk: id("unknown"),
        add_bos: matches!(gguf.get("tokenizer.ggml.add_bos_token"), Some(gguf::Value::Bool(true))),
    })
}
