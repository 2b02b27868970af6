//! The gate as a test suite.

mod dataset;
mod fixtures;

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
