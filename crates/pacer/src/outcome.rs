//! How an admitted request ended, as far as the rate is concerned

use std::time::Duration;

/// How an admitted request ended
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The service answered, however little the answer is worth
    Success {
        /// Tokens that the service counted (`usageMetadata.totalTokenCount`), where it said so
        tokens: Option<u64>,
    },
    /// 429, other than for the day's quota
    Throttled(Throttle),
    /// 429 because the day's quota is spent: nothing more will be admitted
    DayQuota,
    /// 5xx, a reset connection, a cut body, a deadline that passed: says nothing about the rate
    Failed,
    /// Given up by us: says nothing at all
    Cancelled,
}

/// What a 429 carried
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Throttle {
    /// `RetryInfo.retryDelay` or `Retry-After`: nothing is sent for at least this long
    pub retry_after: Option<Duration>,
    /// `quotaValue` of a violated `…RequestsPerMinute…` quota
    pub requests_per_minute: Option<f64>,
    /// `quotaValue` of a violated `…TokensPerMinute…` quota
    pub tokens_per_minute: Option<f64>,
}
