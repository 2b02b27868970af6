//! Files that are no ledger, or a torn one. The reader asks; this says it in words.

use super::Failure;
use crate::excerpt;

/// What Windows programs put before UTF-8.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// First bytes of other kinds of files.
const KINDS: [(&[u8], &str); 9] = [
    (b"\x1f\x8b", "a gzip file; unpack it"),
    (b"PK\x03\x04", "a zip file; unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"%PDF", "a PDF"),
    (b"\xff\xfe", "UTF-16 text; write it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; write it as UTF-8"),
    (b"[", "a JSON array; a ledger has one row a line"),
];

/// Says which other kind of file begins with `bytes`, if it is plain from them.
pub fn foreign(bytes: &[u8]) -> Option<Failure> {
    let (_, kind) = KINDS.iter().find(|(magic, _)| bytes.starts_with(magic))?;
    let excerpt = excerpt::lossy(&bytes[..bytes.len().min(60)], 0);
    Failure::new(format!("the file is not a ledger but {kind}"), excerpt)
}

/// The last line has no newline.
pub fn torn() -> Failure {
    Failure {
        message: "the last line has no newline: its writer may have died in it; run `cargo xtask gen`, which sets a torn tail aside"
            .into(),
        excerpt: String::new(),
    }
}

/// The file begins with a byte-order mark.
pub fn marked() -> Failure {
    Failure {
        message: "the file begins with a byte-order mark, which is no JSON; an editor rewrote the ledger"
            .into(),
        excerpt: String::new(),
    }
}
