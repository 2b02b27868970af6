//! For test reporters: a suite with one case a rule. A warning is a case that passed with words in `system-out`.

use std::fmt::Write as _;

use super::text::place;
use crate::report::{Report, Severity};

/// Findings listed per case; the others are counted.
const SHOWN: usize = 100;

/// Writes `report` as a JUnit file.
pub fn write(report: &Report) -> String {
    let failed = report.failed().filter(|rule| rule.severity == Severity::Error).count();
    let tests = report.rules.len();
    // Writing to a string does not fail.
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites tests=\"{tests}\" failures=\"{failed}\">");
    let _ = writeln!(out, "  <testsuite name=\"gate\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">");
    for rule in &report.rules {
        let _ = write!(out, "    <testcase classname=\"gate\" name=\"{}\"", rule.rule);
        if rule.failures == 0 {
            out.push_str("/>\n");
            continue;
        }
        let mut lines: Vec<String> = rule.findings.iter().take(SHOWN).map(place).collect();
        if rule.failures > lines.len() {
            lines.push(format!("and {} more", rule.failures - lines.len()));
        }
        let body = escape(&lines.join("\n"));
        let _ = match rule.severity {
            Severity::Error => writeln!(
                out,
                ">\n      <failure message=\"{}: {}\">{body}</failure>\n    </testcase>",
                rule.failures,
                escape(rule.why)
            ),
            Severity::Warning => writeln!(out, ">\n      <system-out>{body}</system-out>\n    </testcase>"),
        };
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Escapes for text and attributes; XML 1.0 knows no other control characters than these three.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(char),
            _ if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
    out
}
