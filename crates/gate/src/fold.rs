//! A fast hash of texts, for telling equal from unequal within one run. It is not stable, not secret, and nothing
//! that is written anywhere depends on it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are hashes of this module, or pairs of them.
pub type HashedMap<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;
/// A set of hashes of this module.
pub type HashedSet<K> = HashSet<K, BuildHasherDefault<Folded>>;

const KEYS: [u64; 3] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93, 0xA076_1D64_78BD_642F];

/// Hashes `bytes` to 64 bits: eight at a time, each multiplied to 128 bits and folded. Long texts are folded in four
/// lanes, because one multiplication that waits for the last is what costs.
pub fn hash(bytes: &[u8]) -> u64 {
    let (blocks, bytes_left) = bytes.as_chunks::<32>();
    let (words, rest) = bytes_left.as_chunks::<8>();
    let mut state = KEYS[0] ^ (bytes.len() as u64).wrapping_mul(KEYS[2]);
    if !blocks.is_empty() {
        let mut lanes = [state, KEYS[0], KEYS[1], KEYS[2]];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = mix(*lane ^ u64::from_le_bytes(*word), KEYS[1]);
            }
        }
        state = lanes.iter().fold(state, |state, lane| mix(state ^ lane, KEYS[1]));
    }
    for word in words {
        state = mix(state ^ u64::from_le_bytes(*word), KEYS[1]);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(mix(state ^ u64::from_le_bytes(last), KEYS[1]), KEYS[2])
}

/// Hashes what is a hash already: one multiplication a word.
#[derive(Debug, Default, Clone, Copy)]
pub struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(hash(bytes));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word ^ KEYS[0], KEYS[1]);
    }
}

/// Multiplies to 128 bits and folds the halves.
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_texts_differ() {
        let texts = ["", "a", "b", "a\0", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "baaaaaaaa"];
        let mut hashes: Vec<u64> = texts.iter().map(|text| hash(text.as_bytes())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn every_byte_of_a_long_text_and_their_order_count() {
        let text: Vec<u8> = (0..100).collect();
        let mut hashes = vec![hash(&text)];
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 128;
            hashes.push(hash(&other));
            other[at] ^= 128;
            other.rotate_left(8);
            other[..8].reverse();
            other.swap(at, 99 - at);
            hashes.push(hash(&other));
            hashes.push(hash(&text[at..]));
        }
        hashes.sort_unstable();
        hashes.dedup();
        // The whole text is there twice, and a swap from either end is the same swap.
        assert_eq!(hashes.len(), 1 + 100 + 50 + 99);
    }
}
