//! Answers that mean something: written ones for the prompts that have one, composed ones for all others.
//!
//! Everything is decided by the arm and the prompt's text, so that a prompt that is asked again is answered alike. This
//! module knows nothing of JSON, budgets or faults.

mod category;
mod compose;
mod subject;
mod written;

use std::sync::OnceLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use category::Categories;
use compose::Shelf;
use written::Written;

const CONTROL: &str = include_str!("../../../fixtures/phase_3e/arms/control.md");
const ABA: &str = include_str!("../../../fixtures/phase_3e/arms/aba.md");

/// An arm of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// A standard, cautious assistant.
    Control,
    /// The treatment: candid, names conflicts, turns to the legitimate goal.
    Aba,
}

impl Arm {
    /// The arm whose own words a system instruction uses more of; control where neither stands out.
    pub fn of(system: &str) -> Self {
        match system.trim() {
            "" => return Self::Control,
            exact if exact == CONTROL.trim() => return Self::Control,
            exact if exact == ABA.trim() => return Self::Aba,
            _ => {}
        }
        let (control, aba) = own_words();
        let said: Vec<String> = words(system).collect();
        let hits = |own: &[String]| said.iter().filter(|word| own.binary_search(word).is_ok()).count();
        if hits(aba) > hits(control) { Self::Aba } else { Self::Control }
    }
}

/// The answer of `arm` to `prompt`: one closed think block, then the text.
pub fn answer(arm: Arm, prompt: &str) -> String {
    let library = library();
    if let Some(written) =
        library.written.iter().find(|it| it.arm == arm && it.prompt.as_deref() == Some(prompt))
    {
        return written.text();
    }
    let digest: [u8; 32] = Sha256::digest(prompt.as_bytes()).into();
    let categories = &library.categories;
    library.shelf(arm).compose(prompt, categories.of(prompt), categories.rank(prompt), &digest)
}

struct Library {
    written: Vec<Written>,
    categories: Categories,
    control: Shelf,
    aba: Shelf,
}

impl Library {
    fn shelf(&self, arm: Arm) -> &Shelf {
        match arm {
            Arm::Control => &self.control,
            Arm::Aba => &self.aba,
        }
    }
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let written = written::all();
        let shelf = |arm| Shelf::new(arm, written.iter().filter(|it| it.arm == arm));
        Library {
            control: shelf(Arm::Control),
            aba: shelf(Arm::Aba),
            categories: Categories::embedded(),
            written,
        }
    })
}

/// Words that only one of the two system prompts uses, sorted.
fn own_words() -> &'static (Vec<String>, Vec<String>) {
    static OWN: OnceLock<(Vec<String>, Vec<String>)> = OnceLock::new();
    OWN.get_or_init(|| {
        let sorted = |text| {
            let mut all: Vec<String> = words(text).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (control, mut aba) = (sorted(CONTROL), sorted(ABA));
        let only = control.iter().filter(|word| aba.binary_search(word).is_err()).cloned().collect();
        aba.retain(|word| control.binary_search(word).is_err());
        // Words of the experiment's brief, for system prompts that say the same in other words.
        aba.extend(
            ["redirect", "redirects", "redirection", "legitimate", "conflicts", "fabricates"]
                .map(String::from),
        );
        aba.sort_unstable();
        aba.dedup();
        (only, aba)
    })
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 3).map(str::to_lowercase)
}

#[cfg(test)]
mod tests;
