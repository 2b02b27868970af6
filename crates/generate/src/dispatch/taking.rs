//! The half of the loop that takes what comes back: a row to the books, or what an attempt that made none asks for.

use dataset::attempts::Attempt;
use dataset::key::short_of_text;
use dataset::row::Row;
use tokio::time::Instant;
use vertex::{Backoff, Scope};

use super::{Loop, day_quota, excerpt};
use crate::books::Told;
use crate::convert::{self, Judged, Next};
use crate::errand::{self, Done, Reply};
use crate::job::Job;
use crate::patience::PATIENCE;
use crate::salvage::MODEL_VERSION;
use crate::stop::Stop;
use crate::versions::Version;

/// Replies whose tokens do not add up are all counted, and so many are described.
const MISMATCHES_SAID: u64 = 3;

impl<P> Loop<P> {
    /// Takes a request that came back.
    pub(super) fn take(&mut self, done: Done) {
        let Done { mut job, ticket, reply } = done;
        let since = self.start.elapsed();
        let arm = job.arm;
        self.with.tally[arm].in_flight -= 1;
        match reply {
            Reply::Throttled(throttle) => {
                self.patience.failed(since);
                self.with.tally[arm].throttled += 1;
                self.with.pacer.report(since, ticket, errand::throttled(&throttle));
                if throttle.scope == Scope::PerDay {
                    self.halt(day_quota(throttle.message));
                }
                // It asked nothing and costs no attempt: it goes first when the pacer lets it.
                self.ready.push_front(job);
            }
            Reply::Judged { judged, outcome, mismatch } => {
                match outcome {
                    pacer::Outcome::Success { .. } => self.patience.succeeded(),
                    _ => self.patience.failed(since),
                }
                self.with.pacer.report(since, ticket, outcome);
                if let Some(mismatch) = mismatch {
                    self.mismatch(&job, &mismatch);
                }
                match judged {
                    Judged::Row(row) => self.take_row(row, job),
                    Judged::Rejected { attempt, next } => {
                        if let Some(tokens) = &attempt.token_stats {
                            self.with.tally[arm].bill(tokens);
                        }
                        *self.with.tally[arm].rejected.entry(attempt.reason.clone()).or_default() += 1;
                        if attempt.reason == "blocked" {
                            job.blocked += 1;
                        }
                        job.attempts += 1;
                        self.keep_attempt(&attempt);
                        self.follow(job, next, &attempt.detail);
                    }
                }
            }
        }
    }

    fn take_row(&mut self, row: Box<Row>, job: Job) {
        self.with.tally[job.arm].bill(&row.token_stats);
        match self.with.versions.check(row.meta.model_version.as_deref()) {
            Err(error) => self.halt(error.into()),
            Ok(Version::Changed { before }) => {
                let now = row.meta.model_version.clone().unwrap_or_default();
                let detail = format!("answered by {now}, the rows so far by {before}");
                let attempt =
                    convert::row_as_attempt(row, MODEL_VERSION, detail.clone(), &job, &self.with.common);
                *self.with.tally[job.arm].rejected.entry(attempt.reason.clone()).or_default() += 1;
                self.keep_attempt(&attempt);
                self.fail(&job, detail);
                let attempts = self.with.attempts_path.clone();
                self.halt(Stop::ModelVersion { before, now, attempts });
                return;
            }
            Ok(Version::Known) => {}
        }
        self.unsynced += 1;
        if let Err(stop) = self.with.books.row(&row, job.arm, job.prompt, job.key) {
            self.unsynced -= 1;
            self.halt(stop);
        }
    }

    fn keep_attempt(&mut self, attempt: &Attempt) {
        self.unsynced += 1;
        if let Err(stop) = self.with.books.attempt(attempt) {
            self.unsynced -= 1;
            self.halt(stop);
        }
    }

    /// Does what an attempt that made no row asks for, as far as attempts are left.
    fn follow(&mut self, mut job: Job, next: Next, detail: &str) {
        let is_last = job.attempts >= self.with.max_attempts;
        match next {
            Next::Stop(fatal) => {
                self.fail(&job, fatal.to_string());
                self.halt(fatal.into());
            }
            Next::GiveUp(reason) => self.give_up(&job, reason),
            _ if is_last => {
                self.give_up(&job, format!("{} requests made no row, the last one: {detail}", job.attempts));
            }
            Next::Escalate(budget) => {
                job.budget = budget;
                job.escalated += 1;
                self.ready.push_back(job);
            }
            Next::Resample => {
                job.resampled += 1;
                self.ready.push_back(job);
            }
            Next::Retry(floor) => {
                // A server may ask for any wait, but a run is not patient without end.
                let wait = Backoff::default().next(job.waited, floor, fastrand::f64()).min(PATIENCE);
                job.waited = Some(wait);
                self.delayed.push(Instant::now() + wait, job);
            }
        }
    }

    fn give_up(&mut self, job: &Job, reason: String) {
        let arm = &self.with.common.arms[job.arm];
        self.with.screen.say(&format!("{arm}: no row for {:?}: {reason}", excerpt(&job.prompt.text)));
        self.fail(job, reason);
    }

    fn fail(&mut self, job: &Job, reason: String) {
        self.failures.insert((short_of_text(&job.prompt.text), job.arm), reason);
    }

    fn mismatch(&mut self, job: &Job, mismatch: &str) {
        let tally = &mut self.with.tally[job.arm];
        tally.mismatched += 1;
        if tally.mismatched <= MISMATCHES_SAID {
            let arm = &self.with.common.arms[job.arm];
            self.with
                .screen
                .say(&format!("{arm}: {mismatch}, in the reply to {:?}", excerpt(&job.prompt.text)));
        }
    }

    /// Hears from the books.
    pub(super) fn hear(&mut self, told: Told) {
        self.unsynced -= 1;
        match told {
            Told::Row { arm, prompt, key } => {
                self.with.tally[arm].rows += 1;
                self.with.indexes[arm].insert(&prompt.text, Some(key.tag()));
            }
            Told::Attempt => {}
            // What exactly went wrong, the books say when they are closed.
            Told::Lost => self.halt(Stop::Bug("the ledger's owner has stopped".into())),
        }
    }
}
