//! Reading a file in large pieces that end where a line ends, while someone else works on the piece before.

use std::io::{ErrorKind, Read};

/// The longest line that is looked at, in bytes. A row has some thousand, and the largest answer that a model gives
/// some hundred thousand.
pub const MAX_LINE: usize = 1 << 20;

/// Bytes that are read for a piece. Two pieces a file are in memory at a time, each with what the one before left over.
/// More than [`MAX_LINE`], so that a line that does not end in a piece is known to be too long; and no more than that
/// asks for, because a piece is best judged and hashed while it is in a core's own cache.
const WAVE: usize = MAX_LINE + (256 << 10);

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
        let left = &before.bytes[before.whole..];
        self.bytes.resize(left.len() + WAVE, 0);
        let (start, rest) = self.bytes.split_at_mut(left.len());
        start.copy_from_slice(left);
        let got = read(file, rest)?;
        self.bytes.truncate(left.len() + got);
        self.last = got < WAVE;
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

/// Reads until `bytes` are full or nothing follows; returns how many were read.
fn read(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match file.read(&mut bytes[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
