//! LoRA: what is adapted, how wide, and how it begins.
//!
//! Hu et al. 2021, <https://arxiv.org/abs/2106.09685>; initialisation and names are PEFT's.
//!
//! ```text
//!        x [.., in] ──────── W [out, in], frozen ──────────────┐
//!         │                                                    + ── out
//!         └─ dropout ─ A [r, in] ─ B [out, r] ─ · alpha / r ───┘
//! A ~ U(±1/√in)  (kaiming uniform with a = √5),  B = 0
//! ```
//!
//! This module is plain Rust; the tensors are in `transformer`.

use crate::config::Config;

/// The adapter's shape, as it goes into `adapter_config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// r.
    pub rank: usize,
    /// α; the product is scaled by α / r.
    pub alpha: f64,
    /// Probability of dropping an input of A, in training only.
    pub dropout: f64,
    /// The projections that are adapted, in `Projection::ALL` order.
    pub targets: Vec<Projection>,
}

/// The seven matrices of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// Query.
    Q,
    /// Key.
    K,
    /// Value.
    V,
    /// Attention output.
    O,
    /// MLP gate.
    Gate,
    /// MLP up.
    Up,
    /// MLP down.
    Down,
}

/// A LoRA configuration that cannot be.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// Rank 0.
    #[error("the rank of a LoRA adapter is at least 1")]
    Rank,
    /// A probability outside [0, 1).
    #[error("LoRA dropout is {0}, it must be at least 0 and less than 1")]
    Dropout(f64),
    /// No target.
    #[error(
        "a LoRA adapter needs at least one target of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    )]
    NoTargets,
    /// A target of another architecture.
    #[error(
        "`{0}` is not a projection of these models; q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj are"
    )]
    Target(String),
}

impl LoraConfig {
    /// Rank and α on all seven projections, without dropout.
    pub fn all(rank: usize, alpha: f64) -> LoraConfig {
        LoraConfig { rank, alpha, dropout: 0.0, targets: Projection::ALL.to_vec() }
    }

    /// Refuses what cannot be trained.
    pub fn check(&self) -> Result<(), Error> {
        if self.rank == 0 {
            return Err(Error::Rank);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Dropout(self.dropout));
        }
        if self.targets.is_empty() {
            return Err(Error::NoTargets);
        }
        Ok(())
    }

    /// α / r.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Names of the targets, separated by commas.
    pub fn target_names(&self) -> String {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name()).collect();
        names.join(", ")
    }

    /// Trained numbers over the whole model.
    pub fn parameters(&self, config: &Config) -> usize {
        let of = |projection: &Projection| {
            let (rows, columns) = projection.shape(config);
            self.rank * (rows + columns)
        };
        config.layers * self.targets.iter().map(of).sum::<usize>()
    }
}

impl Projection {
    /// All, in the order in which a block uses them.
    pub const ALL: [Projection; 7] = [
        Projection::Q,
        Projection::K,
        Projection::V,
        Projection::O,
        Projection::Gate,
        Projection::Up,
        Projection::Down,
    ];

    /// PEFT's name of the target.
    pub fn name(self) -> &'static str {
        match self {
            Projection::Q => "q_proj",
            Projection::K => "k_proj",
            Projection::V => "v_proj",
            Projection::O => "o_proj",
            Projection::Gate => "gate_proj",
            Projection::Up => "up_proj",
            Projection::Down => "down_proj",
        }
    }

    /// The projection of a PEFT target name.
    pub fn from_name(name: &str) -> Result<Projection, Error> {
        let found = Projection::ALL.into_iter().find(|projection| projection.name() == name);
        found.ok_or_else(|| Error::Target(name.into()))
    }

    /// Module path inside a block: `self_attn.q_proj`, `mlp.up_proj`.
    pub fn path(self) -> String {
        let module = match self {
            Projection::Q | Projection::K | Projection::V | Projection::O => "self_attn",
            Projection::Gate | Projection::Up | Projection::Down => "mlp",
        };
        format!("{module}.{}", self.name())
    }

    /// Rows and columns of the weight: (out, in).
    pub fn shape(self, config: &Config) -> (usize, usize) {
        let (hidden, mlp) = (config.hidden_size, config.intermediate_size);
        match self {
            Projection::Q => (config.query_width(), hidden),
            Projection::K | Projection::V => (config.kv_width(), hidden),
            Projection::O => (hidden, config.query_width()),
            Projection::Gate | Projection::Up => (mlp, hidden),
            Projection::Down => (hidden, mlp),
        }
    }
}

/// The first A of one projection, [r, in] row-major: U(±1/√in) from a generator of our own, so that both arms, every
/// device and every version of libtorch begin with the same numbers.
pub fn initial_a(seed: u64, layer: usize, projection: Projection, rank: usize, width: usize) -> Vec<f32> {
    let bound = 1.0 / (width as f64).sqrt();
    let mut state = mix(seed ^ mix(layer as u64 + 1) ^ mix((projection as u64 + 1) << 32));
    (0..rank * width)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            // 53 bits make a uniform number of [0, 1).
            let unit = (mix(state) >> 11) as f64 / (1u64 << 53) as f64;
            ((2.0 * unit - 1.0) * bound) as f32
        })
        .collect()
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection that leaves no visible pattern of a counter.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_is_uniform_within_its_bound_and_differs_by_place_and_seed() {
        let a = initial_a(7, 0, Projection::Q, 16, 576);
        let bound = 1.0 / 24.0;
        let mean = a.iter().sum::<f32>() / a.len() as f32;
        let variance = a.iter().map(|value| value * value).sum::<f32>() / a.len() as f32;
        assert!(a.iter().all(|value| value.abs() <= bound));
        assert!(mean.abs() < 1e-3, "mean {mean}");
        assert!((variance - bound * bound / 3.0).abs() < 2e-5, "variance {variance}");
        assert_eq!(a, initial_a(7, 0, Projection::Q, 16, 576));
        for other in [
            initial_a(8, 0, Projection::Q, 16, 576),
            initial_a(7, 1, Projection::Q, 16, 576),
            initial_a(7, 0, Projection::K, 16, 576),
        ] {
            assert_ne!(a, other);
        }
    }

    #[test]
    fn bad_configurations_are_refused() {
        assert_eq!(LoraConfig::all(0, 16.0).check(), Err(Error::Rank));
        assert_eq!(LoraConfig { dropout: 1.0, ..LoraConfig::all(8, 16.0) }.check(), Err(Error::Dropout(1.0)));
        assert_eq!(LoraConfig { targets: vec![], ..LoraConfig::all(8, 16.0) }.check(), Err(Error::NoTargets));
        assert_eq!(Projection::from_name("c_attn"), Err(Error::Target("c_attn".into())));
    }
}
