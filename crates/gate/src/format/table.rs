//! The arms beside each other: one line a figure, one column an arm.

use std::collections::BTreeSet;

use crate::histogram::Histogram;
use crate::report::Report;
use crate::stats::Stats;

/// A figure and its value in every arm, in the order of the report's files.
pub struct Line {
    /// What is counted.
    pub name: String,
    /// One value an arm.
    pub values: Vec<String>,
}

/// Picks one figure of an arm.
type Figure = fn(&Stats) -> &Histogram;

/// Every figure that a person compares.
pub fn lines(report: &Report) -> Vec<Line> {
    let arms: Vec<&Stats> = report.files.iter().map(|file| &file.stats).collect();
    let mut lines = Vec::new();
    let mut push = |name: String, value: &dyn Fn(&Stats) -> String| {
        lines.push(Line { name, values: arms.iter().map(|stats| value(stats)).collect() });
    };
    push("rows".into(), &|stats| stats.categories.values().sum::<usize>().to_string());
    if arms.iter().any(|stats| stats.python_rows > 0) {
        push("  of the Python script".into(), &|stats| stats.python_rows.to_string());
    }
    let names = |of: fn(&Stats) -> Vec<&String>| -> BTreeSet<String> {
        arms.iter().flat_map(|stats| of(stats)).cloned().collect()
    };
    for name in names(|stats| stats.categories.keys().collect()) {
        let shown = crate::excerpt::start(&name);
        push(format!("category {shown}"), &|stats| of(stats.categories.get(&name)));
    }
    for name in names(|stats| stats.finish_reasons.keys().collect()) {
        let shown = crate::excerpt::start(&name);
        push(format!("finish {shown}"), &|stats| of(stats.finish_reasons.get(&name)));
    }
    let figures: [(&str, Figure); 6] = [
        ("tokens in", |stats| &stats.tokens_input),
        ("tokens out", |stats| &stats.tokens_output),
        ("tokens of thoughts", |stats| &stats.tokens_thoughts),
        ("thinking, characters", |stats| &stats.think_chars),
        ("answer, characters", |stats| &stats.answer_chars),
        ("attempts", |stats| &stats.attempts),
    ];
    for (name, figure) in figures {
        push(format!("{name} (p50 p90 max)"), &|stats| quantiles(figure(stats)));
    }
    push("tokens in, out and thoughts, sum".into(), &|stats| {
        let sum = |figure: &Histogram| figure.quantiles().map_or(0, |quantiles| quantiles.sum);
        grouped(sum(&stats.tokens_input) + sum(&stats.tokens_output) + sum(&stats.tokens_thoughts))
    });
    push("escalated rows".into(), &|stats| share(stats.escalated_rows, stats));
    push("resampled rows".into(), &|stats| share(stats.resampled_rows, stats));
    lines
}

/// `1234567` as `1,234,567`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn of(count: Option<&usize>) -> String {
    count.copied().unwrap_or_default().to_string()
}

fn quantiles(figure: &Histogram) -> String {
    figure.quantiles().map_or_else(
        || "-".to_owned(),
        |found| format!("{} {} {}", grouped(found.p50), grouped(found.p90), grouped(found.max)),
    )
}

fn share(rows: usize, stats: &Stats) -> String {
    match stats.categories.values().sum::<usize>() {
        0 => "-".to_owned(),
        all => format!("{rows} ({:.1} %)", rows as f64 * 100.0 / all as f64),
    }
}
