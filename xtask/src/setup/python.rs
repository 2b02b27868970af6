//! Virtual environments with what we compare ourselves with. Neither is needed to use the project.

use std::path::PathBuf;

use anyhow::Context;
use xshell::{Shell, cmd};

use super::pip::python;
use super::{folder, say};

/// Returns the Python that has transformers, PEFT, bitsandbytes and google-genai, where setup has made one.
pub fn reference(sh: &Shell) -> Option<PathBuf> {
    interpreter(sh, "python", "xtask/pins/python.txt")
}

/// Returns the Python that has the peers of the benches, where setup has made one.
pub fn peers(sh: &Shell) -> Option<PathBuf> {
    interpreter(sh, "peers", "xtask/pins/peers.txt")
}

/// Makes the environment of [`reference`].
pub fn fetch_reference(sh: &Shell) -> anyhow::Result<PathBuf> {
    fetch(sh, "python", "xtask/pins/python.txt")
}

/// Makes the environment of [`peers`].
pub fn fetch_peers(sh: &Shell) -> anyhow::Result<PathBuf> {
    fetch(sh, "peers", "xtask/pins/peers.txt")
}

fn interpreter(sh: &Shell, name: &str, pins: &str) -> Option<PathBuf> {
    let folder = folder(sh).join(name);
    let current = sh.read_file(folder.join(".pins")).ok()? == sh.read_file(pins).ok()?;
    let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    current.then(|| folder.join(program))
}

fn fetch(sh: &Shell, name: &str, pins: &str) -> anyhow::Result<PathBuf> {
    if let Some(ready) = interpreter(sh, name, pins) {
        return Ok(ready);
    }
    let python = python(sh)?;
    let folder = folder(sh).join(name);
    say(&format!("making the Python environment of {pins}"));
    sh.remove_path(&folder)?;
    cmd!(sh, "{python} -m venv {folder}").quiet().run()?;
    let program = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    cmd!(sh, "{program} -m pip install --quiet --disable-pip-version-check --requirement {pins}")
        .quiet()
        .run()
        .with_context(|| {
            format!("could not install {pins}; check the network or name a mirror in PIP_INDEX_URL")
        })?;
    sh.copy_file(pins, folder.join(".pins"))?;
    Ok(program)
}
