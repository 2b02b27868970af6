//! Quantiles of a stream of counts in constant memory, mergeable.
//!
//! Values below 128 are counted exactly; above, each power of two is cut into 64 parts, so a quantile is at most
//! 1.6 % off. Minimum, maximum and sum are exact.

use serde::{Serialize, Serializer};

const PARTS: u64 = 64;

/// Counts of values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

/// What a histogram says of its values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// The smallest value.
    pub min: u64,
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine in ten are at most this.
    pub p90: u64,
    /// The largest value.
    pub max: u64,
    /// All of them together.
    pub sum: u64,
}

impl Histogram {
    /// Counts `value`.
    pub fn add(&mut self, value: u64) {
        let bucket = bucket(value);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.sum = self.sum.saturating_add(value);
        self.count += 1;
    }

    /// Counts what `other` counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(mine, theirs)| *mine += theirs);
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.count += other.count;
    }

    /// Values counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The quantiles; `None` where nothing was counted.
    pub fn quantiles(&self) -> Option<Quantiles> {
        (self.count > 0).then(|| Quantiles {
            min: self.min,
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            max: self.max,
            sum: self.sum,
        })
    }

    fn quantile(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                return upper(bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.quantiles().serialize(serializer)
    }
}

fn bucket(value: u64) -> usize {
    if value < 2 * PARTS {
        return value as usize;
    }
    // 64 <= value >> shift < 128
    let shift = u64::from(57 - value.leading_zeros());
    (shift * PARTS + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    let part = bucket - shift * PARTS;
    (part << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other() {
        for value in 0..100_000 {
            assert!(upper(bucket(value)) >= value);
            assert!(bucket(value + 1) - bucket(value) <= 1);
        }
        assert!(upper(bucket(u64::MAX >> 1)) >= u64::MAX >> 1);
    }

    proptest! {
        #[test]
        fn quantiles_are_near_the_sorted_ones(values in prop::collection::vec(0u64..1_000_000, 1..200), cut in 0usize..200) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let (mut histogram, mut other) = (Histogram::default(), Histogram::default());
            left.iter().for_each(|&value| histogram.add(value));
            right.iter().for_each(|&value| other.add(value));
            histogram.merge(&other);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let found = histogram.quantiles().unwrap();
            prop_assert_eq!((found.min, found.max, found.sum), (sorted[0], sorted[sorted.len() - 1], values.iter().sum::<u64>()));
            for (share, found) in [(0.5, found.p50), (0.9, found.p90)] {
                let exact = sorted[((sorted.len() as f64 * share).ceil() as usize).max(1) - 1];
                prop_assert!(found >= exact && found as f64 <= exact as f64 * 1.017 + 1.0, "{found} for {exact}");
            }
        }
    }
}
