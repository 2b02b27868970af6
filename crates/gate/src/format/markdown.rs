//! For a pull request or a job summary.

use std::fmt::Write as _;

use super::{summary, table};
use crate::report::{Finding, Report};

/// Findings shown per rule; the others are counted. A job summary holds 1 MiB.
const SHOWN: usize = 10;

/// Writes `report` as a section.
pub fn write(report: &Report) -> String {
    // Writing to a string does not fail.
    let mut out = String::new();
    let _ = writeln!(out, "## Gate — {}\n", summary(report));
    let names: Vec<&str> = report.files.iter().map(|file| file.arm.as_str()).collect();
    row(&mut out, "", &names);
    let _ = writeln!(out, "|---|{}", "---:|".repeat(names.len()));
    for line in table::lines(report) {
        row(&mut out, line.name.trim(), &line.values);
    }
    for rule in report.failed() {
        let _ = writeln!(
            out,
            "\n### `{}`: {} ({})\n\n{}.\n",
            rule.rule,
            rule.failures,
            rule.severity.name(),
            sentence(rule.why)
        );
        let _ = writeln!(out, "| where | what | words |\n|---|---|---|");
        for finding in rule.findings.iter().take(SHOWN) {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                cell(&place(finding)),
                cell(&finding.message),
                cell(&finding.excerpt)
            );
        }
        if rule.failures > SHOWN {
            let _ = writeln!(out, "\nand {} more", rule.failures - SHOWN);
        }
    }
    out.push_str("\nJudged bytes:\n\n");
    for file in &report.files {
        let hash = file.sha256.as_deref().unwrap_or("no file");
        let _ = writeln!(out, "- {}: `{hash}`", cell(&file.path.display().to_string()));
    }
    out
}

fn row(out: &mut String, name: &str, values: &[impl AsRef<str>]) {
    let values: Vec<String> = values.iter().map(|value| cell(value.as_ref())).collect();
    let _ = writeln!(out, "| {} | {} |", cell(name), values.join(" | "));
}

fn place(finding: &Finding) -> String {
    let path = finding.path.display();
    finding.line.map_or_else(|| path.to_string(), |line| format!("{path}:{line}"))
}

fn sentence(why: &str) -> String {
    let mut chars = why.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Makes text of anybody's into plain words in a cell: no markup, links, mentions or line ends.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '#' | '$' => {
                out.push('\\');
                out.push(char);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(char),
        }
    }
    out
}
