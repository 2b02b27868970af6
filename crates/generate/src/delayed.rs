//! Jobs that wait out a failure of the service, the earliest first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use tokio::time::Instant;

use crate::job::Job;

/// Jobs by the time at which they may go again.
#[derive(Debug, Default)]
pub struct Delayed {
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    jobs: HashMap<u64, Job>,
    count: u64,
}

impl Delayed {
    /// Puts `job` off until `due`.
    pub fn push(&mut self, due: Instant, job: Job) {
        self.count += 1;
        self.due.push(Reverse((due, self.count)));
        self.jobs.insert(self.count, job);
    }

    /// Takes a job whose time has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<Job> {
        let Reverse((due, number)) = *self.due.peek()?;
        if due > now {
            return None;
        }
        self.due.pop();
        self.jobs.remove(&number)
    }

    /// When the next one may go.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}
