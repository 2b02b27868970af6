//! Which prompts a run asks: the first few, or some of each category.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::prompt::Prompt;

/// A choice among prompts. The default takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// At most this many, from the start of the file.
    pub limit: Option<usize>,
    /// This many of each category, drawn by `seed`.
    pub per_category: Option<usize>,
    /// Decides the draw of `per_category`; the same seed draws the same prompts on every machine.
    pub seed: u64,
}

impl Selection {
    /// Returns the chosen prompts in file order. `per_category` is applied before `limit`.
    pub fn pick(&self, prompts: Vec<Prompt>) -> Vec<Prompt> {
        let mut picked = match self.per_category {
            None => prompts,
            Some(count) => draw(prompts, count, self.seed),
        };
        picked.truncate(self.limit.unwrap_or(usize::MAX));
        picked
    }
}

/// Ranks each category's prompts by a hash of seed and text, so that adding a prompt to the file displaces at most
/// one of those drawn before.
fn draw(prompts: Vec<Prompt>, count: usize, seed: u64) -> Vec<Prompt> {
    let mut ranked: BTreeMap<String, Vec<([u8; 32], usize)>> = BTreeMap::new();
    for (index, prompt) in prompts.iter().enumerate() {
        ranked.entry(prompt.category.clone()).or_default().push((rank(seed, &prompt.text), index));
    }
    let mut taken = vec![false; prompts.len()];
    for ranks in ranked.values_mut() {
        ranks.sort_unstable();
        ranks.iter().take(count).for_each(|&(_, index)| taken[index] = true);
    }
    prompts.into_iter().zip(taken).filter_map(|(prompt, taken)| taken.then_some(prompt)).collect()
}

/// Where a prompt stands in the draw of its category: the lowest are drawn.
pub(crate) fn rank(seed: u64, text: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed.to_le_bytes()).chain_update(text).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(count: usize) -> Vec<Prompt> {
        let prompt = |n: usize| Prompt {
            text: format!("question {n}"),
            category: ["a", "b"][n % 2].into(),
            sub_theme: String::new(),
        };
        (0..count).map(prompt).collect()
    }

    #[test]
    fn draws_as_many_of_each_category_in_file_order() {
        let selection = Selection { per_category: Some(3), seed: 7, ..Selection::default() };
        let picked = selection.pick(prompts(20));
        assert_eq!(picked.iter().filter(|prompt| prompt.category == "a").count(), 3);
        assert_eq!(picked.len(), 6);
        assert_eq!(picked, selection.pick(prompts(20)));
        assert_ne!(picked, Selection { seed: 8, ..selection }.pick(prompts(20)));
    }

    #[test]
    fn the_limit_comes_last() {
        let selection = Selection { per_category: Some(3), limit: Some(4), seed: 7 };
        assert_eq!(selection.pick(prompts(20)).len(), 4);
        assert_eq!(Selection::default().pick(prompts(20)).len(), 20);
    }
}
