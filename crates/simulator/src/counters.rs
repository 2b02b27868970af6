//! What a client did, as tests and people read it.

use serde::Serialize;

/// Counts since the start. Requests for text are counted; model look-ups, token counts and unknown routes are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests that arrived whole.
    pub requests: u64,
    /// Replies of status 200 that were sent whole.
    pub ok: u64,
    /// Replies of status 429.
    pub rate_limited: u64,
    /// Of these, refusals of the quota a minute.
    pub rate_limited_minute: u64,
    /// Of these, refusals of the quota a day.
    pub rate_limited_day: u64,
    /// Of these, refusals of the shared pool.
    pub rate_limited_pool: u64,
    /// Other replies of status 4xx.
    pub client_errors: u64,
    /// Replies of status 5xx.
    pub server_errors: u64,
    /// Replies that were broken below HTTP on purpose: reset, cut or hung.
    pub broken: u64,
    /// Requests whose client went away before the reply was sent.
    pub abandoned: u64,
    /// Of `ok`, those that finished with STOP and text.
    pub complete: u64,
    /// Of `ok`, those that finished with MAX_TOKENS.
    pub truncated: u64,
    /// Of `ok`, those with neither text nor MAX_TOKENS: empty, blocked or filtered.
    pub empty: u64,
    /// Times a body was answered 200 that had been answered 200 before.
    pub duplicates: u64,
    /// Times a body was answered in full that had been answered in full before: work that was paid for twice.
    pub paid_twice: u64,
    /// Requests being answered now.
    pub in_flight: u64,
    /// The most that were being answered at once.
    pub in_flight_most: u64,
    /// Tokens of all replies of status 200.
    pub tokens: Tokens,
}

/// Token counts, as `usageMetadata` gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// System instruction and contents.
    pub prompt: u64,
    /// Visible text.
    pub candidates: u64,
    /// Hidden thoughts.
    pub thoughts: u64,
    /// The sum of the three.
    pub total: u64,
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.candidates += other.candidates;
        self.thoughts += other.thoughts;
        self.total += other.total;
    }
}
