//! Estimating how much two texts have in common without keeping either.
//!
//! One-permutation MinHash (Li, Owen, Zhang, "One Permutation Hashing", 2012): every sequence of [`WORDS`] words is
//! hashed once; the high bits choose one of [`BINS`] bins, and a bin keeps its smallest hash. The share of bins in
//! which two texts agree estimates the share of sequences that they have in common (Jaccard), with a standard error
//! of at most 1/16. Candidates are found by bands of four bins each, so no pair is compared that has no band in common.

use crate::fold::mix;

const BINS: usize = 64;
const WORDS: usize = 3;
const BAND: usize = 4;
const KEY: u64 = 0x9E37_79B9_7F4A_7C15;

/// 128 bytes that stand for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u16; BINS]);

/// A text that repeats an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// Index of the repeating text.
    pub later: usize,
    /// Index of the text it repeats.
    pub earlier: usize,
    /// Estimated share of common word sequences, 0 to 1.
    pub similarity: f64,
}

/// Signs `text`, blind to case, punctuation and spacing. `None` for texts of fewer than 20 words: so little text
/// agrees by chance.
pub fn sign(text: &str) -> Option<Signature> {
    let mut bins = [u64::MAX; BINS];
    let (mut word, mut before) = (0u64, [0u64; WORDS - 1]);
    let mut words = 0usize;
    let mut end_word = |word: u64, words: usize| {
        // The rotations keep the order of the words in the hash.
        let sequence = word ^ before[0].rotate_left(21) ^ before[1].rotate_left(42);
        before = [word, before[0]];
        if words >= WORDS {
            let hash = mix(sequence, KEY);
            let bin = &mut bins[(hash >> 58) as usize];
            *bin = (*bin).min(hash & (u64::MAX >> 6));
        }
    };
    for byte in text.bytes() {
        let class = CLASS[usize::from(byte)];
        if class != 0 {
            word = word.rotate_left(7) ^ u64::from(class);
        } else if word != 0 {
            words += 1;
            end_word(word.wrapping_mul(KEY), words);
            word = 0;
        }
    }
    if word != 0 {
        words += 1;
        end_word(word.wrapping_mul(KEY), words);
    }
    (words >= 20).then(|| densify(&bins))
}

/// Estimates the share of word sequences that two texts have in common, 0 to 1.
pub fn similarity(a: &Signature, b: &Signature) -> f64 {
    let equal = a.0.iter().zip(&b.0).filter(|(a, b)| a == b).count();
    equal as f64 / BINS as f64
}

/// Finds texts that repeat an earlier one at `threshold` or above: for each, the most similar earlier text among
/// those it was compared with. Within a band a text is compared with the first and with the last one before it that
/// has the same band, so a thousand copies of one text cost a thousand comparisons.
pub fn repeats(signatures: &[Signature], threshold: f64) -> Vec<Repeat> {
    let mut best: Vec<Option<(f64, usize)>> = vec![None; signatures.len()];
    let mut bands: Vec<(u64, usize)> = Vec::with_capacity(signatures.len());
    for band in 0..BINS / BAND {
        bands.clear();
        bands.extend(signatures.iter().enumerate().map(|(index, signature)| {
            let bins = &signature.0[band * BAND..][..BAND];
            (bins.iter().fold(0, |key, bin| key << 16 | u64::from(*bin)), index)
        }));
        bands.sort_unstable();
        for group in bands.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            for pair in group.windows(2) {
                let later = pair[1].1;
                for earlier in [group[0].1, pair[0].1] {
                    let found = similarity(&signatures[later], &signatures[earlier]);
                    if found >= threshold && best[later].is_none_or(|(most, _)| found > most) {
                        best[later] = Some((found, earlier));
                    }
                }
            }
        }
    }
    let repeat = |(later, best): (usize, &Option<(f64, usize)>)| {
        best.map(|(similarity, earlier)| Repeat { later, earlier, similarity })
    };
    best.iter().enumerate().filter_map(repeat).collect()
}

/// Gives every empty bin the value of the next full one, mixed with the distance so that texts agree in it only where
/// they agree on both (Shrivastava and Li, "Densifying One Permutation Hashing", 2014).
fn densify(bins: &[u64; BINS]) -> Signature {
    let mut signature = [0; BINS];
    for (index, slot) in signature.iter_mut().enumerate() {
        let full = (0..BINS).find(|distance| bins[(index + distance) % BINS] != u64::MAX);
        let distance = full.unwrap_or_default();
        *slot = (mix(bins[(index + distance) % BINS] ^ distance as u64, KEY) >> 48) as u16;
    }
    Signature(signature)
}

/// 0 for what separates words, else the byte that a letter or digit counts as. Bytes above ASCII belong to words.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let plain = byte as u8;
        if plain.is_ascii_alphanumeric() || byte >= 128 {
            class[byte] = plain.to_ascii_lowercase();
        }
        byte += 1;
    }
    class
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn text(words: &[u16]) -> String {
        words.iter().map(|word| format!("w{word} ")).collect()
    }

    fn exact(a: &[u16], b: &[u16]) -> f64 {
        let set = |words: &[u16]| words.windows(WORDS).map(<[u16]>::to_vec).collect::<HashSet<_>>();
        let (a, b) = (set(a), set(b));
        a.intersection(&b).count() as f64 / a.union(&b).count() as f64
    }

    #[test]
    fn case_punctuation_and_spacing_do_not_count() {
        let words: Vec<u16> = (0..40).collect();
        let plain = sign(&text(&words)).unwrap();
        let other = sign(&text(&words).to_uppercase().replace(' ', ",\n  ")).unwrap();
        assert_eq!(plain, other);
        assert_eq!(sign("too short to say"), None);
    }

    #[test]
    fn copies_are_found_at_linear_cost_and_others_are_not() {
        let mut signatures: Vec<Signature> = Vec::new();
        for start in 0..50u16 {
            let words: Vec<u16> = (start * 100..start * 100 + 60).collect();
            signatures.push(sign(&text(&words)).unwrap());
        }
        assert_eq!(repeats(&signatures, 0.85), []);
        let copies = signatures[7].clone();
        signatures.extend(std::iter::repeat_n(copies, 1_000));
        let found = repeats(&signatures, 0.85);
        assert_eq!(found.len(), 1_000);
        assert!(found.iter().all(|repeat| repeat.earlier == 7 && repeat.similarity == 1.0));
    }

    proptest! {
        #[test]
        fn the_estimate_is_near_the_truth(words in prop::collection::vec(0u16..2000, 150..400), changed in prop::collection::vec((0usize..400, 0u16..2000), 0..40)) {
            let mut other = words.clone();
            for (at, word) in changed {
                let at = at % other.len();
                other[at] = word;
            }
            let estimate = similarity(&sign(&text(&words)).unwrap(), &sign(&text(&other)).unwrap());
            // Five standard errors of 64 bins.
            prop_assert!((estimate - exact(&words, &other)).abs() < 5.0 / 16.0);
        }
    }
}
