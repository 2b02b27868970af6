//! `--dry-run`: what is left to ask, and what it will take, as a range.
//!
//! Pure arithmetic on the plan. Where the ledgers hold rows, their tokens are the guide; before that, the prompts'
//! length and the rows that the first run of this experiment made are.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use dataset::experiment::Price;

use crate::screen::count;

/// Bytes that a token of English stands for, low and high.
const BYTES_A_TOKEN: (f64, f64) = (5.0, 3.5);
/// Billed output of a row before any is known, in tokens: a wide guess around the 4,500 that a row of the first run took in all.
const PRIOR_OUTPUT: (f64, f64) = (1_500.0, 6_000.0);
/// With many rows to go by, the mean of the rest lies in this range of theirs.
const SPREAD: (f64, f64) = (0.9, 1.15);
/// With few, chance widens the range by this over the square root of their number. Answers differ about as much as they
/// are long, and one that was cut off costs its whole budget.
const CHANCE: f64 = 3.0;
/// Requests that one row takes: from none wasted to a quarter asked again.
const REQUESTS_A_ROW: (f64, f64) = (1.0, 1.25);
/// Tokens a minute where no quota is told: the highest and the lowest tier of a pay-as-you-go account.
const TIERS: (f64, f64) = (2e6, 5e5);
/// How long an answer takes, in seconds.
const LATENCY: (f64, f64) = (10.0, 25.0);

/// What is known of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Rows that are missing.
    pub missing: u64,
    /// Bytes of the prompts that are missing, with their system prompts.
    pub bytes: u64,
    /// What its rows took, if it has any.
    pub past: Option<Past>,
}

/// What the rows of an arm took, the attempts that were lost on the way included: they were paid for, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// How many rows there are.
    pub rows: f64,
    /// Requests a row.
    pub requests: f64,
    /// Prompt tokens a row.
    pub input: f64,
    /// Billed output a row, in tokens.
    pub output: f64,
}

/// What is known of the service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quota {
    /// `--rpm`.
    pub requests_per_minute: Option<f64>,
    /// `--tpm`.
    pub tokens_per_minute: Option<f64>,
    /// `--max-in-flight`.
    pub max_in_flight: usize,
}

/// A low and a high estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// If all goes well.
    pub low: f64,
    /// If not much does.
    pub high: f64,
}

/// What one arm, or all of them, will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Rows that are missing.
    pub rows: u64,
    /// Requests, without 429s.
    pub requests: Range,
    /// Prompt tokens.
    pub input: Range,
    /// Visible text and hidden thoughts.
    pub output: Range,
    /// US dollars.
    pub dollars: Range,
}

impl Forecast {
    /// Estimates one arm.
    pub fn of(arm: &Arm, price: Price) -> Self {
        let rows = arm.missing as f64;
        let bytes = arm.bytes as f64;
        let (input, output) = match arm.past {
            Some(past) => {
                let chance = 1.0 + CHANCE / past.rows.sqrt();
                let (low, high) = (SPREAD.0.min(1.0 / chance), SPREAD.1.max(chance));
                (
                    Range { low: rows * past.input * SPREAD.0, high: rows * past.input * SPREAD.1 },
                    Range { low: rows * past.output * low, high: rows * past.output * high },
                )
            }
            None => (
                Range { low: bytes / BYTES_A_TOKEN.0, high: bytes / BYTES_A_TOKEN.1 },
                Range { low: rows * PRIOR_OUTPUT.0, high: rows * PRIOR_OUTPUT.1 },
            ),
        };
        let requests = arm.past.map_or(0.0, |past| past.requests * SPREAD.1);
        let again = Range { low: REQUESTS_A_ROW.0, high: REQUESTS_A_ROW.1 };
        let (input, output) = (input.times(again), output.times(again));
        let dollars = |input: f64, output: f64| (input * price.input + output * price.output) / 1e6;
        Self {
            rows: arm.missing,
            requests: Range { low: rows * again.low, high: rows * again.high.max(requests) },
            dollars: Range { low: dollars(input.low, output.low), high: dollars(input.high, output.high) },
            input,
            output,
        }
    }

    /// Adds two arms.
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            requests: self.requests.plus(other.requests),
            input: self.input.plus(other.input),
            output: self.output.plus(other.output),
            dollars: self.dollars.plus(other.dollars),
        }
    }

    /// How long it will take, in seconds: whichever of quota, concurrency and the last answer is slowest.
    pub fn seconds(&self, quota: Quota) -> Range {
        let at = |requests: f64, tokens: f64, tier: f64, latency: f64| {
            if requests == 0.0 {
                return 0.0;
            }
            let by_requests = quota.requests_per_minute.map_or(0.0, |rpm| requests / rpm * 60.0);
            let by_tokens = tokens / quota.tokens_per_minute.unwrap_or(tier) * 60.0;
            let by_concurrency = requests * latency / quota.max_in_flight.max(1) as f64;
            by_requests.max(by_tokens).max(by_concurrency) + latency
        };
        Range {
            low: at(self.requests.low, self.input.low + self.output.low, TIERS.0, LATENCY.0),
            high: at(self.requests.high, self.input.high + self.output.high, TIERS.1, LATENCY.1),
        }
    }
}

impl Range {
    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    fn times(self, factor: Self) -> Self {
        Self { low: self.low * factor.low, high: self.high * factor.high }
    }

    fn shown(self, show: impl Fn(f64) -> String) -> String {
        let (low, high) = (show(self.low), show(self.high));
        if low == high { low } else { format!("{low} – {high}") }
    }
}

/// The forecast as a table, with what it rests on.
pub fn report(arms: &[Arm], price: Price, quota: Quota) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "rows to ask", "requests", "input tokens", "output tokens", "cost"]);
    let tokens = |number: f64| count(number.round() as u64);
    let line = |name: &str, forecast: &Forecast| {
        [
            name.to_owned(),
            forecast.rows.to_string(),
            forecast.requests.shown(|number| format!("{number:.0}")),
            forecast.input.shown(tokens),
            forecast.output.shown(tokens),
            forecast.dollars.shown(|dollars| format!("${dollars:.2}")),
        ]
    };
    let forecasts: Vec<Forecast> = arms.iter().map(|arm| Forecast::of(arm, price)).collect();
    for (arm, forecast) in arms.iter().zip(&forecasts) {
        table.add_row(line(&arm.name, forecast));
    }
    let Some(total) = forecasts.into_iter().reduce(Forecast::plus) else { return String::new() };
    table.add_row(line("all", &total));
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    let time = total.seconds(quota).shown(duration);
    let known: u64 = arms.iter().filter(|arm| arm.past.is_some()).count() as u64;
    let basis = match known {
        0 => {
            "no row to go by yet: output is taken to be 1,500 to 6,000 tokens a row, hidden thoughts included"
        }
        _ if known == arms.len() as u64 => {
            "tokens a row are those of the rows in the ledgers, lost attempts included"
        }
        _ => {
            "tokens a row are those of the rows in the ledgers, lost attempts included, where an arm has any"
        }
    };
    let limit = match (quota.requests_per_minute, quota.tokens_per_minute) {
        (None, None) => "500 k to 2 M tokens a minute, as pay-as-you-go accounts have (say --rpm or --tpm if you know yours)".to_owned(),
        (rpm, tpm) => {
            let parts = [rpm.map(|rpm| format!("{rpm} requests")), tpm.map(|tpm| format!("{} tokens", count(tpm as u64)))];
            format!("{} a minute", parts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
        }
    };
    let table: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!(
        "{}\n\ntime: {time}, at {limit}\nbasis: {basis}; from none to a quarter of the requests go again, or as many as did so far\nnothing was sent\n",
        table.join("\n")
    )
}

/// `40 s`, `12 min`, `3.5 h`.
fn duration(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6_000 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price { input: 2.0, output: 12.0 };

    #[test]
    fn rests_on_past_rows_where_there_are_some() {
        let arms = [
            Arm { name: "control".into(), missing: 489, bytes: 489 * 2_000, past: None },
            Arm {
                name: "aba".into(),
                missing: 400,
                bytes: 400 * 2_500,
                past: Some(Past { rows: 400.0, requests: 1.2, input: 600.0, output: 3_000.0 }),
            },
        ];
        insta::assert_snapshot!(report(&arms, PRICE, Quota { max_in_flight: 256, ..Quota::default() }));
    }

    #[test]
    fn few_rows_say_little_and_requests_go_again_as_often_as_they_did() {
        let forecast = |rows: f64, requests: f64| {
            let past = Past { rows, requests, input: 500.0, output: 1_000.0 };
            let arm = Arm { name: "aba".into(), missing: 100, bytes: 0, past: Some(past) };
            let Forecast { requests, output, .. } = Forecast::of(&arm, PRICE);
            [output.low, output.high, requests.low, requests.high].map(f64::round)
        };
        assert_eq!(forecast(4.0, 1.0), [40_000.0, 312_500.0, 100.0, 125.0]);
        assert_eq!(forecast(10_000.0, 1.0), [90_000.0, 143_750.0, 100.0, 125.0]);
        assert_eq!(forecast(4.0, 2.0), [40_000.0, 312_500.0, 100.0, 230.0]);
    }

    #[test]
    fn a_quota_that_is_told_decides_the_time() {
        let past = Past { rows: 1e6, requests: 1.0, input: 0.0, output: 1_000.0 };
        let arm = Arm { name: "aba".into(), missing: 600, bytes: 0, past: Some(past) };
        let forecast = Forecast::of(&arm, PRICE);
        let told = Quota { requests_per_minute: Some(60.0), tokens_per_minute: None, max_in_flight: 256 };
        assert_eq!(forecast.seconds(told), Range { low: 610.0, high: 775.0 });
        let nothing = Forecast::of(&Arm { missing: 0, ..arm }, PRICE);
        assert_eq!(nothing.seconds(told), Range { low: 0.0, high: 0.0 });
    }
}
