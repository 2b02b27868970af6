//! How much a prompt makes the model think before it writes.

use serde::Deserialize;

use crate::dice::Dice;
use crate::number::{NotNegative, Positive};

const PURPOSE: u64 = 0x7_4047;

/// The `[thoughts]` table: hidden tokens at thinking level high, log-normal over prompts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thoughts {
    /// Half of the prompts need fewer; 700 by default.
    #[serde(default = "median")]
    pub median: Positive,
    /// Spread; 0.5 by default.
    #[serde(default = "sigma")]
    pub sigma: NotNegative,
}

fn median() -> Positive {
    Positive(700.0)
}

fn sigma() -> NotNegative {
    NotNegative(0.5)
}

impl Default for Thoughts {
    fn default() -> Self {
        Self { median: median(), sigma: sigma() }
    }
}

/// What a request says about thinking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// The model's default, or a level: a factor on the thoughts of level high.
    Level(f64),
    /// At most so many tokens.
    Budget(u64),
}

impl Thoughts {
    /// Hidden tokens. `dice` must not depend on the ask: a prompt that is asked again thinks as long.
    pub fn tokens(&self, dice: Dice, effort: Effort) -> u64 {
        let whole = self.median.0 * (self.sigma.0 * dice.normal(PURPOSE)).exp();
        match effort {
            Effort::Level(factor) => (whole * factor).round() as u64,
            Effort::Budget(most) => (whole.round() as u64).min(most),
        }
    }
}
