//! Log lines that do not tear the bars.

use std::io::{self, Write};
use std::sync::PoisonError;

use crate::Screen;

/// Takes one log record and puts it above the bars, or into the plain stream; hidden, it swallows it.
pub struct ProgressWriter {
    screen: Screen,
}

impl ProgressWriter {
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen }
    }
}

impl Write for ProgressWriter {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        match &self.screen {
            Screen::Bars(bars) => bars.suspend(|| io::stderr().write_all(record))?,
            Screen::Plain(sink) => sink.lock().unwrap_or_else(PoisonError::into_inner).write_all(record)?,
            Screen::Hidden => {}
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
