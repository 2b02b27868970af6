//! AdamW by hand, so that its state can be written down, and gradient clipping.
//!
//! Loshchilov and Hutter 2017, <https://arxiv.org/abs/1711.05101>; the update is torch.optim.AdamW's, with its β and ε
//! (0.9, 0.999, 1e-8). The learning rate is an argument: this module has no schedule.

use std::collections::BTreeMap;

use tch::Tensor;

use super::moments::{Map, Packed};

/// Parameters with their moments.
pub struct AdamW {
    parameters: Vec<(String, Tensor)>,
    moments: Moments,
    weight_decay: f64,
    steps: u64,
}

/// How moments are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// In f32.
    Full,
    /// In blocks of bytes.
    Bytes,
}

/// A state that belongs to another optimizer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part is missing.
    #[error("the optimizer's state has no `{0}`; it was written for another adapter or another optimizer")]
    Missing(String),
    /// A part has another size.
    #[error("`{name}` in the optimizer's state is {found:?}, this adapter needs {expected:?}")]
    Shape {
        /// Which.
        name: String,
        /// In the state.
        found: Vec<i64>,
        /// Needed.
        expected: Vec<i64>,
    },
}

enum Moments {
    Full(Vec<[Tensor; 2]>),
    Bytes { maps: [Map; 2], packed: Vec<[Packed; 2]> },
}

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

impl AdamW {
    /// Begins with moments of zero.
    pub fn new(parameters: Vec<(String, Tensor)>, precision: Precision, weight_decay: f64) -> AdamW {
        let _guard = tch::no_grad_guard();
        let device = parameters.first().map_or(tch::Device::Cpu, |(_, tensor)| tensor.device());
        let moments = match precision {
            Precision::Full => {
                let zeros = |tensor: &Tensor| tensor.detach().zeros_like();
                Moments::Full(parameters.iter().map(|(_, p)| [zeros(p), zeros(p)]).collect())
            }
            Precision::Bytes => {
                let maps = [Map::new(true, device), Map::new(false, device)];
                let zeros = |map: &Map, p: &Tensor| map.zeros(p.numel() as i64);
                let packed =
                    parameters.iter().map(|(_, p)| [zeros(&maps[0], p), zeros(&maps[1], p)]).collect();
                Moments::Bytes { maps, packed }
            }
        };
        AdamW { parameters, moments, weight_decay, steps: 0 }
    }

    /// Updates taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Forgets the gradients.
    pub fn zero_grad(&mut self) {
        for (_, parameter) in &mut self.parameters {
            parameter.zero_grad();
        }
    }

    /// Scales the gradients down so that their norm is at most `max`, as `torch.nn.utils.clip_grad_norm_` does. Gives
    /// the norm before that.
    pub fn clip(&mut self, max: f64) -> f64 {
        let _guard = tch::no_grad_guard();
        let gradients: Vec<Tensor> =
            self.parameters.iter().map(|(_, p)| p.grad()).filter(Tensor::defined).collect();
        if gradients.is_empty() {
            return 0.0;
        }
        let norms: Vec<Tensor> = gradients.iter().map(Tensor::norm).collect();
        // A device sync: whether to clip is decided here, and the norm is reported.
        let norm = Tensor::stack(&norms, 0).norm().double_value(&[]);
        let factor = max / (norm + 1e-6);
        if factor < 1.0 {
            for mut gradient in gradients {
                let _ = gradient.g_mul_scalar_(factor);
            }
        }
        norm
    }

    /// One update at this learning rate.
    pub fn step(&mut self, rate: f64) {
        let _guard = tch::no_grad_guard();
        self.steps += 1;
        let [b1, b2] = BETAS;
        let corrections = BETAS.map(|beta| 1.0 - beta.powf(self.steps as f64));
        for (at, (_, parameter)) in self.parameters.iter_mut().enumerate() {
            let gradient = parameter.grad();
            if !gradient.defined() {
                continue;
            }
            if self.weight_decay > 0.0 {
                let _ = parameter.g_mul_scalar_(1.0 - rate * self.weight_decay);
            }
            let size = parameter.size();
            let [mut mean, mut variance] = match &self.moments {
                Moments::Full(all) => [0, 1].map(|i| all[at][i].shallow_clone()),
                Moments::Bytes { maps, packed } => {
                    [0, 1].map(|i| maps[i].unpack(&packed[at][i], parameter.numel() as i64).view(&size[..]))
                }
            };
            let _ = mean.lerp_(&gradient, 1.0 - b1);
            let _ = variance.g_mul_scalar_(b2).addcmul_(&gradient, &(&gradient * (1.0 - b2)));
            let mut denominator = variance.sqrt();
            let _ = denominator.g_div_scalar_(corrections[1].sqrt()).g_add_scalar_(EPSILON);
            let update = &mean / denominator;
            let _ = parameter.g_sub_(&(update * (rate / corrections[0])));
            if let Moments::Bytes { maps, packed } = &mut self.moments {
                packed[at] = [maps[0].pack(&mean.view([-1])), maps[1].pack(&variance.view([-1]))];
            }
        }
    }

    /// The state by name, sharing memory with it.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (at, (name, _)) in self.parameters.iter().enumerate() {
            match &self.moments {
                Moments::Full(all) => {
                    for (i, moment) in ["mean", "variance"].into_iter().enumerate() {
                        state.insert(format!("{name}.{moment}"), all[at][i].shallow_clone());
                    }
                }
                Moments::Bytes { packed, .. } => {
                    for (i, moment) in ["mean", "variance"].into_iter().enumerate() {
                        let Packed { codes, scales } = &packed[at][i];
                        state.insert(format!("{name}.{moment}.codes"), codes.shallow_clone());
                        state.insert(format!("{name}.{moment}.scales"), scales.shallow_clone());
                    }
                }
            }
        }
        state
    }

    /// Takes up a state after `steps` updates.
    ///
    /// # Errors
    /// [`Error`]: the state is of another optimizer.
    pub fn restore(&mut self, steps: u64, saved: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let _guard = tch::no_grad_guard();
        for (name, mut own) in self.state() {
            let Some(saved) = saved.get(&name) else { return Err(Error::Missing(name)) };
            if saved.size() != own.size() || saved.kind() != own.kind() {
                return Err(Error::Shape { name, found: saved.size(), expected: own.size() });
            }
            own.copy_(saved);
        }
        self.steps = steps;
        Ok(())
    }
}

impl Precision {
    /// Bytes of both moments of a number, scales included.
    pub fn bytes_per_number(self) -> f64 {
        match self {
            Precision::Full => 8.0,
            Precision::Bytes => 2.0 + 2.0 * 4.0 / super::moments::BLOCK as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// By formula: libtorch's generator is one for the whole process, and another test may be drawing from it.
    fn problem() -> (Tensor, Tensor) {
        let place = Tensor::arange(1200, (Kind::Float, Device::Cpu)).view([40, 30]);
        ((&place * 1.7).sin().set_requires_grad(true), (&place * 0.9).cos())
    }

    fn run(precision: Precision, steps: usize) -> (Tensor, AdamW) {
        let (parameter, goal) = problem();
        let mut optimizer = AdamW::new(vec![("p".into(), parameter.shallow_clone())], precision, 0.01);
        for _ in 0..steps {
            optimizer.zero_grad();
            (&parameter - &goal).square().mean(Kind::Float).backward();
            optimizer.clip(1.0);
            optimizer.step(0.05);
        }
        (parameter.detach(), optimizer)
    }

    #[test]
    fn the_update_is_the_formula_written_out_in_f64() {
        let (parameter, optimizer) = run(Precision::Full, 3);
        assert_eq!(optimizer.steps(), 3);
        let (start, goal) = problem();
        let (mut p, goal) = (start.detach().double_value(&[3, 4]), goal.double_value(&[3, 4]));
        let (mut m, mut v) = (0.0, 0.0);
        for step in 1..=3 {
            let gradient = 2.0 * (p - goal) / 1200.0;
            p *= 1.0 - 0.05 * 0.01;
            m = 0.9 * m + 0.1 * gradient;
            v = 0.999 * v + 0.001 * gradient * gradient;
            let (mc, vc) = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.999f64.powi(step)));
            p -= 0.05 * mc / (vc.sqrt() + 1e-8);
        }
        let found = parameter.double_value(&[3, 4]);
        assert!((found - p).abs() < 1e-5, "{found} {p}");
    }

    #[test]
    fn bytes_follow_full_moments() {
        let (full, _) = run(Precision::Full, 60);
        let (bytes, _) = run(Precision::Bytes, 60);
        let (start, _) = problem();
        let moved = (&full - start.detach()).norm().double_value(&[]);
        let apart = (full - bytes).norm().double_value(&[]);
        assert!(apart < 0.05 * moved, "{apart} of {moved}");
    }

    #[test]
    fn a_state_that_was_saved_goes_on_as_if_nothing_had_been() {
        for precision in [Precision::Full, Precision::Bytes] {
            let (_, optimizer) = run(precision, 4);
            let copies = optimizer.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
            let mut other = run(precision, 1).1;
            other.restore(4, &copies).unwrap();
            assert_eq!(other.steps(), 4);
            for ((name, left), right) in other.state().into_iter().zip(optimizer.state().values()) {
                assert_eq!(left, *right, "{name}");
            }
        }
    }

    #[test]
    fn a_state_of_another_optimizer_is_named() {
        let full = run(Precision::Full, 1).1.state();
        let error = run(Precision::Bytes, 1).1.restore(1, &full).unwrap_err();
        assert!(error.to_string().contains("has no `p.mean.codes`"), "{error}");
    }

    #[test]
    fn clipping_gives_the_norm_and_leaves_small_gradients_alone() {
        let (parameter, _) = problem();
        let mut optimizer = AdamW::new(vec![("p".into(), parameter.shallow_clone())], Precision::Full, 0.0);
        (&parameter * 3.0).sum(Kind::Float).backward();
        let norm = 3.0 * 1200f64.sqrt();
        assert!((optimizer.clip(1.0) - norm).abs() < 1e-3);
        assert!((optimizer.clip(1.0) - 1.0).abs() < 1e-4);
        assert!((optimizer.clip(2.0) - 1.0).abs() < 1e-4);
    }
}
