//! The adapters: how far each arm's training has come, by its `metrics.jsonl`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One arm's training.
#[derive(Debug, Serialize)]
pub struct ArmTraining {
    /// The arm.
    pub arm: String,
    /// The adapter's folder.
    pub path: PathBuf,
    /// Optimizer steps done.
    pub steps: u64,
    /// Loss of the first step, nats per supervised token.
    pub first_loss: Option<f64>,
    /// Loss of the last step.
    pub last_loss: Option<f64>,
    /// Largest memory seen, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Whether the adapter itself has been written.
    pub finished: bool,
}

/// The part of a metrics line that is shown.
#[derive(Deserialize)]
struct Line {
    step: u64,
    loss: f64,
    #[serde(default)]
    peak_memory_bytes: Option<u64>,
}

/// Reads what is there of the adapter folder `path`; nothing there is training that has not begun.
pub fn read(arm: &str, path: &Path) -> ArmTraining {
    let metrics = std::fs::read_to_string(path.join("metrics.jsonl")).unwrap_or_default();
    let lines: Vec<Line> = metrics.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    ArmTraining {
        arm: arm.to_owned(),
        path: path.to_owned(),
        steps: lines.last().map_or(0, |line| line.step),
        first_loss: lines.first().map(|line| line.loss),
        last_loss: lines.last().map(|line| line.loss),
        peak_memory_bytes: lines.iter().filter_map(|line| line.peak_memory_bytes).max(),
        finished: path.join("adapter_model.safetensors").is_file(),
    }
}
