//! Prompts: one JSON object a line, `{"prompt","category","sub_theme"}`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The longest line that a prompts file may have, in bytes. Longer ones are a mistake in the file, not a question.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// A question, put to every arm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The user's words, sent as they stand.
    #[serde(rename = "prompt")]
    pub text: String,
    /// `safety`, `multi_parameter`, …
    pub category: String,
    /// A finer theme within the category.
    #[serde(default)]
    pub sub_theme: String,
}

/// Why a prompts file was not accepted. Nothing has been sent when it appears.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file is missing or unreadable.
    #[error("cannot read the prompts file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No line holds a prompt.
    #[error("the prompts file {path} is empty; it needs one JSON object a line")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is wrong.
    #[error("{path}:{line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and what it may be.
        what: String,
    },
    /// A smoke run was asked for and the experiment names no smoke prompts.
    #[error("{experiment} names no smoke prompts; add `smoke = \"smoke.jsonl\"`")]
    NoSmoke {
        /// The experiment file.
        experiment: PathBuf,
    },
}

/// Reads the prompts at `path`, in file order. Blank lines are passed over. With `categories`, a prompt of any other
/// category is an error.
///
/// # Errors
/// [`PromptError`]: a file that is missing or empty; a line that is not UTF-8, not such an object, over
/// [`MAX_LINE_BYTES`], blank in its text, of an unknown category, or the repetition of an earlier line.
pub fn load(path: &Path, categories: Option<&BTreeMap<String, usize>>) -> Result<Vec<Prompt>, PromptError> {
    let bytes = std::fs::read(path).map_err(|source| PromptError::Read { path: path.to_owned(), source })?;
    parse(path, &bytes, categories)
}

fn parse(
    path: &Path,
    bytes: &[u8],
    categories: Option<&BTreeMap<String, usize>>,
) -> Result<Vec<Prompt>, PromptError> {
    let mut prompts: Vec<Prompt> = Vec::new();
    let mut numbers: Vec<usize> = Vec::new();
    let wrong = |line, what| PromptError::Line { path: path.to_owned(), line, what };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        if let Some(prompt) = parse_line(line, categories).map_err(|what| wrong(number, what))? {
            prompts.push(prompt);
            numbers.push(number);
        }
    }
    // After the last, when each text stays where it is and need not be copied.
    let mut first_line: HashMap<&str, usize> = HashMap::with_capacity(prompts.len());
    for (prompt, &number) in prompts.iter().zip(&numbers) {
        if let Some(earlier) = first_line.insert(&prompt.text, number) {
            return Err(wrong(number, format!("the same prompt stands on line {earlier}")));
        }
    }
    if prompts.is_empty() {
        return Err(PromptError::Empty { path: path.to_owned() });
    }
    Ok(prompts)
}

/// Reads one line, without its end; `None` where it is blank, or else what is wrong with it.
pub(crate) fn parse_line(
    line: &[u8],
    categories: Option<&BTreeMap<String, usize>>,
) -> Result<Option<Prompt>, String> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("the line has more than {MAX_LINE_BYTES} bytes; a question has some hundred"));
    }
    let prompt: Prompt = serde_json::from_slice(line).map_err(|error| {
        format!("{error}; a line is {{\"prompt\": …, \"category\": …, \"sub_theme\": …}}")
    })?;
    if prompt.text.trim().is_empty() {
        return Err("the prompt is blank".into());
    }
    if let Some(known) = categories.filter(|known| !known.contains_key(&prompt.category)) {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(format!("unknown category `{}`; one of {}", prompt.category, known.join(", ")));
    }
    Ok(Some(prompt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Vec<Prompt>, String> {
        let categories = BTreeMap::from([("safety".to_owned(), 1)]);
        parse(Path::new("p.jsonl"), text.as_bytes(), Some(&categories)).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_lines_in_order_past_a_mark_blanks_and_carriage_returns() {
        let text = "\u{feff}{\"prompt\":\"a\",\"category\":\"safety\",\"sub_theme\":\"s\"}\r\n\n{\"prompt\":\"b\",\"category\":\"safety\"}";
        let texts: Vec<String> = check(text).unwrap().into_iter().map(|prompt| prompt.text).collect();
        assert_eq!(texts, ["a", "b"]);
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let good = r#"{"prompt":"a","category":"safety"}"#;
        let cases = [
            ("{", "p.jsonl:2: EOF"),
            (r#"{"prompt":" ","category":"safety"}"#, "p.jsonl:2: the prompt is blank"),
            (r#"{"prompt":"b","category":"saftey"}"#, "p.jsonl:2: unknown category `saftey`; one of safety"),
            (good, "p.jsonl:2: the same prompt stands on line 1"),
            (r#"{"prompt":"b","category":"safety","x":1}"#, "p.jsonl:2: unknown field `x`"),
        ];
        for (line, expected) in cases {
            let error = check(&format!("{good}\n{line}\n")).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(check("\n \n").unwrap_err().contains("is empty"));
    }
}
