//! Estimating how much two texts have in common without keeping either.
//!
//! One-permutation MinHash (Li, Owen, Zhang, "One Permutation Hashing", 2012): every sequence of [`WORDS`] words is
//! hashed once; the high bits choose one of [`BINS`] bins, and a bin keeps its smallest hash. The share of bins in
//! which two texts agree estimates the share of sequences that they have in common (Jaccard), with a standard error
//! of at most 1/16. Of each smallest hash eight bits are kept (Li and König, "b-Bit Minwise Hashing", 2010): one bin in
//! 256 agrees by chance, far less than that error. Candidates are found by bands of four bins each, so no pair is
//! compared that has no band in common.

use std::collections::BTreeMap;

use crate::fold::mix;

const BINS: usize = 64;
const WORDS: usize = 3;
const BAND: usize = 4;
const KEY: u64 = 0x9E37_79B9_7F4A_7C15;

/// 64 bytes that stand for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u8; BINS]);

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
    let mut before = [0u64; WORDS - 1];
    let mut words = 0usize;
    each_word(text.as_bytes(), |word| {
        // The rotations keep the order of the words in the hash.
        let sequence = word ^ before[0].rotate_left(21) ^ before[1].rotate_left(42);
        before = [word, before[0]];
        words += 1;
        if words >= WORDS {
            let hash = mix(sequence, KEY);
            let bin = &mut bins[(hash >> 58) as usize];
            *bin = (*bin).min(hash & (u64::MAX >> 6));
        }
    });
    (words >= 20).then(|| densify(&bins))
}

/// Hashes every word of `text`, in lower case. Eight bytes are looked at together, from where a word begins, so that
/// most words take one look.
fn each_word(text: &[u8], mut found: impl FnMut(u64)) {
    let (mut at, mut word) = (0, 0u64);
    while at < text.len() {
        let bytes = load(&text[at..]);
        let members = members(bytes);
        let length = (!members & HIGH).trailing_zeros() / 8;
        if length > 0 {
            let kept = lower_case(bytes) & (u64::MAX >> (64 - 8 * length));
            word = mix(word ^ kept, KEY);
        }
        if length == 8 {
            at += 8;
            continue;
        }
        if word != 0 {
            found(word);
            word = 0;
        }
        at += (members & (u64::MAX << (8 * length))).trailing_zeros() as usize / 8;
    }
    if word != 0 {
        found(word);
    }
}

/// The first eight bytes, the first lowest; zeros where there are fewer.
fn load(text: &[u8]) -> u64 {
    let bytes = text.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    });
    u64::from_le_bytes(bytes)
}

/// One in each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit of each.
const HIGH: u64 = ONES << 7;

/// The high bit of every byte that belongs to a word: a letter, a digit, or any byte above ASCII.
fn members(bytes: u64) -> u64 {
    let low = bytes & !HIGH;
    let folded = low | (ONES * 0x20);
    // Seven bits and what makes 128 of the least wanted one: the sum has the high bit, and nothing carries over.
    let least = |bytes: u64, least: u8| bytes + ONES * u64::from(0x80 - least);
    let digits = least(low, b'0') & !least(low, b'9' + 1);
    let letters = least(folded, b'a') & !least(folded, b'z' + 1);
    (digits | letters | bytes) & HIGH
}

/// Letters in lower case. Digits have that bit already, and bytes above ASCII stay as they are.
fn lower_case(bytes: u64) -> u64 {
    bytes | (!bytes & HIGH) >> 2
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
    let mut best: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    let mut bands: Vec<(u32, usize)> = Vec::with_capacity(signatures.len());
    for band in 0..BINS / BAND {
        bands.clear();
        bands.extend(signatures.iter().enumerate().map(|(index, signature)| {
            let bins = &signature.0[band * BAND..][..BAND];
            (bins.iter().fold(0, |key, bin| key << 8 | u32::from(*bin)), index)
        }));
        bands.sort_unstable();
        for group in bands.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            for pair in group.windows(2) {
                let later = pair[1].1;
                for earlier in [group[0].1, pair[0].1] {
                    let found = similarity(&signatures[later], &signatures[earlier]);
                    if found >= threshold && best.get(&later).is_none_or(|(most, _)| found > *most) {
                        best.insert(later, (found, earlier));
                    }
                }
            }
        }
    }
    let repeat = |(later, (similarity, earlier))| Repeat { later, earlier, similarity };
    best.into_iter().map(repeat).collect()
}

/// Gives every empty bin the value of the next full one, mixed with the distance so that texts agree in it only where
/// they agree on both (Shrivastava and Li, "Densifying One Permutation Hashing", 2014).
fn densify(bins: &[u64; BINS]) -> Signature {
    let mut signature = [0; BINS];
    for (index, slot) in signature.iter_mut().enumerate() {
        let full = (0..BINS).find(|distance| bins[(index + distance) % BINS] != u64::MAX);
        let distance = full.unwrap_or_default();
        *slot = (mix(bins[(index + distance) % BINS] ^ distance as u64, KEY) >> 56) as u8;
    }
    Signature(signature)
}

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
        fn words_are_what_stands_between_other_ascii(text in "([a-zA-Z0-9é’日]{0,20}[ -/:-@\\[-`{-~\n]{0,10}){0,9}") {
            let member = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 128;
            let words = text.as_bytes().split(|byte| !member(byte)).filter(|word| !word.is_empty());
            let mut expected = Vec::new();
            for word in words {
                each_word(&word.to_ascii_lowercase(), |hash| expected.push(hash));
            }
            let mut found = Vec::new();
            each_word(text.as_bytes(), |hash| found.push(hash));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn unlike_words_have_unlike_hashes(one in "[a-z0-9é]{1,20}", two in "[a-z0-9é]{1,20}") {
            let hashes = |text: &str| {
                let mut hashes = Vec::new();
                each_word(text.as_bytes(), |hash| hashes.push(hash));
                hashes
            };
            prop_assert_eq!(hashes(&one).len(), 1);
            prop_assert_eq!(hashes(&one) == hashes(&two), one == two);
        }

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
