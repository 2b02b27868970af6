//! `metrics.jsonl`: one line a step, appended as the step ends.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file's name in an arm's folder.
pub const FILE: &str = "metrics.jsonl";

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// From 1.
    pub step: u64,
    /// Mean over its learned tokens, in nats.
    pub loss: f64,
    /// The rate it was taken at.
    pub learning_rate: f64,
    /// Before clipping.
    pub grad_norm: f64,
    /// Tokens of its rows.
    pub tokens: u64,
    /// Those of them that were learned.
    pub supervised_tokens: u64,
    /// Over the step's time.
    pub tokens_per_second: f64,
    /// Peak so far, where the device says.
    pub peak_memory_bytes: Option<u64>,
}

/// The open file.
#[derive(Debug)]
pub struct Metrics {
    file: File,
    path: PathBuf,
}

/// Why metrics cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The file.
    #[error("cannot {action} {path}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line that is none of ours.
    #[error("{path}:{line}: not a line of metrics")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Metrics {
    /// Opens the file in `folder` and keeps its lines up to `step`; those after it are of steps that the resumed run
    /// takes again. A last line that a crash tore is left out. Returns the lines kept.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn open(folder: &Path, step: u64) -> Result<(Self, Vec<Line>), MetricsError> {
        let path = folder.join(FILE);
        let kept: Vec<Line> = match path.exists() {
            true => read(&path)?.into_iter().filter(|line| line.step <= step).collect(),
            false => Vec::new(),
        };
        let write = |source| MetricsError::File { action: "write", path: path.clone(), source };
        let beside = path.with_extension("jsonl.new");
        let mut file = File::create(&beside).map_err(write)?;
        for line in &kept {
            file.write_all(text(line).map_err(write)?.as_bytes()).map_err(write)?;
        }
        file.sync_all().map_err(write)?;
        drop(file);
        std::fs::rename(&beside, &path).map_err(write)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(write)?;
        Ok((Self { file, path }, kept))
    }

    /// Appends a line.
    ///
    /// # Errors
    /// [`MetricsError::File`].
    pub fn append(&mut self, line: &Line) -> Result<(), MetricsError> {
        let written = text(line).and_then(|text| self.file.write_all(text.as_bytes()));
        written.map_err(|source| MetricsError::File { action: "write", path: self.path.clone(), source })
    }
}

/// Reads every whole line of the file at `path`.
///
/// # Errors
/// [`MetricsError`]: a whole line that is none of ours is named.
pub fn read(path: &Path) -> Result<Vec<Line>, MetricsError> {
    let text = std::fs::read_to_string(path).map_err(|source| MetricsError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate();
    whole
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| MetricsError::Line {
                path: path.to_owned(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

fn text(line: &Line) -> std::io::Result<String> {
    Ok(serde_json::to_string(line)? + "\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn line(step: u64, loss: f64) -> Line {
        Line {
            step,
            loss,
            learning_rate: 2e-4,
            grad_norm: 0.5,
            tokens: 100,
            supervised_tokens: 60,
            tokens_per_second: 12.5,
            peak_memory_bytes: Some(1 << 30),
        }
    }

    #[test]
    fn a_resumed_run_forgets_steps_that_it_takes_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut metrics, kept) = Metrics::open(folder.path(), 0).unwrap();
        assert!(kept.is_empty());
        (1..=3).for_each(|step| metrics.append(&line(step, 1.0 / step as f64)).unwrap());
        metrics.file.write_all(b"{\"step\":4,").unwrap();
        drop(metrics);

        let (mut metrics, kept) = Metrics::open(folder.path(), 2).unwrap();
        assert_eq!(kept, [line(1, 1.0), line(2, 0.5)]);
        metrics.append(&line(3, 0.25)).unwrap();
        let all = read(&folder.path().join(FILE)).unwrap();
        assert_eq!(all, [line(1, 1.0), line(2, 0.5), line(3, 0.25)]);
    }

    #[test]
    fn a_line_has_the_keys_that_scripts_read() {
        assert_eq!(
            text(&line(1, 2.0)).unwrap(),
            "{\"step\":1,\"loss\":2.0,\"learning_rate\":0.0002,\"grad_norm\":0.5,\"tokens\":100,\"supervised_tokens\":60,\"tokens_per_second\":12.5,\"peak_memory_bytes\":1073741824}\n"
        );
    }
}
