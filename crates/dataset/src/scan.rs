//! What a ledger holds, read once from front to back: the index that a resume needs, and what is amiss.
//!
//! A line counts as a row when it is whole JSON of a row's shape; whether the answer is any good is the gate's to say.
//! Reads and never writes: [`crate::ledger`] acts on what is found.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::key::{Short, Tag, short_of_text, tag_of_hex};

/// Bytes asked of the system at a time.
const CHUNK: usize = 1 << 20;
/// Lines that are no rows are counted, and the first few described.
const DESCRIBED: usize = 10;

/// What a ledger holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Which prompts have a row.
    pub index: Index,
    /// Lines that are rows.
    pub rows: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Tokens of all rows.
    pub tokens: Totals,
    /// Lines that are neither rows nor crash damage. They stay where they are.
    pub strange: u64,
    /// The first few of these.
    pub described: Vec<Strange>,
    /// Byte ranges of whole lines with NULs in them: blocks that a crash left unwritten.
    pub damaged: Vec<Range<u64>>,
    /// How the file ends.
    pub tail: Tail,
}

/// How a ledger ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tail {
    /// With a line's end, or it is empty.
    #[default]
    Whole,
    /// With a row that only lacks its line end.
    Unterminated,
    /// With a piece of a line, from this byte on.
    Torn(u64),
}

/// A line that is not a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strange {
    /// The line, from 1.
    pub line: u64,
    /// Why it is not a row.
    pub what: String,
}

/// Tokens of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Prompt tokens.
    pub input: u64,
    /// Visible text and hidden thoughts.
    pub billed_output: u64,
}

/// Which prompts have a row, by hashes: at most 58 bytes a row, and half as many again while it grows.
#[derive(Debug, Default)]
pub struct Index {
    /// From the prompt's text to the row's key; Python's rows have none and get zeros.
    rows: HashMap<Short, Tag>,
}

/// What the index knows of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A row of the Python script, which has no key.
    Unkeyed,
    /// A row with this key.
    Key(Tag),
}

impl Index {
    /// Looks a prompt up by its text.
    pub fn find(&self, instruction: &str) -> Option<Found> {
        self.rows.get(&short_of_text(instruction)).map(|key| match *key {
            UNKEYED => Found::Unkeyed,
            key => Found::Key(key),
        })
    }

    /// Notes that a prompt has a row.
    pub fn insert(&mut self, instruction: &str, key: Option<Tag>) {
        self.rows.insert(short_of_text(instruction), key.unwrap_or(UNKEYED));
    }

    /// Prompts that have a row.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no prompt has one.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

const UNKEYED: Tag = [0; 8];

/// Reads the ledger at `path`; a missing file is an empty ledger.
///
/// # Errors
/// What the system says, if the file can be neither opened nor read.
pub fn scan(path: &Path) -> io::Result<Scan> {
    match File::open(path) {
        Ok(file) => read(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Scan::default()),
        Err(error) => Err(error),
    }
}

fn read(mut source: impl Read) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut buffer = vec![0; CHUNK];
    let (mut held, mut searched, mut line) = (0, 0, 0);
    loop {
        if held == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let count = match source.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        held += count;
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[searched.max(start)..held]) {
            let end = searched.max(start) + length;
            line += 1;
            scan.line(line, &buffer[start..end]);
            start = end + 1;
        }
        buffer.copy_within(start..held, 0);
        held -= start;
        searched = held;
    }
    scan.end(&buffer[..held]);
    Ok(scan)
}

/// The part of a row that resuming needs. What is not named here is still read as JSON.
#[derive(Deserialize)]
struct Slim<'a> {
    #[serde(borrow)]
    key: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    instruction: std::borrow::Cow<'a, str>,
    #[serde(rename = "output")]
    _output: IgnoredAny,
    #[serde(default)]
    token_stats: Option<SlimTokens>,
}

#[derive(Deserialize)]
struct SlimTokens {
    #[serde(default)]
    input: u64,
    #[serde(default)]
    output: u64,
    thoughts: Option<u64>,
    #[serde(default)]
    total: u64,
}

impl Scan {
    /// Takes a line without its end.
    fn line(&mut self, number: u64, line: &[u8]) {
        let start = self.bytes;
        self.bytes += line.len() as u64 + 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match slim(line) {
            Ok(slim) => self.row(&slim),
            Err(_) if memchr::memchr(0, line).is_some() => self.damaged.push(start..self.bytes),
            Err(what) => {
                self.strange += 1;
                if self.described.len() < DESCRIBED {
                    self.described.push(Strange { line: number, what });
                }
            }
        }
    }

    /// Takes what stands after the last line's end.
    fn end(&mut self, rest: &[u8]) {
        let start = self.bytes;
        self.bytes += rest.len() as u64;
        if rest.is_empty() {
            return;
        }
        match slim(rest) {
            Ok(slim) => {
                self.row(&slim);
                self.tail = Tail::Unterminated;
            }
            Err(_) => self.tail = Tail::Torn(start),
        }
    }

    fn row(&mut self, slim: &Slim<'_>) {
        self.rows += 1;
        self.index.insert(&slim.instruction, slim.key.as_deref().and_then(tag_of_hex));
        if let Some(tokens) = &slim.token_stats {
            let billed = match tokens.thoughts {
                Some(thoughts) => tokens.output.saturating_add(thoughts),
                None => tokens.output.max(tokens.total.saturating_sub(tokens.input)),
            };
            self.tokens.input = self.tokens.input.saturating_add(tokens.input);
            self.tokens.billed_output = self.tokens.billed_output.saturating_add(billed);
        }
    }
}

fn slim(line: &[u8]) -> Result<Slim<'_>, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 from its byte {} on", error.valid_up_to() + 1))?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"{"format":1,"key":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","instruction":"a \"b\" \u00e9","output":"x","meta":{},"token_stats":{"input":1,"output":2,"thoughts":3,"total":6}}"#;
    const PYTHON: &str = r#"{"instruction": "c", "output": "y", "meta": {"model_type": "aba"}, "token_stats": {"input": 10, "output": 20, "total": 90}}"#;

    /// Reads a byte at a time, so that every line spans reads.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn check(bytes: &[u8]) -> Scan {
        let scan = read(bytes).unwrap();
        let dripped = read(Drip(bytes)).unwrap();
        assert_eq!(format!("{scan:?}").len(), format!("{dripped:?}").len());
        assert_eq!(scan.bytes, bytes.len() as u64);
        scan
    }

    #[test]
    fn finds_our_rows_by_key_and_pythons_by_text() {
        let scan = check(format!("{OURS}\n\n{PYTHON}\r\n").as_bytes());
        let key = tag_of_hex("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").unwrap();
        assert_eq!(scan.index.find("a \"b\" é"), Some(Found::Key(key)));
        assert_eq!(scan.index.find("c"), Some(Found::Unkeyed));
        assert_eq!(scan.index.find("d"), None);
        assert_eq!((scan.rows, scan.tail), (2, Tail::Whole));
        assert_eq!(scan.tokens, Totals { input: 11, billed_output: 85 });
    }

    #[test]
    fn counts_that_no_reply_can_have_cost_no_row() {
        let most = format!("\"input\":{0},\"output\":{0},\"thoughts\":{0},\"total\":{0}", u64::MAX);
        let row = format!("{{\"instruction\":\"a\",\"output\":\"b\",\"token_stats\":{{{most}}}}}\n");
        let scan = check(row.repeat(2).as_bytes());
        assert_eq!(scan.tokens, Totals { input: u64::MAX, billed_output: u64::MAX });
        assert_eq!(scan.rows, 2);
    }

    #[test]
    fn tells_a_torn_tail_from_a_row_that_lacks_its_line_end() {
        let whole = format!("{PYTHON}\n{OURS}");
        for cut in PYTHON.len() + 2..whole.len() {
            assert_eq!(check(&whole.as_bytes()[..cut]).tail, Tail::Torn(PYTHON.len() as u64 + 1), "{cut}");
        }
        assert_eq!(check(whole.as_bytes()).tail, Tail::Unterminated);
        assert_eq!(check(whole.as_bytes()).rows, 2);
    }

    #[test]
    fn tells_crash_damage_from_lines_that_somebody_wrote() {
        let mut bytes = format!("{OURS}\n").into_bytes();
        let start = bytes.len() as u64;
        bytes.extend_from_slice(b"{\"instr\0\0\0\0\0\"}\n");
        let end = bytes.len() as u64;
        bytes.extend_from_slice(b"{\"instruction\": \"caf\xe9\", \"output\": \"\"}\n{}\n");
        bytes.extend_from_slice(format!("{PYTHON}\n\0\0\0").as_bytes());
        let scan = check(&bytes);
        assert_eq!((scan.damaged.len(), &scan.damaged[0]), (1, &(start..end)));
        assert_eq!(scan.tail, Tail::Torn(bytes.len() as u64 - 3));
        let described: Vec<(u64, &str)> =
            scan.described.iter().map(|strange| (strange.line, strange.what.as_str())).collect();
        assert_eq!(
            described,
            [(3, "not UTF-8 from its byte 21 on"), (4, "missing field `instruction` at line 1 column 2")]
        );
        assert_eq!(scan.rows, 2);
    }
}
