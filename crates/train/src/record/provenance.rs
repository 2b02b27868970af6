//! `provenance.json`: hashes of everything that an adapter was made from.

use serde::{Deserialize, Serialize};

use crate::data::{Gate, Ledger};
use crate::plan::Frozen;
use crate::recipe::Hold;

/// The file's name.
pub const FILE: &str = "provenance.json";

/// Where an adapter came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// 1.
    pub format: u32,
    /// When training ended, RFC 3339, UTC.
    pub made_at: String,
    /// The experiment.
    pub experiment: String,
    /// The arm.
    pub arm: String,
    /// Its ledger.
    pub data: File,
    /// Rows of it that were trained on.
    pub rows: usize,
    /// What was equal in the arms beside their steps: `rows` or `tokens`.
    pub hold: Hold,
    /// Rows of all steps, each as often as it was seen.
    pub trained_rows: usize,
    /// Their tokens.
    pub trained_tokens: u64,
    /// Those among them that were learned.
    pub trained_supervised_tokens: u64,
    /// `system prompts are in the rows`, or that the experiment's was used.
    pub system_prompts: String,
    /// The verdict on the ledger; absent where there is none.
    pub verdict: Option<File>,
    /// `passed`, or why there is no passing verdict on these bytes and that training went on all the same.
    pub gate: String,
    /// The base as it was named.
    pub base: String,
    /// The base's files.
    pub base_files: Vec<File>,
    /// The adapter that training started from; absent where it was a fresh one.
    pub initial_adapter: Option<File>,
    /// SHA-256 of the chat template.
    pub template_sha256: String,
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer_sha256: String,
    /// Version of this program.
    pub version: String,
    /// SHA-256 of its executable.
    pub code_sha256: String,
    /// Where it was trained: `cpu`, `cuda:0`.
    pub device: String,
    /// Threads of a CPU's computation, which decide its last bits; absent for a GPU, and where an older version trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

/// A file and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path as it was given.
    pub path: String,
    /// Lower-case hex.
    pub sha256: String,
}

/// What is known only when a run ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// RFC 3339, UTC.
    pub made_at: String,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Threads of the computation, on a CPU.
    pub threads: Option<u32>,
    /// The verdict's file, where there is one.
    pub verdict: Option<File>,
    /// The base's files.
    pub base_files: Vec<File>,
    /// The adapter that training started from, where it was not a fresh one.
    pub initial_adapter: Option<File>,
    /// SHA-256 of this program's executable.
    pub code_sha256: String,
}

impl Provenance {
    /// Puts the provenance of one arm together.
    pub fn new(frozen: &Frozen, ledger: &Ledger, circumstances: Circumstances) -> Self {
        let Circumstances { made_at, device, threads, verdict, base_files, initial_adapter, code_sha256 } =
            circumstances;
        Self {
            format: 1,
            made_at,
            experiment: frozen.experiment.clone(),
            arm: ledger.arm.clone(),
            data: File { path: ledger.path.display().to_string(), sha256: ledger.sha256.clone() },
            rows: frozen.course.rows.min(frozen.data.trained_rows),
            hold: frozen.recipe.hold,
            trained_rows: frozen.data.trained_rows,
            trained_tokens: frozen.data.trained_tokens,
            trained_supervised_tokens: frozen.data.trained_supervised_tokens,
            system_prompts: match ledger.states_system {
                true => "as the rows state them".into(),
                false => "the experiment's, since the rows state none".into(),
            },
            verdict,
            gate: match &ledger.gate {
                Gate::Passed => "passed".into(),
                Gate::Ungated { reason } => format!("trained ungated: {reason}"),
            },
            base: frozen.recipe.base.clone(),
            base_files,
            initial_adapter,
            template_sha256: frozen.course.template_sha256.clone(),
            tokenizer_sha256: frozen.course.tokenizer_sha256.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            code_sha256,
            device,
            threads,
        }
    }
}
