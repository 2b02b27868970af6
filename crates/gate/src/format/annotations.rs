//! Workflow commands for GitHub Actions: the first findings, pinned to their lines.

use crate::report::{Report, Severity};

/// Errors that one step may annotate; GitHub drops the others.
const SHOWN: usize = 10;

/// Returns one command a line, errors first, ten at most.
pub fn write(report: &Report) -> String {
    let of = |severity: Severity| report.failed().filter(move |rule| rule.severity == severity);
    // One finding of each rule before a second one of any: ten lines should say as much as they can.
    let mut lines: Vec<(Severity, usize, String)> = Vec::new();
    for rule in of(Severity::Error).chain(of(Severity::Warning)) {
        for (rank, finding) in rule.findings.iter().take(SHOWN).enumerate() {
            let path = property(&finding.path.display().to_string());
            let line = finding.line.unwrap_or(1);
            let title = property(&format!("gate: {}", rule.rule));
            let level = rule.severity.name();
            let text = data(&finding.message);
            lines.push((
                rule.severity,
                rank,
                format!("::{level} file={path},line={line},title={title}::{text}\n"),
            ));
        }
    }
    lines.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
    lines.into_iter().take(SHOWN).map(|(_, _, line)| line).collect()
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
