//! TensorBoard event files, written by hand: TFRecords that hold `Event` messages with scalar summaries.
//!
//! A record is its length (8 bytes), a masked CRC-32C of those, the message, and a masked CRC-32C of the message, all
//! little-endian (`tensorflow/core/lib/io/record_writer.h`); fields are numbered as in `event.proto` and
//! `summary.proto`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::record::metrics::Line;

/// The file's name; TensorBoard looks for `tfevents` in it.
pub const FILE: &str = "events.out.tfevents.0.train";

/// An open event file.
#[derive(Debug)]
pub struct Events(File);

impl Events {
    /// Makes the file in `folder` anew. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(folder: &Path, now: f64) -> std::io::Result<Self> {
        let mut file = File::create(folder.join(FILE))?;
        let mut event = Vec::new();
        double(&mut event, 1, now);
        bytes(&mut event, 3, b"brain.Event:2");
        file.write_all(&record(&event))?;
        Ok(Self(file))
    }

    /// Appends the scalars of a step.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&mut self, line: &Line, now: f64) -> std::io::Result<()> {
        self.0.write_all(&record(&step(line, now)))
    }
}

fn step(line: &Line, now: f64) -> Vec<u8> {
    let scalars = [
        ("train/loss", Some(line.loss)),
        ("train/learning_rate", Some(line.learning_rate)),
        ("train/grad_norm", Some(line.grad_norm)),
        ("train/supervised_tokens", Some(line.supervised_tokens as f64)),
        ("speed/tokens_per_second", Some(line.tokens_per_second)),
        ("memory/peak_bytes", line.peak_memory_bytes.map(|bytes| bytes as f64)),
    ];
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let Some(value) = value else { continue };
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, tag.as_bytes());
        key(&mut scalar, 2, 5);
        scalar.extend((value as f32).to_le_bytes());
        bytes(&mut summary, 1, &scalar);
    }
    let mut event = Vec::new();
    double(&mut event, 1, now);
    key(&mut event, 2, 0);
    varint(&mut event, line.step);
    bytes(&mut event, 5, &summary);
    event
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(crc32c(&length)).to_le_bytes());
    record.extend(message);
    record.extend(masked(crc32c(message)).to_le_bytes());
    record
}

/// A checksum of data that holds checksums is weak, so TFRecords turn and shift theirs.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected, a bit at a time: an event has a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

fn key(message: &mut Vec<u8>, field: u64, wire: u64) {
    varint(message, (field << 3) | wire);
}

fn double(message: &mut Vec<u8>, field: u64, value: f64) {
    key(message, field, 1);
    message.extend(value.to_le_bytes());
}

fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(message, field, 2);
    varint(message, value.len() as u64);
    message.extend(value);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_step_is_the_message_that_protobuf_encodes() {
        let mut message = Vec::new();
        double(&mut message, 1, 1.5);
        key(&mut message, 2, 0);
        varint(&mut message, 300);
        bytes(&mut message, 5, b"x");
        // 0x09 double, 0x10 varint 300 = ac 02, 0x2a bytes.
        assert_eq!(message, [9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x10, 0xac, 2, 0x2a, 1, b'x']);
    }

    #[test]
    fn a_file_is_a_row_of_records_whose_checksums_hold() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::create(folder.path(), 1.0).unwrap();
        events.append(&crate::record::metrics::tests::line(1, 2.0), 2.0).unwrap();
        let file = std::fs::read(folder.path().join(FILE)).unwrap();
        let (mut rest, mut count) = (file.as_slice(), 0);
        while let Some((length, tail)) = rest.split_first_chunk::<8>() {
            let size = u64::from_le_bytes(*length) as usize;
            assert_eq!(tail[..4], masked(crc32c(length)).to_le_bytes());
            assert_eq!(tail[4 + size..8 + size], masked(crc32c(&tail[4..4 + size])).to_le_bytes());
            rest = &tail[8 + size..];
            count += 1;
        }
        assert_eq!((count, rest.len()), (2, 0));
    }
}
