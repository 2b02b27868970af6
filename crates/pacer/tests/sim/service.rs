//! Services that throttle: what each admits is arithmetic on the time and the tokens of a request

use std::f64::consts::TAU;
use std::time::Duration;

use pacer::{Outcome, Throttle};

/// What a service says in its 429s
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// Nothing: "Resource exhausted. Please try again later."
    None,
    /// `RetryInfo` alone
    Retry,
    /// `RetryInfo` and the quota's value
    Quota,
}

/// Capacity over time, in units a second
#[derive(Debug, Clone)]
pub enum Capacity {
    Constant(f64),
    /// ±50 % by a sine of 600 s; every 900 s a brown-out to 30 % for 180 s
    Drifting {
        mean: f64,
        sine: f64,
        brown_out: f64,
    },
    /// Each from its time on
    Steps(Vec<(f64, f64)>),
    /// Nothing at all between two times
    Outage {
        rate: f64,
        from: f64,
        until: f64,
    },
}

impl Capacity {
    pub fn at(&self, time: f64) -> f64 {
        match self {
            Capacity::Constant(rate) => *rate,
            Capacity::Drifting { mean, sine, brown_out } => {
                let drift = 1.0 + 0.5 * (TAU * (time + sine) / 600.0).sin();
                let dim = if (time + brown_out).rem_euclid(900.0) >= 720.0 { 0.3 } else { 1.0 };
                mean * drift * dim
            }
            Capacity::Steps(steps) => {
                steps.iter().rev().find(|(from, _)| time >= *from).map_or(0.0, |(_, rate)| *rate)
            }
            Capacity::Outage { rate, from, until } => {
                if (*from..*until).contains(&time) {
                    0.0
                } else {
                    *rate
                }
            }
        }
    }
}

/// What is counted
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Requests,
    Tokens,
}

#[derive(Debug, Clone)]
enum Meter {
    Bucket { level: f64, depth: f64, at: f64 },
    Window { length: f64, index: i64, used: f64 },
}

/// A service with a quota and perhaps a quota for the day
#[derive(Debug, Clone)]
pub struct Service {
    pub capacity: Capacity,
    pub unit: Unit,
    pub hints: Hints,
    /// Requests that the day's quota still holds
    pub day: Option<u64>,
    meter: Meter,
}

/// What a service makes of a request
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Accepted,
    Refused(Outcome),
}

impl Service {
    /// A bucket of `depth` units that fills at the capacity
    pub fn bucket(capacity: Capacity, unit: Unit, depth: f64, hints: Hints) -> Service {
        Service { capacity, unit, hints, day: None, meter: Meter::Bucket { level: depth, depth, at: 0.0 } }
    }

    /// As many units as the capacity makes in `length` seconds, counted anew at each multiple of it
    pub fn window(capacity: Capacity, unit: Unit, length: f64, hints: Hints) -> Service {
        Service { capacity, unit, hints, day: None, meter: Meter::Window { length, index: 0, used: 0.0 } }
    }

    /// The same with this many requests for the day
    pub fn with_day(mut self, requests: u64) -> Service {
        self.day = Some(requests);
        self
    }

    pub fn offer(&mut self, time: f64, tokens: f64) -> Verdict {
        if self.day == Some(0) {
            return Verdict::Refused(Outcome::DayQuota);
        }
        let cost = if self.unit == Unit::Requests { 1.0 } else { tokens };
        self.fill(time);
        let capacity = self.capacity.at(time);
        let wait = self.missing(time, tokens);
        if wait > 0.0 {
            return Verdict::Refused(Outcome::Throttled(self.throttle(wait, capacity)));
        }
        match &mut self.meter {
            Meter::Bucket { level, .. } => *level -= cost,
            Meter::Window { used, .. } => *used += cost,
        }
        self.day = self.day.map(|left| left - 1);
        Verdict::Accepted
    }

    /// Seconds until a request would be accepted, were the capacity to stay as it is: only the oracle asks
    pub fn wait(&mut self, time: f64, tokens: f64) -> f64 {
        self.fill(time);
        self.missing(time, tokens)
    }

    /// The same, for a meter that has been filled; zero if it would be accepted now
    fn missing(&self, time: f64, tokens: f64) -> f64 {
        let cost = if self.unit == Unit::Requests { 1.0 } else { tokens };
        let capacity = self.capacity.at(time);
        match &self.meter {
            // A bucket that is full serves any request, or one larger than the bucket would never be served.
            Meter::Bucket { level, depth, .. } => {
                let missing = cost.min(*depth) - *level;
                if missing <= 1e-9 { 0.0 } else { missing / capacity.max(1e-6) }
            }
            Meter::Window { length, index, used } => {
                let fits = *used + cost <= (capacity * *length + 1e-9).floor();
                if fits { 0.0 } else { (*index + 1) as f64 * *length - time }
            }
        }
    }

    fn throttle(&self, wait: f64, capacity: f64) -> Throttle {
        let capacity = match self.meter {
            Meter::Bucket { .. } => capacity,
            Meter::Window { length, .. } => (capacity * length + 1e-9).floor() / length,
        };
        let minute = (self.hints == Hints::Quota).then_some(capacity * 60.0);
        Throttle {
            retry_after: (self.hints != Hints::None).then(|| Duration::from_secs_f64(wait.clamp(0.0, 60.0))),
            requests_per_minute: minute.filter(|_| self.unit == Unit::Requests),
            tokens_per_minute: minute.filter(|_| self.unit == Unit::Tokens),
        }
    }

    fn fill(&mut self, time: f64) {
        match &mut self.meter {
            Meter::Bucket { level, depth, at } => {
                // A step at a time, since the capacity moves.
                while *at < time {
                    let step = (time - *at).min(0.25);
                    *level = (*level + self.capacity.at(*at + step / 2.0) * step).min(*depth);
                    *at += step;
                    if step < 1e-9 {
                        *at = time;
                    }
                }
            }
            Meter::Window { length, index, used } => {
                let now = (time / *length).floor() as i64;
                if now != *index {
                    *index = now;
                    *used = 0.0;
                }
            }
        }
    }
}
