//! The number formats that weights are stored in, and the way from each to f32.
//!
//! Block formats are llama.cpp's (`ggml-common.h`): 32 numbers share one f16 scale, little-endian.

use half::{bf16, f16};

/// A stored number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// The upper half of an IEEE single.
    BF16,
    /// 32 signed bytes and a scale.
    Q8_0,
    /// 32 nibbles, offset by 8, and a scale.
    Q4_0,
    /// 32 nibbles, a scale and a minimum.
    Q4_1,
}

impl Dtype {
    /// Numbers in a block.
    pub fn block_len(self) -> usize {
        match self {
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => 1,
            Dtype::Q8_0 | Dtype::Q4_0 | Dtype::Q4_1 => 32,
        }
    }

    /// Bytes in a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
            Dtype::Q8_0 => 2 + 32,
            Dtype::Q4_0 => 2 + 16,
            Dtype::Q4_1 => 4 + 16,
        }
    }

    /// Bytes of a row of `len` numbers; `None` where blocks do not fit into it, or the size overflows.
    pub fn row_bytes(self, len: usize) -> Option<usize> {
        if !len.is_multiple_of(self.block_len()) {
            return None;
        }
        (len / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Decodes whole blocks. `bytes` and `out` must cover the same blocks; what is longer is left alone.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        let blocks = bytes.chunks_exact(self.block_bytes()).zip(out.chunks_exact_mut(self.block_len()));
        match self {
            Dtype::F32 => blocks.for_each(|(b, o)| o[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Dtype::F16 => blocks.for_each(|(b, o)| o[0] = f16::from_le_bytes([b[0], b[1]]).to_f32()),
            Dtype::BF16 => blocks.for_each(|(b, o)| o[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32()),
            Dtype::Q8_0 => blocks.for_each(|(b, o)| {
                let scale = half_at(b, 0);
                for (value, &code) in o.iter_mut().zip(&b[2..]) {
                    *value = f32::from(code as i8) * scale;
                }
            }),
            Dtype::Q4_0 => blocks.for_each(|(b, o)| {
                let scale = half_at(b, 0);
                nibbles(&b[2..], o, |code| (code - 8.0) * scale);
            }),
            Dtype::Q4_1 => blocks.for_each(|(b, o)| {
                let (scale, minimum) = (half_at(b, 0), half_at(b, 2));
                nibbles(&b[4..], o, |code| code * scale + minimum);
            }),
        }
    }
}

/// The low nibbles of a block are its first half, the high ones its second.
fn nibbles(codes: &[u8], out: &mut [f32], decode: impl Fn(f32) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for ((low, high), &code) in low.iter_mut().zip(high).zip(codes) {
        *low = decode(f32::from(code & 0xf));
        *high = decode(f32::from(code >> 4));
    }
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dtype: Dtype, bytes: &[u8], expected: &[(usize, f32)]) {
        let mut out = vec![f32::NAN; dtype.block_len()];
        dtype.decode(bytes, &mut out);
        for &(at, value) in expected {
            assert_eq!(out[at], value, "{dtype:?} element {at}");
        }
    }

    #[test]
    fn blocks_decode_to_the_values_their_layout_defines() {
        let scale = f16::from_f32(0.5).to_le_bytes();
        let minimum = f16::from_f32(-3.0).to_le_bytes();
        let mut q8 = scale.to_vec();
        q8.extend((0..32).map(|i| (i as i8 - 16) as u8));
        check(Dtype::Q8_0, &q8, &[(0, -8.0), (16, 0.0), (31, 7.5)]);
        let codes: Vec<u8> = (0..16).map(|i| i | ((15 - i) << 4)).collect();
        check(Dtype::Q4_0, &[&scale[..], &codes].concat(), &[(0, -4.0), (15, 3.5), (16, 3.5), (31, -4.0)]);
        check(
            Dtype::Q4_1,
            &[&scale[..], &minimum, &codes].concat(),
            &[(0, -3.0), (15, 4.5), (16, 4.5), (31, -3.0)],
        );
    }

    #[test]
    fn a_row_that_blocks_do_not_fill_has_no_size() {
        assert_eq!(Dtype::Q4_1.row_bytes(64), Some(40));
        assert_eq!(Dtype::Q4_1.row_bytes(33), None);
        assert_eq!(Dtype::F32.row_bytes(usize::MAX), None);
    }
}
