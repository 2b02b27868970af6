//! One bar, drawn or told in lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::plain::Lines;
use crate::{Screen, Sink, write_line};

/// A count without an end.
const COUNT: &str = "{prefix:>10} {spinner} {pos} {wide_msg}";
/// A share of a known total.
const SHARE: &str = "{prefix:>8} {bar:6.cyan/dim} {pos}/{len} {rate} ETA {left:<3} {wide_msg}";

/// How far one piece of work has come. Clones move the same bar; dropping the last one leaves it as it stands.
#[derive(Clone)]
pub struct Bar {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Drawn { bar: ProgressBar, resumed_at: Arc<AtomicU64> },
    Lines { lines: Arc<Mutex<Lines>>, started: Instant, sink: Sink },
    Hidden,
}

impl Bar {
    pub(crate) fn new(screen: &Screen, name: &str, total: u64) -> Self {
        let form = match screen {
            Screen::Bars(bars) => {
                let resumed_at = Arc::new(AtomicU64::new(0));
                Form::Drawn { bar: draw(bars, name, total, Arc::clone(&resumed_at)), resumed_at }
            }
            Screen::Plain(sink) => Form::Lines {
                lines: Arc::new(Mutex::new(Lines::new(name, total))),
                started: Instant::now(),
                sink: sink.clone(),
            },
            Screen::Hidden => Form::Hidden,
        };
        Self { form }
    }

    /// States where the work stood when this process took it up, so that rate and ETA count only what it does itself.
    pub fn resume_at(&self, position: u64) {
        match &self.form {
            Form::Drawn { bar, resumed_at } => {
                resumed_at.store(position, Ordering::Relaxed);
                bar.set_position(position);
                // A bar that ticks by itself leaves the new position to its next tick, which would count it as work of
                // that moment; setting the length takes note of it at once.
                bar.set_length(bar.length().unwrap_or_default());
                bar.reset_eta();
            }
            Form::Lines { lines, .. } => lock(lines).resume_at(position),
            Form::Hidden => {}
        }
    }

    /// Moves the bar to `position`.
    pub fn set(&self, position: u64) {
        match &self.form {
            Form::Drawn { bar, .. } => bar.set_position(position),
            Form::Lines { lines, started, sink } => {
                if let Some(line) = lock(lines).set(started.elapsed(), position) {
                    write_line(sink, &line);
                }
            }
            Form::Hidden => {}
        }
    }

    /// Replaces the words behind the bar.
    pub fn message(&self, message: impl Into<String>) {
        match &self.form {
            Form::Drawn { bar, .. } => bar.set_message(message.into()),
            Form::Lines { lines, .. } => lock(lines).message(message.into()),
            Form::Hidden => {}
        }
    }

    /// Ends the bar where it stands; in plain lines, says so.
    pub fn finish(&self) {
        match &self.form {
            Form::Drawn { bar, .. } => bar.abandon(),
            Form::Lines { lines, started, sink } => {
                let line = lock(lines).last(started.elapsed());
                write_line(sink, &line);
            }
            Form::Hidden => {}
        }
    }
}

fn draw(bars: &indicatif::MultiProgress, name: &str, total: u64, resumed_at: Arc<AtomicU64>) -> ProgressBar {
    let form = if total == 0 { COUNT } else { SHARE };
    // Both forms are constants, and a test parses them.
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    // indicatif's own rate has nine decimals, which at 80 columns cost the message its place, and at the end it counts
    // what earlier runs did.
    let begun_at = Arc::clone(&resumed_at);
    // Nothing done yet promises nothing, and what is left when a bar has ended will not come by itself.
    let style = style.with_key("left", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let is_known = state.pos() > begun_at.load(Ordering::Relaxed) && !state.is_finished();
        let _ = match is_known {
            true => write!(out, "{:#}", HumanDuration(state.eta())),
            false => write!(out, "-"),
        };
    });
    let style = style.with_key("rate", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let rate = match state.pos().saturating_sub(resumed_at.load(Ordering::Relaxed)) {
            0 => 0.0,
            done if state.is_finished() => done as f64 / state.elapsed().as_secs_f64().max(1e-3),
            _ => state.per_sec(),
        };
        // A width that cannot be written is drawn without it.
        let _ = write!(out, "{rate:.1}/s");
    });
    let bar = bars.add(ProgressBar::new(total).with_style(style.progress_chars("━╸─")));
    bar.set_prefix(name.to_owned());
    // Without ticks of its own a bar that waits for the service looks hung.
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn lock(lines: &Mutex<Lines>) -> std::sync::MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io;

    use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal of 80 columns that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Narrow(Arc<Mutex<String>>);

    impl TermLike for Narrow {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn both_templates_are_valid() {
        for form in [COUNT, SHARE] {
            ProgressStyle::with_template(form).unwrap();
        }
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let bar = Bar::new(&Screen::Bars(bars), "control", 10);
        bar.resume_at(4);
        bar.set(5);
        let Form::Drawn { bar: drawn, .. } = &bar.form else { panic!("drawn") };
        assert_eq!(drawn.position(), 5);
    }

    #[test]
    fn eighty_columns_show_all_that_a_large_run_counts() {
        let terminal = Narrow::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let bars = MultiProgress::with_draw_target(target);
        let bar = Bar::new(&Screen::Bars(bars), "control", 489);
        bar.resume_at(488);
        bar.message("1.23 M tokens · $12.34 · 99 429s · 256 in flight · pinned at 12.3/s");
        bar.finish();
        let shown = terminal.0.lock().unwrap().clone();
        let rates: Vec<&str> = shown.split(' ').filter(|word| word.ends_with("/s")).collect();
        assert!(
            rates.len() > 1 && rates.iter().all(|rate| *rate == "0.0/s"),
            "nothing was done since: {shown}"
        );
        assert!(!shown.contains("ETA 0s"), "{shown}");
        assert!(shown.contains("· 256 in"), "{shown}");
    }
}
