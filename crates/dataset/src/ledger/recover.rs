//! Sets aside what a crash left in a ledger: a piece of a line at its end, lines with unwritten blocks in them.
//!
//! What is set aside is on the disk in `sft_<arm>.torn-<n>` before it leaves the ledger. Every other line stays, byte
//! for byte.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::scan::{Scan, Tail};

/// What was done to a ledger that a crash had left unclean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Where the pieces lie now; `None` where the last row had only lacked its line end.
    pub set_aside: Option<PathBuf>,
    /// Bytes in these pieces.
    pub bytes: u64,
}

impl Recovery {
    /// Says what was done to the ledger at `path`, for a person.
    pub fn describe(&self, path: &Path) -> String {
        match &self.set_aside {
            Some(torn) => format!(
                "{}: an earlier run was cut off; {} bytes that are no whole row are now in {}",
                path.display(),
                self.bytes,
                torn.display()
            ),
            None => format!("{}: the last row lacked its line end and has it now", path.display()),
        }
    }
}

/// Makes the ledger at `path` end with a whole line. `torn` names the `n`-th file that pieces may go to.
///
/// # Errors
/// What the system says. The ledger is then as it was.
pub fn recover(path: &Path, scan: &Scan, torn: impl Fn(usize) -> PathBuf) -> io::Result<Option<Recovery>> {
    if scan.damaged.is_empty() && scan.tail == Tail::Whole {
        return Ok(None);
    }
    let mut pieces = scan.damaged.clone();
    if let Tail::Torn(start) = scan.tail {
        pieces.push(start..scan.bytes);
    }
    let bytes = pieces.iter().map(|piece| piece.end - piece.start).sum();
    let set_aside = if pieces.is_empty() { None } else { Some(copy_out(path, &pieces, torn)?) };
    match suffix(&pieces, scan.bytes) {
        Some(start) => {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(start)?;
            file.sync_all()?;
        }
        None => rewrite(path, &pieces)?,
    }
    if scan.tail == Tail::Unterminated {
        let mut file = OpenOptions::new().append(true).open(path)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
    }
    Ok(Some(Recovery { set_aside, bytes }))
}

/// Where the pieces begin, if they are the end of the file and nothing else.
fn suffix(pieces: &[Range<u64>], length: u64) -> Option<u64> {
    pieces.iter().rev().try_fold(length, |end, piece| (piece.end == end).then_some(piece.start))
}

fn copy_out(path: &Path, pieces: &[Range<u64>], torn: impl Fn(usize) -> PathBuf) -> io::Result<PathBuf> {
    let mut ledger = File::open(path)?;
    let mut n = 1;
    let (mut file, name) = loop {
        let name = torn(n);
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(file) => break (file, name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err(error),
        }
    };
    for piece in pieces {
        copy(&mut ledger, piece, &mut file)?;
    }
    file.sync_all()?;
    sync_folder(path)?;
    Ok(name)
}

/// Puts a ledger without the pieces in the place of this one, in one step.
fn rewrite(path: &Path, pieces: &[Range<u64>]) -> io::Result<()> {
    let mut ledger = File::open(path)?;
    let length = ledger.metadata()?.len();
    let new = path.with_extension("jsonl.new");
    let mut file = File::create(&new)?;
    let mut start = 0;
    for piece in pieces {
        copy(&mut ledger, &(start..piece.start), &mut file)?;
        start = piece.end;
    }
    copy(&mut ledger, &(start..length), &mut file)?;
    file.sync_all()?;
    drop((file, ledger));
    std::fs::rename(&new, path)?;
    sync_folder(path)
}

fn copy(from: &mut File, range: &Range<u64>, to: &mut File) -> io::Result<()> {
    from.seek(SeekFrom::Start(range.start))?;
    let wanted = range.end - range.start;
    let copied = io::copy(&mut from.take(wanted), to)?;
    if copied == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Makes a new name in the folder of `path` outlast a power cut.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Windows writes names through on its own and lets no one sync a folder.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layout, ledger::Ledger};

    const ROWS: [&str; 3] = [
        "{\"instruction\": \"caf\u{e9} \u{1f600}\", \"output\": \"1\"}\n",
        "{\"format\":1,\"instruction\":\"b\",\"output\":\"2\"}\n",
        "{\"instruction\":\"c\u{2014}\",\"output\":\"\u{e9}3\"}\n",
    ];

    /// Opens a ledger with these bytes in it, appends whichever rows it lacks, and returns what is in the folder.
    fn finish(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(folder.path()), "x");
        std::fs::write(layout.ledger("aba"), bytes).unwrap();
        let (ledger, scan, _) = Ledger::open(&layout, "aba").unwrap();
        let (mut file, _lock) = ledger.into_parts();
        for row in ROWS {
            let row_value: serde_json::Value = serde_json::from_str(row).unwrap();
            if scan.index.find(row_value["instruction"].as_str().unwrap()).is_none() {
                file.append(row.as_bytes()).unwrap();
            }
        }
        file.sync().unwrap();
        let torn = std::fs::read(layout.torn("aba", 1)).unwrap_or_default();
        (std::fs::read(layout.ledger("aba")).unwrap(), torn)
    }

    #[test]
    fn killed_at_every_byte_of_an_append_the_next_run_ends_up_with_the_same_ledger() {
        let whole = ROWS.concat().into_bytes();
        for cut in 0..=whole.len() {
            let (ledger, torn) = finish(&whole[..cut]);
            assert_eq!(ledger, whole, "cut at {cut}");
            let last_end = whole[..cut].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let lacks_only_its_end = whole.get(cut) == Some(&b'\n');
            let expected: &[u8] = if lacks_only_its_end { b"" } else { &whole[last_end..cut] };
            assert_eq!(torn, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_tail_of_nuls_is_set_aside() {
        let mut bytes = ROWS[0].as_bytes().to_vec();
        bytes.extend_from_slice(&[0; 5000]);
        assert_eq!(finish(&bytes), (ROWS.concat().into_bytes(), vec![0; 5000]));
    }

    #[test]
    fn unwritten_blocks_are_set_aside_and_rows_after_them_stay() {
        let bytes = [ROWS[0].as_bytes(), b"{\"instr\0\0\0\0\n", ROWS[2].as_bytes(), b"{\"in"].concat();
        let (ledger, torn) = finish(&bytes);
        assert_eq!(ledger, [ROWS[0], ROWS[2], ROWS[1]].concat().into_bytes());
        assert_eq!(torn, b"{\"instr\0\0\0\0\n{\"in");
    }

    #[test]
    fn a_clean_ledger_is_left_alone_and_pieces_get_a_name_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(folder.path()), "x");
        std::fs::write(layout.torn("aba", 1), "older").unwrap();
        std::fs::write(layout.ledger("aba"), [ROWS[0], "{"].concat()).unwrap();
        let (_, _, recovery) = Ledger::open(&layout, "aba").unwrap();
        assert_eq!(recovery, Some(Recovery { set_aside: Some(layout.torn("aba", 2)), bytes: 1 }));
        let (_, _, recovery) = Ledger::open(&layout, "aba").unwrap();
        assert_eq!(recovery, None);
    }
}
