//! The written answers of `fixtures/answers/*.jsonl`, one JSON object a line.

use serde::Deserialize;

use super::Arm;

const FILES: [&str; 2] = [
    include_str!("../../../../fixtures/answers/control.jsonl"),
    include_str!("../../../../fixtures/answers/aba.jsonl"),
];

/// A written answer.
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
    /// The answer, in paragraphs of Markdown. Of one that lends them there are four: the first two stand together
    /// without the others, and so do the last two.
    pub paragraphs: Vec<String>,
    /// What its paragraphs suit; any prompt of the category when absent.
    #[serde(default)]
    pub suits: Option<Suits>,
}

/// Which prompts of a category a lent paragraph suits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suits {
    /// Those that are answered by reckoning.
    Figures,
    /// Those that are answered by argument alone.
    Words,
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
