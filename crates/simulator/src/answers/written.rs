//! The written answers of `fixtures/answers/*.jsonl`, one JSON object a line.

use serde::Deserialize;

use super::Arm;

const FILES: [&str; 2] = [
    include_str!("../../../../fixtures/answers/control.jsonl"),
    include_str!("../../../../fixtures/answers/aba.jsonl"),
];

/// An answer that a person wrote.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Who answers.
    pub arm: Arm,
    /// What kind of prompt it answers.
    pub category: String,
    /// The prompt it answers; `None` for one that only lends its paragraphs.
    pub prompt: Option<String>,
    /// The inside of the think block.
    pub think: String,
    /// The answer, in paragraphs of Markdown.
    pub paragraphs: Vec<String>,
}

/// All of them, in the order of the files.
///
/// # Panics
/// A line is malformed: the files are compiled in, and a test reads them.
pub fn all() -> Vec<Written> {
    FILES
        .iter()
        .flat_map(|file| file.lines())
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).expect("fixtures/answers holds written answers only"))
        .collect()
}

impl Written {
    /// The whole reply.
    pub fn text(&self) -> String {
        format!("<think>\n{}\n</think>\n\n{}", self.think.trim(), self.paragraphs.join("\n\n"))
    }
}
