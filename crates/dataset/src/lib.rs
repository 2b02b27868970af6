//! What an experiment is made of, and the files it is kept in.
//!
//! An [`Experiment`] names two [`Arm`]s and a list of [`Prompt`]s; every accepted answer is a [`Row`] in the arm's
//! [`ledger`]. This crate reads and writes those files and knows their forms. It never opens a socket, never prints,
//! never decides whether a row is good: that is the gate's.

pub mod arm;
pub mod attempts;
pub mod command;
pub mod experiment;
pub mod key;
pub mod layout;
pub mod ledger;
pub mod prompt;
pub mod receipt;
pub mod row;
pub mod run;
pub mod runs;
pub mod scan;
pub mod selection;
pub mod source;

pub use arm::Arm;
pub use experiment::Experiment;
pub use layout::Layout;
pub use prompt::Prompt;
pub use row::Row;
