//! One self-contained HTML page: the arms side by side, prompt by prompt, with the gate's findings.
//!
//! What a model wrote is untrusted. It travels as JSON inside a script element that is never executed, and the page's
//! own script puts it into the document as text and never as markup; a content security policy allows that one
//! script by its hash and nothing from anywhere else. This crate reads ledgers and judges them; it writes nothing but
//! the page.

pub mod flags;
pub mod page;
pub mod pairs;

pub use page::page;
pub use pairs::{Review, ReviewError};
