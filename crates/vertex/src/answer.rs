//! What the model said, why it stopped, and what that cost.

use std::fmt;

/// One candidate that came back whole, whatever its finish reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Every part with text that is not a thought, joined; never trimmed or repaired.
    pub text: String,
    /// The thoughts that were shown, joined; empty unless they were asked for.
    pub thoughts: String,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// The same in the server's words.
    pub finish_message: Option<String>,
    /// Token counts.
    pub usage: Usage,
    /// The version that answered.
    pub model_version: Option<String>,
    /// The reply's own id.
    pub response_id: Option<String>,
    /// When the request arrived, RFC 3339.
    pub create_time: Option<String>,
}

/// Why the model stopped. Open: a name that we do not know is kept as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// Thoughts and text reached `maxOutputTokens`.
    MaxTokens,
    /// The safety filter stopped it.
    Safety,
    /// It recited its training data.
    Recitation,
    /// The language is not supported.
    Language,
    /// Unsaid.
    Other,
    /// A forbidden word.
    Blocklist,
    /// Forbidden content.
    ProhibitedContent,
    /// Personal data.
    Spii,
    /// A function call that cannot be read.
    MalformedFunctionCall,
    /// A tool call where no tool was offered.
    UnexpectedToolCall,
    /// The reply said `FINISH_REASON_UNSPECIFIED`.
    Unspecified,
    /// The reply had no finish reason.
    Absent,
    /// Any other name, as it was sent.
    Unknown(String),
}

/// Token counts of one reply. What the reply left out is 0, except the total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub prompt: u64,
    /// Prompt tokens that came from a cache.
    pub cached: u64,
    /// Tokens of the visible answer.
    pub candidates: u64,
    /// Tokens of the hidden thoughts, billed as output.
    pub thoughts: u64,
    /// Tokens of tool results.
    pub tool_use: u64,
    /// The server's own sum, if it sent one.
    pub total: Option<u64>,
    /// `ON_DEMAND`, `PROVISIONED_THROUGHPUT`…
    pub traffic: Option<String>,
}

/// Token counts that do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenMismatch {
    /// The reply gave no total.
    #[error("the reply has no total token count")]
    Unreported,
    /// The total is not the sum of its parts.
    #[error("the reply counts {total} tokens in total, but its parts add up to {sum}")]
    Differs {
        /// prompt + candidates + thoughts + tool use.
        sum: u64,
        /// What the reply says.
        total: u64,
    },
}

impl Usage {
    /// Tokens billed as output: the visible answer and the thoughts.
    pub fn billed_output(&self) -> u64 {
        self.candidates.saturating_add(self.thoughts)
    }

    /// prompt + candidates + thoughts + tool use. Cached tokens are part of the prompt.
    pub fn sum(&self) -> u64 {
        self.prompt.saturating_add(self.billed_output()).saturating_add(self.tool_use)
    }

    /// The server's total, or the sum where it sent none.
    pub fn total_or_sum(&self) -> u64 {
        self.total.unwrap_or_else(|| self.sum())
    }

    /// Checks that the server's total is the sum of its parts.
    pub fn check_identity(&self) -> Result<(), TokenMismatch> {
        match self.total {
            None => Err(TokenMismatch::Unreported),
            Some(total) if total == self.sum() => Ok(()),
            Some(total) => Err(TokenMismatch::Differs { sum: self.sum(), total }),
        }
    }
}

impl FinishReason {
    /// Reads the API's name, and `FinishReason.STOP`, which is how Python prints its enum. Never fails.
    pub fn parse(name: &str) -> Self {
        match name.strip_prefix("FinishReason.").unwrap_or(name) {
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::MaxTokens,
            "SAFETY" => FinishReason::Safety,
            "RECITATION" => FinishReason::Recitation,
            "LANGUAGE" => FinishReason::Language,
            "OTHER" => FinishReason::Other,
            "BLOCKLIST" => FinishReason::Blocklist,
            "PROHIBITED_CONTENT" => FinishReason::ProhibitedContent,
            "SPII" => FinishReason::Spii,
            "MALFORMED_FUNCTION_CALL" => FinishReason::MalformedFunctionCall,
            "UNEXPECTED_TOOL_CALL" => FinishReason::UnexpectedToolCall,
            "FINISH_REASON_UNSPECIFIED" => FinishReason::Unspecified,
            "" => FinishReason::Absent,
            other => FinishReason::Unknown(other.to_owned()),
        }
    }

    /// The API's name; empty where the reply had none.
    pub fn as_str(&self) -> &str {
        match self {
            FinishReason::Stop => "STOP",
            FinishReason::MaxTokens => "MAX_TOKENS",
            FinishReason::Safety => "SAFETY",
            FinishReason::Recitation => "RECITATION",
            FinishReason::Language => "LANGUAGE",
            FinishReason::Other => "OTHER",
            FinishReason::Blocklist => "BLOCKLIST",
            FinishReason::ProhibitedContent => "PROHIBITED_CONTENT",
            FinishReason::Spii => "SPII",
            FinishReason::MalformedFunctionCall => "MALFORMED_FUNCTION_CALL",
            FinishReason::UnexpectedToolCall => "UNEXPECTED_TOOL_CALL",
            FinishReason::Unspecified => "FINISH_REASON_UNSPECIFIED",
            FinishReason::Absent => "",
            FinishReason::Unknown(name) => name,
        }
    }

    /// Whether a content filter stopped the answer.
    pub fn is_block(&self) -> bool {
        match self {
            FinishReason::Safety
            | FinishReason::Recitation
            | FinishReason::Blocklist
            | FinishReason::ProhibitedContent
            | FinishReason::Spii => true,
            // Newer filters follow one pattern: IMAGE_SAFETY, IMAGE_PROHIBITED_CONTENT, MODEL_ARMOR.
            FinishReason::Unknown(name) => {
                ["SAFETY", "PROHIBITED", "RECITATION", "MODEL_ARMOR"].iter().any(|part| name.contains(part))
            }
            _ => false,
        }
    }
}

impl fmt::Display for FinishReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_spelling_of_the_api_and_of_python() {
        for name in ["STOP", "MAX_TOKENS", "SAFETY", "FINISH_REASON_UNSPECIFIED", "SOMETHING_NEW"] {
            let reason = FinishReason::parse(name);
            assert_eq!(reason.as_str(), name);
            assert_eq!(FinishReason::parse(&format!("FinishReason.{name}")), reason);
        }
        assert_eq!(FinishReason::parse(""), FinishReason::Absent);
    }

    #[test]
    fn the_token_identity_counts_thoughts_and_tool_use_but_not_the_cache() {
        let usage = Usage {
            prompt: 380,
            cached: 300,
            candidates: 900,
            thoughts: 2100,
            tool_use: 20,
            total: Some(3400),
            traffic: None,
        };
        assert_eq!(usage.check_identity(), Ok(()));
        assert_eq!(usage.billed_output(), 3000);
        let total = Some(1300);
        let off = Usage { total, ..usage.clone() };
        assert_eq!(off.check_identity(), Err(TokenMismatch::Differs { sum: 3400, total: 1300 }));
        assert_eq!(Usage { total: None, ..usage }.check_identity(), Err(TokenMismatch::Unreported));
    }
}
