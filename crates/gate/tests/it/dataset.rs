//! `cargo test` is the gate: the collected data is judged as the command judges it.
//!
//! `SFT_DATA` names the folder and `SFT_EXPERIMENT` the experiment; without them it is `data/phase_3e` where that
//! exists, and the fixtures' whole set otherwise.

use std::path::PathBuf;

use ::dataset::receipt::Verdict;
use ::dataset::{Experiment, Layout};

use crate::root;

/// The experiment file and the folder of ledgers to judge.
fn subject() -> (PathBuf, PathBuf) {
    let named =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| root().join(value));
    let experiment = named("SFT_EXPERIMENT");
    let shipped = root().join("fixtures/phase_3e/experiment.toml");
    let collected = root().join("data/phase_3e");
    match named("SFT_DATA") {
        Some(data) => (experiment.unwrap_or(shipped), data),
        None if collected.is_dir() => (experiment.unwrap_or(shipped), collected),
        None => (root().join("fixtures/rows/experiment.toml"), root().join("fixtures/rows/valid/whole")),
    }
}

#[test]
fn the_collected_data_may_be_trained_on() {
    let (experiment, data) = subject();
    let experiment = Experiment::load(&experiment).unwrap();
    let layout = Layout::new(Some(&data), &experiment.name);
    let thresholds = gate::judge::thresholds(&experiment).unwrap();
    let report = gate::judge(&experiment, &layout, &thresholds).unwrap();
    let text = gate::format::text::write(&report, false);
    assert!(report.verdict == Verdict::Pass, "\n{text}");
}
