//! Rotary position embedding by halves, as transformers computes it.
//!
//! Su et al. 2021, <https://arxiv.org/abs/2104.09864>. Number i of a head is turned together with number
//! i + head_dim / 2, not with its neighbour.

use tch::{Device, Kind, Tensor};

use crate::config::Config;

/// Cosines and sines of positions 0..L, each [L, head_dim / 2], computed in f32 and cast.
pub struct RopeTables {
    cos: Tensor,
    sin: Tensor,
}

impl RopeTables {
    /// Tables for `len` positions.
    pub fn new(config: &Config, len: i64, device: Device, kind: Kind) -> RopeTables {
        let frequencies = Tensor::from_slice(&config.inverse_frequencies());
        let positions = Tensor::arange(len, (Kind::Float, Device::Cpu));
        let angles = positions.outer(&frequencies);
        let place = |table: Tensor| table.to_kind(kind).to_device(device);
        RopeTables { cos: place(angles.cos()), sin: place(angles.sin()) }
    }

    /// Number of positions.
    pub fn len(&self) -> i64 {
        self.cos.size()[0]
    }

    /// Whether there is no position at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` positions from `start` on, sharing memory.
    pub fn narrow(&self, start: i64, len: i64) -> RopeTables {
        RopeTables { cos: self.cos.narrow(0, start, len), sin: self.sin.narrow(0, start, len) }
    }

    /// Turns heads [B, H, L, head_dim], where L is `len()`.
    pub(crate) fn apply(&self, x: &Tensor) -> Tensor {
        let half = self.cos.size()[1];
        let (first, second) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        let turned = [&first * &self.cos - &second * &self.sin, &second * &self.cos + &first * &self.sin];
        Tensor::cat(&turned, -1)
    }

    /// Turns heads back: the gradient by the value of `apply` -> the one by its argument.
    pub(crate) fn apply_back(&self, gradient: &Tensor) -> Tensor {
        let half = self.cos.size()[1];
        let (first, second) = (gradient.narrow(-1, 0, half), gradient.narrow(-1, half, half));
        let turned = [&first * &self.cos + &second * &self.sin, &second * &self.cos - &first * &self.sin];
        Tensor::cat(&turned, -1)
    }
}
