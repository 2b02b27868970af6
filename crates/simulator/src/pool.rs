//! The pool that all customers share: a bucket of tokens whose rate drifts and now and then browns out.

use serde::Deserialize;
use toml::Spanned;

use crate::number::{NotNegative, Positive, Share};
use crate::scenario::Misplaced;

/// The `[shared_pool]` table. Refusals out of it carry no details.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRule {
    /// Mean capacity.
    pub tokens_per_minute: Positive,
    /// How far the capacity drifts either way, as a share of the mean; 0 by default.
    #[serde(default)]
    pub swing: Option<Share>,
    /// Length of one drift, up and down; 600 by default.
    pub period_seconds: Option<Positive>,
    /// How many seconds' worth an idle pool holds; 5 by default.
    pub burst_seconds: Option<Positive>,
    /// A deep dip that comes back; none by default.
    pub brown_out: Option<BrownOut>,
}

/// `brown_out = { every_seconds, for_seconds, to }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrownOut {
    /// From the end of one cycle to the end of the next.
    pub every_seconds: Positive,
    /// The dip is the last part of each cycle.
    pub for_seconds: Spanned<NotNegative>,
    /// Share of the capacity that is left.
    pub to: Share,
}

impl PoolRule {
    /// Looks for keys that do not go together.
    ///
    /// # Errors
    /// The first such key, with its place.
    pub fn check(&self) -> Result<(), Misplaced> {
        match &self.brown_out {
            Some(dip) if dip.for_seconds.get_ref().0 > dip.every_seconds.0 => Misplaced::at(
                &dip.for_seconds,
                "this brown-out lasts longer than its cycle: shorten `for_seconds`",
            ),
            _ => Ok(()),
        }
    }

    /// Tokens a second at `now`, in seconds since the simulator's start.
    pub fn rate(&self, now: f64) -> f64 {
        let period = self.period_seconds.map_or(600.0, |seconds| seconds.0);
        let swing = self.swing.map_or(0.0, |share| share.0);
        let drift = 1.0 + swing * (std::f64::consts::TAU * now / period).sin();
        let dip = match &self.brown_out {
            Some(dip) if now % dip.every_seconds.0 >= dip.every_seconds.0 - dip.for_seconds.get_ref().0 => {
                dip.to.0
            }
            _ => 1.0,
        };
        self.tokens_per_minute.0 / 60.0 * drift * dip
    }

    fn burst(&self) -> f64 {
        self.burst_seconds.map_or(5.0, |seconds| seconds.0)
    }
}

/// What the pool holds now.
#[derive(Debug, Clone)]
pub struct Pool {
    rule: PoolRule,
    level: f64,
    seen: f64,
}

impl Pool {
    /// A full pool.
    pub fn new(rule: &PoolRule) -> Self {
        Self { level: rule.rate(0.0) * rule.burst(), rule: rule.clone(), seen: 0.0 }
    }

    /// Whether `tokens` are there now. A request larger than the whole pool is let through when it is full.
    pub fn holds(&mut self, now: f64, tokens: u64) -> bool {
        let elapsed = (now - self.seen).max(0.0);
        let rate = self.rule.rate(self.seen + elapsed / 2.0);
        let most = rate * self.rule.burst();
        self.level = (self.level + elapsed * rate).min(most);
        self.seen = self.seen.max(now);
        self.level >= (tokens as f64).min(most)
    }

    /// Takes `tokens`.
    pub fn charge(&mut self, tokens: u64) {
        self.level -= tokens as f64;
    }
}

#[cfg(test)]
mod tests {
    use toml::Spanned;

    use super::{BrownOut, Pool, PoolRule};
    use crate::number::{NotNegative, Positive, Share};

    fn rule() -> PoolRule {
        PoolRule {
            tokens_per_minute: Positive(60_000.0),
            swing: Some(Share(0.5)),
            period_seconds: Some(Positive(100.0)),
            burst_seconds: Some(Positive(2.0)),
            brown_out: Some(BrownOut {
                every_seconds: Positive(1_000.0),
                for_seconds: Spanned::new(0..0, NotNegative(100.0)),
                to: Share(0.25),
            }),
        }
    }

    #[test]
    fn capacity_drifts_and_browns_out() {
        assert_eq!(rule().rate(25.0).round(), 1_500.0);
        assert_eq!(rule().rate(75.0).round(), 500.0);
        assert_eq!(rule().rate(900.0).round(), 250.0);
    }

    #[test]
    fn an_emptied_pool_refuses_until_it_has_refilled() {
        let mut pool = Pool::new(&rule());

        assert!(pool.holds(0.0, 2_000));
        pool.charge(2_000);
        assert!(!pool.holds(0.5, 1_000));
        assert!(pool.holds(1.5, 1_000));
    }
}
