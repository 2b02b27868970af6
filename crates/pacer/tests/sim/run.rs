//! One run: a client, a service and a number of jobs, until every job is done or lost

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;
use pacer::Outcome;

use super::client::{Client, Fate, Next};
use super::service::{Service, Verdict};

/// The jobs of a run and how the service behaves apart from its quota
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub jobs: usize,
    /// Median and σ of a log-normal, in seconds
    pub latency: (f64, f64),
    /// Mean and σ of a log-normal
    pub tokens: (f64, f64),
    /// Share of accepted requests that end in a 500, and of those that never answer
    pub failing: f64,
    pub hanging: f64,
    /// When a request that never answers is given up
    pub deadline: f64,
}

/// What a run came to
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// When the last answer arrived
    pub makespan: f64,
    pub succeeded: usize,
    pub lost: usize,
    /// Neither done nor lost when the client stopped
    pub left: usize,
    pub throttled: usize,
    pub failed: usize,
    /// When each accepted request was sent, and when each refused one was
    pub accepted_at: Vec<f64>,
    pub refused_at: Vec<f64>,
}

impl Report {
    /// 429s for each success
    pub fn waste(&self) -> f64 {
        self.throttled as f64 / self.succeeded.max(1) as f64
    }
}

/// A time that can be ordered
#[derive(Debug, Clone, Copy, PartialEq)]
struct At(f64);
impl Eq for At {}
impl PartialOrd for At {
    fn partial_cmp(&self, other: &At) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for At {
    fn cmp(&self, other: &At) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What each job costs is drawn once, so that every client meets the same jobs
struct Jobs {
    latency: Vec<f64>,
    tokens: Vec<f64>,
}

impl Jobs {
    fn new(load: &Load, seed: u64) -> Jobs {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let mut jobs = Jobs { latency: Vec::new(), tokens: Vec::new() };
        for job in 0..load.jobs {
            let (median, sigma) = load.latency;
            jobs.latency.push(median * (sigma * normal(&mut rng)).exp());
            // The second arm thinks longer.
            let arm = if job % 2 == 0 { 0.9 } else { 1.1 };
            let (mean, sigma) = load.tokens;
            jobs.tokens.push((arm * mean * (sigma * normal(&mut rng) - sigma * sigma / 2.0).exp()).round());
        }
        jobs
    }
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Runs until every job is done or lost, or the client stops
pub fn run(client: &mut dyn Client, mut service: Service, load: &Load, seed: u64) -> Report {
    let jobs = Jobs::new(load, seed);
    let mut rng = Rng::with_seed(seed);
    let mut report = Report::default();
    let mut waiting: VecDeque<usize> = (0..load.jobs).collect();
    let mut replies: BinaryHeap<Reverse<(At, usize)>> = BinaryHeap::new();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; load.jobs];
    let mut now = 0.0_f64;
    let mut stopped = false;
    loop {
        let mut wake = f64::INFINITY;
        let mut place = 0;
        while let Some(&job) = waiting.get(place).filter(|_| !stopped) {
            match client.next(now, job, jobs.tokens[job], &mut service) {
                Next::Send => {
                    client.sent(now, job);
                    waiting.remove(place);
                    place = 0;
                    let (outcome, after) = match service.offer(now, jobs.tokens[job]) {
                        Verdict::Refused(outcome) => {
                            report.refused_at.push(now);
                            (outcome, 0.15 + 0.25 * rng.f64())
                        }
                        Verdict::Accepted if rng.f64() < load.failing => (Outcome::Failed, 1.0 + rng.f64()),
                        Verdict::Accepted if rng.f64() < load.hanging => (Outcome::Failed, load.deadline),
                        Verdict::Accepted => {
                            report.accepted_at.push(now);
                            (Outcome::Success { tokens: Some(jobs.tokens[job] as u64) }, jobs.latency[job])
                        }
                    };
                    outcomes[job] = Some(outcome);
                    replies.push(Reverse((At(now + after), job)));
                }
                Next::Wait(until) => {
                    wake = wake.min(until.max(now + 1e-9));
                    break;
                }
                Next::Later(until) => {
                    wake = wake.min(until.max(now + 1e-9));
                    place += 1;
                }
                Next::Reply => break,
                Next::Stop => stopped = true,
            }
        }
        let reply = replies.peek().map_or(f64::INFINITY, |Reverse((at, _))| at.0);
        if reply.is_infinite() && wake.is_infinite() {
            break;
        }
        now = reply.min(wake);
        if reply <= wake
            && let Some(Reverse((_, job))) = replies.pop()
        {
            let outcome = outcomes[job].take().expect("an outcome for each reply");
            let fate = client.ended(now, job, outcome);
            match outcome {
                Outcome::Success { .. } => {
                    report.succeeded += 1;
                    report.makespan = now;
                    continue;
                }
                Outcome::Throttled(_) | Outcome::DayQuota => report.throttled += 1,
                Outcome::Failed | Outcome::Cancelled => report.failed += 1,
            }
            match fate {
                Fate::Again => waiting.push_front(job),
                Fate::Lost => report.lost += 1,
            }
        }
    }
    report.left = waiting.len();
    report
}
