//! The files of an arm's folder around training; adapter, checkpoints and metrics are written while it goes on.

use std::path::Path;

use super::{Options, RunError};
use crate::plan::Plan;
use crate::prepare::{PrepareError, Prepared, RECIPE};
use crate::record::metrics::{self, Line};
use crate::record::provenance::{Circumstances, Provenance};
use crate::record::{card, chart, provenance};
use crate::step::checkpoint;

/// Writes what is known before the first step.
pub(super) fn begin(prepared: &Prepared, plan: &Plan, folder: &Path) -> Result<(), RunError> {
    let recipe = toml::to_string(&plan.frozen).map_err(|error| PrepareError::Plan(error.into()))?;
    write(&folder.join(RECIPE), &recipe)?;
    write(&folder.join("tokenizer.json"), prepared.chat.tokenizer.json())?;
    write(&folder.join("tokenizer_config.json"), prepared.chat.tokenizer.config())?;
    write(&folder.join("chat_template.jinja"), prepared.chat.template.source())
}

/// Writes what is known after the last; the provenance comes last of all, and says that the folder is complete.
pub(super) fn finish(
    prepared: &Prepared,
    plan: &Plan,
    folder: &Path,
    options: &Options,
) -> Result<(), RunError> {
    let lines = lines(folder)?;
    let Some(ledger) = prepared.pairs.arms.iter().find(|ledger| ledger.arm == plan.frozen.data.arm) else {
        return Ok(());
    };
    let circumstances = Circumstances {
        made_at: jiff::Timestamp::now().to_string(),
        device: match options.device {
            tch::Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        },
        threads: (!options.device.is_cuda()).then(|| tch::get_num_threads().unsigned_abs()),
        verdict: prepared.verdict.clone(),
        base_files: prepared.base_files.clone(),
        initial_adapter: prepared.initial.clone(),
        code_sha256: prepared.code.clone(),
    };
    let provenance = Provenance::new(&plan.frozen, ledger, circumstances);
    write(&folder.join(chart::FILE), &chart::svg(&lines))?;
    write(&folder.join("README.md"), &card::card(&plan.frozen, &provenance, &lines))?;
    let path = folder.join(provenance::FILE);
    let mut text = serde_json::to_string_pretty(&provenance)
        .map_err(|error| RunError::Write { path: path.clone(), source: error.into() })?;
    text.push('\n');
    write(&path, &text)?;
    // Only now: until the folder is complete, a run that is cut off here goes on from them.
    checkpoint::clear(folder).map_err(|error| RunError::Train {
        arm: plan.frozen.data.arm.clone(),
        row: None,
        source: Box::new(error.into()),
    })
}

/// The lines of metrics so far; none where no step was taken.
pub(super) fn lines(folder: &Path) -> Result<Vec<Line>, RunError> {
    let path = folder.join(metrics::FILE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    Ok(metrics::read(&path)?)
}

/// Writes a file whole or not at all: it is renamed into place.
fn write(path: &Path, text: &str) -> Result<(), RunError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|source| RunError::Write { path: path.to_owned(), source })
}
