//! Chance that repeats: a draw depends on the seed, the prompt and how often it was asked, never on arrival order.

/// What a draw depends on besides its purpose.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// `key` names the prompt, `ask` counts how often it was asked before (0 for draws that must not change).
    pub fn new(seed: u64, key: u64, ask: u64) -> Self {
        Self { state: mix(mix(mix(seed) ^ key) ^ ask) }
    }

    /// A number in [0, 1) for this `purpose`. Equal purposes give equal numbers.
    pub fn draw(self, purpose: u64) -> f64 {
        (self.word(purpose) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 64 even bits for this `purpose`.
    pub fn word(self, purpose: u64) -> u64 {
        mix(self.state ^ mix(purpose))
    }

    /// A normal deviate (mean 0, variance 1) by Box and Muller's method.
    pub fn normal(self, purpose: u64) -> f64 {
        let (first, second) = (self.draw(purpose), self.draw(!purpose));
        (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos()
    }

    /// One of `count` places, evenly. `count` must not be 0.
    pub fn place(self, purpose: u64, count: usize) -> usize {
        (self.word(purpose) % count as u64) as usize
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn draws_repeat_and_fill_their_range() {
        let draws: Vec<f64> = (0..10_000).map(|key| Dice::new(7, key, 0).draw(3)).collect();
        let again: Vec<f64> = (0..10_000).map(|key| Dice::new(7, key, 0).draw(3)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;

        assert_eq!(draws, again);
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let draws: Vec<f64> = (0..20_000).map(|key| Dice::new(7, key, 0).normal(3)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;

        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }
}
