//! Clients: ours, and what people write instead

use std::time::Duration;

use pacer::{Admission, Limits, Outcome, Pacer, Ticket};

use super::service::Service;

/// What a client does next
#[derive(Debug)]
pub enum Next {
    /// Sends a request
    Send,
    /// Asks again then, or after a reply if that is earlier
    Wait(f64),
    /// This job has to wait until then, another may go
    Later(f64),
    /// Asks again after a reply
    Reply,
    /// Will send nothing any more
    Stop,
}

/// What becomes of the job of a request that did not succeed
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Again,
    Lost,
}

/// A client of the service, one request a job
pub trait Client {
    /// `service` and `tokens` are for the oracle alone, which sees what nobody can see
    fn next(&mut self, now: f64, job: usize, tokens: f64, service: &mut Service) -> Next;
    fn ended(&mut self, now: f64, job: usize, outcome: Outcome) -> Fate;
    fn sent(&mut self, _now: f64, _job: usize) {}
}

/// Ours
pub struct Paced {
    pub pacer: Pacer,
    tickets: Vec<Option<Ticket>>,
    granted: Option<Ticket>,
    pub most_in_flight: usize,
}

impl Paced {
    pub fn new(limits: Limits, seed: u64) -> Paced {
        let pacer = Pacer::new(limits, seed).expect("limits that make sense");
        Paced { pacer, tickets: Vec::new(), granted: None, most_in_flight: 0 }
    }
}

/// Virtual time begins well after zero, as a clock's epoch does.
fn clock(now: f64) -> Duration {
    Duration::from_secs(1_000_000) + Duration::from_secs_f64(now)
}

impl Client for Paced {
    fn next(&mut self, now: f64, job: usize, _: f64, _: &mut Service) -> Next {
        let after = |until: Duration| until.saturating_sub(clock(0.0)).as_secs_f64();
        match self.pacer.admit(clock(now), job % 2) {
            Admission::Go(ticket) => {
                self.granted = Some(ticket);
                Next::Send
            }
            Admission::Wait(until) | Admission::Open { until, .. } => Next::Wait(after(until)),
            Admission::Full => Next::Reply,
            Admission::Spent => Next::Stop,
        }
    }

    fn sent(&mut self, now: f64, job: usize) {
        if self.tickets.len() <= job {
            self.tickets.resize_with(job + 1, || None);
        }
        self.tickets[job] = self.granted.take();
        self.most_in_flight = self.most_in_flight.max(self.pacer.snapshot(clock(now)).in_flight);
    }

    fn ended(&mut self, now: f64, job: usize, outcome: Outcome) -> Fate {
        let ticket = self.tickets[job].take().expect("a ticket for each request");
        self.pacer.report(clock(now), ticket, outcome);
        Fate::Again
    }
}

/// Knows the capacity: each request goes at the first moment at which it will be accepted
#[derive(Default)]
pub struct Oracle;

impl Client for Oracle {
    fn next(&mut self, now: f64, _: usize, tokens: f64, service: &mut Service) -> Next {
        if service.day == Some(0) {
            Next::Stop
        } else {
            match service.wait(now, tokens) {
                0.0 => Next::Send,
                // The capacity may rise meanwhile, hence not all of it at once.
                wait => Next::Wait(now + (wait / 2.0).clamp(0.01, 0.5)),
            }
        }
    }

    fn ended(&mut self, _: f64, _: usize, _: Outcome) -> Fate {
        Fate::Again
    }
}

/// The first script: one at a time, and 65 s of sleep after each 429
#[derive(Default)]
pub struct Serial {
    busy: bool,
    asleep_until: f64,
}

impl Client for Serial {
    fn next(&mut self, now: f64, _: usize, _: f64, _: &mut Service) -> Next {
        match () {
            () if self.busy => Next::Reply,
            () if now < self.asleep_until => Next::Wait(self.asleep_until),
            () => Next::Send,
        }
    }

    fn sent(&mut self, _: f64, _: usize) {
        self.busy = true;
    }

    fn ended(&mut self, now: f64, _: usize, outcome: Outcome) -> Fate {
        self.busy = false;
        if matches!(outcome, Outcome::Throttled(_)) {
            self.asleep_until = now + 65.0;
        }
        if outcome == Outcome::DayQuota { Fate::Lost } else { Fate::Again }
    }
}

/// 64 workers with the SDK's backoff: five tries, 1 s · 2ⁿ up to 60 s with jitter, then the prompt is lost
pub struct Workers {
    /// When each worker's sleep ends; infinite while its request is under way
    ready: Vec<f64>,
    /// The job each worker is at, and its tries so far
    at: Vec<Option<(usize, u32)>>,
    rng: fastrand::Rng,
}

impl Workers {
    pub fn new(seed: u64) -> Workers {
        Workers { ready: vec![0.0; 64], at: vec![None; 64], rng: fastrand::Rng::with_seed(seed) }
    }

    fn worker(&self, job: usize) -> Option<usize> {
        self.at.iter().position(|at| at.is_some_and(|(at, _)| at == job))
    }
}

impl Client for Workers {
    fn next(&mut self, now: f64, job: usize, _: f64, _: &mut Service) -> Next {
        let worker = self.worker(job).or_else(|| self.at.iter().position(Option::is_none));
        match worker {
            Some(worker) if self.ready[worker] <= now => Next::Send,
            Some(worker) if self.ready[worker].is_finite() => Next::Later(self.ready[worker]),
            _ => Next::Reply,
        }
    }

    fn sent(&mut self, _: f64, job: usize) {
        let worker =
            self.worker(job).or_else(|| self.at.iter().position(Option::is_none)).expect("a free worker");
        let tries = self.at[worker].map_or(0, |(_, tries)| tries);
        self.at[worker] = Some((job, tries + 1));
        self.ready[worker] = f64::INFINITY;
    }

    fn ended(&mut self, now: f64, job: usize, outcome: Outcome) -> Fate {
        let worker = self.worker(job).expect("the worker of a request");
        let tries = self.at[worker].map_or(0, |(_, tries)| tries);
        if matches!(outcome, Outcome::Success { .. }) || tries == 5 || outcome == Outcome::DayQuota {
            self.at[worker] = None;
            self.ready[worker] = now;
            return Fate::Lost;
        }
        let exponential = f64::from(1_u32 << (tries - 1)).min(60.0);
        self.ready[worker] = now + exponential + self.rng.f64();
        Fate::Again
    }
}

/// A fixed token bucket at 200 requests and 100,000 tokens a minute, as the tutorials have it
#[derive(Default)]
pub struct Fixed {
    free_at: f64,
}

impl Client for Fixed {
    fn next(&mut self, now: f64, _: usize, _: f64, _: &mut Service) -> Next {
        if now < self.free_at { Next::Wait(self.free_at) } else { Next::Send }
    }

    fn sent(&mut self, now: f64, _: usize) {
        // 4,500 tokens at 100,000 a minute take longer than a two-hundredth of a minute.
        self.free_at = now.max(self.free_at) + 60.0 * 4_500.0 / 100_000.0;
    }

    fn ended(&mut self, _: f64, _: usize, outcome: Outcome) -> Fate {
        if outcome == Outcome::DayQuota { Fate::Lost } else { Fate::Again }
    }
}
