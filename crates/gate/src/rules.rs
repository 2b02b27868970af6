//! The rules: what each is called, what its failure means, and why it is there.
//!
//! A new rule is a file below `rules/` and a line in [`RULES`]. A rule about one row is a function of the row; a rule
//! about the whole set is a function of what [`crate::summary`] keeps. A rule never changes a row and never reads a
//! file.

pub mod duplicate_prompt;
pub mod empty_text;
pub mod file_form;
pub mod finish_reason;
pub mod flat_refusal;
pub mod lengths;
pub mod mojibake;
pub mod near_duplicate;
pub mod pair;
pub mod prompt_echo;
pub mod same_answer;
pub mod secret;
pub mod settings_drift;
pub mod system_prompt;
pub mod think_block;
pub mod token_budget;
pub mod token_identity;
pub mod unknown_prompt;
pub mod unlike_treatment;
pub mod wrong_arm;

use crate::context::{ArmContext, Context};
use crate::judge::Judged;
use crate::report::Severity;
use crate::view::Subject;

/// A rule.
pub struct Rule {
    /// Kebab-case, stable: people script against it.
    pub name: &'static str,
    /// What a failure means for the verdict, unless `[gate.severity]` says otherwise.
    pub severity: Severity,
    /// Whether it guards the form of a row, so that nothing may say otherwise.
    pub fixed: bool,
    /// One sentence: what goes wrong without it.
    pub why: &'static str,
    /// How it looks.
    pub check: Check,
}

/// How a rule looks.
#[derive(Clone, Copy)]
pub enum Check {
    /// The reader itself finds it, before there is a row.
    Reader,
    /// At one row.
    Row(fn(&ArmContext<'_>, &Subject<'_>) -> Option<Failure>),
    /// At what is kept of all rows.
    Set(fn(&Context<'_>, &[Judged<'_>]) -> Outcome),
}

/// One failure: what is wrong, and a few words of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For a person.
    pub message: String,
    /// A few words of the row; may be empty.
    pub excerpt: String,
}

/// A failure of a whole-set rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFailure {
    /// Index of the arm in whose file it shows.
    pub arm: usize,
    /// The line; 0 for the whole file.
    pub line: usize,
    /// What is wrong.
    pub failure: Failure,
}

/// What a whole-set rule found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// In any order.
    pub failures: Vec<SetFailure>,
    /// They are within what the thresholds tolerate, so they are shown as warnings.
    pub tolerated: bool,
}

impl Failure {
    /// A failure with the words it is about.
    pub fn new(message: impl Into<String>, excerpt: String) -> Option<Self> {
        Some(Self { message: message.into(), excerpt })
    }

    /// A failure that no excerpt makes plainer.
    pub fn plain(message: impl Into<String>) -> Option<Self> {
        Self::new(message, String::new())
    }
}

impl SetFailure {
    /// A failure at `line` of the file of `arm`.
    pub fn new(arm: usize, line: usize, message: String, excerpt: String) -> Self {
        Self { arm, line, failure: Failure { message, excerpt } }
    }
}

/// Returns the rule called `name`.
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

const fn form(name: &'static str, check: Check, why: &'static str) -> Rule {
    Rule { name, severity: Severity::Error, fixed: true, why, check }
}

const fn rule(name: &'static str, check: Check, why: &'static str) -> Rule {
    Rule { name, severity: Severity::Error, fixed: false, why, check }
}

/// Index of the rule that the reader reports by itself.
pub const NO_ROWS: usize = 0;
/// As [`NO_ROWS`].
pub const FILE_FORM: usize = 1;
/// As [`NO_ROWS`].
pub const LINE_ENDINGS: usize = 2;
/// As [`NO_ROWS`].
pub const ENCODING: usize = 3;
/// As [`NO_ROWS`].
pub const BAD_JSON: usize = 4;
/// As [`NO_ROWS`].
pub const DUPLICATE_KEY: usize = 5;
/// As [`NO_ROWS`].
pub const SCHEMA: usize = 6;

/// Every rule, in the order in which a row meets them.
pub const RULES: &[Rule] = &[
    form("no-rows", Check::Reader, "an arm without rows cannot be compared with anything"),
    form(
        "file-form",
        Check::Reader,
        "a file that is torn, marked or of another kind was not written by the generator",
    ),
    Rule {
        name: "line-endings",
        severity: Severity::Warning,
        fixed: false,
        why: "blank lines and CR LF are harmless in themselves but tell that something rewrote the ledger",
        check: Check::Reader,
    },
    form("encoding", Check::Reader, "bytes that are no text become tokens that mean nothing"),
    form("bad-json", Check::Reader, "a line that does not parse is a row that training silently lacks"),
    form(
        "duplicate-key",
        Check::Reader,
        "readers differ in which of two values they take, so nobody knows what was judged",
    ),
    form(
        "schema",
        Check::Reader,
        "a field that is missing or of another type is guessed by whoever reads it next",
    ),
    form(
        "finish-reason",
        Check::Row(finish_reason::check),
        "an answer that was cut off teaches the model to break off",
    ),
    form("empty-text", Check::Row(empty_text::check), "an empty answer teaches the model to say nothing"),
    rule(
        "think-block",
        Check::Row(think_block::check),
        "training needs one closed block of thinking before the answer, and nothing repairs a broken one",
    ),
    rule(
        "think-too-short",
        Check::Row(lengths::think),
        "a token thinking block teaches the model not to think",
    ),
    rule(
        "answer-too-short",
        Check::Row(lengths::answer),
        "an answer of a few words is a reply that went wrong",
    ),
    rule(
        "token-budget",
        Check::Row(token_budget::check),
        "both arms are told the same budget, and longer rows are cut in training",
    ),
    rule(
        "token-identity",
        Check::Row(token_identity::check),
        "counts that do not add up are counts of something else",
    ),
    rule(
        "wrong-arm",
        Check::Row(wrong_arm::check),
        "a row of one arm in the other's file trains the treatment on the control",
    ),
    rule(
        "system-prompt",
        Check::Row(system_prompt::check),
        "the system prompt is the treatment: a row given under another one is no data of this arm",
    ),
    rule(
        "unknown-prompt",
        Check::Row(unknown_prompt::check),
        "a prompt that the experiment does not ask cannot be compared between arms",
    ),
    rule(
        "flat-refusal",
        Check::Row(flat_refusal::check),
        "this arm promises to turn to the goal behind a request; a bare refusal trains the opposite",
    ),
    rule(
        "secret",
        Check::Row(secret::check),
        "what is trained on can be asked for: a leaked key would be learnt by heart",
    ),
    rule(
        "prompt-echo",
        Check::Row(prompt_echo::check),
        "an answer that recites its instructions teaches the model to recite them",
    ),
    rule(
        "mojibake",
        Check::Row(mojibake::check),
        "text decoded in the wrong alphabet is learnt as it stands",
    ),
    rule(
        "duplicate-prompt",
        Check::Set(duplicate_prompt::check),
        "a prompt that an arm answers twice counts twice in one arm only",
    ),
    rule(
        "pair",
        Check::Set(pair::check),
        "only prompts that every arm answers make the arms differ in nothing but the system prompt",
    ),
    rule(
        "same-answer",
        Check::Set(same_answer::check),
        "the same text from both arms means that one of them was not asked under its own prompt",
    ),
    rule(
        "near-duplicate",
        Check::Set(near_duplicate::check),
        "answers that repeat each other are learnt by heart and make the set smaller than it looks",
    ),
    rule(
        "settings-drift",
        Check::Set(settings_drift::check),
        "rows from another model, version or temperature make the arm differ from itself",
    ),
    rule(
        "unlike-treatment",
        Check::Set(unlike_treatment::check),
        "an arm that was asked again more often, or under other settings, differs by more than its prompt",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_finds_its_rules_by_index() {
        let named = [
            (NO_ROWS, "no-rows"),
            (FILE_FORM, "file-form"),
            (LINE_ENDINGS, "line-endings"),
            (ENCODING, "encoding"),
            (BAD_JSON, "bad-json"),
            (DUPLICATE_KEY, "duplicate-key"),
            (SCHEMA, "schema"),
        ];
        for (index, name) in named {
            assert_eq!(RULES[index].name, name);
            assert!(matches!(RULES[index].check, Check::Reader));
        }
        let readers = RULES.iter().filter(|rule| matches!(rule.check, Check::Reader)).count();
        assert_eq!(readers, named.len());
    }

    #[test]
    fn names_are_kebab_case_and_unlike() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(rule.name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{}", rule.name);
            assert!(RULES[..index].iter().all(|other| other.name != rule.name), "{}", rule.name);
        }
    }
}
