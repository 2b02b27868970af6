//! A moment in blocks of bytes: 8-bit codes of a dynamic map, with one scale per 256 numbers.
//!
//! Dettmers et al. 2021, "8-bit Optimizers via Block-wise Quantization", <https://arxiv.org/abs/2110.02861>. The map
//! spends its codes on seven decades: a sign, a run of zeros that counts decades, and a linear fraction. Map, blocks and
//! nearest code are those of bitsandbytes, but for its kernel for the CPU, which rounds to a grid first.

use model::nf4::dynamic_map;
use tch::{Kind, Tensor};

/// Numbers under one scale.
pub const BLOCK: i64 = 256;

/// The 256 values that a byte can mean, on one device.
pub struct Map {
    values: Tensor,
    borders: Tensor,
}

/// One moment of one parameter, as it is held.
pub struct Packed {
    /// One code a number, padded to whole blocks: [blocks · 256] of u8.
    pub codes: Tensor,
    /// One scale a block: [blocks] of f32.
    pub scales: Tensor,
}

impl Map {
    /// The map of numbers of both signs (the mean), or of no sign (the variance).
    pub fn new(signed: bool, device: tch::Device) -> Map {
        let values = dynamic_map(signed);
        let borders: Vec<f32> = values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        Map {
            values: Tensor::from_slice(&values[..]).to_device(device),
            borders: Tensor::from_slice(&borders).to_device(device),
        }
    }

    /// All zeros, for a parameter of `len` numbers.
    pub fn zeros(&self, len: i64) -> Packed {
        self.pack(&Tensor::zeros([len], (Kind::Float, self.values.device())))
    }

    /// Numbers [len] in blocks of bytes.
    pub fn pack(&self, numbers: &Tensor) -> Packed {
        let len = numbers.numel() as i64;
        let blocks = (len + BLOCK - 1) / BLOCK;
        let padded = numbers.constant_pad_nd([0, blocks * BLOCK - len]).view([blocks, BLOCK]);
        let scales = padded.abs().amax([1], true);
        // A block of zeros has no scale; any divisor gives it zeros.
        let unit = &padded / scales.clamp_min(f64::from(f32::MIN_POSITIVE));
        let codes = unit.bucketize(&self.borders, true, false).to_kind(Kind::Uint8).view([-1]);
        Packed { codes, scales: scales.view([-1]) }
    }

    /// The numbers again: [len] of f32.
    pub fn unpack(&self, packed: &Packed, len: i64) -> Tensor {
        let unit = self.values.index_select(0, &packed.codes.to_kind(Kind::Int)).view([-1, BLOCK]);
        (unit * packed.scales.unsqueeze(1)).view([-1]).narrow(0, 0, len)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn what_is_packed_comes_back_within_a_step_of_the_map() {
        tch::manual_seed(1);
        let numbers = Tensor::randn([1000], (Kind::Float, Device::Cpu)) * 1e-3;
        let map = Map::new(true, Device::Cpu);
        let packed = map.pack(&numbers);
        let error = (map.unpack(&packed, 1000) - &numbers).abs() / numbers.abs().max();
        assert!(error.max().double_value(&[]) < 0.9 / 64.0 / 2.0 + 1e-6);
        assert_eq!(packed.codes.size(), [1024]);
        assert_eq!(map.unpack(&map.zeros(7), 7), Tensor::zeros([7], (Kind::Float, Device::Cpu)));
    }
}
