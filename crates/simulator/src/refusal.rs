//! 429s of one's own quota, with the details that say which one and for how long.

use serde_json::{Value, json};

use crate::google_error::GoogleError;
use crate::quota::{Metric, Per, QuotaRule};
use crate::route::{Backend, Route};

/// A refusal by `rule`; `wait` is in seconds.
pub fn refusal(rule: &QuotaRule, route: &Route<'_>, wait: f64) -> GoogleError {
    let (metric, id) = names(rule, route.backend);
    let value = rule.limit.0.round().to_string();
    let message = match route.backend {
        Backend::Vertex => format!(
            "Quota exceeded for {metric} with base model: {}. Please submit a quota increase request. \
             https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
            route.model
        ),
        Backend::Developer => format!(
            "You exceeded your current quota, please check your plan and billing details. \
             * Quota exceeded for metric: {metric}, limit: {value}, model: {}\nPlease retry in {wait:.3}s.",
            route.model
        ),
    };
    let mut details: Vec<Value> = Vec::new();
    if rule.quota_failure {
        let mut dimensions = json!({"model": route.model});
        if !route.location.is_empty() {
            dimensions["location"] = json!(route.location);
        }
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": metric, "quotaId": id, "quotaDimensions": dimensions, "quotaValue": value,
            }],
        }));
    }
    if rule.retry_info {
        details
            .push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds(wait)}));
    }
    GoogleError { code: 429, message, details }
}

/// A duration as protobuf's JSON writes it. Rounded up, so that whoever waits that long is not early.
fn seconds(wait: f64) -> String {
    let ms = (wait * 1000.0).ceil().max(1.0) as u64;
    match (ms / 1000, ms % 1000) {
        (whole, 0) => format!("{whole}s"),
        (whole, part) => format!("{whole}.{part:03}s"),
    }
}

fn names(rule: &QuotaRule, backend: Backend) -> (&'static str, &'static str) {
    match (backend, rule.metric, rule.per) {
        (Backend::Vertex, Metric::Requests, Per::Minute) => (
            "aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model",
            "GenerateContentRequestsPerMinutePerProjectPerBaseModel",
        ),
        (Backend::Vertex, Metric::Requests, Per::Day) => (
            "aiplatform.googleapis.com/generate_content_requests_per_day_per_project_per_base_model",
            "GenerateContentRequestsPerDayPerProjectPerBaseModel",
        ),
        (Backend::Vertex, Metric::Tokens, Per::Minute) => (
            "aiplatform.googleapis.com/generate_content_tokens_per_minute_per_project_per_base_model",
            "GenerateContentTokensPerMinutePerProjectPerBaseModel",
        ),
        (Backend::Vertex, Metric::Tokens, Per::Day) => (
            "aiplatform.googleapis.com/generate_content_tokens_per_day_per_project_per_base_model",
            "GenerateContentTokensPerDayPerProjectPerBaseModel",
        ),
        (Backend::Developer, Metric::Requests, Per::Minute) => (
            "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
            "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
        ),
        (Backend::Developer, Metric::Requests, Per::Day) => (
            "generativelanguage.googleapis.com/generate_content_paid_tier_requests",
            "GenerateRequestsPerDayPerProjectPerModel-PaidTier",
        ),
        (Backend::Developer, Metric::Tokens, Per::Minute) => (
            "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",
            "GenerateContentPaidTierInputTokensPerModelPerMinute",
        ),
        (Backend::Developer, Metric::Tokens, Per::Day) => (
            "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",
            "GenerateContentPaidTierInputTokensPerModelPerDay",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_written_as_protobuf_does_and_never_too_short() {
        assert_eq!([38.0, 0.25, 1.0001, 0.0].map(seconds), ["38s", "0.250s", "1.001s", "0.001s"]);
    }
}
