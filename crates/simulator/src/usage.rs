//! Token counts: about four characters each, as Google's documentation counts English.

use serde_json::{Value, json};

use crate::counters::Tokens;
use crate::route::Backend;

/// Characters in a token.
pub const CHARACTERS: usize = 4;

/// The tokens of `text`; any text has at least one.
pub fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(CHARACTERS) as u64
}

/// The longest beginning of `text` that `most` tokens hold.
pub fn beginning(text: &str, most: u64) -> &str {
    let most = usize::try_from(most).unwrap_or(usize::MAX).saturating_mul(CHARACTERS);
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// `usageMetadata`. Counts of zero are left out, as the service does.
pub fn metadata(backend: Backend, counts: Tokens) -> Value {
    let mut usage = json!({
        "promptTokenCount": counts.prompt,
        "totalTokenCount": counts.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.prompt}],
    });
    if counts.candidates > 0 {
        usage["candidatesTokenCount"] = json!(counts.candidates);
        if backend == Backend::Vertex {
            usage["candidatesTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": counts.candidates}]);
        }
    }
    if counts.thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(counts.thoughts);
    }
    if backend == Backend::Vertex {
        usage["trafficType"] = json!("ON_DEMAND");
    }
    usage
}

/// The counts of one reply; the total is the sum.
pub fn count(prompt: u64, candidates: u64, thoughts: u64) -> Tokens {
    Tokens { prompt, candidates, thoughts, total: prompt + candidates + thoughts }
}
