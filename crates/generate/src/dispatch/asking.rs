//! The half of the loop that asks: which answer next, and whether it may be asked for now.

use std::sync::Arc;
use std::time::Duration;

use dataset::Prompt;
use dataset::prompt::PromptError;
use pacer::{Admission, OpenReason, Ticket};
use tokio::time::Instant;

use super::{Loop, day_quota};
use crate::errand;
use crate::job::Job;
use crate::patience;
use crate::stop::Stop;

/// Lines handed to the books and not yet on the disk, at most: a disk that hangs holds up the asking.
const UNSYNCED: usize = 4_096;
/// No wait for the next turn is longer; to look once more does no harm, and no sum of times overflows.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

impl<P: Iterator<Item = Result<Prompt, PromptError>>> Loop<P> {
    /// Sends what may be sent now, and notes when to look again.
    pub(super) fn admit(&mut self) {
        self.wake = None;
        while self.stop.is_none() && self.unsynced < UNSYNCED {
            let now = Instant::now();
            while let Some(job) = self.delayed.pop_due(now) {
                self.ready.push_back(job);
            }
            let Some(job) = self.next_job() else { break };
            let since = now - self.start;
            let until = match self.with.pacer.admit(since, job.arm) {
                Admission::Go(ticket) => {
                    self.send(job, ticket);
                    continue;
                }
                Admission::Wait(until) => {
                    self.check_hold(since);
                    Some(until)
                }
                Admission::Full => None,
                Admission::Open { until, reason } => {
                    self.broken(since, until, reason);
                    Some(until)
                }
                Admission::Spent => {
                    // The 429 that said so has stopped the run already, in its own words.
                    self.halt(day_quota(String::from("429")));
                    None
                }
            };
            self.ready.push_front(job);
            self.wake = until.map(|until| self.start + until.min(since + LOOK_AGAIN));
            break;
        }
        self.wake = [self.wake, self.delayed.next_due()].into_iter().flatten().min();
    }

    /// What waits longest, or else the next prompt that lacks a row in some arm. All its arms follow one another.
    fn next_job(&mut self) -> Option<Job> {
        while self.ready.is_empty() && !self.exhausted {
            let prompt = match self.prompts.next() {
                None => {
                    self.exhausted = true;
                    break;
                }
                Some(Ok(prompt)) => Arc::new(prompt),
                Some(Err(error)) => {
                    self.exhausted = true;
                    self.halt(error.into());
                    break;
                }
            };
            let with = &self.with;
            for (arm, index) in with.indexes.iter().enumerate() {
                if index.find(&prompt.text).is_some() {
                    continue;
                }
                let Some(key) = with.common.settings.key(&with.common.arms[arm], &prompt.text) else {
                    continue;
                };
                self.ready.push_back(Job {
                    prompt: Arc::clone(&prompt),
                    arm,
                    key,
                    budget: with.common.settings.max_output_tokens,
                    attempts: 0,
                    escalated: 0,
                    resampled: 0,
                    blocked: 0,
                    waited: None,
                });
            }
        }
        self.ready.pop_front()
    }

    fn send(&mut self, job: Job, ticket: Ticket) {
        self.with.tally[job.arm].in_flight += 1;
        let (client, common) = (Arc::clone(&self.with.client), Arc::clone(&self.with.common));
        self.tasks.spawn(errand::run(client, common, job, ticket));
    }

    /// Ends the run when a 429 asks everyone to wait for longer than it would.
    fn check_hold(&mut self, since: Duration) {
        let hold = self.with.pacer.snapshot(since).hold_until;
        if patience::is_too_long(since, hold) {
            let wait = hold.unwrap_or_default().saturating_sub(since);
            self.halt(Stop::LongWait { minutes: wait.as_secs().div_ceil(60) });
        }
    }

    fn broken(&mut self, since: Duration, until: Duration, reason: OpenReason) {
        if self.patience.is_over(since) {
            self.halt(Stop::NothingSucceeds { reason });
        } else if self.open_said != Some(until) {
            self.open_said = Some(until);
            let pause = until.saturating_sub(since).as_secs();
            self.with.screen.say(&format!("{reason}; one request tries again in {pause} s"));
        }
    }
}
