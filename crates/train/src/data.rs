//! From an arm's ledger to the examples that its adapter is trained on.
//!
//! Nothing here changes a row. Rows are paired by prompt across all arms of the experiment, whichever arm is trained:
//! what one arm lacks, no arm is trained on.

pub mod ledger;
pub mod pairs;

pub use ledger::{Gate, Ledger, LedgerError, Line};
pub use pairs::{ArmExamples, Example, Examples, PairError, Pairs};
