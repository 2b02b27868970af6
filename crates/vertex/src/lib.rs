//! The Gemini API on Vertex AI and on the Developer endpoint: wire types, access, client, judgement, backoff.
//!
//! One [`Client`] makes one attempt at a time and says what came of it; when to ask, how often and what to do with
//! the answer is the caller's. This crate opens sockets but never a data file, never prints, never paces, and lets
//! no credential out: not in an error, a `Debug`, a reply kept for the journal or a log line.
//!
//! Read in this order: where to send ([`Access`]), what to send ([`Request`]), how ([`Client`]), and what it means
//! ([`judge`] → [`Outcome`]).

mod access;
mod request;

mod client;
mod preflight;

mod answer;
mod outcome;
mod verdict;

mod refusal;
mod throttle;

mod auth;
mod retry;
mod secret;
pub mod wire;

pub use access::{Access, AccessError, Place};
pub use answer::{Answer, FinishReason, TokenMismatch, Usage};
pub use client::{Attempt, Client, ClientError, Options, install_crypto};
pub use outcome::{Block, Fatal, FatalKind, Outcome, Scope, Stage, Throttle, Transient, TransientKind};
pub use preflight::{CountError, Preflight, PreflightError};
pub use request::{Model, ModelError, Request, Thinking};
pub use retry::Backoff;
pub use verdict::{Reply, judge};
