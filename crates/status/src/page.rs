//! The state as the page that lets someone else continue.

use std::fmt::Write as _;

use crate::figures::{bytes, count, loss, percent, tally};
use crate::screen::verdict;
use crate::state::State;
use crate::verdict::Verdict;

/// What whoever continues must not change; the reasons stand beside it, because rules without reasons get broken.
const CONSTRAINTS: &str = "\
- Both arms run under the same settings; a change to one is a change to the experiment. `gen` shows such a change and stops.
- Ledgers are only appended to. Nothing is edited, sorted or cleaned by hand: every row was paid for, and the verdict is tied to \
the bytes.
- Training needs a passing verdict for exactly these bytes. After any new row, the gate comes first.
- Both adapters are trained by one `train --arm all`: same base, same order, same steps.
- One process writes a ledger at a time; the lock says so.
";

/// Writes the page as Markdown.
pub fn page(state: &State) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(page, "# {}: where it stands\n", state.experiment);
    let _ = writeln!(page, "## Identity\n");
    let _ = writeln!(page, "- experiment `{}`", state.path.display());
    let _ = writeln!(
        page,
        "- model `{}`, {} prompts, data in `{}`",
        state.model,
        state.prompts,
        state.data.display()
    );
    let arms: Vec<String> = state.arms.iter().map(|arm| format!("`{}`", arm.arm)).collect();
    let _ = writeln!(page, "- arms: {}", arms.join(", "));
    let _ = writeln!(page, "\n## Rows\n");
    let _ =
        writeln!(page, "| arm | rows | done | bytes | finish reasons | escalated | resampled | last row |");
    let _ = writeln!(page, "|---|---:|---:|---:|---|---:|---:|---|");
    for arm in &state.arms {
        let _ = writeln!(
            page,
            "| {} | {}/{} | {} | {} | {} | {} | {} | {} |",
            arm.arm,
            arm.answered,
            state.prompts,
            percent(arm.answered, state.prompts),
            count(arm.bytes),
            tally(&arm.finish_reasons),
            arm.escalated,
            arm.resampled,
            arm.last_row.map_or_else(|| "-".into(), |time| time.to_string()),
        );
    }
    let _ = writeln!(page, "\nCost so far: ${:.2}, lost attempts included.", state.cost);
    let _ = writeln!(page, "\n## Gate\n\n{}", verdict(&state.verdict));
    let _ = writeln!(page, "\n## Training\n");
    let _ = writeln!(page, "| arm | steps | first loss | last loss | peak memory | adapter |");
    let _ = writeln!(page, "|---|---:|---:|---:|---:|---|");
    for arm in &state.training {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            arm.arm,
            arm.steps,
            loss(arm.first_loss),
            loss(arm.last_loss),
            arm.peak_memory_bytes.map_or_else(|| "-".into(), bytes),
            if arm.finished { format!("`{}`", arm.path.display()) } else { "not yet".into() },
        );
    }
    let _ = writeln!(page, "\n## Known trouble\n");
    let trouble = trouble(state);
    if trouble.is_empty() {
        let _ = writeln!(page, "None.");
    }
    for line in trouble {
        let _ = writeln!(page, "- {line}");
    }
    let _ = writeln!(page, "\n## Next\n");
    if let Some(command) = &state.next.command {
        let _ = writeln!(page, "```sh\n{command}\n```\n");
    }
    let _ = writeln!(page, "{}.", state.next.reason);
    let _ = write!(page, "\n## Constraints\n\n{CONSTRAINTS}");
    page
}

/// What a person would want to know before going on.
fn trouble(state: &State) -> Vec<String> {
    let mut found = Vec::new();
    if state.incomplete_pairs > 0 {
        found.push(format!("{} prompts are answered in only one arm", state.incomplete_pairs));
    }
    for arm in state.arms.iter().filter(|arm| arm.strangers > 0) {
        found.push(format!(
            "{}: {} rows answer no prompt of the experiment; its prompts file has changed since",
            arm.path.display(),
            arm.strangers
        ));
    }
    for arm in state.arms.iter().filter(|arm| arm.unreadable > 0) {
        found.push(format!(
            "{}: {} lines are not rows; the gate names them",
            arm.path.display(),
            arm.unreadable
        ));
    }
    for arm in &state.arms {
        let stopped: usize = arm
            .finish_reasons
            .iter()
            .filter(|(reason, _)| dataset::row::is_stop(reason))
            .map(|(_, n)| n)
            .sum();
        if stopped < arm.rows {
            found.push(format!("arm `{}`: {} rows did not end with STOP", arm.arm, arm.rows - stopped));
        }
    }
    if state.lost.count() > 0 {
        found.push(format!(
            "{} attempts made no row ({}) and used {} billed output tokens; see `attempts.jsonl`",
            state.lost.count(),
            tally(&state.lost.reasons),
            count(state.lost.tokens.billed_output)
        ));
    }
    match &state.verdict {
        Verdict::Fail { why } => found.push(format!("the gate failed: {why}")),
        Verdict::Stale { why } => found.push(format!("the verdict is out of date: {why}")),
        Verdict::Pass { .. } | Verdict::None => {}
    }
    found
}
