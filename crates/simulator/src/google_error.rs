//! Google's error replies: `{"error":{"code","message","status","details"}}`.

use serde_json::{Value, json};

/// An error reply.
#[derive(Debug, Clone, PartialEq)]
pub struct GoogleError {
    /// The HTTP status.
    pub code: u16,
    /// What a person reads.
    pub message: String,
    /// `google.rpc` details; none where empty.
    pub details: Vec<Value>,
}

impl GoogleError {
    /// An error without details.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// 400 with a message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 400 about one field, as Google's JSON decoder words it.
    pub fn bad_field(field: &str, description: String) -> Self {
        let detail = json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": description}],
        });
        Self { code: 400, message: description, details: vec![detail] }
    }

    /// 404 of a path that Google does not serve.
    pub fn no_method() -> Self {
        Self::new(404, "Method not found.")
    }

    /// 401 of a token that ran out or is missing.
    pub fn unauthenticated() -> Self {
        let detail = json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCESS_TOKEN_EXPIRED",
            "domain": "googleapis.com",
            "metadata": {"service": "aiplatform.googleapis.com"},
        });
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie \
                       or other valid authentication credential. \
                       See https://developers.google.com/identity/sign-in/web/devconsole-project.";
        Self { code: 401, message: message.into(), details: vec![detail] }
    }

    /// The error of `code` in Google's usual words.
    pub fn usual(code: u16) -> Self {
        let message = match code {
            400 => "Request contains an invalid argument.",
            403 => "Permission 'aiplatform.endpoints.predict' denied on resource (or it may not exist).",
            404 => "Requested entity was not found.",
            408 => "The request timed out.",
            429 => return Self::pool_busy(),
            500 => "Internal error encountered.",
            502 => "Bad gateway.",
            503 => "The service is currently unavailable.",
            504 => "Deadline expired before operation could complete.",
            _ => "The request could not be served.",
        };
        match code {
            401 => Self::unauthenticated(),
            _ => Self::new(code, message),
        }
    }

    /// 429 of the shared pool: no details.
    pub fn pool_busy() -> Self {
        Self::new(
            429,
            "Resource exhausted. Please try again later. Please refer to \
             https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.",
        )
    }

    /// The `status` word of `google.rpc.Code` that goes with the HTTP status.
    pub fn status(&self) -> &'static str {
        match self.code {
            400 | 413 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            500 => "INTERNAL",
            501 => "UNIMPLEMENTED",
            503 => "UNAVAILABLE",
            408 | 504 => "DEADLINE_EXCEEDED",
            _ => "UNKNOWN",
        }
    }

    /// The reply's JSON.
    pub fn json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status()});
        if !self.details.is_empty() {
            error["details"] = Value::Array(self.details.clone());
        }
        json!({ "error": error })
    }
}
