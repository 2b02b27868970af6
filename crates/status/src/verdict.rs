//! What the gate last said, and whether it was said of the bytes that are there now.

use dataset::receipt::{self, ReceiptError};
use dataset::{Experiment, Layout};
use serde::Serialize;

/// The gate's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Verdict {
    /// Passed, exactly these bytes.
    Pass {
        /// When, RFC 3339.
        judged_at: String,
    },
    /// Failed.
    Fail {
        /// Rules and their failures.
        why: String,
    },
    /// Given on other bytes than are there now.
    Stale {
        /// Which ledger differs, and how.
        why: String,
    },
    /// Never given.
    None,
}

/// Reads `gate.json` and checks it against the ledgers.
pub fn read(experiment: &Experiment, layout: &Layout) -> Verdict {
    for arm in &experiment.arms {
        match receipt::verify(&layout.ledger(&arm.name)) {
            Ok(_) => {}
            Err(ReceiptError::NoVerdict { .. }) => return Verdict::None,
            Err(ReceiptError::Failed { failures, .. }) => return Verdict::Fail { why: failures },
            Err(error) => return Verdict::Stale { why: error.to_string() },
        }
    }
    match receipt::read(&layout.verdict()) {
        Ok(receipt) => Verdict::Pass { judged_at: receipt.judged_at },
        Err(error) => Verdict::Stale { why: error.to_string() },
    }
}
