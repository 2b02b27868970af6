//! The gate as a test suite.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command;
mod dataset;
mod files;
mod fixtures;
mod formats;
mod mutations;
mod reader;

use std::path::{Path, PathBuf};

use ::dataset::{Experiment, Layout};
use gate::{Report, Thresholds};

/// The workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The experiment to which the fixtures belong.
fn experiment() -> Experiment {
    Experiment::load(&root().join("fixtures/rows/experiment.toml")).unwrap()
}

/// Judges `folder` as ledgers of the fixtures' experiment.
fn judge(folder: &Path) -> Report {
    let experiment = experiment();
    gate::judge(&experiment, &Layout::new(Some(folder), &experiment.name), &Thresholds::default()).unwrap()
}

/// The names of the rules that failed, in order.
fn failed(report: &Report) -> Vec<&'static str> {
    report.failed().map(|rule| rule.rule).collect()
}

/// Six good pairs, as bytes of the control and the aba ledger.
fn good() -> [Vec<u8>; 2] {
    ["control", "aba"]
        .map(|arm| std::fs::read(root().join(format!("fixtures/rows/valid/whole/sft_{arm}.jsonl"))).unwrap())
}

/// A folder that holds these ledgers.
fn folder(ledgers: &[Vec<u8>; 2]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (arm, bytes) in ["control", "aba"].iter().zip(ledgers) {
        std::fs::write(folder.path().join(format!("sft_{arm}.jsonl")), bytes).unwrap();
    }
    folder
}
