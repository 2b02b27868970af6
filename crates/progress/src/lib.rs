//! Bars on a terminal, plain lines in a pipe, nothing when hidden
