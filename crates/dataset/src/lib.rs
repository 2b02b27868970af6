//! The experiment, its prompts, arms and rows, and the ledger that holds the rows
