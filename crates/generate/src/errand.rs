//! One request: a task that asks, judges what comes back, and returns with it.

use std::sync::Arc;

use pacer::Ticket;
use vertex::{Client, Outcome, Scope};

use crate::convert::{self, Judged};
use crate::job::{Common, Job};

/// One request that came back.
pub struct Done {
    /// What was asked for.
    pub job: Job,
    /// The pacer's leave to ask.
    pub ticket: Ticket,
    /// What came back.
    pub reply: Reply,
}

/// What came back.
pub enum Reply {
    /// A 429, which is no attempt.
    Throttled(vertex::Throttle),
    /// Anything else.
    Judged {
        /// What it is worth.
        judged: Judged,
        /// What the pacer learns from it.
        outcome: pacer::Outcome,
        /// How its token counts do not add up, if they do not.
        mismatch: Option<String>,
    },
}

/// Asks once.
pub async fn run(client: Arc<Client>, common: Arc<Common>, job: Job, ticket: Ticket) -> Done {
    let attempt = client.generate(&common.request(&job)).await;
    // A label for people, never a measure: the wall clock may jump.
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let reply = match attempt.outcome {
        Outcome::Throttled(throttle) => Reply::Throttled(throttle),
        outcome => Reply::Judged {
            mismatch: outcome.usage().and_then(|usage| usage.check_identity().err()).map(|it| it.to_string()),
            outcome: pace(&outcome),
            judged: convert::convert(outcome, attempt.body, &job, &common, &now),
        },
    };
    Done { job, ticket, reply }
}

/// What the pacer learns from a reply that is no 429.
fn pace(outcome: &Outcome) -> pacer::Outcome {
    match outcome {
        Outcome::Transient(_) => pacer::Outcome::Failed,
        Outcome::Unauthorized(_) | Outcome::Fatal(_) => pacer::Outcome::Cancelled,
        answered => pacer::Outcome::Success { tokens: answered.usage().map(vertex::Usage::total_or_sum) },
    }
}

/// What the pacer learns from a 429.
pub fn throttled(throttle: &vertex::Throttle) -> pacer::Outcome {
    if throttle.scope == Scope::PerDay {
        return pacer::Outcome::DayQuota;
    }
    pacer::Outcome::Throttled(pacer::Throttle {
        retry_after: throttle.retry_after,
        requests_per_minute: throttle.requests_per_minute.map(|quota| quota as f64),
        tokens_per_minute: throttle.tokens_per_minute.map(|quota| quota as f64),
    })
}
