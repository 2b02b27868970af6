//! The quality gate: which rows may be trained on, and why not.
//!
//! [`judge`] reads every ledger of an experiment again, trusting nothing that wrote it, and returns a [`Report`]: a
//! verdict, statistics of each arm and the findings of every rule. [`receipt::write`] leaves the verdict where
//! training looks for it. The gate never changes a row and never prints.
//!
//! The way of a byte: [`waves`] reads a file in large pieces and hashes them → [`block`] cuts lines, in parallel →
//! [`typed`] reads a good row without copying → [`rules`] look at it → [`summary`] keeps what rules about the whole
//! set need. A row that [`typed`] does not accept goes to [`explain`], which is slow and says why.

pub mod format;
pub mod judge;
pub mod receipt;
pub mod report;
pub mod rules;
pub mod thresholds;

pub mod block;
mod context;
mod excerpt;
pub mod explain;
mod fold;
pub mod histogram;
mod json;
pub mod minhash;
pub mod stats;
pub mod summary;
pub mod think;
pub mod typed;
pub mod view;
pub mod waves;

pub use judge::{GateError, judge};
pub use report::{FileReport, Finding, Report, RuleReport, Severity};
pub use thresholds::Thresholds;
