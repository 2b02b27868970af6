//! Reading a file in large pieces that end where a line ends, while someone else works on the piece before.

use std::io::Read;

/// Bytes of a piece. Two pieces a file are in memory at a time.
const WAVE: usize = 2 << 20;

/// The longest line that is looked at, in bytes. A row has some thousand, and the largest answer that a model gives
/// some hundred thousand.
pub const MAX_LINE: usize = 1 << 20;

/// A piece of a file.
#[derive(Debug, Default)]
pub struct Wave {
    bytes: Vec<u8>,
    /// Bytes, from the start, that are whole lines.
    whole: usize,
    /// Nothing follows.
    last: bool,
    /// The first bytes continue a line that was given up as too long.
    continues_long_line: bool,
}

impl Wave {
    /// The whole lines, and at the end of the file also what follows the last newline.
    pub fn lines(&self) -> &[u8] {
        &self.bytes[..self.whole]
    }

    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// Whether the first line began in the wave before, which had no newline at all.
    pub fn continues_long_line(&self) -> bool {
        self.continues_long_line
    }

    /// Fills this wave with what follows `before` in `file`.
    ///
    /// # Errors
    /// What the system says of reading.
    pub fn fill(&mut self, before: &Self, file: &mut impl Read) -> std::io::Result<()> {
        self.bytes.clear();
        self.bytes.extend_from_slice(&before.bytes[before.whole..]);
        let wanted = WAVE.max(self.bytes.len()) - self.bytes.len();
        let got = file.by_ref().take(wanted as u64).read_to_end(&mut self.bytes)?;
        self.last = got < wanted;
        self.continues_long_line = !before.lines().is_empty() && before.lines().last() != Some(&b'\n');
        self.whole = match memchr::memrchr(b'\n', &self.bytes) {
            _ if self.last => self.bytes.len(),
            Some(at) if self.bytes.len() - at <= MAX_LINE => at + 1,
            // What is left is longer than any line may be. It is handed on in pieces, so that memory stays flat.
            _ => self.bytes.len(),
        };
        Ok(())
    }
}
