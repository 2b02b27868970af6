//! Leaving the verdict where training looks for it. The form of the file is [`dataset::receipt`]'s.

use std::collections::BTreeMap;

use dataset::receipt::{FORMAT, Judged, Receipt, ReceiptError};
use dataset::{Experiment, Layout};

use crate::report::{Report, Severity};

/// Writes `gate.json` for `report` into the folder of `layout`, and does nothing where there is no such folder: a
/// verdict on nothing helps nobody.
///
/// # Errors
/// The file cannot be written.
pub fn write(experiment: &Experiment, layout: &Layout, report: &Report) -> Result<(), ReceiptError> {
    if !layout.folder().is_dir() {
        return Ok(());
    }
    dataset::receipt::write(&layout.verdict(), &receipt(experiment, report))
}

fn receipt(experiment: &Experiment, report: &Report) -> Receipt {
    let files = report.files.iter().filter_map(|file| {
        Some(Judged {
            arm: file.arm.clone(),
            file: file.path.file_name()?.to_string_lossy().into_owned(),
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256.clone()?,
        })
    });
    let failed = report.failed().filter(|rule| rule.severity == Severity::Error);
    let failures: BTreeMap<String, usize> =
        failed.map(|rule| (rule.rule.to_owned(), rule.failures)).collect();
    Receipt {
        format: FORMAT,
        experiment: experiment.name.clone(),
        verdict: report.verdict,
        judged_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        files: files.collect(),
        failures,
    }
}
