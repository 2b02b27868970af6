//! The rate of requests that all lanes share
//!
//! A quota is a rate, so the rate itself is the state, and not a window as in TCP. What happens to it is what CUBIC does
//! to a window (RFC 9438: multiplicative decrease in 4.6, window increase in 4.2 to 4.4, no growth while the application
//! is the limit in 5.8):
//!
//! ```text
//!  rate                                             ·   probing: W + 0.3 W ((m - R) / P)³
//!    W  ───────────────── · · · · · · · · · · · ·
//!                    ·        last good rate
//!                ·
//!  0.7 W       ·   regrowing: W - 0.3 W (1 - m / R)³
//!              └───────────┴─────────────────────────→ m, requests sent since the cut
//!              0           R                   R + P
//! ```
//!
//! The curve's argument is requests sent and not seconds. So it does not grow while nothing is sent, a clock that leaps
//! does nothing to it, and it has the same number of answers to each 429 at any rate.
//!
//! Slow start grows by the round trip as TCP's does (RFC 5681, 3.1), not by the second: a service that answers in 0.4 s is
//! learned in two seconds, one that answers in 15 s is not flooded meanwhile. A quota that the server named is kept to,
//! but may be raised: after a long quiet time the same curve leads gently beyond it.

use std::time::Duration;

use crate::limits::PIN;
use crate::snapshot::Phase;

/// Where slow start begins, in requests a second
const START: f64 = 1.0;
/// Slow start: growth after a round without news, and how long that round is
const SILENT_GROWTH: f64 = 1.5;
const SILENT_ROUND: Duration = Duration::from_secs(3);
/// Slow start: once an answer has told the round trip, so many requests go in each, as TCP's initial window (RFC 6928)
const WINDOW: f64 = 10.0;
/// Slow start: growth after a round in which this many requests of that round were answered
const ANSWERED_GROWTH: f64 = 1.2;
const ANSWERED_ROUND: u32 = 2;
/// What is left of the achieved rate after a cut
const CUT: f64 = 0.7;
/// The least that a cut leaves of the present rate, however little was achieved
const LEAST_LEFT: f64 = 0.3;
/// The part of the achieved rate that is taken to be good
const GOOD: f64 = 0.97;
/// Length of the regrowth, in requests for each 429 that a burst costs
const REGROW: f64 = 8.0;
/// Length of the probe until it is 30 % above the last good rate, in the same
const PROBE: f64 = 25.0;
/// While cuts find the same good rate again, within this part of it, each probe is longer than the last, up to a limit
const SAME: f64 = 0.05;
const LONGER: f64 = 1.25;
const LONGEST: f64 = 1.5;
/// Requests that a quota named by the server is kept to before it is tried whether more go, for each 429 of a burst
const QUIET: f64 = 300.0;
/// The most that a quota which the server named is exceeded
const MOST_LIFT: f64 = 2.0;
/// Rates are kept within what can be waited for and what can be counted
const LOWEST: f64 = 1.0 / 60.0;
const HIGHEST: f64 = 1e6;
/// Against a quota that is known, one 429 in this many requests is noise
const STRIKE: u64 = 10;
/// So many bursts, each within that of the last, are more than noise: of requests, which all cost the same, and of tokens
const REQUEST_STRIKES: u32 = 2;
const TOKEN_STRIKES: u32 = 3;

/// The learned rate under a ceiling, where one is known
#[derive(Debug)]
pub(crate) struct Rate {
    told: Option<f64>,
    hinted: Option<f64>,
    tokens_known: bool,
    mode: Mode,
    strike: Option<u64>,
    strikes: u32,
    /// Whether the server named a quota that binds; a person's is never exceeded
    by_server: bool,
    /// The good rate of the latest cut, and how much longer than the first the next probe is
    good: f64,
    longer: f64,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Only what is known binds
    Pinned(Quiet),
    SlowStart(Round),
    Curve(Curve),
}

/// The time since a quota became known, or since going beyond it failed, in requests
#[derive(Debug, Clone, Copy)]
struct Quiet {
    sent: f64,
    quiet: f64,
    probe: f64,
}

impl Quiet {
    /// What the quota that the server named is multiplied by
    fn lift(&self) -> f64 {
        let beyond = ((self.sent - self.quiet) / self.probe).max(0.0);
        (1.0 + (1.0 - CUT) * beyond.powi(3)).min(MOST_LIFT)
    }
}

/// A round of slow start
#[derive(Debug, Clone, Copy)]
struct Round {
    rate: f64,
    /// When its first request went, and that request's number
    first: Option<(Duration, u64)>,
    sent: u32,
    answered: u32,
}

impl Round {
    fn at(rate: f64) -> Mode {
        Mode::SlowStart(Round { rate: rate.min(HIGHEST), first: None, sent: 0, answered: 0 })
    }
}

/// Where we are on the curve in the module's picture
#[derive(Debug, Clone, Copy)]
struct Curve {
    from: f64,
    good: f64,
    regrow: f64,
    probe: f64,
    /// 429s that a burst costs
    burst: f64,
    sent: f64,
}

impl Curve {
    fn rate(&self) -> f64 {
        let rate = if self.sent < self.regrow {
            self.good - (self.good - self.from) * (1.0 - self.sent / self.regrow).powi(3)
        } else {
            self.good + (1.0 - CUT) * self.good * ((self.sent - self.regrow) / self.probe).powi(3)
        };
        rate.clamp(LOWEST, HIGHEST)
    }
}

impl Rate {
    /// `told`: requests a minute, if known; `tokens_known`: whether a quota of tokens is
    pub(crate) fn new(told: Option<f64>, tokens_known: bool) -> Rate {
        let mode = Round::at(START);
        let (good, longer) = (0.0, 1.0);
        let (strike, by_server) = (None, false);
        let mut rate =
            Rate { told, hinted: None, tokens_known, mode, strike, strikes: 0, by_server, good, longer };
        if told.is_some() || tokens_known {
            rate.be_quiet(1.0);
        }
        rate
    }

    /// Requests a minute that bind, if any are known: the lower of the person's and the server's
    pub(crate) fn quota(&self) -> Option<f64> {
        match (self.told, self.hinted) {
            (Some(told), Some(hinted)) => Some(told.min(hinted)),
            (told, hinted) => told.or(hinted),
        }
    }

    /// Requests a second; infinite where only tokens bind
    pub(crate) fn per_second(&self) -> f64 {
        let learned = match self.mode {
            Mode::Pinned(_) => f64::INFINITY,
            Mode::SlowStart(round) => round.rate,
            Mode::Curve(curve) => curve.rate(),
        };
        learned.min(self.ceiling())
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.mode {
            Mode::Pinned(quiet) if quiet.lift() > 1.0 => Phase::Probing,
            Mode::Pinned(_) => Phase::Pinned,
            Mode::SlowStart(_) => Phase::SlowStart,
            Mode::Curve(curve) if curve.sent < curve.regrow => Phase::Regrowing,
            Mode::Curve(_) => Phase::Probing,
        }
    }

    /// Takes the server's word for its quota of requests a minute; returns whether that changes what binds
    pub(crate) fn hint(&mut self, requests_per_minute: f64) -> bool {
        let before = self.quota();
        self.hinted = Some(requests_per_minute);
        self.quota() != before
    }

    /// What a quota that the server named is multiplied by now
    pub(crate) fn lift(&self) -> f64 {
        if let Mode::Pinned(quiet) = self.mode { quiet.lift() } else { 1.0 }
    }

    /// The server has named a quota that binds, at which a 429 costs a burst of so many
    pub(crate) fn pin(&mut self, tokens_known: bool, burst: f64) {
        self.tokens_known |= tokens_known;
        self.by_server = true;
        self.strike = None;
        self.be_quiet(burst);
    }

    fn be_quiet(&mut self, burst: f64) {
        let burst = burst.min(HIGHEST);
        let quiet = if self.by_server { QUIET * burst } else { f64::INFINITY };
        self.mode = Mode::Pinned(Quiet { sent: 0.0, quiet, probe: PROBE * burst });
    }

    /// The request `number` went at `now`; `paced`: because its time had come, not because the caller had none before
    pub(crate) fn sent(&mut self, now: Duration, number: u64, paced: bool) {
        if !paced {
            return;
        }
        let ceiling = self.ceiling();
        match &mut self.mode {
            Mode::Pinned(quiet) => quiet.sent += 1.0,
            Mode::SlowStart(round) => {
                let (since, _) = *round.first.get_or_insert((now, number));
                round.sent += 1;
                if round.sent >= 2 && now.saturating_sub(since) >= SILENT_ROUND {
                    self.mode = Round::at(round.rate * SILENT_GROWTH);
                }
            }
            Mode::Curve(curve) => {
                curve.sent += 1.0;
                let back = curve.rate() >= ceiling;
                let through = self.tokens_known && curve.sent >= curve.regrow + curve.probe;
                if back || through {
                    let burst = curve.burst;
                    self.be_quiet(burst);
                }
            }
        }
    }

    /// The request `number` was answered after `latency` seconds
    pub(crate) fn answered(&mut self, number: u64, latency: f64) {
        if let Mode::SlowStart(round) = &mut self.mode
            && round.first.is_some_and(|(_, first)| number >= first)
        {
            round.answered += 1;
            if round.answered >= ANSWERED_ROUND {
                self.mode = Round::at(round.rate * ANSWERED_GROWTH);
            } else if round.rate * latency < WINDOW && round.rate < START * 1.01 {
                self.mode = Round::at(WINDOW / latency);
            }
        }
    }

    /// A burst of 429s began with the request `number`
    ///
    /// `achieved` is in requests a second; `lag` is how long a 429 takes, in seconds: at a rate r, r · lag more requests
    /// have gone by then and may share the fate of the first, so that the way back is made as much longer.
    pub(crate) fn cut(&mut self, number: u64, achieved: Option<f64>, lag: f64) {
        let achieved = achieved.unwrap_or(START);
        if let Mode::Pinned(quiet) = self.mode {
            if quiet.lift() > 1.0 {
                self.be_quiet(1.0 + achieved * lag);
                return;
            }
            let last = self.strike.replace(number);
            let noise = last.is_none_or(|last| number.saturating_sub(last) > STRIKE);
            self.strikes = if noise { 1 } else { self.strikes.saturating_add(1) };
            if self.strikes < if self.tokens_known { TOKEN_STRIKES } else { REQUEST_STRIKES } {
                return;
            }
        }
        let present = self.per_second().min(HIGHEST);
        let achieved = achieved.min(present);
        let good = (GOOD * achieved).max(LOWEST);
        let same = (good / self.good - 1.0).abs() < SAME;
        self.longer = if same { (self.longer * LONGER).min(LONGEST) } else { 1.0 };
        self.good = good;
        let burst = 1.0 + good * lag;
        let from = (CUT * achieved).max(LEAST_LEFT * present.min(good / CUT)).max(LOWEST);
        let probe = PROBE * burst * self.longer;
        self.mode = Mode::Curve(Curve { from, good, regrow: REGROW * burst, probe, burst, sent: 0.0 });
    }

    /// An outage is over: begin again, unless the quota is known
    pub(crate) fn restart(&mut self) {
        if self.quota().is_some() || self.tokens_known {
            self.be_quiet(1.0);
        } else {
            self.mode = Round::at(START);
        }
    }

    /// Requests a second that what is known allows
    pub(crate) fn ceiling(&self) -> f64 {
        let hinted = self.hinted.map(|hinted| hinted * self.lift());
        let quota = match (self.told, hinted) {
            (Some(told), Some(hinted)) => Some(told.min(hinted)),
            (told, hinted) => told.or(hinted),
        };
        quota.map_or(f64::INFINITY, |quota| (quota * PIN / 60.0).max(f64::MIN_POSITIVE))
    }
}
