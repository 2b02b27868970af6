//! The services that the pacer is held against, and the figures that a run is reduced to

use pacer::Limits;

use super::client::{Client, Fixed, Oracle, Paced, Serial, Workers};
use super::run::{Load, Report, run};
use super::service::{Capacity, Hints, Service, Unit};

/// Seeds of every figure
pub const SEEDS: std::ops::Range<u64> = 0..8;
/// Seeds that no constant was ever chosen on: change one, and these are to be run once, at the end
pub const HELD_OUT: std::ops::Range<u64> = 30_000..30_032;

/// σ of the log-normal that a request's tokens are drawn from, unless said otherwise
pub const SPREAD: f64 = 0.4;

/// The first run's jobs: 978 requests of some 14.7 s and 4,500 tokens
pub const FIRST_RUN: Load = Load {
    jobs: 978,
    latency: (14.7, 0.2626),
    tokens: (4_500.0, SPREAD),
    failing: 0.0,
    hanging: 0.0,
    deadline: 120.0,
};

/// What the client knows of the quota
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Told by a flag
    Told,
    /// Told by the first 429
    Hinted,
    /// `RetryInfo` only
    RetryOnly,
    /// Nothing
    Blind,
}

impl Knowledge {
    fn hints(self) -> Hints {
        match self {
            Knowledge::Hinted => Hints::Quota,
            Knowledge::RetryOnly => Hints::Retry,
            Knowledge::Told | Knowledge::Blind => Hints::None,
        }
    }
}

/// A kind of service
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 60 requests a minute, a bucket of 10
    RequestBucket,
    /// 500,000 tokens a minute, 5 s of burst
    TokenBucket,
    /// 10 requests a minute, counted anew each minute
    FixedWindow,
    /// 100 requests each 2 s, answered in 0.2 to 0.6 s: what Curator was measured on
    FastWindow,
    /// 60 requests a minute, a bucket of 10, answered in 0.2 to 0.6 s
    QuickBucket,
    /// 500,000 tokens a minute ± 50 % with brown-outs, 5 s of burst
    SharedPool,
    /// 120 requests a minute, 500 a day
    DayQuota,
    /// 120 requests a minute, then 180, then 90; 5 s of burst
    Steps,
    /// 120 requests a minute, but for ten minutes none
    Outage,
}

impl Kind {
    pub fn service(self, seed: u64, hints: Hints) -> Service {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xcafe);
        let tokens = 500_000.0 / 60.0;
        let depth = 5.0;
        match self {
            Kind::RequestBucket | Kind::QuickBucket => {
                Service::bucket(Capacity::Constant(1.0), Unit::Requests, 10.0, hints)
            }
            Kind::TokenBucket => {
                Service::bucket(Capacity::Constant(tokens), Unit::Tokens, depth * tokens, hints)
            }
            Kind::FixedWindow => {
                Service::window(Capacity::Constant(10.0 / 60.0), Unit::Requests, 60.0, hints)
            }
            Kind::FastWindow => Service::window(Capacity::Constant(50.0), Unit::Requests, 2.0, hints),
            Kind::SharedPool => {
                let capacity = Capacity::Drifting {
                    mean: tokens,
                    sine: 600.0 * rng.f64(),
                    brown_out: 900.0 * rng.f64(),
                };
                Service::bucket(capacity, Unit::Tokens, depth * tokens, hints)
            }
            Kind::DayQuota => {
                Service::bucket(Capacity::Constant(2.0), Unit::Requests, 2.0 * depth, hints).with_day(500)
            }
            Kind::Steps => {
                let steps = Capacity::Steps(vec![(0.0, 2.0), (400.0, 3.0), (800.0, 1.5)]);
                Service::bucket(steps, Unit::Requests, 2.0 * depth, hints)
            }
            Kind::Outage => {
                let capacity = Capacity::Outage { rate: 2.0, from: 120.0, until: 720.0 };
                Service::bucket(capacity, Unit::Requests, 2.0 * depth, hints)
            }
        }
    }

    /// Whether [`Kind::stepped`] says anything: not where the capacity moves already, or ends
    pub fn has_steps(self) -> bool {
        !matches!(self, Kind::SharedPool | Kind::DayQuota | Kind::Steps | Kind::Outage)
    }

    /// The same service with half as much again after 800 requests (and at least two minutes), and half of that after as
    /// long again; also when, and jobs for as long a third time
    pub fn stepped(self, seed: u64, hints: Hints) -> (Service, (f64, f64), usize) {
        let mut service = self.service(seed, hints);
        let rate = self.first_capacity();
        let up = (800.0 / rate).max(120.0);
        let down = 2.0 * up;
        let jobs = (3.25 * rate * up) as usize;
        if let Capacity::Constant(base) = service.capacity {
            service.capacity = Capacity::Steps(vec![(0.0, base), (up, 1.5 * base), (down, 0.75 * base)]);
        }
        (service, (up, down), jobs)
    }

    pub fn load(self) -> Load {
        match self {
            Kind::FastWindow | Kind::QuickBucket => Load { latency: (0.4, 0.25), ..FIRST_RUN },
            Kind::Steps => Load { jobs: 2_600, ..FIRST_RUN },
            _ => FIRST_RUN,
        }
    }

    pub fn limits(self, knowledge: Knowledge) -> Limits {
        let mut limits = Limits::default();
        if knowledge == Knowledge::Told {
            match self {
                Kind::RequestBucket | Kind::QuickBucket => limits.requests_per_minute = Some(60.0),
                Kind::FixedWindow => limits.requests_per_minute = Some(10.0),
                Kind::FastWindow => limits.requests_per_minute = Some(3_000.0),
                Kind::TokenBucket | Kind::SharedPool => limits.tokens_per_minute = Some(500_000.0),
                Kind::DayQuota | Kind::Steps | Kind::Outage => limits.requests_per_minute = Some(120.0),
            }
        }
        limits
    }

    /// Requests a second at the start, and those that the bucket holds then
    fn first_capacity(self) -> f64 {
        match self {
            Kind::RequestBucket | Kind::QuickBucket => 1.0,
            Kind::TokenBucket => 500_000.0 / 60.0 / 4_500.0,
            Kind::SharedPool => 0.0,
            Kind::FixedWindow => 10.0 / 60.0,
            Kind::FastWindow => 50.0,
            Kind::DayQuota | Kind::Steps | Kind::Outage => 2.0,
        }
    }
}

/// Means over the seeds; losses are sums
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// The oracle's makespan in ours
    pub phi: f64,
    /// The least φ of a seed
    pub least_phi: f64,
    /// 429s for each success
    pub waste: f64,
    pub makespan: f64,
    pub lost: usize,
    pub left: usize,
    /// Seconds until 90 % of the first capacity is used; `None` if a run never got there
    pub ninety: Option<f64>,
}

/// Who sends
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Ours(Knowledge),
    Serial,
    Workers,
    Fixed,
}

impl Who {
    fn hints(self) -> Hints {
        if let Who::Ours(knowledge) = self { knowledge.hints() } else { Hints::None }
    }

    fn client(self, kind: Kind, seed: u64) -> Box<dyn Client> {
        match self {
            Who::Ours(knowledge) => Box::new(Paced::new(kind.limits(knowledge), seed)),
            Who::Serial => Box::new(Serial::default()),
            Who::Workers => Box::new(Workers::new(seed)),
            Who::Fixed => Box::new(Fixed::default()),
        }
    }
}

/// Runs `who` against `kind` once
pub fn once(kind: Kind, who: Who, load: &Load, seed: u64) -> Report {
    run(who.client(kind, seed).as_mut(), kind.service(seed, who.hints()), load, seed)
}

/// The load of `kind` with another σ of the tokens
pub fn spread(kind: Kind, sigma: f64) -> Load {
    let load = kind.load();
    Load { tokens: (load.tokens.0, sigma), ..load }
}

/// Runs `who` against `kind` for every seed
pub fn measure(kind: Kind, who: Who) -> Figures {
    measure_under(kind, who, &kind.load(), SEEDS)
}

/// The same with another load, or other seeds
pub fn measure_under(kind: Kind, who: Who, load: &Load, seeds: std::ops::Range<u64>) -> Figures {
    let runs = (seeds.end - seeds.start) as f64;
    let mut figures = Figures { least_phi: 1.0, ninety: Some(0.0), ..Figures::default() };
    for seed in seeds {
        let best = run(&mut Oracle, kind.service(seed, Hints::None), load, seed);
        let report = once(kind, who, load, seed);
        let phi = best.makespan / report.makespan;
        figures.phi += phi / runs;
        figures.least_phi = figures.least_phi.min(phi);
        figures.waste += report.waste() / runs;
        figures.makespan += report.makespan / runs;
        figures.lost += report.lost;
        figures.left += report.left;
        let capacity = kind.first_capacity();
        figures.ninety =
            mean(figures.ninety, settled(&report, (0.0, f64::INFINITY), capacity, f64::INFINITY), runs);
    }
    figures
}

/// What became of the capacity's steps; means over the seeds
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Seconds until 90 % is used again after the step up, and after the step down with 5 % of 429s at most; `None` if a
    /// run never got there
    pub up: Option<f64>,
    pub down: Option<f64>,
    /// 429s for each success
    pub waste: f64,
}

/// Runs `who` against `kind` with its steps for every seed
pub fn measure_steps(kind: Kind, who: Who, seeds: std::ops::Range<u64>) -> Steps {
    let runs = (seeds.end - seeds.start) as f64;
    let mut steps = Steps { up: Some(0.0), down: Some(0.0), waste: 0.0 };
    for seed in seeds {
        let (service, (up, down), jobs) = kind.stepped(seed, who.hints());
        let load = Load { jobs, ..kind.load() };
        let report = run(who.client(kind, seed).as_mut(), service, &load, seed);
        let capacity = kind.first_capacity();
        let after_up = settled(&report, (up, down), 1.5 * capacity, f64::INFINITY);
        let after_down = settled(&report, (down, f64::INFINITY), 0.75 * capacity, 0.05);
        steps.up = mean(steps.up, after_up, runs);
        steps.down = mean(steps.down, after_down, runs);
        steps.waste += report.waste() / runs;
    }
    steps
}

fn mean(sum: Option<f64>, one: Option<f64>, runs: f64) -> Option<f64> {
    Some(sum? + one? / runs)
}

/// Seconds from `from` until a span of 20 s (or 20 requests) begins, before `until`, in which 90 % of `capacity` is used, with at most
/// `waste` 429s for each request accepted
fn settled(report: &Report, (from, until): (f64, f64), capacity: f64, waste: f64) -> Option<f64> {
    let span = 20.0_f64.max(20.0 / capacity);
    let span = if capacity > 10.0 { 2.0 } else { span };
    let within = |times: &[f64], begin: f64| {
        (times.partition_point(|&at| at < begin + span) - times.partition_point(|&at| at < begin)) as f64
    };
    let mut begin = from;
    while begin + span < report.makespan.min(until) {
        let accepted = within(&report.accepted_at, begin);
        if accepted >= 0.9 * capacity * span && within(&report.refused_at, begin) <= waste * accepted {
            return Some(begin - from);
        }
        begin += 0.5;
    }
    None
}
