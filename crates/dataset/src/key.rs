//! The key of a row: SHA-256 of everything that decides what is asked.
//!
//! Two runs that would send the same request give it the same key, on every machine and in every version that writes
//! row format 1: the hash is taken over the compact JSON of [`Question`], its fields in their order here.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// A hash cut to 16 bytes, for sets that are held in memory: among a billion rows, two meet by chance once in 10^20.
pub type Short = [u8; 16];

/// A hash cut to 8 bytes: enough to tell the few keys that a prompt may have from all others.
pub type Tag = [u8; 8];

/// A whole request, as the experiment plans it. A truncated reply that is asked again with a larger budget still
/// answers the same question, so the budget here is the first one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question<'a> {
    /// Model id as the API spells it.
    pub model: &'a str,
    /// The arm's system prompt.
    pub system_prompt: &'a str,
    /// The prompt.
    pub prompt: &'a str,
    /// Sampling temperature.
    pub temperature: f64,
    /// The first budget, in tokens.
    pub max_output_tokens: u32,
    /// `low`, `medium`, `high`, or absent.
    pub thinking_level: Option<&'a str>,
}

/// SHA-256 of a [`Question`]; its `Display` is the 64 lower-case hex digits that stand in a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// Hashes the question.
    pub fn of(question: &Question<'_>) -> Self {
        let mut hash = Sha256::new();
        // Strings, numbers and nothing else go into memory, so serde_json cannot fail here.
        hash.update(serde_json::to_vec(question).unwrap_or_default());
        Self(hash.finalize().into())
    }

    /// Its beginning, for the resume index.
    pub fn tag(&self) -> Tag {
        let mut tag = Tag::default();
        tag.copy_from_slice(&self.0[..8]);
        tag
    }
}

/// Reads the tag of a key's 64 hex digits; `None` for anything else.
pub fn tag_of_hex(hex: &str) -> Option<Tag> {
    let digits = hex.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let value = |digit: u8| (digit as char).to_digit(16).unwrap_or_default() as u8;
    let mut tag = Tag::default();
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    Some(tag)
}

/// Hashes a prompt's text, for the resume index.
pub fn short_of_text(text: &str) -> Short {
    let whole: [u8; 32] = Sha256::digest(text).into();
    let mut short = Short::default();
    short.copy_from_slice(&whole[..16]);
    short
}

/// SHA-256 of some bytes in lower-case hex, as `sha256sum` prints it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Key(Sha256::digest(bytes).into()).to_string()
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> = Question {
        model: "m",
        system_prompt: "s",
        prompt: "p",
        temperature: 1.0,
        max_output_tokens: 4096,
        thinking_level: Some("low"),
    };

    /// `printf '{"model":"m",…,"thinking_level":"low"}' | sha256sum`: keys in ledgers outlive this code.
    #[test]
    fn the_key_of_a_question_never_changes() {
        let json = r#"{"model":"m","system_prompt":"s","prompt":"p","temperature":1.0,"max_output_tokens":4096,"thinking_level":"low"}"#;
        assert_eq!(Key::of(&QUESTION).to_string(), sha256_hex(json.as_bytes()));
        assert_eq!(
            Key::of(&QUESTION).to_string(),
            "32452b0dac2ac0934311f0986d28e5098c6aa8170bd0c8109747d5892b6637c8"
        );
    }

    #[test]
    fn every_part_of_the_question_is_in_the_key() {
        let others = [
            Question { model: "n", ..QUESTION },
            Question { system_prompt: "t", ..QUESTION },
            Question { prompt: "q", ..QUESTION },
            Question { temperature: 0.5, ..QUESTION },
            Question { max_output_tokens: 8192, ..QUESTION },
            Question { thinking_level: None, ..QUESTION },
        ];
        for other in others {
            assert_ne!(Key::of(&other), Key::of(&QUESTION), "{other:?}");
        }
    }

    #[test]
    fn the_tag_is_the_same_from_hex() {
        let key = Key::of(&QUESTION);
        assert_eq!(tag_of_hex(&key.to_string()), Some(key.tag()));
        assert_eq!(tag_of_hex("12"), None);
        assert_eq!(tag_of_hex(&"é".repeat(32)), None);
    }
}
