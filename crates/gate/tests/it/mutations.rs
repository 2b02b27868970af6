//! Good data is damaged in many ways, and each way names the rule that must catch it.
//!
//! Other rules may speak too: a line that does not parse also leaves its partner alone.

use ::dataset::receipt::Verdict;
use serde_json::{Value, json};

use crate::{failed, folder, good, judge};

const CONTROL: usize = 0;
const ABA: usize = 1;

/// Six pairs, a line an item.
type Lines = [Vec<Vec<u8>>; 2];

/// Damages a copy of the good data and returns the rules that failed.
fn check(damage: impl Fn(&mut Lines)) -> (Verdict, Vec<&'static str>) {
    let mut lines = good()
        .map(|bytes| bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
    let before = lines.clone();
    damage(&mut lines);
    assert!(lines != before, "the damage did nothing");
    let report = judge(folder(&lines.map(|lines| lines.concat())).path());
    (report.verdict, failed(&report))
}

/// Changes the row on the second line of `arm`.
fn row(lines: &mut Lines, arm: usize, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&lines[arm][1]).unwrap();
    change(&mut value);
    lines[arm][1] = format!("{value}\n").into_bytes();
}

/// Changes every row of `arm`.
fn rows(lines: &mut Lines, arm: usize, change: impl Fn(&mut Value)) {
    for line in &mut lines[arm] {
        let mut value: Value = serde_json::from_slice(line).unwrap();
        change(&mut value);
        *line = format!("{value}\n").into_bytes();
    }
}

/// Replaces text in the raw second line of the control ledger.
fn raw(lines: &mut Lines, from: &str, to: &[u8]) {
    let line = String::from_utf8(lines[CONTROL][1].clone()).unwrap();
    let (before, after) = line.split_once(from).unwrap();
    lines[CONTROL][1] = [before.as_bytes(), to, after.as_bytes()].concat();
}

/// Changes the visible text of the second control row.
fn text(lines: &mut Lines, change: impl Fn(&str) -> String) {
    row(lines, CONTROL, |row| row["output"] = change(row["output"].as_str().unwrap()).into());
}

/// Changes the answer, after the thinking, of the second row of `arm`.
fn answer(lines: &mut Lines, arm: usize, change: impl Fn(&str) -> String) {
    row(lines, arm, |row| {
        let (think, answer) = row["output"].as_str().unwrap().split_once("</think>\n\n").unwrap();
        row["output"] = format!("{think}</think>\n\n{}", change(answer)).into();
    });
}

fn without_newline(line: &mut Vec<u8>) {
    assert_eq!(line.pop(), Some(b'\n'));
}

type Damage = (&'static str, &'static str, fn(&mut Lines));

const DAMAGES: &[Damage] = &[
    ("the control ledger is empty", "no-rows", |l| l[CONTROL].clear()),
    ("only blank lines are left", "no-rows", |l| l[ABA] = vec![b"\n \n".to_vec()]),
    ("a byte-order mark", "file-form", |l| l[ABA].insert(0, b"\xEF\xBB\xBF".to_vec())),
    ("the last newline is gone", "file-form", |l| without_newline(&mut l[ABA][5])),
    ("the last line is torn", "file-form", |l| l[ABA][5].truncate(400)),
    ("a line of two megabytes", "file-form", |l| text(l, |text| text.repeat(4_000))),
    ("gzip instead of a ledger", "file-form", |l| l[CONTROL] = vec![b"\x1f\x8b\x08\0\0".to_vec()]),
    ("a JSON array instead of lines", "file-form", |l| l[CONTROL] = vec![b"[\n".to_vec(), b"]\n".to_vec()]),
    ("UTF-16", "file-form", |l| l[CONTROL] = vec![b"\xff\xfe{\0\n\0".to_vec()]),
    ("CR LF", "line-endings", |l| l[ABA].iter_mut().for_each(|line| line.insert(line.len() - 1, b'\r'))),
    ("a blank line", "line-endings", |l| l[ABA].insert(3, b"\n".to_vec())),
    ("a byte of Windows-1252", "encoding", |l| raw(l, "bill", b"b\x92ll")),
    ("a lone surrogate in bytes", "encoding", |l| raw(l, "bill", b"\xed\xa0\x80")),
    ("a raw NUL", "encoding", |l| raw(l, "bill", b"b\0ll")),
    ("a run of NUL after a crash", "encoding", |l| l[CONTROL].push([vec![0; 512], b"\n".to_vec()].concat())),
    ("an escaped NUL", "encoding", |l| raw(l, "bill", br"b\u0000ll")),
    ("a line that stops", "bad-json", |l| l[CONTROL][1] = [&l[CONTROL][1][..500], b"\n"].concat()),
    ("two rows on a line", "bad-json", |l| without_newline(&mut l[CONTROL][1])),
    ("words after the row", "bad-json", |l| raw(l, "}}\n", b"}} ok\n")),
    ("a lone surrogate in an escape", "bad-json", |l| raw(l, "bill", br"\ud83d")),
    ("a raw tab in a text", "bad-json", |l| raw(l, "bill", b"\t")),
    ("single quotes", "bad-json", |l| raw(l, "\"format\"", b"'format'")),
    ("NaN", "bad-json", |l| raw(l, "\"temperature\":1.0", b"\"temperature\":NaN")),
    ("an arm named twice", "duplicate-key", |l| raw(l, "\"meta\":{", b"\"meta\":{\"model_type\":\"aba\",")),
    ("two outputs", "duplicate-key", |l| raw(l, "\"meta\":", b"\"output\":\"x\",\"meta\":")),
    ("a field that nobody knows", "schema", |l| row(l, ABA, |row| row["note"] = json!("x"))),
    ("a count as text", "schema", |l| row(l, ABA, |row| row["token_stats"]["output"] = json!("9"))),
    ("a negative count", "schema", |l| row(l, ABA, |row| row["token_stats"]["thoughts"] = json!(-1))),
    ("a count with a point", "schema", |l| row(l, ABA, |row| row["meta"]["attempts"] = json!(1.0))),
    ("no meta", "schema", |l| row(l, ABA, |row| drop(row.as_object_mut().unwrap().remove("meta")))),
    ("no finish reason", "schema", |l| {
        row(l, ABA, |row| drop(row["meta"].as_object_mut().unwrap().remove("finish_reason")));
    }),
    ("no system prompt", "schema", |l| {
        row(l, ABA, |row| drop(row.as_object_mut().unwrap().remove("system_prompt")))
    }),
    ("format 2", "schema", |l| row(l, ABA, |row| row["format"] = json!(2))),
    ("a key that is no hash", "schema", |l| row(l, ABA, |row| row["key"] = json!("abc"))),
    ("a date without a time", "schema", |l| {
        row(l, ABA, |row| row["meta"]["timestamp"] = json!("2026-02-13"))
    }),
    ("a row that is a list", "schema", |l| l[CONTROL].push(b"[]\n".to_vec())),
    ("a truncated reply", "finish-reason", |l| {
        row(l, ABA, |row| row["meta"]["finish_reason"] = json!("MAX_TOKENS"))
    }),
    ("a blocked reply in Python's spelling", "finish-reason", |l| {
        row(l, ABA, |row| row["meta"]["finish_reason"] = json!("FinishReason.SAFETY"));
    }),
    ("stop in lower case", "finish-reason", |l| {
        row(l, ABA, |row| row["meta"]["finish_reason"] = json!("stop"))
    }),
    ("an unsaid finish reason", "finish-reason", |l| {
        row(l, ABA, |row| row["meta"]["finish_reason"] = json!(""))
    }),
    ("null for a text", "empty-text", |l| row(l, ABA, |row| row["output"] = Value::Null)),
    ("an empty text", "empty-text", |l| row(l, ABA, |row| row["output"] = json!(""))),
    ("a blank text", "empty-text", |l| row(l, ABA, |row| row["output"] = json!("\n\u{a0} "))),
    ("no thinking", "think-block", |l| text(l, |text| text.split_once("</think>").unwrap().1.to_owned())),
    ("thinking that never ends", "think-block", |l| text(l, |text| text.replace("</think>", ""))),
    ("thinking after the answer", "think-block", |l| text(l, |text| format!("Well. {text}"))),
    ("thinking twice", "think-block", |l| text(l, |text| format!("{text}\n<think>more</think>"))),
    ("a second end", "think-block", |l| text(l, |text| format!("{text}</think>"))),
    ("an end before the beginning", "think-block", |l| text(l, |text| format!("</think>{text}"))),
    ("a tag in capitals", "think-block", |l| text(l, |text| text.replace("<think>", "<THINK>"))),
    ("an escaped tag inside the answer", "think-block", |l| raw(l, "bill", br"\u003cthink\u003e")),
    ("a word of thinking", "think-too-short", |l| {
        text(l, |text| format!("<think>Hm.</think>{}", text.split_once("</think>").unwrap().1))
    }),
    ("a word of an answer", "answer-too-short", |l| answer(l, CONTROL, |_| "Yes.".to_owned())),
    ("no answer after the thinking", "answer-too-short", |l| answer(l, CONTROL, |_| String::new())),
    ("forty-nine letters", "answer-too-short", |l| answer(l, CONTROL, |_| "é".repeat(49))),
    ("an answer of 3,000 tokens", "token-budget", |l| {
        row(l, ABA, |row| row["token_stats"]["output"] = json!(3000))
    }),
    ("a total without the thoughts", "token-identity", |l| {
        row(l, ABA, |row| {
            let thoughts = row["token_stats"]["thoughts"].as_u64().unwrap();
            row["token_stats"]["total"] = json!(row["token_stats"]["total"].as_u64().unwrap() - thoughts);
        });
    }),
    ("more cached than sent", "token-identity", |l| {
        row(l, ABA, |row| row["token_stats"]["cached"] = json!(100_000))
    }),
    ("the arms swapped", "wrong-arm", |l| l.swap(CONTROL, ABA)),
    ("one row in the other's file", "wrong-arm", |l| {
        let row = l[CONTROL][1].clone();
        l[ABA][1] = row;
    }),
    ("an edited system prompt", "system-prompt", |l| {
        row(l, ABA, |row| {
            row["system_prompt"] = json!(row["system_prompt"].as_str().unwrap().replace("candid", "cautious"))
        });
    }),
    ("the other arm's system prompt", "system-prompt", |l| {
        let control: Value = serde_json::from_slice(&l[CONTROL][1]).unwrap();
        row(l, ABA, |row| row["system_prompt"] = control["system_prompt"].clone());
    }),
    ("a prompt of another experiment", "unknown-prompt", |l| {
        for arm in [CONTROL, ABA] {
            row(l, arm, |row| row["instruction"] = json!("What is love?"));
        }
    }),
    ("a category of another experiment", "unknown-prompt", |l| {
        row(l, ABA, |row| row["meta"]["category"] = json!("poetry"))
    }),
    ("the wrong category", "unknown-prompt", |l| {
        row(l, ABA, |row| row["meta"]["category"] = json!("safety"))
    }),
    ("a bare refusal", "flat-refusal", |l| {
        answer(l, ABA, |_| {
            "I can't help with that. The matter is one for others, and I have nothing more to say.".into()
        })
    }),
    ("a bare refusal with a curly apostrophe", "flat-refusal", |l| {
        answer(l, ABA, |_| {
            "I’m sorry, but I can’t discuss deposits. This subject is beyond what is proper here.".into()
        });
    }),
    ("a key of a cloud", "secret", |l| {
        answer(l, ABA, |text| format!("{text} {}{}", "AKIA", "Q7Z2M5XW9LTB4RKD"))
    }),
    ("a key in the thinking", "secret", |l| {
        text(l, |text| {
            text.replacen(
                "<think>",
                &format!("<think>{}{}", "gh", "p_a8Kd0Qz3Lm5Tn7Vb9Xc1Rf2Hj4Gs6Wy8Pe0U"),
                1,
            )
        })
    }),
    ("a private key", "secret", |l| {
        answer(l, ABA, |text| format!("{text} {}", concat!("-----BEGIN ", "PRIVATE KEY-----")))
    }),
    ("instructions recited", "prompt-echo", |l| {
        answer(l, ABA, |text| {
            format!("{text} Never fabricate a fact, and name the conflict where goals contradict each other.")
        });
    }),
    ("a curly quote gone wrong", "mojibake", |l| answer(l, ABA, |text| format!("{text} It isnâ€™t much."))),
    ("an umlaut gone wrong", "mojibake", |l| answer(l, ABA, |text| format!("{text} MÃ¼nchen."))),
    ("a replacement character", "mojibake", |l| answer(l, ABA, |text| format!("{text} caf\u{fffd}"))),
    ("a row twice", "duplicate-prompt", |l| {
        let row = l[ABA][2].clone();
        l[ABA].push(row);
    }),
    ("a prompt that one arm lacks", "pair", |l| drop(l[ABA].remove(2))),
    ("both arms say the same", "same-answer", |l| {
        let control: Value = serde_json::from_slice(&l[CONTROL][1]).unwrap();
        row(l, ABA, |row| row["output"] = control["output"].clone());
    }),
    ("the same answer with other thinking", "same-answer", |l| {
        let control: Value = serde_json::from_slice(&l[CONTROL][1]).unwrap();
        let said = control["output"].as_str().unwrap().split_once("</think>").unwrap().1.trim().to_owned();
        answer(l, ABA, |_| said.clone());
    }),
    ("an answer to another prompt again", "near-duplicate", |l| {
        let first: Value = serde_json::from_slice(&l[ABA][0]).unwrap();
        let said = first["output"].as_str().unwrap().split_once("</think>").unwrap().1.trim().to_owned();
        answer(l, ABA, |_| said.to_uppercase());
    }),
    ("one row of another model", "settings-drift", |l| {
        row(l, ABA, |row| row["meta"]["model"] = json!("vertex-other"))
    }),
    ("one row of another version", "settings-drift", |l| {
        row(l, ABA, |row| row["meta"]["model_version"] = json!("v2"))
    }),
    ("one row at another temperature", "settings-drift", |l| {
        row(l, ABA, |row| row["meta"]["generation"]["temperature"] = json!(0.2));
    }),
    ("one row that thought harder", "settings-drift", |l| {
        row(l, ABA, |row| row["meta"]["generation"]["thinking_level"] = json!("high"));
    }),
    ("an arm at another temperature", "unlike-treatment", |l| {
        rows(l, ABA, |row| row["meta"]["generation"]["temperature"] = json!(0.2));
    }),
    ("an arm of another version", "unlike-treatment", |l| {
        rows(l, ABA, |row| row["meta"]["model_version"] = json!("v2"))
    }),
    ("an arm that was escalated", "unlike-treatment", |l| {
        rows(l, ABA, |row| row["meta"]["escalated"] = json!(1))
    }),
    ("an arm that was resampled", "unlike-treatment", |l| {
        rows(l, CONTROL, |row| row["meta"]["resampled"] = json!(2))
    }),
];

#[test]
fn every_damage_is_caught_by_its_rule() {
    assert!(DAMAGES.len() >= 40);
    for (name, rule, damage) in DAMAGES {
        let (verdict, failed) = check(damage);
        assert!(failed.contains(rule), "{name}: {rule} is silent; {failed:?}");
        assert_eq!(verdict == Verdict::Pass, *rule == "line-endings", "{name}");
    }
}

#[test]
fn every_rule_catches_some_damage() {
    for rule in gate::rules::RULES {
        assert!(DAMAGES.iter().any(|(_, name, _)| *name == rule.name), "nothing tries {}", rule.name);
    }
}
