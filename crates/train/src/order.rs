//! The order in which prompts are seen. It is decided by the prompts themselves, so that both arms have the same one
//! whatever the order of their ledgers, and by a hash, so that every machine has the same one.

use sha2::{Digest, Sha256};

/// The order of pass `epoch` (from 0): places in `prompts`, each once. Without `shuffle`, as they stand.
pub fn pass(prompts: &[String], seed: u32, epoch: u32, shuffle: bool) -> Vec<usize> {
    let mut places: Vec<usize> = (0..prompts.len()).collect();
    if shuffle {
        places.sort_by_cached_key(|&place| -> [u8; 32] {
            let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(epoch.to_le_bytes());
            hash.chain_update(&prompts[place]).finalize().into()
        });
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_order(prompts: &[&str], seed: u32, epoch: u32) -> Vec<String> {
        let prompts: Vec<String> = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
        pass(&prompts, seed, epoch, true).into_iter().map(|place| prompts[place].clone()).collect()
    }

    #[test]
    fn depends_on_seed_and_pass_and_not_on_the_order_of_the_file() {
        let prompts = ["a", "b", "c", "d", "e", "f"];
        let reversed = ["f", "e", "d", "c", "b", "a"];
        assert_eq!(in_order(&prompts, 1, 0), in_order(&reversed, 1, 0));
        assert_ne!(in_order(&prompts, 1, 0), in_order(&prompts, 1, 1));
        assert_ne!(in_order(&prompts, 1, 0), in_order(&prompts, 2, 0));
        // Written down, so that a change of the hash, which would change every trained adapter, does not go unseen.
        assert_eq!(in_order(&prompts, 0, 0).concat(), "bcfead");
    }

    #[test]
    fn keeps_the_order_of_the_file_when_asked() {
        let prompts: Vec<String> = ["b", "a"].map(str::to_owned).into();
        assert_eq!(pass(&prompts, 3, 4, false), [0, 1]);
    }
}
