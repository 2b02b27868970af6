//! A bar told in lines: `control 120/489 25 % · 4.1/s · ETA 1m 30s · message`.
//!
//! Pure: the time since the start is an argument.

use std::time::Duration;

use crate::PLAIN_INTERVAL;

pub(crate) struct Lines {
    name: String,
    total: u64,
    position: u64,
    resumed_at: u64,
    message: String,
    next: Duration,
}

impl Lines {
    pub(crate) fn new(name: &str, total: u64) -> Self {
        Self {
            name: name.to_owned(),
            total,
            position: 0,
            resumed_at: 0,
            message: String::new(),
            next: PLAIN_INTERVAL,
        }
    }

    pub(crate) fn resume_at(&mut self, position: u64) {
        (self.position, self.resumed_at) = (position, position);
    }

    pub(crate) fn message(&mut self, message: String) {
        self.message = message;
    }

    /// Moves on; returns a line when one is due.
    pub(crate) fn set(&mut self, elapsed: Duration, position: u64) -> Option<String> {
        self.position = position;
        if elapsed < self.next {
            return None;
        }
        self.next = elapsed + PLAIN_INTERVAL;
        Some(self.line(elapsed, true))
    }

    /// The line of a bar that has ended: what is left will not come by itself.
    pub(crate) fn last(&self, elapsed: Duration) -> String {
        self.line(elapsed, false)
    }

    fn line(&self, elapsed: Duration, goes_on: bool) -> String {
        let rate = self.position.saturating_sub(self.resumed_at) as f64 / elapsed.as_secs_f64().max(1e-3);
        let mut line = format!("{} {}", self.name, self.position);
        if self.total > 0 {
            line += &format!("/{} {:.0} %", self.total, 100.0 * self.position as f64 / self.total as f64);
        }
        if rate > 0.0 {
            line += &format!(" · {rate:.1}/s");
        }
        let left = self.total.saturating_sub(self.position);
        if goes_on && rate > 0.0 && left > 0 {
            line += &format!(" · ETA {}", duration(left as f64 / rate));
        }
        if !self.message.is_empty() {
            line += &format!(" · {}", self.message);
        }
        line
    }
}

/// `45s`, `1m 30s`, `2h 05m`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_every_ten_seconds_and_counts_only_its_own_work() {
        let mut lines = Lines::new("aba", 400);
        lines.resume_at(100);
        lines.message("3 429s".into());
        assert_eq!(lines.set(Duration::from_secs(9), 150), None);
        let line = lines.set(Duration::from_secs(20), 200).unwrap();
        assert_eq!(line, "aba 200/400 50 % · 5.0/s · ETA 40s · 3 429s");
        assert_eq!(lines.set(Duration::from_secs(29), 201), None);
        assert_eq!(lines.last(Duration::from_secs(30)), "aba 201/400 50 % · 3.4/s · 3 429s");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!([duration(44.2), duration(90.0), duration(7500.0)], ["45s", "1m 30s", "2h 05m"]);
    }

    #[test]
    fn nothing_done_yet_promises_nothing() {
        assert_eq!(Lines::new("rows", 0).last(Duration::from_secs(3)), "rows 0");
    }
}
