//! The quality gate: which rows may be trained on, and why not
