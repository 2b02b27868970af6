//! Why a run ended before every answer was there.

use pacer::OpenReason;

use crate::patience::PATIENCE;

/// Why nothing more is asked.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The day's quota is spent.
    #[error("the quota for today is spent ({message}); it begins anew at midnight Pacific time, {when}")]
    DayQuota {
        /// The service's words.
        message: String,
        /// The same in UTC.
        when: String,
    },
    /// Wrong credentials, project, model, …
    #[error(transparent)]
    Refused(#[from] vertex::Fatal),
    /// Another version of the model began to answer.
    #[error(
        "the model is now {now}, but the rows so far are by {before}; the arms would no longer differ in the system prompt alone. Choose: --accept-model-version {now} goes on with both, or another --data folder starts anew under {now}. Its answers so far are kept in {attempts}"
    )]
    ModelVersion {
        /// Versions that answered before.
        before: String,
        /// The new one.
        now: String,
        /// Where its answers are.
        attempts: String,
    },
    /// Nothing has succeeded for [`PATIENCE`].
    #[error("{reason}, for {} minutes; see attempts.jsonl for what the service said", PATIENCE.as_secs() / 60)]
    NothingSucceeds {
        /// What goes wrong.
        reason: OpenReason,
    },
    /// The service asks for a wait of more than [`PATIENCE`].
    #[error("the service asks to wait for {minutes} minutes; run the same command again after that")]
    LongWait {
        /// How long.
        minutes: u64,
    },
    /// Rows can no longer be kept.
    #[error(transparent)]
    Disk(#[from] dataset::ledger::AppendError),
    /// `run.json` cannot be kept.
    #[error(transparent)]
    Run(#[from] dataset::run::RunError),
    /// The prompts file changed under the run.
    #[error(transparent)]
    Prompts(#[from] dataset::prompt::PromptError),
    /// A bug of this program.
    #[error("{0}; this is a fault of this program")]
    Bug(String),
}

impl Stop {
    /// Whether the same command may just be given again, now or later. Otherwise something is to be decided or put
    /// right first, and asking again before that would only cost more.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Interrupted | Self::DayQuota { .. } | Self::NothingSucceeds { .. } | Self::LongWait { .. }
        )
    }

    /// Whether what is under way may still be awaited and kept.
    pub fn lets_drain(&self) -> bool {
        !matches!(self, Stop::Disk(_) | Stop::Bug(_))
    }
}

/// Midnight Pacific time after `now`, in UTC. Without a time zone database it is taken to be 08:00 UTC, as in winter.
pub fn next_pacific_midnight(now: jiff::Timestamp) -> String {
    let midnight = match jiff::tz::TimeZone::get("America/Los_Angeles") {
        Ok(zone) => now.to_zoned(zone).tomorrow().and_then(|day| day.start_of_day()),
        Err(_) => {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-8));
            now.to_zoned(zone).tomorrow().and_then(|day| day.start_of_day())
        }
    };
    match midnight {
        Ok(midnight) => midnight.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => "08:00 UTC".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_the_quota_ends_at_midnight_pacific_time() {
        let evening: jiff::Timestamp = "2026-01-10T23:00:00Z".parse().unwrap();
        assert_eq!(next_pacific_midnight(evening), "2026-01-11 08:00 UTC");
        let before: jiff::Timestamp = "2026-01-11T07:59:00Z".parse().unwrap();
        assert_eq!(next_pacific_midnight(before), "2026-01-11 08:00 UTC");
    }
}
