//! `safetySettings`: read for their mistakes alone, since nothing that is written here needs a filter.

use serde_json::{Map, Value};

use crate::google_error::GoogleError;
use crate::route::{Backend, Route};

const CATEGORIES: [&str; 11] = [
    "HARM_CATEGORY_UNSPECIFIED",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
    "HARM_CATEGORY_JAILBREAK",
    "HARM_CATEGORY_IMAGE_HATE",
    "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
    "HARM_CATEGORY_IMAGE_HARASSMENT",
    "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
];
const THRESHOLDS: [&str; 6] = [
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "BLOCK_LOW_AND_ABOVE",
    "BLOCK_MEDIUM_AND_ABOVE",
    "BLOCK_ONLY_HIGH",
    "BLOCK_NONE",
    "OFF",
];

/// Looks at the value of `safetySettings`.
///
/// # Errors
/// 400, as Google's JSON decoder words it, for a category or a threshold that there is none of.
pub fn check(settings: Option<&Value>, route: &Route<'_>) -> Result<(), GoogleError> {
    let settings = settings.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (place, setting) in settings.iter().filter_map(Value::as_object).enumerate() {
        one(setting, "category", "HarmCategory", &CATEGORIES, place, route)?;
        one(setting, "threshold", "SafetySetting.HarmBlockThreshold", &THRESHOLDS, place, route)?;
    }
    Ok(())
}

fn one(
    setting: &Map<String, Value>,
    field: &str,
    kind: &str,
    known: &[&str],
    place: usize,
    route: &Route<'_>,
) -> Result<(), GoogleError> {
    // proto3 JSON takes the number of an enum's value as well.
    let Some(value) = setting.get(field).filter(|value| !value.is_null() && !value.is_number()) else {
        return Ok(());
    };
    if value.as_str().is_some_and(|value| known.contains(&value)) {
        return Ok(());
    }
    let package = match route.backend {
        Backend::Vertex => "google.cloud.aiplatform",
        Backend::Developer => "google.ai.generativelanguage",
    };
    let (field, version) = (format!("safety_settings[{place}].{field}"), route.version);
    let says =
        format!("Invalid value at '{field}' (type.googleapis.com/{package}.{version}.{kind}), {value}");
    Err(GoogleError::bad_field(&field, says))
}
