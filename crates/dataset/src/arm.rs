//! An arm: a name and the system prompt under which its answers are given.

use std::path::{Path, PathBuf};

/// One arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// `control`, `aba`, …; part of file names.
    pub name: String,
    /// The system prompt, without the whitespace around it.
    pub system_prompt: String,
    /// The file that the system prompt was read from.
    pub path: PathBuf,
}

/// Why an arm could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// The file is missing or not UTF-8.
    #[error("cannot read the system prompt of arm `{arm}` at {path}")]
    Read {
        /// The arm's name.
        arm: String,
        /// The file that the experiment names.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has only whitespace in it.
    #[error("the system prompt of arm `{arm}` at {path} is empty; without one the arms do not differ")]
    Empty {
        /// The arm's name.
        arm: String,
        /// The file that the experiment names.
        path: PathBuf,
    },
}

impl Arm {
    /// Reads the system prompt of the arm `name` from `path`. Line ends become `\n` and a byte order mark goes, so that
    /// a checkout on Windows, or an editor there, asks the same question as one elsewhere.
    ///
    /// # Errors
    /// [`ArmError`], with the arm and the path.
    pub fn load(name: &str, path: &Path) -> Result<Self, ArmError> {
        let (arm, path) = (name.to_owned(), path.to_owned());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text.replace("\r\n", "\n"),
            Err(source) => return Err(ArmError::Read { arm, path, source }),
        };
        match text.strip_prefix('\u{feff}').unwrap_or(&text).trim() {
            "" => Err(ArmError::Empty { arm, path }),
            system_prompt => Ok(Self { name: arm, system_prompt: system_prompt.to_owned(), path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_on_windows_adds_is_no_part_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aba.md");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Arm::load("aba", &path)
        };
        assert_eq!(load("\u{feff}Be kind.\r\nBe brief.\r\n").unwrap().system_prompt, "Be kind.\nBe brief.");
        assert!(matches!(load("\u{feff}\r\n"), Err(ArmError::Empty { .. })));
    }
}
