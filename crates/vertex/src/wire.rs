//! Google's JSON and nothing else: field for field, every field optional on the way in.
//!
//! What comes in is decoded leniently: an unknown field is skipped, an absent or `null` one is `None`, an enum stays
//! the string that was sent, a number may be spelled as a string. Nothing here says what a value means.

mod error;
mod number;
mod reply;
mod request;

pub use error::{Detail, ErrorBody, ErrorReply, Violation};
pub use reply::{Candidate, CountTokensReply, GenerateReply, PromptFeedback, UsageMetadata};
pub use reply::{Content as ReplyContent, Part as ReplyPart};
pub use request::{
    Content, CountTokens, GenerateContent, GenerationConfig, Part, SafetySetting, SystemInstruction,
    ThinkingConfig, WrappedCountTokens, WrappedGenerateContent,
};
