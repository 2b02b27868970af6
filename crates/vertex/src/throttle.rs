//! Reads a 429: whose limit, how high, how long to wait.

use std::time::Duration;

use serde_json::Value;

use crate::outcome::{Scope, Throttle};
use crate::wire;

/// What a 429 says.
pub(crate) enum Limit {
    /// Slow down.
    Throttle(Throttle),
    /// The quota is zero, so waiting is in vain. Holds its name.
    NoQuota(String),
}

/// `retry_after` is the header's.
pub(crate) fn read(error: &wire::ErrorBody, retry_after: Option<Duration>, message: String) -> Limit {
    let quotas: Vec<Quota> = error.known_details().flat_map(quotas).collect();
    if let Some(quota) = quotas.iter().find(|quota| quota.is_zero(&message)) {
        return Limit::NoQuota(quota.name.clone());
    }
    let retry_after = [retry_after, retry_delay(error)].into_iter().flatten().max();
    let period = |wanted| quotas.iter().any(|quota| period(&quota.name) == Some(wanted));
    // The day outranks the minute: waiting out the minute would only meet the day's limit again.
    let scope = if period(Scope::PerDay) {
        Scope::PerDay
    } else if period(Scope::PerMinute) || !quotas.is_empty() {
        Scope::PerMinute
    } else {
        match self::period(&message) {
            Some(scope) => scope,
            None if retry_after.is_some() => Scope::PerMinute,
            None => Scope::Shared,
        }
    };
    let per_minute = |tokens: bool| {
        quotas
            .iter()
            .filter(|quota| {
                self::period(&quota.name) == Some(Scope::PerMinute) && quota.counts_tokens == tokens
            })
            .filter_map(|quota| quota.value)
            .min()
    };
    Limit::Throttle(Throttle {
        scope,
        retry_after,
        requests_per_minute: per_minute(false),
        tokens_per_minute: per_minute(true),
        message,
    })
}

/// `RetryInfo.retryDelay`, the longest if there are several.
pub(crate) fn retry_delay(error: &wire::ErrorBody) -> Option<Duration> {
    error.known_details().filter_map(|detail| duration(detail.retry_delay.as_deref()?)).max()
}

/// Reads protobuf's JSON duration: `"38s"`, `"0.5s"`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

struct Quota {
    name: String,
    counts_tokens: bool,
    value: Option<u64>,
}

impl Quota {
    fn new(name: &str, metric: &str, value: Option<u64>) -> Self {
        let counts_tokens = [name, metric].iter().any(|text| text.to_ascii_lowercase().contains("token"));
        Quota { name: name.to_owned(), counts_tokens, value }
    }

    /// Protobuf's JSON leaves out a zero, but the message still spells it.
    fn is_zero(&self, message: &str) -> bool {
        let spelled = || {
            message.match_indices("limit: 0").any(|(at, found)| {
                !message[at + found.len()..].starts_with(|next: char| next.is_ascii_digit() || next == '.')
            })
        };
        self.value.map_or_else(spelled, |value| value == 0)
    }
}

/// Quotas from a `QuotaFailure`, or from the older `ErrorInfo` that names one in its metadata.
fn quotas(detail: wire::Detail) -> Vec<Quota> {
    if let Some(violations) = detail.violations {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        return violations
            .iter()
            .map(|violation| {
                let name = violation.quota_id.clone().unwrap_or_else(|| text(&violation.description));
                Quota::new(&name, &text(&violation.quota_metric), violation.quota_value)
            })
            .collect();
    }
    let metadata = detail.metadata.unwrap_or_default();
    let Some(name) = metadata.get("quota_limit").and_then(Value::as_str) else { return Vec::new() };
    let metric = metadata.get("quota_metric").and_then(Value::as_str).unwrap_or_default();
    let value = metadata.get("quota_limit_value").and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    });
    vec![Quota::new(name, metric, value)]
}

/// `…PerMinute…`, `…per_day…`: what the name of a quota says.
fn period(name: &str) -> Option<Scope> {
    let plain: String =
        name.chars().filter(|c| c.is_ascii_alphabetic()).map(|c| c.to_ascii_lowercase()).collect();
    if plain.contains("perday") {
        Some(Scope::PerDay)
    } else if plain.contains("perminute") {
        Some(Scope::PerMinute)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_protobuf_spells_them() {
        for (text, expected) in [
            ("38s", Some(Duration::from_secs(38))),
            ("0.5s", Some(Duration::from_millis(500))),
            ("0s", Some(Duration::ZERO)),
            ("-3s", None),
            ("38", None),
            ("s", None),
            ("NaNs", None),
            ("1e300s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn the_names_of_quotas_say_their_period() {
        for (name, expected) in [
            ("GenerateRequestsPerMinutePerProjectPerModel", Some(Scope::PerMinute)),
            ("generate_content_requests_per_minute_per_project_per_base_model", Some(Scope::PerMinute)),
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", Some(Scope::PerDay)),
            ("ConcurrentRequests", None),
        ] {
            assert_eq!(period(name), expected, "{name}");
        }
    }
}
