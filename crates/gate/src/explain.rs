//! The slow way from a line to a row, for lines that [`crate::typed`] did not accept: it says why, in words.
//!
//! The schema has the last word on form. A line that passes it and that [`dataset::Row`] reads is a row.

use std::fmt;
use std::sync::LazyLock;

use dataset::Row;
use jsonschema::Validator;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::excerpt;
use crate::rules::{BAD_JSON, DUPLICATE_KEY, ENCODING, Failure, SCHEMA};

/// The schema of a row, as checked in.
pub const ROW_SCHEMA: &str = include_str!("../schema/row.schema.json");

/// What a line turned out to be.
#[derive(Debug)]
pub enum Explained {
    /// A row after all. `null_output` where it said null instead of a text.
    Row {
        /// The row; its output is empty where the line said null.
        row: Box<Row>,
        /// Whether the line said null.
        null_output: bool,
    },
    /// No row.
    Wrong {
        /// Which rule says so: an index of [`crate::rules::RULES`].
        rule: usize,
        /// Why.
        failure: Failure,
        /// The prompt that the line answers, where it can be told, so that its partner is not called missing.
        instruction: Option<String>,
    },
}

/// Explains `line`, which has no newline.
pub fn explain(line: &[u8]) -> Explained {
    let wrong = |rule, message: String, excerpt, instruction| Explained::Wrong {
        rule,
        failure: Failure { message, excerpt },
        instruction,
    };
    if let Some(at) = memchr::memchr(0, line) {
        let excerpt = excerpt::lossy(line, at);
        return wrong(
            ENCODING,
            format!("byte {} is NUL; a crash may have left a hole", at + 1),
            excerpt,
            None,
        );
    }
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("byte {} (0x{:02x}) is not UTF-8", at + 1, line[at]);
            return wrong(ENCODING, message, excerpt::lossy(line, at), None);
        }
    };
    let mut repeated = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Strict { repeated: &mut repeated }.deserialize(&mut json);
    let mut value = match value.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => value,
        Err(error) => {
            let at = text.len().min(error.column().saturating_sub(1));
            return wrong(
                BAD_JSON,
                format!("not JSON: {}", in_words(&error)),
                excerpt::around(text, at),
                None,
            );
        }
    };
    let instruction = value.get("instruction").and_then(Value::as_str).map(str::to_owned);
    if let Some(key) = repeated {
        let key = excerpt::start(&key);
        let message = format!("the key `{key}` stands there twice; readers differ in which value they take");
        return wrong(DUPLICATE_KEY, message, excerpt::start(text), instruction);
    }
    if has_nul(&value) {
        let message = r"a text holds NUL (\u0000)".to_owned();
        return wrong(ENCODING, message, excerpt::start(text), instruction);
    }
    if let Some(message) = schema_failure(&value) {
        return wrong(SCHEMA, message, excerpt::start(text), instruction);
    }
    let null_output = value.get("output").is_some_and(Value::is_null);
    if null_output {
        value["output"] = Value::String(String::new());
    }
    match serde_json::from_value::<Row>(value) {
        Ok(row) => Explained::Row { row: Box::new(row), null_output },
        // Such as 1.0 where a count is wanted: whole to the schema, and not to readers.
        Err(error) => wrong(SCHEMA, error.to_string(), excerpt::start(text), instruction),
    }
}

/// Compiles the schema once.
fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        let schema: Value = serde_json::from_str(ROW_SCHEMA).expect("the embedded schema is JSON");
        jsonschema::draft202012::new(&schema).expect("the embedded schema is a schema")
    });
    &VALIDATOR
}

/// At most three reasons, each with its place; values are left out because nobody has vouched for them.
fn schema_failure(value: &Value) -> Option<String> {
    if let Some(format) = value.get("format").filter(|format| **format != 1) {
        let format = excerpt::start(&format.to_string());
        return Some(format!(
            "format {format} is not one that this gate knows (1, or none for Python's rows)"
        ));
    }
    let mut errors = validator().iter_errors(value).map(|error| {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { "the row" } else { place.as_str() };
        format!("{place}: {}", error.masked_with("the value"))
    });
    let mut reasons: Vec<String> = errors.by_ref().take(3).collect();
    if errors.next().is_some() {
        reasons.push("and more".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// serde_json counts lines within the line; only the column helps.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => text,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Reads any JSON and remembers the first key that an object has twice.
struct Strict<'r> {
    repeated: &'r mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict { repeated: &mut *self.repeated })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(Strict { repeated: &mut *self.repeated })?;
            if object.contains_key(&key) {
                self.repeated.get_or_insert_with(|| key.clone());
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
