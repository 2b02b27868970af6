//! Which libtorch training is built with: the one that is named, an installed one, or a fetched one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;
use xshell::{Shell, cmd};

use super::pip::{self, Wheels};
use super::{folder, say};

/// The release that tch is pinned to.
const VERSION: &str = "2.11.0";

/// A libtorch folder with `include/` and `lib/`. This module alone decides its path: another value of `LIBTORCH`
/// compiles the binding anew.
pub struct Libtorch {
    /// The folder.
    pub folder: PathBuf,
    /// The `lib` folder of a Python torch that has the CUDA half, where `folder` has not.
    cuda: Option<PathBuf>,
}

impl Libtorch {
    /// Prepares `command` to find the libraries where the binary does not carry the path: on Windows, and where the
    /// CUDA half lies elsewhere. Both halves then come from there.
    pub fn run_environment(&self, command: &mut Command) {
        // Waiting threads that spin make a step ten times slower when something else wants the cores.
        if std::env::var_os("OMP_WAIT_POLICY").is_none() {
            command.env("OMP_WAIT_POLICY", "passive");
        }
        if cfg!(windows) {
            let mut path = OsString::from(self.folder.join("lib"));
            path.push(";");
            path.push(std::env::var_os("PATH").unwrap_or_default());
            command.env("PATH", path);
        }
        if let Some(cuda) = &self.cuda {
            let mut path = OsString::from(cuda);
            if let Some(before) = std::env::var_os("LD_LIBRARY_PATH").filter(|path| !path.is_empty()) {
                path.push(":");
                path.push(before);
            }
            command.env("LD_LIBRARY_PATH", path);
        }
    }
}

/// Returns the libtorch to build and run with: `LIBTORCH`, then what an earlier setup fetched, then an installed
/// Python torch of the same version, then a download of 0.5 GB.
///
/// # Errors
/// `LIBTORCH` names a folder without libtorch; no wheel exists for this machine; the registry cannot be reached.
pub fn libtorch(sh: &Shell) -> anyhow::Result<Libtorch> {
    if let Some(named) = std::env::var_os("LIBTORCH") {
        let folder = PathBuf::from(named);
        if !folder.join("lib").is_dir() {
            bail!(
                "LIBTORCH is {}, which has no `lib` folder; name a libtorch {VERSION} or unset it",
                folder.display()
            );
        }
        return Ok(Libtorch { folder, cuda: None });
    }
    let fetched = wheels()?;
    let has_fetched = folder(sh).join("libtorch").join(".pins").is_file();
    if !has_fetched && let Some(folder) = installed(sh) {
        say(&format!("using the torch {VERSION} of this Python at {}", folder.display()));
        return Ok(Libtorch { folder, cuda: None });
    }
    let cuda =
        installed(sh).map(|torch| torch.join("lib")).filter(|lib| lib.join("libtorch_cuda.so").is_file());
    if let Some(lib) = &cuda {
        say(&format!("CUDA comes from the torch {VERSION} of this Python, {}", lib.display()));
    }
    Ok(Libtorch { folder: fetched.fetch(sh, "libtorch")?, cuda })
}

fn wheels() -> anyhow::Result<Wheels<'static>> {
    let (platforms, rules): (&[&str], &[&str]) = match (std::env::consts::OS, std::env::consts::ARCH) {
        // The CUDA half of the wheel is 2 GB and is opened at run time from a Python torch where one exists.
        ("linux", "x86_64") => (
            &[
                "manylinux_2_28_x86_64",
                "manylinux_2_25_x86_64",
                "manylinux_2_17_x86_64",
                "manylinux2014_x86_64",
            ],
            &[
                "torch/include/*=torch",
                "torch/lib/libc10.so=torch",
                "torch/lib/libtorch.so=torch",
                "torch/lib/libtorch_cpu.so=torch",
                "torch/lib/libgomp*=torch",
                "nvidia/*/libcudart.so.*=-",
                "nvidia/*/libcupti.so.*=-",
            ],
        ),
        ("windows", "x86_64") => (&["win_amd64"], &["torch/include/*=torch", "torch/lib/*=torch"]),
        ("macos", "aarch64") => {
            (&["macosx_11_0_arm64", "macosx_14_0_arm64"], &["torch/include/*=torch", "torch/lib/*=torch"])
        }
        (os, arch) => {
            bail!(
                "there is no pinned libtorch for {os} on {arch}; set LIBTORCH to a libtorch {VERSION} folder"
            )
        }
    };
    Ok(Wheels {
        what: "libtorch 2.11.0",
        pins: "xtask/pins/libtorch.txt",
        instead: "set LIBTORCH to a libtorch 2.11.0 folder",
        platforms,
        rules,
    })
}

/// Finds a Python torch of the right version without importing it, which takes seconds.
fn installed(sh: &Shell) -> Option<PathBuf> {
    const FIND: &str = "import importlib.metadata as m, importlib.util as u; \
                        print(m.version('torch').split('+')[0], u.find_spec('torch').submodule_search_locations[0])";
    let python = pip::python(sh).ok()?;
    let found = cmd!(sh, "{python} -c {FIND}").quiet().ignore_stderr().read().ok()?;
    let (version, folder) = found.split_once(' ')?;
    let folder = Path::new(folder);
    (version == VERSION && folder.join("lib").is_dir() && folder.join("include").is_dir())
        .then(|| folder.to_owned())
}
