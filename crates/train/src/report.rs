//! What is said before a run: the plan, what is left out, the token table, one row with its mask.

use std::fmt::Write as _;

use crate::data::Gate;
use crate::mask::MaskError;
use crate::plan::{self, PlanError};
use crate::prepare::{Planned, Prepared};
use crate::tokens;

/// Characters of the shown row that are printed on either side of its mask's border.
const SHOWN: usize = 600;

/// The rows as they are, before the limit: counts, what has no counterpart, the token table.
pub fn rows(prepared: &Prepared) -> String {
    let mut text = String::new();
    for ledger in &prepared.pairs.arms {
        let _ = write!(text, "{}: {} rows of {}", ledger.arm, ledger.lines.len(), ledger.path.display());
        if let Gate::Ungated { reason } = &ledger.gate {
            let _ = write!(text, "; UNGATED: {reason}");
        }
        if !ledger.states_system {
            text.push_str("; they state no system prompt, so the experiment's is set before each");
        }
        text.push('\n');
        let alone = prepared.pairs.unpaired.iter().filter(|row| row.arm == ledger.arm).count();
        if alone > 0 {
            let _ =
                writeln!(text, "{}: {alone} rows are left out, since another arm has no answer", ledger.arm);
        }
    }
    for arm in &prepared.missing {
        let _ = writeln!(text, "{arm}: no data yet, so the rows are not paired with it");
    }
    text.push('\n');
    text.push_str(&tokens::table(&prepared.examples, prepared.recipe.max_seq_length));
    let positions = prepared.base.config.max_position_embeddings;
    for arm in &prepared.examples.arms {
        let beyond = arm.examples.iter().filter(|row| row.encoded.ids.len() > positions).count();
        if beyond > 0 {
            let _ = writeln!(
                text,
                "{}: {beyond} rows are longer than the {positions} positions that the base was trained for",
                arm.arm
            );
        }
    }
    text
}

/// The plan of every chosen arm, what is equal in them and what is not.
///
/// # Errors
/// [`PlanError`].
pub fn plans(prepared: &Prepared, planned: &Planned) -> Result<String, PlanError> {
    let mut text = String::new();
    let dropped = prepared.examples.prompts.len() - planned.examples.prompts.len();
    if dropped > 0 {
        let _ = writeln!(text, "{dropped} prompts are left out of every arm for their length");
    }
    for plan in &planned.plans {
        let course = &plan.frozen.course;
        let _ = writeln!(
            text,
            "{}: {} steps of up to {} rows, {} rows a pass, {} steps of warm-up to a learning rate of {:e}; to {}",
            plan.frozen.data.arm,
            course.steps,
            prepared.recipe.grad_accum,
            course.rows,
            course.warmup_steps,
            prepared.recipe.learning_rate,
            prepared.folder(plan).display(),
        );
    }
    let all: Vec<&plan::Plan> = planned.plans.iter().collect();
    if let [first, rest @ ..] = all.as_slice()
        && !rest.is_empty()
    {
        for other in rest {
            let (left, right) = (&first.frozen, &other.frozen);
            let _ = writeln!(text, "the plans of {} and {} differ in", left.data.arm, right.data.arm);
            for d in plan::difference(left, right)? {
                let value = |value: Option<String>| value.unwrap_or_else(|| "unset".into());
                let _ = writeln!(text, "  {}: {} | {}", d.key, value(d.left), value(d.right));
            }
        }
        let _ = writeln!(text, "{}", plan::held_equal(&all));
    }
    Ok(text)
}

/// The first row that the first plan takes, with its mask.
///
/// # Errors
/// What the tokenizer says.
pub fn example(prepared: &Prepared, planned: &Planned, colour: bool) -> Result<String, MaskError> {
    let Some(plan) = planned.plans.first() else { return Ok(String::new()) };
    let arm = planned.examples.arm(&plan.frozen.data.arm);
    let row = arm.zip(plan.rows(0).first()).and_then(|(arm, &place)| arm.examples.get(place));
    let Some(row) = row else { return Ok(String::new()) };
    let shown = tokens::show(&prepared.chat, row, colour, SHOWN)?;
    Ok(format!("line {} of {}, what is learned between ⟦ and ⟧:\n{shown}\n", row.line, plan.frozen.data.arm))
}
