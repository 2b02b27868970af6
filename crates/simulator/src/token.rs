//! Access tokens: whether one is asked for, and when it runs out.

use serde::Deserialize;

use crate::number::Count;

/// The `[token]` table. Without it any request is let in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    /// Whether a request without a token or key is a 401; it is not by default.
    #[serde(default)]
    pub required: bool,
    /// A token is refused after so many requests; another one, got from `POST /token`, starts afresh.
    pub expires_after: Option<Count>,
}
