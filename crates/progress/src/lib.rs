//! Bars on a terminal, plain lines in a pipe, nothing when hidden.
//!
//! The only crate that knows indicatif and the only library that writes to standard error. It knows nothing of rows,
//! rates or losses: those who do hand it a position and a sentence.

mod bar;
mod plain;
mod writer;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::MultiProgress;

pub use bar::Bar;
pub use writer::ProgressWriter;

/// How long a plain bar keeps silent between two lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Bars when standard error is a terminal that can draw them, plain lines otherwise.
    #[default]
    Auto,
    /// A line every ten seconds and one at the end: for pipes and logs.
    Plain,
    /// Nothing at all: for tests and for output that a program reads.
    Hidden,
}

/// All that one command shows on standard error while it works. Clones share the same screen.
#[derive(Clone)]
pub struct Progress {
    screen: Screen,
}

#[derive(Clone)]
enum Screen {
    Bars(MultiProgress),
    Plain(Sink),
    Hidden,
}

/// Where plain lines go; shared, because bars and logs write to it from several threads.
type Sink = Arc<Mutex<dyn Write + Send>>;

impl Progress {
    /// Opens the screen on standard error. `TERM=dumb` and a pipe both get plain lines under [`Mode::Auto`].
    pub fn new(mode: Mode) -> Self {
        let drawable =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let screen = match mode {
            Mode::Hidden => Screen::Hidden,
            Mode::Auto if drawable => Screen::Bars(MultiProgress::new()),
            Mode::Auto | Mode::Plain => Screen::Plain(Arc::new(Mutex::new(std::io::stderr()))),
        };
        Self { screen }
    }

    /// Writes plain lines to `sink` instead of standard error.
    pub fn plain_to(sink: impl Write + Send + 'static) -> Self {
        Self { screen: Screen::Plain(Arc::new(Mutex::new(sink))) }
    }

    /// Adds a bar called `name` that ends at `total`. A total of 0 shows a count without an end.
    pub fn bar(&self, name: &str, total: u64) -> Bar {
        Bar::new(&self.screen, name, total)
    }

    /// Writes a line above the bars.
    pub fn say(&self, line: &str) {
        match &self.screen {
            // A line that a closed terminal does not take is no reason to end a paid run.
            Screen::Bars(bars) => drop(bars.println(line)),
            Screen::Plain(sink) => write_line(sink, line),
            Screen::Hidden => {}
        }
    }

    /// Whether bars are drawn, so that a caller may spend words on colour.
    pub fn draws(&self) -> bool {
        matches!(self.screen, Screen::Bars(_))
    }

    /// Returns a maker of writers for log lines, which go above the bars rather than through them.
    pub fn writer(&self) -> impl Fn() -> ProgressWriter + Send + Sync + 'static {
        let screen = self.screen.clone();
        move || ProgressWriter::new(screen.clone())
    }
}

fn write_line(sink: &Sink, line: &str) {
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    // As above: nobody may be reading.
    drop(writeln!(sink, "{line}").and_then(|()| sink.flush()));
}
