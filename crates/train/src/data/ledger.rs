//! One arm's ledger, read for training: the gate's verdict on exactly these bytes, and rows that belong here.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use dataset::receipt::{self, ReceiptError};
use dataset::{Arm, Row};
use sha2::{Digest, Sha256};

/// An arm's rows and where they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// The arm.
    pub arm: String,
    /// The file.
    pub path: PathBuf,
    /// Lower-case hex SHA-256 of its bytes, the ones that were read.
    pub sha256: String,
    /// What the gate said of them.
    pub gate: Gate,
    /// Whether the rows carry their system prompt. Rows of the Python script do not; they are trained under the one
    /// that the experiment names.
    pub states_system: bool,
    /// The rows, in file order.
    pub lines: Vec<Line>,
}

/// One row, as far as training needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its line in the ledger, from 1.
    pub number: usize,
    /// The prompt.
    pub prompt: String,
    /// The system prompt it is trained under.
    pub system: String,
    /// The answer, think block and all.
    pub answer: String,
}

/// What the gate said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// A passing verdict on exactly these bytes.
    Passed,
    /// None; training goes on because `--allow-ungated` was given.
    Ungated {
        /// Why there is no passing verdict.
        reason: String,
    },
}

/// Why a ledger is not trained on.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is missing or unreadable.
    #[error(
        "cannot read the data of arm `{arm}` at {path}; `cargo xtask gen` makes it, --data names its folder"
    )]
    Read {
        /// The arm.
        arm: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No passing verdict on these bytes.
    #[error(
        "arm `{arm}` has no passing verdict; to train all the same, and have the provenance say so, pass --allow-ungated"
    )]
    Ungated {
        /// The arm.
        arm: String,
        /// What is wrong with the verdict.
        source: ReceiptError,
    },
    /// A line that is not a row of this arm of this experiment.
    #[error("{path}:{line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// No rows at all.
    #[error("{path} has no rows")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the ledger of `arm` at `path`. `prompts` are the experiment's: a row that answers another is of another
/// experiment.
///
/// # Errors
/// [`LedgerError`]; without `allow_ungated`, also where the gate has not passed exactly these bytes.
pub fn read(
    path: &Path,
    arm: &Arm,
    prompts: &HashSet<String>,
    allow_ungated: bool,
) -> Result<Ledger, LedgerError> {
    let bytes = std::fs::read(path).map_err(|source| LedgerError::Read {
        arm: arm.name.clone(),
        path: path.to_owned(),
        source,
    })?;
    let sha256 = receipt::hex(&Sha256::digest(&bytes));
    // The verdict is on a hash, and the hash is of the bytes in hand: a file that changes in between is caught.
    let verdict = receipt::verify(path).and_then(|judged| match judged.sha256 == sha256 {
        true => Ok(()),
        false => Err(ReceiptError::OtherBytes {
            ledger: path.to_owned(),
            found: sha256.clone(),
            judged: judged.sha256,
        }),
    });
    let gate = match verdict {
        Ok(()) => Gate::Passed,
        Err(reason) if allow_ungated => Gate::Ungated { reason: reason.to_string() },
        Err(source) => return Err(LedgerError::Ungated { arm: arm.name.clone(), source }),
    };
    let (lines, states_system) = parse(path, &bytes, arm, prompts)?;
    Ok(Ledger { arm: arm.name.clone(), path: path.to_owned(), sha256, gate, states_system, lines })
}

fn parse(
    path: &Path,
    bytes: &[u8],
    arm: &Arm,
    prompts: &HashSet<String>,
) -> Result<(Vec<Line>, bool), LedgerError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut first_line: HashMap<String, usize> = HashMap::new();
    let mut states_system = None;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let wrong = |what: String| LedgerError::Line { path: path.to_owned(), line: number, what };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row: Row = serde_json::from_slice(line).map_err(|error| wrong(format!("not a row: {error}")))?;
        if row.meta.model_type != arm.name {
            let other = &row.meta.model_type;
            return Err(wrong(format!("a row of arm `{other}` in the ledger of `{}`", arm.name)));
        }
        if !prompts.contains(&row.instruction) {
            return Err(wrong(
                "the prompt is not one of the experiment's: this is data of another experiment; check --experiment and --data"
                    .into(),
            ));
        }
        match (&row.system_prompt, *states_system.get_or_insert(row.system_prompt.is_some())) {
            (Some(_), false) => {
                return Err(wrong("has a system prompt, while the rows before have none".into()));
            }
            (None, true) => return Err(wrong("has no system prompt, while the rows before have one".into())),
            (Some(system), true) if *system != arm.system_prompt => {
                return Err(wrong(format!(
                    "was answered under another system prompt than {}",
                    arm.path.display()
                )));
            }
            _ => {}
        }
        if let Some(earlier) = first_line.insert(row.instruction.clone(), number) {
            return Err(wrong(format!("the same prompt is answered on line {earlier}")));
        }
        let system = arm.system_prompt.clone();
        lines.push(Line { number, prompt: row.instruction, system, answer: row.output });
    }
    match states_system {
        Some(states_system) => Ok((lines, states_system)),
        None => Err(LedgerError::Empty { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prompt: &str, system: Option<&str>, arm: &str) -> String {
        let system = system.map_or(String::new(), |system| format!(r#""system_prompt":"{system}","#));
        format!(
            r#"{{"instruction":"{prompt}",{system}"output":"<think>t</think>a","meta":{{"category":"c","model_type":"{arm}","model":"m","timestamp":"t","finish_reason":"STOP"}},"token_stats":{{"input":1,"output":1,"total":2}}}}"#
        )
    }

    fn check(lines: &[String]) -> Result<(Vec<Line>, bool), String> {
        let arm = Arm { name: "aba".into(), system_prompt: "s".into(), path: "aba.md".into() };
        let prompts = HashSet::from(["p".to_owned(), "q".to_owned()]);
        let bytes = lines.join("\n");
        parse(Path::new("l.jsonl"), bytes.as_bytes(), &arm, &prompts).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_of_either_format_are_trained_under_the_arm_s_system_prompt() {
        for system in [Some("s"), None] {
            let (lines, states_system) = check(&[row("p", system, "aba"), row("q", system, "aba")]).unwrap();
            assert_eq!(states_system, system.is_some());
            assert!(lines.iter().all(|line| line.system == "s"));
        }
    }

    #[test]
    fn a_row_that_does_not_belong_is_named_by_its_line() {
        let good = row("p", Some("s"), "aba");
        let cases = [
            (row("q", None, "aba"), "l.jsonl:2: has no system prompt, while"),
            (row("q", Some("z"), "aba"), "l.jsonl:2: was answered under another system prompt than aba.md"),
            (row("q", Some("s"), "control"), "l.jsonl:2: a row of arm `control` in the ledger of `aba`"),
            (row("r", Some("s"), "aba"), "l.jsonl:2: the prompt is not one of the experiment's"),
            (good.clone(), "l.jsonl:2: the same prompt is answered on line 1"),
            (good[..40].to_owned(), "l.jsonl:2: not a row: EOF"),
        ];
        for (line, expected) in cases {
            let error = check(&[good.clone(), line]).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(check(&[]).unwrap_err().contains("has no rows"));
    }
}
