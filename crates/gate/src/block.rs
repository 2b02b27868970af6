//! Judging a stretch of whole lines. It knows neither the file nor what came before.

use std::borrow::Cow;

use crate::context::ArmContext;
use crate::explain::{Explained, explain};
use crate::rules::{Check, FILE_FORM, Failure, LINE_ENDINGS, RULES};
use crate::summary::{Fact, Summary};
use crate::view::{Subject, View};
use crate::waves::MAX_LINE;
use crate::{fold, minhash, typed};

/// Judges every line of `bytes`. A last line without a newline is judged as it stands.
pub fn judge(context: &ArmContext<'_>, bytes: &[u8]) -> Summary {
    let mut summary = Summary::new(context.shared.thresholds.max_findings);
    // One look at the whole stretch is quicker than one at each line.
    let text = simdutf8::basic::from_utf8(bytes).ok();
    let (mut at, mut spare) = (0, String::new());
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |offset| at + offset);
        let mut until = end;
        summary.lines += 1;
        if until > at && bytes[until - 1] == b'\r' {
            until -= 1;
            let message = "the line ends in CR LF; an editor or a checkout rewrote the file".to_owned();
            summary.fail(LINE_ENDINGS, summary.lines, Failure { message, excerpt: String::new() });
        }
        line(context, &bytes[at..until], text.map(|text| &text[at..until]), &mut spare, &mut summary);
        at = end + 1;
    }
    summary
}

/// `spare` is an empty text whose memory one row after another writes its output to.
fn line(
    context: &ArmContext<'_>,
    bytes: &[u8],
    text: Option<&str>,
    spare: &mut String,
    summary: &mut Summary,
) {
    let number = summary.lines;
    if bytes.trim_ascii().is_empty() {
        let message = "the line is blank".to_owned();
        return summary.fail(LINE_ENDINGS, number, Failure { message, excerpt: String::new() });
    }
    summary.filled += 1;
    if bytes.len() > MAX_LINE {
        let message = format!("the line has {} MiB or more; a row has at most 1", bytes.len() >> 20);
        let excerpt = crate::excerpt::lossy(&bytes[..bytes.len().min(400)], 0);
        return summary.fail(FILE_FORM, number, Failure { message, excerpt });
    }
    let text = text.or_else(|| simdutf8::basic::from_utf8(bytes).ok());
    if let Some(view) = text.and_then(|text| typed::read_knowing(text, &context.known, spare)) {
        row(context, &view, summary);
        if let Some(Cow::Owned(mut output)) = view.output {
            output.clear();
            *spare = output;
        }
        return;
    }
    match explain(bytes) {
        Explained::Row { row: read, null_output } => {
            let mut view = View::from(&*read);
            if null_output {
                view.output = None;
            }
            row(context, &view, summary);
        }
        Explained::Wrong { rule, failure, instruction } => {
            summary.fail(rule, number, failure);
            if let Some(instruction) = instruction {
                let prompt = fold::hash(instruction.as_bytes());
                summary.facts.push(Fact { line: number, prompt, answer: 0 });
            }
        }
    }
}

fn row(context: &ArmContext<'_>, view: &View<'_>, summary: &mut Summary) {
    let line = summary.lines;
    let subject = Subject::new(view);
    summary.rows += 1;
    summary.stats.add(&subject);
    summary.note_settings(view, line);
    let prompt = fold::hash(view.instruction.as_bytes());
    let answer = subject.answer().filter(|answer| !answer.is_empty());
    summary.facts.push(Fact { line, prompt, answer: answer.map_or(0, |text| fold::hash(text.as_bytes())) });
    let compared = context.shared.thresholds.near_duplicate_similarity <= 1.0;
    if compared && let Some(signature) = answer.and_then(minhash::sign) {
        summary.signed.push(line);
        summary.signatures.push(signature);
    }
    for (index, rule) in RULES.iter().enumerate() {
        if let Check::Row(check) = rule.check
            && let Some(failure) = check(context, &subject)
        {
            summary.fail(index, line, failure);
        }
    }
}
