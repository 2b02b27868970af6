//! What the pacer is told before it starts, and why it refuses some of it

use thiserror::Error;

/// Requests under way at most, unless told otherwise
pub const DEFAULT_MAX_IN_FLIGHT: usize = 256;

/// Tokens that a request is taken to cost until the first reply says better: the mean of the first run's rows
pub const DEFAULT_TOKENS_PER_REQUEST: f64 = 4_500.0;

/// The part of a known quota that is used; the rest absorbs clocks that differ and timers that fire early
pub(crate) const PIN: f64 = 0.995;

/// What is known about the quota before the first request; every field but the defaults comes from a person
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Requests a minute that the service allows, if known; also a ceiling over whatever a server says later
    pub requests_per_minute: Option<f64>,
    /// Tokens a minute (input, thoughts and output together) that the service allows, if known
    pub tokens_per_minute: Option<f64>,
    /// Requests under way at most; 256 by default
    pub max_in_flight: usize,
    /// Tokens that a request is taken to cost before the first of its lane has been answered
    pub tokens_per_request: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests_per_minute: None,
            tokens_per_minute: None,
            max_in_flight: DEFAULT_MAX_IN_FLIGHT,
            tokens_per_request: DEFAULT_TOKENS_PER_REQUEST,
        }
    }
}

impl Limits {
    /// Says which limit makes no sense, if one does
    ///
    /// # Errors
    /// A quota that is zero, negative, infinite or not a number, and room for no request at all.
    pub fn check(&self) -> Result<(), LimitError> {
        for (name, flag, quota) in [
            ("requests per minute", "--rpm", self.requests_per_minute),
            ("tokens per minute", "--tpm", self.tokens_per_minute),
        ] {
            if let Some(value) = quota
                && !is_quota(value)
            {
                return Err(LimitError::Quota { name, flag, value });
            }
        }
        if !is_quota(self.tokens_per_request) {
            return Err(LimitError::TokensPerRequest { value: self.tokens_per_request });
        }
        if self.max_in_flight == 0 {
            return Err(LimitError::NoneInFlight);
        }
        Ok(())
    }
}

/// Why limits were refused
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum LimitError {
    /// A quota under which nothing could be sent, or that is not a quantity
    #[error(
        "{name} is {value}, but must be a finite number above zero; correct {flag}, or leave it out to let the rate be learned"
    )]
    Quota {
        /// The quota in words
        name: &'static str,
        /// The flag that sets it
        flag: &'static str,
        /// What was given
        value: f64,
    },
    /// An estimate that is not a quantity
    #[error("tokens per request is {value}, but must be a finite number above zero")]
    TokensPerRequest {
        /// What was given
        value: f64,
    },
    /// Room for no request at all
    #[error("at most 0 requests in flight would send nothing; give --max-in-flight 1 or more")]
    NoneInFlight,
}

/// Whether a number can be a quota; servers are asked this too, and what they say wrongly is ignored
pub(crate) fn is_quota(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
