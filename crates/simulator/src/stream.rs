//! Streams: the reply of `streamGenerateContent` in pieces.

use serde_json::{Value, json};

use crate::reply::{Envelope, Said};
use crate::usage;

/// Characters of visible text in a piece.
const PIECE: usize = 800;

/// The pieces of a reply. Token counts grow from piece to piece; only the last one has a finish reason.
pub fn pieces(envelope: &Envelope<'_>, said: &Said) -> Vec<Value> {
    let letters: Vec<char> = said.text.chars().collect();
    let chunks: Vec<String> = letters.chunks(PIECE).map(|chunk| chunk.iter().collect()).collect();
    if said.block.is_some() || chunks.len() < 2 {
        return vec![envelope.whole(said)];
    }
    let mut pieces = Vec::new();
    if envelope.show_thoughts && said.tokens.thoughts > 0 {
        let so_far =
            Said { tokens: usage::count(said.tokens.prompt, 0, said.tokens.thoughts), ..said.clone() };
        let whole = envelope.whole(said);
        let thought = whole["candidates"][0]["content"]["parts"][0].clone();
        pieces.push(envelope.piece(vec![thought], &so_far, false));
    }
    let mut seen = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        let last = index + 1 == chunks.len();
        seen += chunk.chars().count();
        let candidates = if last { said.tokens.candidates } else { seen.div_ceil(usage::CHARACTERS) as u64 };
        let so_far = Said {
            tokens: usage::count(said.tokens.prompt, candidates, said.tokens.thoughts),
            ..said.clone()
        };
        pieces.push(envelope.piece(vec![envelope.part(chunk, last)], &so_far, last));
    }
    pieces
}

/// The pieces as server-sent events.
pub fn events(pieces: &[Value]) -> Vec<Vec<u8>> {
    pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n").into_bytes()).collect()
}

/// The pieces as one JSON array that grows.
pub fn array(pieces: &[Value]) -> Vec<Vec<u8>> {
    let last = pieces.len() - 1;
    let framed = pieces.iter().enumerate().map(|(index, piece)| {
        let (open, close) = (if index == 0 { "[" } else { ",\r\n" }, if index == last { "]" } else { "" });
        format!("{open}{piece}{close}").into_bytes()
    });
    framed.collect()
}

/// An error where an array is due.
pub fn error_array(error: &Value) -> Value {
    json!([error])
}
