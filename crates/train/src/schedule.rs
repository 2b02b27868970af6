//! The learning rate as a pure function of the step.
//!
//! The linear warm-up of transformers gives the first step a rate of 0, which spends a step on nothing. As in nanoGPT,
//! the first of `warmup` steps has `peak / (warmup + 1)` here; from step `warmup` on, both give the same rates.

use crate::recipe;

/// A schedule over a known number of steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest rate; step `warmup` has it.
    pub peak: f64,
    /// Steps before it.
    pub warmup: u32,
    /// All steps.
    pub steps: u32,
    /// What follows the warm-up.
    pub shape: recipe::Schedule,
}

impl Schedule {
    /// The rate of `step`, counted from 0.
    pub fn rate(&self, step: u32) -> f64 {
        if step < self.warmup {
            return self.peak * f64::from(step + 1) / f64::from(self.warmup + 1);
        }
        let gone = f64::from(step - self.warmup) / f64::from(self.steps.saturating_sub(self.warmup).max(1));
        let gone = gone.min(1.0);
        match self.shape {
            recipe::Schedule::Constant => self.peak,
            recipe::Schedule::Linear => self.peak * (1.0 - gone),
            recipe::Schedule::Cosine => self.peak * 0.5 * (1.0 + (std::f64::consts::PI * gone).cos()),
        }
    }
}

/// Steps of warm-up when nobody says how many: 3 % of all, rounded up.
pub fn default_warmup(steps: u32) -> u32 {
    (u64::from(steps) * 3).div_ceil(100) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: recipe::Schedule, warmup: u32, expected: &[f64]) {
        let schedule = Schedule { peak: 1.0, warmup, steps: expected.len() as u32, shape };
        for (step, rate) in (0..).zip(expected) {
            assert!((schedule.rate(step) - rate).abs() < 1e-12, "{shape:?} {step}: {}", schedule.rate(step));
        }
    }

    #[test]
    fn rates_rise_and_fall_as_written_down() {
        check(recipe::Schedule::Constant, 0, &[1.0, 1.0, 1.0]);
        check(recipe::Schedule::Linear, 0, &[1.0, 0.75, 0.5, 0.25]);
        check(recipe::Schedule::Linear, 1, &[0.5, 1.0, 0.5]);
        // transformers.get_cosine_schedule_with_warmup(warmup = 2, steps = 6) gives the same from step 2 on.
        check(
            recipe::Schedule::Cosine,
            2,
            &[1.0 / 3.0, 2.0 / 3.0, 1.0, 0.853_553_390_593_273_7, 0.5, 0.146_446_609_406_726_2],
        );
    }

    #[test]
    fn no_step_has_a_rate_of_zero() {
        for shape in [recipe::Schedule::Linear, recipe::Schedule::Cosine, recipe::Schedule::Constant] {
            for (warmup, steps) in [(0, 1), (1, 1), (3, 100), (9, 9)] {
                let schedule = Schedule { peak: 2e-4, warmup, steps, shape };
                assert!((0..steps).all(|step| schedule.rate(step) > 0.0), "{shape:?} {warmup}/{steps}");
            }
        }
    }
}
