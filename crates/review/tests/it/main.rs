//! The page, as a browser sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bench;
mod browser;
mod page;
