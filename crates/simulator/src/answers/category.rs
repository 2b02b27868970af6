//! What kind of question a prompt asks: looked up among the shipped prompts, or told by its words.

use std::collections::HashMap;

use serde::Deserialize;

const FILES: [&str; 2] = [
    include_str!("../../../../fixtures/phase_3e/prompts.jsonl"),
    include_str!("../../../../fixtures/phase_3e/smoke.jsonl"),
];

/// Words that give a category away, the most telling category first.
const SIGNS: [(&str, &[&str]); 4] = [
    (
        "safety",
        &[
            "dangerous",
            "safe",
            "legal",
            "illegal",
            "poison",
            "weapon",
            "password",
            "dose",
            "drug",
            "hack",
            "police",
        ],
    ),
    ("conflict", &["but", "however", "contradict", "conflict", "disagree", "insists", "says", "told"]),
    (
        "calibration",
        &[
            "sure",
            "certain",
            "likely",
            "probability",
            "chance",
            "predict",
            "accurate",
            "exactly",
            "confident",
        ],
    ),
    ("multi_parameter", &["budget", "compare", "choose", "options", "plan", "between", "priority", "which"]),
];

/// The shipped prompts' categories.
pub struct Categories {
    known: HashMap<String, (String, u64)>,
}

#[derive(Deserialize)]
struct Line {
    prompt: String,
    category: String,
}

impl Categories {
    /// Those compiled in. A line that is no prompt is passed over: the gate judges that file, not the simulator.
    pub fn embedded() -> Self {
        let lines = FILES.iter().flat_map(|file| file.lines());
        let mut counts: HashMap<String, u64> = HashMap::new();
        let known = lines
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
            .map(|line| {
                let count = counts.entry(line.category.clone()).or_default();
                *count += 1;
                (line.prompt, (line.category, *count - 1))
            })
            .collect();
        Self { known }
    }

    /// How many shipped prompts of its category stand before `prompt`; `None` for one that is not shipped.
    pub fn rank(&self, prompt: &str) -> Option<u64> {
        self.known.get(prompt).map(|(_, rank)| *rank)
    }

    /// The category of `prompt`.
    pub fn of<'a>(&'a self, prompt: &str) -> &'a str {
        if let Some((category, _)) = self.known.get(prompt) {
            return category;
        }
        let lower = prompt.to_lowercase();
        let said: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
        SIGNS
            .iter()
            .find(|(_, signs)| signs.iter().any(|sign| said.contains(sign)))
            .map_or("reasoning", |(category, _)| category)
    }
}
