//! How much a prompt makes the model think before it writes.

use serde::Deserialize;

use crate::dice::Dice;
use crate::number::{NotNegative, Positive};

const PURPOSE: u64 = 0x7_4047;

/// Hidden tokens of a prompt whose text alone fills `with_text`.
const LEAST: f64 = 32.0;

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
    /// Whether `median` counts the visible text too, so that the share of answers that overrun a budget does not
    /// depend on how long the written answers are; it does not by default.
    #[serde(default)]
    pub with_text: bool,
}

fn median() -> Positive {
    Positive(700.0)
}

fn sigma() -> NotNegative {
    NotNegative(0.5)
}

impl Default for Thoughts {
    fn default() -> Self {
        Self { median: median(), sigma: sigma(), with_text: false }
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
    /// Hidden tokens beside `visible` ones. `dice` must not depend on the ask: a prompt that is asked again thinks as
    /// long.
    pub fn tokens(&self, dice: Dice, effort: Effort, visible: u64) -> u64 {
        let drawn = self.median.0 * (self.sigma.0 * dice.normal(PURPOSE)).exp();
        let whole = if self.with_text { (drawn - visible as f64).max(LEAST) } else { drawn };
        match effort {
            Effort::Level(factor) => (whole * factor).round() as u64,
            Effort::Budget(most) => (whole.round() as u64).min(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Effort, Thoughts};
    use crate::dice::Dice;
    use crate::number::{NotNegative, Positive};

    #[test]
    fn with_text_the_sum_is_what_the_median_says() {
        let thoughts = Thoughts { median: Positive(2_000.0), sigma: NotNegative(0.0), with_text: true };
        let dice = Dice::new(1, 2, 0);

        assert_eq!(thoughts.tokens(dice, Effort::Level(1.0), 600), 1_400);
        assert_eq!(thoughts.tokens(dice, Effort::Level(0.35), 600), 490);
        assert_eq!(thoughts.tokens(dice, Effort::Level(1.0), 5_000), 32);
    }
}
