//! HF + PEFT on the same weights: a Python that is there, and the base as a folder that it reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{Case, Figures, figures};

/// A Python with torch, transformers and peft.
pub struct Peer {
    python: PathBuf,
    folder: PathBuf,
}

impl Peer {
    /// The Python that the environment names, with the base written out for it under `scratch`.
    pub fn find(base: &Path, scratch: &Path) -> Result<Option<Peer>> {
        let named = ["REFERENCE_PYTHON", "PEER_PYTHON"].into_iter().find_map(std::env::var_os);
        let Some(python) = named.map(PathBuf::from) else { return Ok(None) };
        let folder = scratch.join("hf-base");
        if !folder.join("config.json").exists() {
            let base = model::base::Base::open(&base.display().to_string())?;
            train::step::dense::write(&base, &folder)?;
        }
        Ok(Some(Peer { python, folder }))
    }

    pub fn measure(&self, case: &Case) -> Result<Figures> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/hf_peft.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(&self.folder).arg(case.tokens.to_string());
        command.arg(if case.checkpointing { "on" } else { "off" }).arg(case.steps.to_string());
        figures(&mut command)
    }
}
