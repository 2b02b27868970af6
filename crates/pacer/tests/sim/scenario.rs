//! The services that the pacer is held against, and the figures that a run is reduced to

use pacer::Limits;

use super::client::{Client, Fixed, Oracle, Paced, Serial, Workers};
use super::run::{Load, Report, run};
use super::service::{Capacity, Hints, Service, Unit};

/// Seeds of every figure
pub const SEEDS: std::ops::Range<u64> = 0..8;

/// The first run's jobs: 978 requests of some 14.7 s and 4,500 tokens
pub const FIRST_RUN: Load = Load {
    jobs: 978,
    latency: (14.7, 0.2626),
    tokens: (4_500.0, 0.3),
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
            Kind::RequestBucket => Service::bucket(Capacity::Constant(1.0), Unit::Requests, 10.0, hints),
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
                let steps = Capacity::Steps(vec![(0.0, 2.0), (STEP_UP, 3.0), (STEP_DOWN, 1.5)]);
                Service::bucket(steps, Unit::Requests, 2.0 * depth, hints)
            }
            Kind::Outage => {
                let capacity = Capacity::Outage { rate: 2.0, from: 120.0, until: 720.0 };
                Service::bucket(capacity, Unit::Requests, 2.0 * depth, hints)
            }
        }
    }

    pub fn load(self) -> Load {
        match self {
            Kind::FastWindow => Load { latency: (0.4, 0.25), ..FIRST_RUN },
            Kind::Steps => Load { jobs: 2_600, ..FIRST_RUN },
            _ => FIRST_RUN,
        }
    }

    pub fn limits(self, knowledge: Knowledge) -> Limits {
        let mut limits = Limits::default();
        if knowledge == Knowledge::Told {
            match self {
                Kind::RequestBucket => limits.requests_per_minute = Some(60.0),
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
            Kind::RequestBucket => 1.0,
            Kind::TokenBucket => 500_000.0 / 60.0 / 4_500.0,
            Kind::SharedPool => 0.0,
            Kind::FixedWindow => 10.0 / 60.0,
            Kind::FastWindow => 50.0,
            Kind::DayQuota | Kind::Steps | Kind::Outage => 2.0,
        }
    }
}

/// When [`Kind::Steps`] goes up and down, in seconds
pub const STEP_UP: f64 = 400.0;
pub const STEP_DOWN: f64 = 800.0;

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
    /// Seconds until 90 % is used again after the step up, and after the step down with 5 % of 429s at most
    pub up: Option<f64>,
    pub down: Option<f64>,
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
    let hints = if let Who::Ours(knowledge) = who { knowledge.hints() } else { Hints::None };
    run(who.client(kind, seed).as_mut(), kind.service(seed, hints), load, seed)
}

/// Runs `who` against `kind` for every seed
pub fn measure(kind: Kind, who: Who) -> Figures {
    measure_under(kind, who, &kind.load())
}

/// The same with another load
pub fn measure_under(kind: Kind, who: Who, load: &Load) -> Figures {
    let runs = SEEDS.end as f64;
    let mut figures =
        Figures { least_phi: 1.0, ninety: Some(0.0), up: Some(0.0), down: Some(0.0), ..Figures::default() };
    for seed in SEEDS {
        let best = run(&mut Oracle, kind.service(seed, Hints::None), load, seed);
        let report = once(kind, who, load, seed);
        let phi = best.makespan / report.makespan;
        figures.phi += phi / runs;
        figures.least_phi = figures.least_phi.min(phi);
        figures.waste += report.waste() / runs;
        figures.makespan += report.makespan / runs;
        figures.lost += report.lost;
        figures.left += report.left;
        let mean = |sum: Option<f64>, one: Option<f64>| Some(sum? + one? / runs);
        figures.ninety = mean(figures.ninety, settled(&report, 0.0, kind.first_capacity(), f64::INFINITY));
        figures.up = mean(figures.up, settled(&report, STEP_UP, 3.0, f64::INFINITY));
        figures.down = mean(figures.down, settled(&report, STEP_DOWN, 1.5, 0.05));
    }
    figures
}

/// Seconds from `from` until a span of 20 s (or 20 requests) begins in which 90 % of `capacity` is used, with at most
/// `waste` 429s for each request accepted
fn settled(report: &Report, from: f64, capacity: f64, waste: f64) -> Option<f64> {
    let span = 20.0_f64.max(20.0 / capacity);
    let span = if capacity > 10.0 { 2.0 } else { span };
    let within = |times: &[f64], begin: f64| {
        (times.partition_point(|&at| at < begin + span) - times.partition_point(|&at| at < begin)) as f64
    };
    let mut begin = from;
    while begin + span < report.makespan {
        let accepted = within(&report.accepted_at, begin);
        if accepted >= 0.9 * capacity * span && within(&report.refused_at, begin) <= waste * accepted {
            return Some(begin - from);
        }
        begin += 0.5;
    }
    None
}
