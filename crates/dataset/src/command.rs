//! The next command, spelled so that it works on the same files as the one that suggests it.

use std::path::Path;

use crate::experiment::Experiment;
use crate::layout::Layout;

/// The experiment that every command works on when none is named.
const DEFAULT_EXPERIMENT: &str = "fixtures/phase_3e/experiment.toml";

/// Returns `cargo xtask <verb>` with `--experiment` and `--data` where they are not what the command would take by
/// itself: typed without them it would work on, and pay for, another experiment.
pub fn command(verb: &str, experiment: &Experiment, layout: &Layout) -> String {
    let mut command = format!("cargo xtask {verb}");
    if experiment.path != Path::new(DEFAULT_EXPERIMENT) {
        command += &format!(" --experiment {}", quoted(&experiment.path));
    }
    if *layout != Layout::new(None, &experiment.name) {
        command += &format!(" --data {}", quoted(layout.folder()));
    }
    command
}

/// A path as it is typed: in quotes where a shell would take it apart.
pub fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:+,@".contains(c) || (cfg!(windows) && c == '\\');
    match path.chars().all(is_plain) && !path.is_empty() {
        true => path,
        false if cfg!(windows) => format!("\"{path}\""),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn only_what_a_shell_would_take_apart_is_quoted() {
        let shown = ["data/x-1", "my data", "it's", "$HOME"].map(|path| quoted(Path::new(path)));
        assert_eq!(shown, ["data/x-1", "'my data'", r"'it'\''s'", "'$HOME'"]);
    }
}
