//! Where an experiment stands: read from the files that the other stages leave, and shown three ways.
//!
//! [`State::read`] gathers; [`screen`] is for a terminal, `serde_json` for scripts, [`page`] for the person who goes
//! on. It only reads: it takes no lock, judges no row and never writes below `data/` or `models/`.

pub mod flags;
pub mod generation;
pub mod next;
pub mod page;
pub mod screen;
pub mod state;
pub mod traffic;
pub mod training;
pub mod verdict;

mod figures;

pub use state::State;
