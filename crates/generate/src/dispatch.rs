//! The loop that asks: it owns the pacer, the counts and what is under way, and does one thing at a time.
//!
//! Requests run in tasks of their own and come back here; rows go to the books and are counted when they are on the
//! disk. Time is only ever measured from the start of the run, so a clock that is set changes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dataset::key::{Short, short_of_text};
use dataset::prompt::PromptError;
use dataset::scan::Index;
use dataset::{Prompt, row::Row};
use pacer::{Admission, OpenReason, Pacer, Ticket};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use vertex::{Backoff, Client, Scope};

use crate::books::{Books, Told};
use crate::convert::{self, Judged, Next};
use crate::delayed::Delayed;
use crate::errand::{self, Done, Reply};
use crate::job::{Common, Job};
use crate::patience::{self, PATIENCE, Patience};
use crate::salvage::MODEL_VERSION;
use crate::screen::Screen;
use crate::stop::{self, Stop};
use crate::tally;
use crate::versions::{Version, Versions};

/// Lines handed to the books and not yet on the disk, at most: a disk that hangs holds up the asking.
const UNSYNCED: usize = 4_096;
/// No wait for the next turn is longer; to look once more does no harm, and no sum of times overflows.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);
/// How often the bars move.
const TICK: Duration = Duration::from_millis(200);
/// Replies whose tokens do not add up are all counted, and so many are described.
const MISMATCHES_SAID: u64 = 3;

/// What the loop works with.
pub struct Dispatch {
    /// What every request has in common.
    pub common: Arc<Common>,
    /// Sends requests.
    pub client: Arc<Client>,
    /// Says when.
    pub pacer: Pacer,
    /// Requests that one answer may take.
    pub max_attempts: u32,
    /// Keeps rows and attempts.
    pub books: Books,
    /// What the books say.
    pub told: UnboundedReceiver<Told>,
    /// Says which model versions may answer.
    pub versions: Versions,
    /// Per arm, which prompts have a row.
    pub indexes: Vec<Index>,
    /// Per arm, the counts.
    pub tally: Vec<tally::Arm>,
    /// Shows them.
    pub screen: Screen,
    /// One message for each Ctrl-C.
    pub interrupts: UnboundedReceiver<()>,
    /// Where `attempts.jsonl` is, for messages.
    pub attempts_path: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Why it ended early, if it did.
    pub stop: Option<Stop>,
    /// Per arm, which prompts have a row now.
    pub indexes: Vec<Index>,
    /// Per arm, the counts.
    pub tally: Vec<tally::Arm>,
    /// Why an answer is missing, by prompt and arm, where something is known.
    pub failures: HashMap<(Short, usize), String>,
}

/// Everything that changes while the loop runs.
struct Loop<P> {
    with: Dispatch,
    start: Instant,
    prompts: P,
    exhausted: bool,
    ready: VecDeque<Job>,
    delayed: Delayed,
    tasks: JoinSet<Done>,
    unsynced: usize,
    wake: Option<Instant>,
    patience: Patience,
    open_said: Option<Duration>,
    stop: Option<Stop>,
    aborted: bool,
    failures: HashMap<(Short, usize), String>,
}

impl Dispatch {
    /// Asks for every answer that is missing among `prompts`, until all are there, or something stops it.
    pub async fn run(self, prompts: impl Iterator<Item = Result<Prompt, PromptError>>) -> Ended {
        let running = Loop {
            with: self,
            start: Instant::now(),
            prompts,
            exhausted: false,
            ready: VecDeque::new(),
            delayed: Delayed::default(),
            tasks: JoinSet::new(),
            unsynced: 0,
            wake: None,
            patience: Patience::default(),
            open_said: None,
            stop: None,
            aborted: false,
            failures: HashMap::new(),
        };
        running.run().await
    }
}

impl<P: Iterator<Item = Result<Prompt, PromptError>>> Loop<P> {
    async fn run(mut self) -> Ended {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.admit();
            if self.is_over() {
                break;
            }
            let wake = self.wake.unwrap_or_else(|| Instant::now() + TICK);
            tokio::select! {
                biased;
                Some(()) = self.with.interrupts.recv() => self.interrupt(),
                Some(told) = self.with.told.recv() => self.hear(told),
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.take(done),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => self.halt(Stop::Bug(format!("a request panicked: {error}"))),
                },
                _ = tick.tick() => self.show(),
                () = tokio::time::sleep_until(wake), if self.wake.is_some() => {}
            }
        }
        self.end().await
    }

    /// Whether nothing is left to do or to wait for.
    fn is_over(&self) -> bool {
        let asked =
            self.stop.is_some() || (self.exhausted && self.ready.is_empty() && self.delayed.is_empty());
        asked && self.tasks.is_empty() && (self.unsynced == 0 || self.aborted)
    }

    /// Sends what may be sent now, and notes when to look again.
    fn admit(&mut self) {
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

    /// Takes a request that came back.
    fn take(&mut self, done: Done) {
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

    fn keep_attempt(&mut self, attempt: &dataset::attempts::Attempt) {
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
    fn hear(&mut self, told: Told) {
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

    fn interrupt(&mut self) {
        if self.stop.is_none() {
            self.with.screen.say(&format!(
                "stopping: {} replies that are under way are kept; press Ctrl-C again to stop at once",
                self.tasks.len()
            ));
            self.stop = Some(Stop::Interrupted);
        } else {
            self.abort();
        }
    }

    /// Stops asking; the first reason is the one that counts, except that a disk that fails outranks an interrupt.
    fn halt(&mut self, stop: Stop) {
        if !stop.lets_drain() {
            self.abort();
        }
        self.stop.get_or_insert(stop);
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.tasks.abort_all();
    }

    fn show(&self) {
        let snapshot = self.with.pacer.snapshot(self.start.elapsed());
        self.with.screen.show(&self.with.tally, &snapshot);
    }

    /// Closes the books and gives the counts away.
    async fn end(mut self) -> Ended {
        self.tasks.shutdown().await;
        let books = self.with.books;
        let closed = tokio::task::spawn_blocking(move || books.close()).await;
        while let Ok(told) = self.with.told.try_recv() {
            if let Told::Row { arm, prompt, key } = told {
                self.with.tally[arm].rows += 1;
                self.with.indexes[arm].insert(&prompt.text, Some(key.tag()));
            }
        }
        self.with.tally.iter_mut().for_each(|arm| arm.in_flight = 0);
        let snapshot = self.with.pacer.snapshot(self.start.elapsed());
        self.with.screen.show(&self.with.tally, &snapshot);
        self.with.screen.finish();
        let stop = match closed {
            Ok(Ok(())) => self.stop,
            Ok(Err(error)) => Some(error.into()),
            Err(error) => Some(Stop::Bug(format!("the ledger's owner panicked: {error}"))),
        };
        Ended { stop, indexes: self.with.indexes, tally: self.with.tally, failures: self.failures }
    }
}

fn day_quota(message: String) -> Stop {
    Stop::DayQuota { message, when: stop::next_pacific_midnight(jiff::Timestamp::now()) }
}

/// The beginning of a prompt, for a line.
pub fn excerpt(prompt: &str) -> String {
    const SHOWN: usize = 60;
    match prompt.char_indices().nth(SHOWN) {
        None => prompt.to_owned(),
        Some((end, _)) => format!("{}…", &prompt[..end]),
    }
}
