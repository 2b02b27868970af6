//! For a person at a terminal or reading a log: the arms beside each other, then the findings, then the verdict.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::table::{self, grouped};
use super::{summary, word};
use crate::report::{Finding, Report, RuleReport, Severity};
use dataset::receipt::Verdict;

/// Findings shown per rule; the others are counted.
const SHOWN: usize = 5;

/// Writes `report`. With `colour`, verdict and rule names carry ANSI codes.
pub fn write(report: &Report, colour: bool) -> String {
    let paint = |code: &str, text: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    // Writing to a string does not fail.
    let mut out = String::new();
    for file in &report.files {
        let hash = file.sha256.as_deref().unwrap_or("no file");
        let _ = writeln!(
            out,
            "{}: {} ({} bytes, sha256 {hash})",
            file.arm,
            file.path.display(),
            grouped(file.bytes)
        );
    }
    let _ = writeln!(out, "\n{}\n", arms(report));
    for rule in report.failed() {
        let code = if rule.severity == Severity::Error { "1;31" } else { "1;33" };
        let name = paint(code, &format!("{} {}", rule.severity.name(), rule.rule));
        let _ = writeln!(out, "{name}: {} — {}", times(rule.failures), rule.why);
        findings(&mut out, rule);
        out.push('\n');
    }
    let line = summary(report);
    let verdict = word(report.verdict);
    let code = if report.verdict == Verdict::Pass { "1;32" } else { "1;31" };
    let _ = writeln!(out, "{}{}", paint(code, verdict), &line[verdict.len()..]);
    out
}

/// One finding on one line: `path:line: message`.
pub fn place(finding: &Finding) -> String {
    match finding.line {
        Some(line) => format!("{}:{line}: {}", finding.path.display(), finding.message),
        None => format!("{}: {}", finding.path.display(), finding.message),
    }
}

fn findings(out: &mut String, rule: &RuleReport) {
    for finding in rule.findings.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}", place(finding));
        if !finding.excerpt.is_empty() {
            // The bar keeps a log of GitHub Actions from reading `::command::` at the start of a line.
            let _ = writeln!(out, "    | {}", finding.excerpt);
        }
    }
    if let Some(more) = rule.failures.checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more; --format json lists them");
    }
}

fn arms(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names = report.files.iter().map(|file| file.arm.clone());
    table.set_header(std::iter::once(String::new()).chain(names));
    for line in table::lines(report) {
        table.add_row(std::iter::once(line.name).chain(line.values));
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn times(count: usize) -> String {
    if count == 1 { "1 finding".into() } else { format!("{count} findings") }
}
