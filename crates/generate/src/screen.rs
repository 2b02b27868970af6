//! One bar per arm, and lines above them.

use pacer::Snapshot;
use progress::{Bar, Progress};

use dataset::experiment::Price;

use crate::tally::Arm;

/// The bars of a run.
pub struct Screen {
    progress: Progress,
    bars: Vec<Bar>,
    price: Price,
}

impl Screen {
    /// Opens a bar for each arm.
    pub fn new(progress: Progress, names: &[String], arms: &[Arm], price: Price) -> Self {
        let bars = names.iter().zip(arms).map(|(name, arm)| {
            let bar = progress.bar(name, arm.total);
            bar.resume_at(arm.before);
            bar
        });
        Self { bars: bars.collect(), progress, price }
    }

    /// Shows the state of things.
    pub fn show(&self, arms: &[Arm], snapshot: &Snapshot) {
        for (bar, arm) in self.bars.iter().zip(arms) {
            bar.message(message(arm, snapshot, self.price));
            bar.set(arm.done());
        }
    }

    /// Writes a line above the bars.
    pub fn say(&self, line: &str) {
        self.progress.say(line);
    }

    /// Ends the bars where they stand.
    pub fn finish(&self) {
        self.bars.iter().for_each(Bar::finish);
    }
}

fn message(arm: &Arm, snapshot: &Snapshot, price: Price) -> String {
    let tokens = arm.input + arm.billed_output;
    let mut message = format!(
        "{} tokens · ${:.2} · {} 429s · {} in flight · {}",
        count(tokens),
        price.dollars(arm.input, arm.billed_output),
        arm.throttled,
        arm.in_flight,
        snapshot.phase,
    );
    if let Some(rate) = snapshot.rate {
        message += &format!(" at {rate:.1}/s");
    }
    message
}

/// `950`, `12.3 k`, `1.23 M`.
pub fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        _ => format!("{:.2} M", number as f64 / 1e6),
    }
}
