//! How long an answer takes before its first byte.

use std::time::Duration;

use serde::Deserialize;

use crate::dice::Dice;
use crate::number::{NotNegative, Positive};

const PURPOSE: u64 = 0x1a7e;

/// The `[latency]` table: exactly one of these.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Keys")]
pub enum Latency {
    /// Always the same.
    Fixed(Fixed),
    /// Evenly between two bounds.
    Uniform(Bounds),
    /// What a large model's latency looks like.
    LogNormal(LogNormal),
    /// Grows with the tokens that were generated, hidden thoughts included.
    ByTokens(ByTokens),
}

/// `fixed = { ms }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Milliseconds.
    ms: NotNegative,
}

/// `uniform = { least_ms, most_ms }`, the lower first.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "UncheckedBounds")]
pub struct Bounds {
    least: f64,
    most: f64,
}

/// `log_normal = { median_ms, sigma }`: `median_ms · exp(sigma · z)`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    /// Half of the answers are quicker, in milliseconds.
    median_ms: Positive,
    /// Spread; p90 / median is `exp(1.28 · sigma)`.
    sigma: NotNegative,
}

/// `by_tokens = { base_ms, ms_per_token }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByTokens {
    /// Milliseconds before the first token.
    base_ms: NotNegative,
    /// Milliseconds for each further token.
    ms_per_token: NotNegative,
}

/// The table as it is written. An enum would read it too, but its errors point at the table instead of the line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    fixed: Option<Fixed>,
    uniform: Option<Bounds>,
    log_normal: Option<LogNormal>,
    by_tokens: Option<ByTokens>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedBounds {
    least_ms: NotNegative,
    most_ms: NotNegative,
}

impl TryFrom<Keys> for Latency {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        match keys {
            Keys { fixed: Some(it), uniform: None, log_normal: None, by_tokens: None } => Ok(Self::Fixed(it)),
            Keys { fixed: None, uniform: Some(it), log_normal: None, by_tokens: None } => {
                Ok(Self::Uniform(it))
            }
            Keys { fixed: None, uniform: None, log_normal: Some(it), by_tokens: None } => {
                Ok(Self::LogNormal(it))
            }
            Keys { fixed: None, uniform: None, log_normal: None, by_tokens: Some(it) } => {
                Ok(Self::ByTokens(it))
            }
            _ => {
                Err("a latency is exactly one of `fixed`, `uniform`, `log_normal` and `by_tokens`: keep one")
            }
        }
    }
}

impl TryFrom<UncheckedBounds> for Bounds {
    type Error = String;

    fn try_from(bounds: UncheckedBounds) -> Result<Self, String> {
        let (least, most) = (bounds.least_ms.0, bounds.most_ms.0);
        if least <= most {
            Ok(Self { least, most })
        } else {
            Err(format!("least_ms = {least} lies above most_ms = {most}: swap them"))
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed(Fixed { ms: NotNegative(0.0) })
    }
}

impl Latency {
    /// The delay of one ask; `tokens` are those it generates.
    pub fn delay(&self, dice: Dice, tokens: u64) -> Duration {
        let ms = match self {
            Self::Fixed(Fixed { ms }) => ms.0,
            Self::Uniform(Bounds { least, most }) => least + (most - least) * dice.draw(PURPOSE),
            Self::LogNormal(LogNormal { median_ms, sigma }) => {
                median_ms.0 * (sigma.0 * dice.normal(PURPOSE)).exp()
            }
            Self::ByTokens(ByTokens { base_ms, ms_per_token }) => base_ms.0 + ms_per_token.0 * tokens as f64,
        };
        Duration::from_secs_f64(ms / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, ByTokens, Latency, LogNormal};
    use crate::dice::Dice;
    use crate::number::{NotNegative, Positive};

    /// Delays of 2,001 asks in milliseconds, sorted.
    fn delays(latency: &Latency, tokens: u64) -> Vec<f64> {
        let delay = |key| latency.delay(Dice::new(1, key, 0), tokens).as_secs_f64() * 1000.0;
        let mut delays: Vec<f64> = (0..2_001).map(delay).collect();
        delays.sort_unstable_by(f64::total_cmp);
        delays
    }

    #[test]
    fn uniform_delays_keep_to_their_bounds_and_fill_them() {
        let delays = delays(&Latency::Uniform(Bounds { least: 10.0, most: 50.0 }), 0);

        assert!(delays[0] >= 10.0 && delays[0] < 11.0 && delays[2_000] > 49.0 && delays[2_000] < 50.0);
    }

    #[test]
    fn log_normal_delays_have_their_median_and_spread() {
        let delays = delays(
            &Latency::LogNormal(LogNormal { median_ms: Positive(14_700.0), sigma: NotNegative(0.28) }),
            0,
        );

        assert!((delays[1_000] / 14_700.0 - 1.0).abs() < 0.03, "{}", delays[1_000]);
        let p90 = delays[1_800] / delays[1_000];
        assert!((p90 / (1.2816_f64 * 0.28).exp() - 1.0).abs() < 0.04, "{p90}");
    }

    #[test]
    fn delays_by_tokens_grow_with_what_is_generated() {
        let latency =
            Latency::ByTokens(ByTokens { base_ms: NotNegative(300.0), ms_per_token: NotNegative(2.0) });

        assert_eq!(delays(&latency, 100)[0], 500.0);
        assert_eq!(delays(&latency, 0)[2_000], 300.0);
    }
}
