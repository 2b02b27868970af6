//! The state on one screen.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use jiff::Timestamp;

use crate::figures::{bytes, count, loss, percent, tally};
use crate::state::State;
use crate::verdict::Verdict;

/// Draws the state as text, without colour. `now` tells whether rows still arrive.
pub fn screen(state: &State, now: Timestamp) -> String {
    let mut text = format!("{} · {} · {}\n\n", state.experiment, state.model, state.data.display());
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}", rows(state, now));
    let last = state.arms.iter().filter_map(|arm| arm.last_row).max();
    let _ =
        writeln!(text, "\nlast row          {}", last.map_or_else(|| "-".into(), |time| time.to_string()));
    let _ = writeln!(text, "incomplete pairs  {}", state.incomplete_pairs);
    for arm in state.arms.iter().filter(|arm| arm.strangers > 0) {
        let _ = writeln!(
            text,
            "other rows        {} of {} answer no prompt of the experiment",
            arm.strangers, arm.arm
        );
    }
    let _ = writeln!(text, "lost attempts     {} ({})", state.lost.count(), tally(&state.lost.reasons));
    let _ = writeln!(text, "429s survived     {}", state.lost.throttled);
    let _ = writeln!(text, "cost so far       ${:.2}", state.cost);
    let _ = writeln!(text, "verdict           {}\n", verdict(&state.verdict));
    let _ = writeln!(text, "{}\n", training(state));
    match &state.next.command {
        Some(command) => {
            let _ = writeln!(text, "next: {command}  ({})", state.next.reason);
        }
        None => {
            let _ = writeln!(text, "{}", state.next.reason);
        }
    }
    text
}

/// The verdict in a few words.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass { judged_at } => format!("pass, {judged_at}"),
        Verdict::Fail { why } => format!("fail: {why}"),
        Verdict::Stale { why } => format!("out of date: {why}"),
        Verdict::None => "none yet".into(),
    }
}

fn rows(state: &State, now: Timestamp) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "arm",
        "rows",
        "done",
        "size",
        "rows/min",
        "ETA",
        "finish reasons",
        "tokens in",
        "out",
        "thoughts",
        "escalated",
        "resampled",
    ]);
    for arm in &state.arms {
        table.add_row([
            arm.arm.clone(),
            format!("{}/{}", arm.answered, state.prompts),
            percent(arm.answered, state.prompts),
            bytes(arm.bytes),
            arm.rows_per_minute.map_or_else(|| "-".into(), |rate| format!("{rate:.1}")),
            match arm.minutes_left() {
                _ if arm.missing == 0 => "done".into(),
                _ if arm.is_idle(now) => "idle".into(),
                Some(minutes) => format!("{:.0} min", minutes.ceil()),
                None => "-".into(),
            },
            tally(&arm.finish_reasons),
            count(arm.tokens.input),
            count(arm.tokens.output),
            count(arm.tokens.thoughts),
            arm.escalated.to_string(),
            arm.resampled.to_string(),
        ]);
    }
    table
}

fn training(state: &State) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["adapter", "steps", "first loss", "last loss", "peak memory", "where"]);
    for arm in &state.training {
        table.add_row([
            arm.arm.clone(),
            arm.steps.to_string(),
            loss(arm.first_loss),
            loss(arm.last_loss),
            arm.peak_memory_bytes.map_or_else(|| "-".into(), bytes),
            if arm.finished { arm.path.display().to_string() } else { "not yet".into() },
        ]);
    }
    table
}
