//! Steps that take several times as long as usual: on a machine that swaps, Windows above all, too little memory shows as
//! time and not as an error.
//!
//! Pure policy: it is told what a step took and decides whether that is worth a word. It reads no clock.

use std::fmt::Write as _;

/// How many times the median a step must take to be spoken of.
const SLOW: f64 = 4.0;

/// Steps before there is a median to hold others against.
const KNOWN: usize = 5;

/// The steps of a run so far.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Seconds a token, ascending.
    seen: Vec<f64>,
    said: bool,
}

/// A step that took too long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// How many times the median it took, a token.
    pub times: f64,
}

/// Memory when the step ended, in bytes, as far as the device says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// The most of this run.
    pub peak: Option<u64>,
    /// What nobody uses.
    pub free: Option<u64>,
    /// All of it.
    pub total: Option<u64>,
}

impl Pace {
    /// Takes note of a step of so many tokens a second. Steps are held against each other by their tokens, since rows
    /// have many lengths. The first slow one of a run is told, and no other.
    pub fn step(&mut self, tokens_per_second: f64) -> Option<Slow> {
        let taken = tokens_per_second.recip();
        if !taken.is_finite() || taken <= 0.0 {
            return None;
        }
        let times = (self.seen.len() >= KNOWN).then(|| taken / self.seen[self.seen.len() / 2]);
        let place = self.seen.partition_point(|&seen| seen < taken);
        self.seen.insert(place, taken);
        let times = times.filter(|&times| times >= SLOW && !self.said)?;
        self.said = true;
        Some(Slow { times })
    }
}

impl Slow {
    /// The warning, with what can be done.
    pub fn warning(self, step: u64, held: Held) -> String {
        let mut text = format!("step {step} took {:.0} times as long a token as the median step", self.times);
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        for (bytes, what) in [(held.peak, "held at most"), (held.free, "free"), (held.total, "in all")] {
            if let Some(bytes) = bytes {
                let _ = write!(text, "; {:.2} GiB {what}", gib(bytes));
            }
        }
        text.push_str(
            "; where memory is short, the system moves it to disk instead of failing: close what else needs it, and \
             if steps stay slow, stop with Ctrl-C and go on with --resume, or start anew with a smaller --max-seq-length, \
             --quantization nf4 or checkpointing",
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps, from 1, that are told.
    fn check(speeds: &[f64]) -> Vec<usize> {
        let mut pace = Pace::default();
        (1..).zip(speeds).filter_map(|(step, &speed)| pace.step(speed).map(|_| step)).collect()
    }

    #[test]
    fn the_first_step_of_several_times_the_median_is_told_once() {
        assert_eq!(check(&[100.0, 90.0, 110.0, 100.0, 95.0, 30.0, 20.0, 100.0, 10.0]), [7]);
    }

    #[test]
    fn slow_first_steps_and_ordinary_noise_are_not_told() {
        assert_eq!(check(&[10.0, 100.0, 100.0, 100.0, 100.0, 100.0, 60.0, 140.0, 26.0]), [0usize; 0]);
        assert_eq!(check(&[100.0, 100.0, 100.0, 100.0, 1.0]), [0usize; 0]);
    }

    #[test]
    fn a_speed_that_is_none_is_passed_over() {
        assert_eq!(check(&[f64::NAN, f64::INFINITY, 0.0, -1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0]), [10]);
    }

    #[test]
    fn the_warning_has_the_memory_and_the_remedy() {
        let held = Held { peak: Some(9 << 30), free: Some(1 << 28), total: None };
        let words = Slow { times: 6.2 }.warning(12, held);
        assert!(words.starts_with("step 12 took 6 times as long a token as the median step; 9.00 GiB held at most; 0.25 GiB free; where"), "{words}");
        assert!(words.contains("--resume") && words.contains("--quantization nf4"), "{words}");
    }
}
