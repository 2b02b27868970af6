//! Rows over the limit, pairs, and the table that shows them.

use train::data::{ArmExamples, Example, Examples, Gate, Ledger, Line, Pairs};
use train::mask::Encoded;
use train::recipe::Overlong;
use train::tokens;

fn example(line: usize, prompt: usize, thinking: usize, answer: usize) -> Example {
    let learned = thinking + answer;
    let encoded = Encoded {
        ids: vec![7; prompt + learned + 1],
        supervised: prompt..prompt + learned,
        thinking,
        set_in: false,
    };
    Example { line, encoded, cut: false }
}

/// Three prompts; the second is long in `aba`, the third is long in its prompt.
fn examples() -> Examples {
    let arm = |arm: &str, examples: Vec<Example>| ArmExamples {
        arm: arm.into(),
        path: format!("data/sft_{arm}.jsonl").into(),
        examples,
    };
    Examples {
        prompts: ["a", "b", "c"].map(str::to_owned).into(),
        arms: vec![
            arm("control", vec![example(1, 10, 5, 20), example(2, 10, 5, 20), example(3, 60, 5, 20)]),
            arm("aba", vec![example(3, 10, 9, 30), example(1, 10, 45, 30), example(2, 60, 9, 30)]),
        ],
    }
}

fn lines(examples: &Examples) -> Vec<Vec<usize>> {
    examples.arms.iter().map(|arm| arm.examples.iter().map(|row| row.line).collect()).collect()
}

#[test]
fn the_table_shows_lengths_and_what_long_rows_would_lose() {
    insta::assert_snapshot!(tokens::table(&examples(), 50));
}

#[test]
fn stop_names_the_first_long_row_and_what_would_fit() {
    let error = examples().limit(50, Overlong::Stop).unwrap_err().to_string();
    insta::assert_snapshot!(error);
    assert_eq!(examples().limit(1000, Overlong::Stop).unwrap(), examples());
}

#[test]
fn drop_leaves_a_prompt_out_of_every_arm() {
    let left = examples().limit(50, Overlong::Drop).unwrap();
    assert_eq!(left.prompts, ["a"]);
    assert_eq!(lines(&left), [[1], [3]]);
}

#[test]
fn truncate_cuts_at_the_limit_and_leaves_out_what_keeps_nothing_to_learn() {
    let left = examples().limit(50, Overlong::Truncate).unwrap();
    assert_eq!(left.prompts, ["a", "b"]);
    let cut = &left.arms[1].examples[1];
    assert_eq!((cut.encoded.ids.len(), cut.encoded.supervised.clone(), cut.cut), (50, 10..50, true));
    assert!(!left.arms[0].examples[1].cut);
}

#[test]
fn nothing_left_is_an_error() {
    let error = examples().limit(8, Overlong::Drop).unwrap_err().to_string();
    assert_eq!(error, "every prompt has a row longer than 8 tokens; raise --max-seq-length");
}

fn ledger(arm: &str, prompts: &[&str], states_system: bool) -> Ledger {
    let line = |(index, prompt): (usize, &&str)| Line {
        number: index + 1,
        prompt: (*prompt).to_owned(),
        system: "s".into(),
        answer: format!("{arm} on {prompt}"),
    };
    Ledger {
        arm: arm.into(),
        path: format!("{arm}.jsonl").into(),
        sha256: String::new(),
        gate: Gate::Passed,
        states_system,
        lines: prompts.iter().enumerate().map(line).collect(),
    }
}

#[test]
fn arms_are_paired_by_prompt_whatever_the_order_of_their_ledgers() {
    let arms = vec![ledger("control", &["a", "b", "c"], true), ledger("aba", &["d", "c", "a"], true)];
    let pairs = Pairs::new(arms).unwrap();
    assert_eq!(pairs.prompts, ["a", "c"]);
    let answers: Vec<&str> = pairs.arms[1].lines.iter().map(|line| line.answer.as_str()).collect();
    assert_eq!(answers, ["aba on a", "aba on c"]);
    let left_out: Vec<(&str, usize)> =
        pairs.unpaired.iter().map(|row| (row.arm.as_str(), row.line)).collect();
    assert_eq!(left_out, [("control", 2), ("aba", 1)]);
}

#[test]
fn arms_that_do_not_go_together_are_refused() {
    let mixed = Pairs::new(vec![ledger("control", &["a"], true), ledger("aba", &["a"], false)]);
    assert!(mixed.unwrap_err().to_string().starts_with("aba.jsonl has rows without a system prompt"));
    let apart = Pairs::new(vec![ledger("control", &["a"], true), ledger("aba", &["b"], true)]);
    assert!(apart.unwrap_err().to_string().starts_with("no prompt is answered in every one of"));
}
