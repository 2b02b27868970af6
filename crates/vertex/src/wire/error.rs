//! What any other status holds: `google.rpc.Status` in JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::number::count;

/// `{"error": …}`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ErrorReply {
    /// The status.
    pub error: Option<ErrorBody>,
}

/// `google.rpc.Status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// The HTTP status again.
    #[serde(deserialize_with = "count")]
    pub code: Option<u64>,
    /// For people.
    pub message: Option<String>,
    /// The canonical code, `RESOURCE_EXHAUSTED`…
    pub status: Option<String>,
    /// `google.rpc.*` messages. Kept loose: one of an unknown shape must not hide the others.
    pub details: Option<Vec<Value>>,
}

impl ErrorBody {
    /// The details that have a shape we know.
    pub fn known_details(&self) -> impl Iterator<Item = Detail> + '_ {
        self.details.iter().flatten().filter_map(|detail| Detail::deserialize(detail).ok())
    }
}

/// The fields of `RetryInfo`, `QuotaFailure` and `ErrorInfo` that we read, whichever of them it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// `type.googleapis.com/google.rpc.…`.
    #[serde(rename = "@type")]
    pub type_url: Option<String>,
    /// `RetryInfo`: `"38s"`, `"0.5s"`.
    pub retry_delay: Option<String>,
    /// `QuotaFailure`: the quotas that were exceeded.
    pub violations: Option<Vec<Violation>>,
    /// `ErrorInfo`: a constant such as `API_KEY_INVALID`.
    pub reason: Option<String>,
    /// `ErrorInfo`: what the reason is about.
    pub metadata: Option<BTreeMap<String, Value>>,
}

/// One exceeded quota.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Violation {
    /// What is counted, requests or tokens.
    pub quota_metric: Option<String>,
    /// Which limit on it: its name says `PerMinute` or `PerDay`.
    pub quota_id: Option<String>,
    /// The limit.
    #[serde(deserialize_with = "count")]
    pub quota_value: Option<u64>,
    /// In words.
    pub description: Option<String>,
}
