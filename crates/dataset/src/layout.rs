//! Where the files of an experiment's data lie.

use std::path::{Path, PathBuf};

/// The data folder of one experiment, `data/<experiment>` unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Takes `folder`, or `data/<experiment>` below the working directory.
    pub fn new(folder: Option<&Path>, experiment: &str) -> Self {
        let folder = folder.map_or_else(|| Path::new("data").join(experiment), Path::to_owned);
        Self { folder }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `sft_<arm>.jsonl`: the arm's rows.
    pub fn ledger(&self, arm: &str) -> PathBuf {
        self.folder.join(format!("sft_{arm}.jsonl"))
    }

    /// `sft_<arm>.torn-<n>`: a tail that a crash left behind.
    pub fn torn(&self, arm: &str, n: usize) -> PathBuf {
        self.folder.join(format!("sft_{arm}.torn-{n}"))
    }

    /// `attempts.jsonl`: every attempt that did not become a row.
    pub fn attempts(&self) -> PathBuf {
        self.folder.join("attempts.jsonl")
    }

    /// `run.json`: the settings under which the ledgers were written.
    pub fn run(&self) -> PathBuf {
        self.folder.join("run.json")
    }

    /// `runs.jsonl`: what each run of `gen` met.
    pub fn runs(&self) -> PathBuf {
        self.folder.join("runs.jsonl")
    }

    /// `gate.json`: the last verdict.
    pub fn verdict(&self) -> PathBuf {
        self.folder.join("gate.json")
    }
}
