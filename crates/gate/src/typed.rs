//! The fast way from a line to a row: a parser that knows the row's form and borrows its strings.
//!
//! It accepts a line only where the schema accepts it and [`dataset::Row`] reads it; a property test holds that. It
//! never says why a line is refused: that is [`crate::explain`]'s.

use std::borrow::Cow;

use dataset::row::TokenStats;

use crate::json::Cursor;
use crate::view::{Meta, Sampling, View};

/// The largest count of tokens; larger ones are not exact in every JSON reader.
const MAX_TOKENS: u64 = (1 << 53) - 1;
const MAX_COUNT: u64 = u32::MAX as u64;

/// A text that most rows have in common, and how the generator writes it.
pub struct Known {
    text: String,
    quoted: String,
}

impl Known {
    /// Takes a system prompt.
    pub fn new(text: &str) -> Self {
        // A string is always JSON; where it were not, no line would begin with the empty text's quotes and a quote.
        let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"\"".to_owned());
        Self { text: text.to_owned(), quoted }
    }
}

/// Reads `line` as [`read`] does, and passes quickly over a system prompt that is `known`. An output with escapes is
/// written to `spare`, which must be empty and is then taken.
pub fn read_knowing<'a>(line: &'a str, known: &'a Known, spare: &mut String) -> Option<View<'a>> {
    parse(line, Some(known), spare)
}

/// Reads `line`, which has no newline. `None` where it is not a row that the schema accepts, where it holds a raw
/// control character, a key twice, or, in a row of the Python script, a field that we do not know.
pub fn read(line: &str) -> Option<View<'_>> {
    parse(line, None, &mut String::new())
}

fn parse<'a>(line: &'a str, known: Option<&'a Known>, spare: &mut String) -> Option<View<'a>> {
    let mut cursor = Cursor::new(line);
    let mut format = None;
    let (mut key, mut instruction, mut system_prompt) = (None, None, None);
    let (mut output, mut meta, mut tokens) = (None, None, None);
    let mut met_in_meta = 0;
    let met = cursor.object(|cursor, name| {
        Some(match name {
            "format" => {
                format = Some(u32::try_from(cursor.whole(1).filter(|format| *format == 1)?).ok()?);
                FORMAT
            }
            "key" => {
                key = Some(cursor.string()?);
                KEY
            }
            "instruction" => {
                instruction = Some(text(cursor)?);
                INSTRUCTION
            }
            "system_prompt" => {
                system_prompt = Some(match known.filter(|known| cursor.known(&known.quoted)) {
                    Some(known) => Cow::Borrowed(known.text.as_str()),
                    None => text(cursor)?,
                });
                SYSTEM_PROMPT
            }
            "output" => {
                output = match cursor.null() {
                    true => None,
                    false => Some(cursor.string_into(|| std::mem::take(spare))?),
                };
                OUTPUT
            }
            "meta" => {
                let (read, met) = read_meta(cursor)?;
                (meta, met_in_meta) = (Some(read), met);
                META
            }
            "token_stats" => {
                tokens = Some(read_tokens(cursor)?);
                TOKENS
            }
            _ => return None,
        })
    })?;
    if !cursor.at_end() {
        return None;
    }
    let row =
        View { format, key, instruction: instruction?, system_prompt, output, meta: meta?, tokens: tokens? };
    let whole = match row.format {
        Some(_) => met == ALL && met_in_meta & META_REQUIRED == META_REQUIRED && is_hash(row.key.as_deref()?),
        None => {
            met == INSTRUCTION | OUTPUT | META | TOKENS
                && met_in_meta & META_PYTHON == META_PYTHON
                && row.tokens.thoughts.is_none()
        }
    };
    whole.then_some(row)
}

const FORMAT: u32 = 1;
const KEY: u32 = 2;
const INSTRUCTION: u32 = 4;
const SYSTEM_PROMPT: u32 = 8;
const OUTPUT: u32 = 16;
const META: u32 = 32;
const TOKENS: u32 = 64;
const ALL: u32 = 127;

const CATEGORY: u32 = 1;
const MODEL_TYPE: u32 = 2;
const MODEL: u32 = 4;
const TIMESTAMP: u32 = 8;
const FINISH_REASON: u32 = 16;
const ATTEMPTS: u32 = 32;
const GENERATION: u32 = 64;
const META_PYTHON: u32 = CATEGORY | MODEL_TYPE | MODEL | TIMESTAMP | FINISH_REASON;
const META_REQUIRED: u32 = META_PYTHON | ATTEMPTS | GENERATION;

fn read_meta<'a>(cursor: &mut Cursor<'a>) -> Option<(Meta<'a>, u32)> {
    let mut meta = Meta::default();
    let met = cursor.object(|cursor, name| {
        Some(match name {
            "category" => {
                meta.category = text(cursor)?;
                CATEGORY
            }
            "model_type" => {
                meta.model_type = text(cursor)?;
                MODEL_TYPE
            }
            "model" => {
                meta.model = text(cursor)?;
                MODEL
            }
            "timestamp" => {
                meta.timestamp = cursor.string()?;
                TIMESTAMP
            }
            "finish_reason" => {
                meta.finish_reason = cursor.string()?;
                FINISH_REASON
            }
            "attempts" => {
                meta.attempts = Some(positive(cursor)?);
                ATTEMPTS
            }
            "generation" => {
                meta.generation = Some(read_sampling(cursor)?);
                GENERATION
            }
            "sub_theme" => {
                meta.sub_theme = cursor.string()?;
                128
            }
            "model_version" => {
                meta.model_version = Some(cursor.string()?);
                256
            }
            "response_id" => {
                meta.response_id = Some(cursor.string()?);
                512
            }
            "escalated" => {
                meta.escalated = count(cursor)?;
                1024
            }
            "resampled" => {
                meta.resampled = count(cursor)?;
                2048
            }
            _ => return None,
        })
    })?;
    is_timestamp(meta.timestamp.as_bytes()).then_some((meta, met))
}

fn read_sampling<'a>(cursor: &mut Cursor<'a>) -> Option<Sampling<'a>> {
    let mut sampling = Sampling::default();
    let met = cursor.object(|cursor, name| {
        Some(match name {
            "temperature" => {
                sampling.temperature = cursor.float().filter(|value| (0.0..=2.0).contains(value))?;
                1
            }
            "max_output_tokens" => {
                sampling.max_output_tokens = positive(cursor)?;
                2
            }
            "thinking_level" => {
                sampling.thinking_level = Some(cursor.string()?);
                4
            }
            _ => return None,
        })
    })?;
    (met & 3 == 3).then_some(sampling)
}

fn read_tokens(cursor: &mut Cursor<'_>) -> Option<TokenStats> {
    let mut tokens = TokenStats::default();
    let met = cursor.object(|cursor, name| {
        let (slot, bit) = match name {
            "input" => (&mut tokens.input, 1),
            "output" => (&mut tokens.output, 2),
            "total" => (&mut tokens.total, 4),
            "thoughts" => (tokens.thoughts.insert(0), 8),
            "cached" => (tokens.cached.insert(0), 16),
            _ => return None,
        };
        *slot = cursor.whole(MAX_TOKENS)?;
        Some(bit)
    })?;
    (met & 7 == 7).then_some(tokens)
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    cursor.string().filter(|text| !text.is_empty())
}

fn count(cursor: &mut Cursor<'_>) -> Option<u32> {
    cursor.whole(MAX_COUNT).and_then(|value| u32::try_from(value).ok())
}

fn positive(cursor: &mut Cursor<'_>) -> Option<u32> {
    count(cursor).filter(|value| *value > 0)
}

fn is_hash(key: &str) -> bool {
    key.len() == 64 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The schema's pattern: a date, `T`, a time, perhaps a fraction, perhaps a zone.
fn is_timestamp(bytes: &[u8]) -> bool {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let fits = |bytes: &[u8], shape: &[u8]| {
        let place = |(byte, place): (&u8, &u8)| match place {
            b'0' => byte.is_ascii_digit(),
            _ => byte == place,
        };
        bytes.len() == shape.len() && bytes.iter().zip(shape).all(place)
    };
    let Some((time, mut rest)) = bytes.split_at_checked(SHAPE.len()) else { return false };
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    fits(time, SHAPE)
        && match rest {
            [] | [b'Z'] => true,
            [b'+' | b'-', zone @ ..] => fits(zone, b"00:00"),
            _ => false,
        }
}
