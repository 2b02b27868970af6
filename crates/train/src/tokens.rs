//! The token table, printed before any training: how long rows are, and which would lose what at the limit.
//!
//! It only reads; what becomes of long rows is decided in `data::pairs`.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::data::{ArmExamples, Example, Examples};
use crate::mask::{Chat, MaskError};

/// Rows over the limit that are listed one by one.
const LISTED: usize = 10;

/// A part of a row: its name and its length in tokens.
type Part = (&'static str, fn(&Example) -> usize);

/// Renders the table of all arms. `limit` is in tokens.
pub fn table(examples: &Examples, limit: u32) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["arm", "tokens in", "sum", "min", "median", "90 %", "99 %", "max"]);
    for arm in &examples.arms {
        let parts: [Part; 4] = [
            ("prompt", |row| row.encoded.supervised.start),
            ("thinking", |row| row.encoded.thinking),
            ("answer", |row| row.encoded.supervised.len() - row.encoded.thinking),
            ("row", |row| row.encoded.ids.len()),
        ];
        for (name, length) in parts {
            let mut lengths: Vec<usize> = arm.examples.iter().map(length).collect();
            lengths.sort_unstable();
            let mut cells = vec![arm.arm.clone(), name.to_owned(), lengths.iter().sum::<usize>().to_string()];
            cells.extend([0.0, 0.5, 0.9, 0.99, 1.0].map(|q| quantile(&lengths, q).to_string()));
            table.add_row(cells);
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    for arm in &examples.arms {
        text.push_str(&overlong(arm, limit));
        let set_in = arm.examples.iter().filter(|row| row.encoded.set_in).count();
        if set_in > 0 {
            let _ = writeln!(
                text,
                "{}: {set_in} rows: the template would have changed the answer, so it was set in as it stands",
                arm.arm
            );
        }
    }
    text
}

fn overlong(arm: &ArmExamples, limit: u32) -> String {
    let most = limit as usize;
    let long: Vec<&Example> = arm.examples.iter().filter(|row| row.encoded.ids.len() > most).collect();
    let mut text =
        format!("{}: {} of {} rows are over {limit} tokens\n", arm.arm, long.len(), arm.examples.len());
    for row in long.iter().take(LISTED) {
        let (path, tokens) = (arm.path.display(), row.encoded.ids.len());
        let _ =
            writeln!(text, "  {path}:{}: {tokens} tokens; cut there, {}", row.line, row.encoded.loses(most));
    }
    if long.len() > LISTED {
        let _ = writeln!(text, "  and {} more", long.len() - LISTED);
    }
    text
}

/// The smallest of `sorted` that at least a share `q` of it does not exceed; 0 of nothing.
fn quantile(sorted: &[usize], q: f64) -> usize {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0)
}

/// Asserts that the last learned token of every row is the end token. Rows that were cut at the limit, which only
/// `--overlong truncate` does, are passed over.
///
/// # Errors
/// [`MaskError::EndNotLearned`], with the ledger and the line.
pub fn check_ends(examples: &Examples, chat: &Chat) -> Result<(), crate::data::PairError> {
    for arm in &examples.arms {
        for row in arm.examples.iter().filter(|row| !row.cut) {
            let last = row.encoded.supervised.end.checked_sub(1).and_then(|at| row.encoded.ids.get(at));
            if last != Some(&chat.end()) {
                return Err(crate::data::PairError::Row {
                    path: arm.path.clone(),
                    line: row.line,
                    source: MaskError::EndNotLearned,
                });
            }
        }
    }
    Ok(())
}

/// Renders a row with its mask: what is learned in green where `colour`, and always between `⟦` and `⟧`.
/// A middle part of more than `most` characters on either side of the border is left out.
pub fn show(chat: &Chat, row: &Example, colour: bool, most: usize) -> Result<String, MaskError> {
    let learned = &row.encoded.supervised;
    let part = |range: std::ops::Range<usize>| -> Result<String, MaskError> {
        Ok(shorten(&chat.tokenizer.text(&row.encoded.ids[range])?, most))
    };
    let (before, said, after) =
        (part(0..learned.start)?, part(learned.clone())?, part(learned.end..row.encoded.ids.len())?);
    let (on, dim, off) = if colour { ("\x1b[32m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    Ok(format!("{dim}{before}{off}{on}⟦{said}⟧{off}{dim}{after}{off}"))
}

fn shorten(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
    format!("{head} … {} characters … {tail}", count - 2 * half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occur() {
        let sorted: Vec<usize> = (1..=10).collect();
        assert_eq!([0.0, 0.5, 0.9, 0.99, 1.0].map(|q| quantile(&sorted, q)), [1, 5, 9, 10, 10]);
        assert_eq!(quantile(&[7], 0.5), 7);
        assert_eq!(quantile(&[], 0.5), 0);
    }

    #[test]
    fn a_long_text_keeps_both_ends() {
        assert_eq!(shorten("abcdefgh", 4), "ab … 4 characters … gh");
        assert_eq!(shorten("äöü", 3), "äöü");
    }
}
