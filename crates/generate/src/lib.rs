//! Paced, resumable generation of both arms into their ledgers.
//!
//! What was typed ([`flags`]) becomes a [`plan`]: arms × prompts − ledger. The [`dispatch`] loop asks the pacer before
//! every request, hands replies to [`convert`], which judges them, and accepted rows to the ledger's one owner. This
//! crate sets no rate of its own, never repairs a text, and holds no more prompts than are under way.

pub mod flags;
pub mod forecast;
pub mod plan;
pub mod preflight;

pub mod books;
pub mod convert;
pub mod delayed;
pub mod dispatch;
pub mod errand;
pub mod job;
pub mod patience;
pub mod salvage;
pub mod stop;
pub mod think;
pub mod versions;

pub mod ending;
pub mod screen;
pub mod tally;
