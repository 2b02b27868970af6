//! The report in the forms that people and machines read. Each form is a function from a report to text.
//!
//! Excerpts are model output: every form escapes them in its own way.

pub mod annotations;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod text;

mod table;

use dataset::receipt::Verdict;

use crate::report::Report;

/// One sentence that says how it went.
pub fn summary(report: &Report) -> String {
    let rows: Vec<String> = report.files.iter().map(|file| format!("{} {}", file.arm, file.rows)).collect();
    let failures: usize = report.failed().map(|rule| rule.failures).sum();
    let found = match (report.failed().count(), failures) {
        (0, _) => "no findings".to_owned(),
        (1, 1) => "1 finding of 1 rule".to_owned(),
        (1, _) => format!("{failures} findings of 1 rule"),
        (rules, _) => format!("{failures} findings of {rules} rules"),
    };
    format!("{}: rows {}; {found}", word(report.verdict), rows.join(", "))
}

/// `PASS` or `FAIL`.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
    }
}
