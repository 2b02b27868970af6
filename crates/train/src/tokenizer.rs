//! The base's tokenizer: from `tokenizer.json`, or put together from the metadata of a GGUF file.
//!
//! Either way it ends as the text of a `tokenizer.json`, which goes into the adapter's folder. It adds no tokens of
//! its own: a rendered template has its special tokens written in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use model::base::{GgufTokenizer, TokenizerSource};
use serde_json::{Value, json};

use crate::template::SpecialWords;

/// A tokenizer with what it was made from.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: BTreeSet<u32>,
    words: SpecialWords,
    json: String,
    config: String,
}

/// Why there is no tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is missing or unreadable.
    #[error("cannot read the tokenizer {path}; the base's folder needs its tokenizer.json")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a tokenizer.
    #[error("{what} is not a tokenizer: {reason}")]
    Parse {
        /// Which file, or the GGUF metadata.
        what: String,
        /// What the reader said.
        reason: String,
    },
    /// A pre-tokenizer that we do not know.
    #[error(
        "the GGUF file cuts text by `{0}`, which we cannot rebuild; use the model's folder with its tokenizer.json as --base"
    )]
    Unknown(String),
    /// Text that the tokenizer refused.
    #[error("the tokenizer does not take the text: {0}")]
    Encode(String),
}

impl Tokenizer {
    /// Makes the tokenizer that a base has.
    ///
    /// # Errors
    /// As [`Tokenizer::open`] and [`Tokenizer::from_gguf`].
    pub fn of(source: &TokenizerSource) -> Result<Self, TokenizerError> {
        match source {
            TokenizerSource::File(path) => Self::open(path),
            TokenizerSource::Gguf(vocabulary) => Self::from_gguf(vocabulary),
        }
    }

    /// Reads `tokenizer.json` at `path` and, beside it, `tokenizer_config.json` for the special words.
    ///
    /// # Errors
    /// [`TokenizerError::Read`], [`TokenizerError::Parse`]. A missing `tokenizer_config.json` is none: a template may
    /// do without.
    pub fn open(path: &Path) -> Result<Self, TokenizerError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|source| TokenizerError::Read { path: path.to_owned(), source })
        };
        let json = read(path)?;
        let beside = path.with_file_name("tokenizer_config.json");
        let config = if beside.is_file() { read(&beside)? } else { "{}".into() };
        let parsed: Value = serde_json::from_str(&config)
            .map_err(|error| parse_error(&beside.display().to_string(), &error))?;
        let word = |key: &str| {
            let value = parsed.get(key)?;
            // Older configurations hold a whole added token in the word's place.
            value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
        };
        let words = SpecialWords {
            bos_token: word("bos_token"),
            eos_token: word("eos_token"),
            pad_token: word("pad_token"),
            unk_token: word("unk_token"),
        };
        Self::build(json, config, words, &path.display().to_string())
    }

    /// Puts a tokenizer together from the metadata of a GGUF file.
    ///
    /// # Errors
    /// [`TokenizerError::Unknown`] for a pre-tokenizer that we do not know; [`TokenizerError::Parse`] where vocabulary
    /// and merges do not fit together.
    pub fn from_gguf(vocabulary: &GgufTokenizer) -> Result<Self, TokenizerError> {
        let pre_tokenizer =
            pre_tokenizer(&vocabulary.pre).ok_or_else(|| TokenizerError::Unknown(vocabulary.pre.clone()))?;
        let added = vocabulary.tokens.iter().zip(&vocabulary.token_types).enumerate();
        let added: Vec<Value> = added
            .filter(|&(_, (_, &kind))| kind == 3 || kind == 4)
            .map(|(id, (content, &kind))| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": kind == 3})
            })
            .collect();
        let ids: BTreeMap<&str, usize> =
            vocabulary.tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
        let document = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": null,
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": vocabulary.pre == "llama-bpe", "vocab": ids, "merges": vocabulary.merges},
        });
        let word = |id: Option<u32>| vocabulary.tokens.get(usize::try_from(id?).ok()?).cloned();
        let words = SpecialWords {
            bos_token: word(vocabulary.bos),
            eos_token: word(vocabulary.eos),
            pad_token: word(vocabulary.pad),
            unk_token: None,
        };
        let mut config = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
        for (key, word) in [
            ("bos_token", &words.bos_token),
            ("eos_token", &words.eos_token),
            ("pad_token", &words.pad_token),
        ] {
            if let Some(word) = word {
                config[key] = json!(word);
            }
        }
        Self::build(document.to_string(), config.to_string(), words, "the GGUF file's metadata")
    }

    fn build(json: String, config: String, words: SpecialWords, what: &str) -> Result<Self, TokenizerError> {
        let inner = tokenizers::Tokenizer::from_bytes(&json).map_err(|error| parse_error(what, &error))?;
        let added = inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        Ok(Self { inner, special, words, json, config })
    }

    /// Ids of `text`, with nothing added before or after.
    ///
    /// # Errors
    /// [`TokenizerError::Encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false);
        Ok(encoding.map_err(|error| TokenizerError::Encode(error.to_string()))?.get_ids().to_vec())
    }

    /// The text of `ids`, special tokens included.
    ///
    /// # Errors
    /// [`TokenizerError::Encode`].
    pub fn text(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner.decode(ids, false).map_err(|error| TokenizerError::Encode(error.to_string()))
    }

    /// The token with this id, as the vocabulary spells it.
    pub fn token(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))
    }

    /// Whether `id` is a control token, which no ordinary text becomes.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// The special words that templates ask for.
    pub fn words(&self) -> &SpecialWords {
        &self.words
    }

    /// The text of `tokenizer.json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The text of `tokenizer_config.json`.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Ids that the tokenizer knows: every id it returns is below.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

/// How text is cut before BPE, by the name that llama.cpp gives it (`llama-vocab.cpp`).
fn pre_tokenizer(name: &str) -> Option<Value> {
    let bytes = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let split = |digits: &str| {
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
    };
    let sequence = |first: Value, last: Value| json!({"type": "Sequence", "pretokenizers": [first, last]});
    match name {
        "smollm" => Some(sequence(json!({"type": "Digits", "individual_digits": true}), bytes(true))),
        "qwen2" => Some(sequence(split(r"\p{N}"), bytes(false))),
        "llama-bpe" => Some(sequence(split(r"\p{N}{1,3}"), bytes(false))),
        "gpt-2" | "default" => Some(bytes(true)),
        _ => None,
    }
}

fn parse_error(what: &str, error: &dyn std::fmt::Display) -> TokenizerError {
    TokenizerError::Parse { what: what.to_owned(), reason: error.to_string() }
}
