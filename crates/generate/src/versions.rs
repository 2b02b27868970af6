//! Which model versions may answer: the first that does, and those that a person accepts.

use std::path::PathBuf;

use dataset::run::{Run, RunError};

/// The versions known to `run.json`, and those that may join them.
#[derive(Debug)]
pub struct Versions {
    run: Run,
    path: PathBuf,
    accepted: Vec<String>,
}

/// Whether an answer of some version may become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// It may.
    Known,
    /// It may not: these answered before.
    Changed {
        /// The versions of the rows so far.
        before: String,
    },
}

impl Versions {
    /// `run` is kept at `path`; `accepted` are the versions that a person named.
    pub fn new(run: Run, path: PathBuf, accepted: Vec<String>) -> Self {
        Self { run, path, accepted }
    }

    /// Looks at the version of a reply. One that the reply does not state is let pass: nothing is known against it.
    ///
    /// # Errors
    /// `run.json` could not be written.
    pub fn check(&mut self, version: Option<&str>) -> Result<Version, RunError> {
        let Some(version) = version else { return Ok(Version::Known) };
        let known = &mut self.run.model_versions;
        if known.iter().any(|known| known == version) {
            return Ok(Version::Known);
        }
        if !known.is_empty() && !self.accepted.iter().any(|accepted| accepted == version) {
            return Ok(Version::Changed { before: known.join(", ") });
        }
        known.push(version.to_owned());
        self.run.save(&self.path)?;
        Ok(Version::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_taken_and_another_needs_a_word() {
        let run = r#"{"format":1,"experiment":"x","settings":{"model":"m","temperature":1,"max_output_tokens":1,"max_output_tokens_ceiling":1,"arms":{}}}"#;
        let run: Run = serde_json::from_str(run).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let mut versions = Versions::new(run, path.clone(), vec!["m-3".into()]);
        let expected = [
            (None, Version::Known),
            (Some("m-1"), Version::Known),
            (Some("m-2"), Version::Changed { before: "m-1".into() }),
            (Some("m-3"), Version::Known),
            (Some("m-2"), Version::Changed { before: "m-1, m-3".into() }),
        ];
        for (version, expected) in expected {
            assert_eq!(versions.check(version).unwrap(), expected);
        }
        assert_eq!(Run::load(&path).unwrap().unwrap().model_versions, ["m-1", "m-3"]);
    }
}
