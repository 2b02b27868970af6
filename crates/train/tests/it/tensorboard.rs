//! TensorBoard itself reads our event files, checksums and all.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use train::record::metrics::Line;
use train::record::tensorboard::{Events, FILE};

/// A tag and what it shows of a step.
type Scalar = (&'static str, fn(&Line) -> f64);

#[expect(clippy::print_stderr, reason = "a comparison that is left out says so")]
fn read(folder: &Path) -> Option<Output> {
    let Some(python) = std::env::var_os("REFERENCE_PYTHON") else {
        eprintln!("skipped: REFERENCE_PYTHON names no Python with tensorboard");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensorboard/read.py");
    Some(Command::new(python).arg(script).arg(folder).output().unwrap())
}

fn write(folder: &Path) -> Vec<Line> {
    let lines = (1..=300u64).map(|step| Line {
        step,
        loss: 3.0 / step as f64,
        learning_rate: 2e-4,
        grad_norm: 0.5 + step as f64,
        tokens: 100,
        supervised_tokens: 60,
        tokens_per_second: 12.5,
        peak_memory_bytes: Some(3 << 30),
    });
    let lines: Vec<Line> = lines.collect();
    let mut events = Events::create(folder, 1.5e9).unwrap();
    lines.iter().for_each(|line| events.append(line, 1.5e9 + line.step as f64).unwrap());
    lines
}

#[test]
fn tensorboard_reads_every_scalar_of_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let lines = write(folder.path());
    let Some(output) = read(folder.path()) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(said["records"], 301);
    let of: [Scalar; 6] = [
        ("train/loss", |line| line.loss),
        ("train/learning_rate", |line| line.learning_rate),
        ("train/grad_norm", |line| line.grad_norm),
        ("train/supervised_tokens", |line| line.supervised_tokens as f64),
        ("speed/tokens_per_second", |line| line.tokens_per_second),
        ("memory/peak_bytes", |line| line.peak_memory_bytes.unwrap() as f64),
    ];
    assert_eq!(said["scalars"].as_object().unwrap().len(), of.len());
    for (tag, value) in of {
        let found = said["scalars"][tag].as_array().unwrap();
        let number = |event: &Value, at: usize| event[at].as_f64().unwrap();
        // A value is an f32 in the file; as decimal text it comes back within an ulp of its f64.
        let found: Vec<(f64, f32, f64)> =
            found.iter().map(|event| (number(event, 0), number(event, 1) as f32, number(event, 2))).collect();
        let written =
            lines.iter().map(|line| (line.step as f64, value(line) as f32, 1.5e9 + line.step as f64));
        assert_eq!(found, written.collect::<Vec<_>>(), "{tag}");
    }
}

#[test]
fn tensorboard_refuses_a_file_with_a_flipped_bit() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    if let Some(output) = read(folder.path()) {
        assert!(!output.status.success(), "the reader checks nothing, so it proves nothing");
    }
}
