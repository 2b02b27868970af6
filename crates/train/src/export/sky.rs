//! A SkyPilot task (<https://docs.skypilot.co/en/latest/reference/yaml-spec.html>): one machine with the cards that the
//! other pieces count on, this folder, and axolotl on it.

use std::path::Path;

use super::{Spread, axolotl, quoted};
use crate::plan::Frozen;

/// The file's name.
pub const FILE: &str = "sky.yaml";

/// Where a base that lies on this machine is put on that one.
const BASE: &str = "/tmp/base";

/// Where an adapter to start from is put.
const INITIAL: &str = "/tmp/initial-adapter";

/// Writes the task.
pub fn task(frozen: &Frozen) -> String {
    let cards = Spread::of(frozen).cards;
    // A hub id is fetched over there; folders of this machine travel with the task.
    let base = Path::new(&frozen.recipe.base).is_dir().then_some(frozen.recipe.base.as_str());
    let initial = frozen.recipe.lora.init.as_ref().map(|folder| folder.display().to_string());
    let mut mounts = String::new();
    let mut run = format!("  axolotl train {}", axolotl::FILE);
    for (there, here, flag) in [(BASE, base, "base-model"), (INITIAL, initial.as_deref(), "lora-model-dir")] {
        let Some(here) = here else { continue };
        let here =
            std::path::absolute(here).map_or_else(|_| here.to_owned(), |path| path.display().to_string());
        mounts.push_str(&format!("  {there}: {}\n", quoted(&here)));
        run.push_str(&format!(" --{flag} {there}"));
    }
    if !mounts.is_empty() {
        mounts.insert_str(0, "file_mounts:\n");
    }
    format!(
        "# The arm {arm} of {experiment}: `sky launch {FILE}`, in this folder. Give --secret HF_TOKEN where the base asks for one.\n\
         # Take the adapter back with `rsync -r CLUSTER:sky_workdir/adapter .`, and end the machine with `sky down CLUSTER`.\n\
         name: {name}\nworkdir: .\nnum_nodes: 1\nresources:\n  accelerators: H100:{cards}\n  disk_size: 256\n\
         {mounts}setup: |\n  pip install --no-build-isolation 'axolotl>=0.18'\n\
         run: |\n{run}\n",
        arm = frozen.data.arm,
        experiment = frozen.experiment,
        name = name(&format!("{}-{}", frozen.experiment, frozen.data.arm)),
    )
}

/// A name that clouds take: lower-case letters, digits and hyphens, a letter first.
fn name(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(kept).collect();
    let name = name.trim_matches('-');
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name.to_owned(),
        false => format!("arm-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_clouds_take() {
        assert_eq!(name("phase_3e-aba"), "phase-3e-aba");
        assert_eq!(name("3e-Größe"), "arm-3e-gr--e");
    }
}
