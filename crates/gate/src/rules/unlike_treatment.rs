//! The arms are treated alike: as many rows asked again, the same usual settings. The first arm is the measure.
//!
//! With few rows the shares differ by chance, so a difference beyond the bound counts only where chance does not
//! explain it: a two-proportion z-test at 99 %.

use super::settings_drift::{agree, difference, usual};
use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::judge::Judged;

/// The 99 % point of the normal distribution, two-sided.
const Z: f64 = 2.576;

/// See the module.
pub fn check(context: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let mut failures = Vec::new();
    let bound = context.thresholds.unlike_share;
    let Some((measure, others)) = arms.split_first() else { return Outcome::default() };
    for (index, other) in others.iter().enumerate() {
        let arm = index + 1;
        let mut fail = |message| failures.push(SetFailure::new(arm, 0, message, String::new()));
        let (one, two) = (&measure.summary, &other.summary);
        if one.rows == 0 || two.rows == 0 {
            continue;
        }
        for (what, a, b) in [
            ("asked again with a larger budget", one.stats.escalated_rows, two.stats.escalated_rows),
            ("sampled again because of their form", one.stats.resampled_rows, two.stats.resampled_rows),
        ] {
            if differ((a, one.rows), (b, two.rows), bound) {
                fail(format!(
                    "{b} of {} rows of `{}` were {what}, and {a} of {} of `{}`",
                    two.rows, other.arm.name, one.rows, measure.arm.name
                ));
            }
        }
        if let (Some((usual_one, _)), Some((usual_two, _))) = (usual(one), usual(two))
            && !agree(usual_one, usual_two)
        {
            let difference = difference(usual_one, usual_two);
            fail(format!(
                "`{}` was asked otherwise than `{}`: {difference}",
                other.arm.name, measure.arm.name
            ));
        }
    }
    Outcome { failures, tolerated: false }
}

/// Whether `a.0` of `a.1` and `b.0` of `b.1` differ by more than `bound` and by more than chance.
fn differ(a: (usize, usize), b: (usize, usize), bound: f64) -> bool {
    let (rows_a, rows_b) = (a.1 as f64, b.1 as f64);
    let difference = (a.0 as f64 / rows_a - b.0 as f64 / rows_b).abs();
    let share = (a.0 + b.0) as f64 / (rows_a + rows_b);
    let deviation = (share * (1.0 - share) * (1.0 / rows_a + 1.0 / rows_b)).sqrt();
    difference > bound && difference > Z * deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_not_called_treatment() {
        assert!(!differ((0, 5), (1, 5), 0.05), "one of five says nothing");
        assert!(!differ((20, 489), (40, 489), 0.05), "within the bound");
        assert!(differ((20, 489), (80, 489), 0.05));
        assert!(differ((0, 20), (10, 20), 0.05));
        assert!(!differ((0, 20), (0, 20), 0.0));
    }
}
