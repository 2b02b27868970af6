//! The loop that asks: it owns the pacer, the counts and what is under way, and does one thing at a time.
//!
//! Requests run in tasks of their own and come back here; rows go to the books and are counted when they are on the
//! disk. Time is only ever measured from the start of the run, so a clock that is set changes nothing.

mod asking;
mod taking;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dataset::Prompt;
use dataset::key::Short;
use dataset::prompt::PromptError;
use dataset::scan::Index;
use pacer::Pacer;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use vertex::Client;

use crate::books::{Books, Told};
use crate::delayed::Delayed;
use crate::errand::Done;
use crate::job::{Common, Job};
use crate::patience::Patience;
use crate::screen::Screen;
use crate::stop::{self, Stop};
use crate::tally;
use crate::versions::Versions;

/// How often the bars move.
const TICK: Duration = Duration::from_millis(200);

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

impl<P> Loop<P> {
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
