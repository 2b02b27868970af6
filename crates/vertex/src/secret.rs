//! A string that must not be seen.

use std::fmt;

const REDACTED: &str = "[redacted]";

/// A key or a token. It can be sent, and it can be taken out of a text; it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value itself, for a request header and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the value out of a text that may echo it, as Google does with the API key of a suspended project.
    pub(crate) fn scrub(&self, text: &mut String) {
        // Shorter values would match by chance, and are no keys.
        if self.0.len() >= 6 && text.contains(&self.0) {
            *text = text.replace(&self.0, REDACTED);
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_not_shown_and_is_taken_out_of_texts() {
        let secret = Secret::new("AIzaSyExample");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[redacted] Some(\n    [redacted],\n)");
        let mut text = "consumer 'api_key:AIzaSyExample' has been suspended".to_owned();
        secret.scrub(&mut text);
        assert_eq!(text, "consumer 'api_key:[redacted]' has been suspended");
    }
}
