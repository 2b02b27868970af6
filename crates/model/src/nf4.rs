//! NF4: 4-bit NormalFloat in blocks of 64, equal to bitsandbytes byte for byte.
//!
//! QLoRA, Dettmers et al. 2023, <https://arxiv.org/abs/2305.14314>, section 3; the 8-bit map of the second
//! quantisation is from <https://arxiv.org/abs/2110.02861>.
//!
//! ```text
//! row-major weights   | 64 numbers        | 64 numbers        | …
//! absmax (f32)        | max |w|           | max |w|           |      one for each block
//! code (4 bits)       | nearest of the 16 values to w / absmax |     even element in the high nibble
//! double              absmax − mean, 256 at a time, in 8 bits: 4.127 instead of 4.5 bits a weight
//! ```
//!
//! This module is plain Rust: no tensor, no device. The values of the map are those of the published code table.

use std::num::NonZero;
use std::sync::LazyLock;
use std::thread;

/// Numbers that share one absmax.
pub const BLOCK: usize = 64;
/// Absmax values that share one scale under double quantisation.
pub const ABSMAX_BLOCK: usize = 256;

/// The 16 values of NF4, in code order.
pub const CODE: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// How the frozen weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// In the compute type.
    None,
    /// In NF4.
    Nf4 {
        /// Quantise the absmax values too.
        double: bool,
    },
}

/// A quantised matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Nf4 {
    /// How many numbers; the last block may be short.
    pub len: usize,
    /// Two codes a byte, ⌈len / 2⌉ bytes.
    pub packed: Vec<u8>,
    /// ⌈len / 64⌉ scales.
    pub absmax: Absmax,
}

/// The scales of the blocks.
#[derive(Debug, Clone, PartialEq)]
pub enum Absmax {
    /// As they are.
    Plain(Vec<f32>),
    /// Quantised in turn.
    Double {
        /// One 8-bit code for each block.
        codes: Vec<u8>,
        /// One scale for 256 codes.
        absmax: Vec<f32>,
        /// The mean that was taken off first.
        offset: f32,
    },
}

impl Quantization {
    /// Bytes that `len` numbers take, where `full` is the width of the compute type in bytes.
    pub fn bytes(self, len: usize, full: usize) -> usize {
        let blocks = len.div_ceil(BLOCK);
        match self {
            Quantization::None => len * full,
            Quantization::Nf4 { double: false } => len.div_ceil(2) + blocks * 4,
            Quantization::Nf4 { double: true } => {
                len.div_ceil(2) + blocks + blocks.div_ceil(ABSMAX_BLOCK) * 4 + 4
            }
        }
    }
}

impl Nf4 {
    /// Quantises row-major `values`.
    pub fn quantize(values: &[f32], double: bool) -> Nf4 {
        let mut packed = vec![0u8; values.len().div_ceil(2)];
        let mut absmax = vec![0f32; values.len().div_ceil(BLOCK)];
        let share = share(absmax.len());
        let shares = values
            .chunks(share * BLOCK)
            .zip(packed.chunks_mut(share * BLOCK / 2))
            .zip(absmax.chunks_mut(share));
        in_parallel(shares, |((values, packed), absmax)| {
            let blocks = values.chunks(BLOCK).zip(packed.chunks_mut(BLOCK / 2));
            for ((values, packed), absmax) in blocks.zip(absmax) {
                *absmax = quantize_block(values, packed);
            }
        });
        let absmax = if double { Absmax::double(&absmax) } else { Absmax::Plain(absmax) };
        Nf4 { len: values.len(), packed, absmax }
    }

    /// Writes code · absmax into `out`, which holds `len` numbers.
    pub fn dequantize_into(&self, out: &mut [f32]) {
        dequantize_into(&self.packed, &self.absmax.plain(), out);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.packed.len()
            + match &self.absmax {
                Absmax::Plain(absmax) => absmax.len() * 4,
                Absmax::Double { codes, absmax, .. } => codes.len() + absmax.len() * 4 + 4,
            }
    }
}

impl Absmax {
    /// The scales as f32, [blocks].
    pub fn plain(&self) -> std::borrow::Cow<'_, [f32]> {
        match self {
            Absmax::Plain(absmax) => absmax.into(),
            Absmax::Double { codes, absmax, offset } => {
                let scaled = codes.chunks(ABSMAX_BLOCK).zip(absmax).flat_map(|(codes, absmax)| {
                    codes.iter().map(move |&code| DYNAMIC_MAP[code as usize] * absmax + offset)
                });
                scaled.collect::<Vec<f32>>().into()
            }
        }
    }

    fn double(plain: &[f32]) -> Absmax {
        let sum: f64 = plain.iter().map(|&value| f64::from(value)).sum();
        let offset = if plain.is_empty() { 0.0 } else { (sum / plain.len() as f64) as f32 };
        let mut codes = Vec::with_capacity(plain.len());
        let mut absmax = Vec::with_capacity(plain.len().div_ceil(ABSMAX_BLOCK));
        for block in plain.chunks(ABSMAX_BLOCK) {
            let largest = block.iter().map(|value| (value - offset).abs()).fold(0.0, f32::max);
            let inverse = if largest == 0.0 { 0.0 } else { 1.0 / largest };
            // The CPU code of bitsandbytes looks up a grid of 65,536 points instead of searching the map; near a
            // midpoint the two differ in the last code, so the grid is part of being equal.
            codes.extend(block.iter().map(|value| {
                let at = ((value - offset) * inverse + 1.0) * 32767.5 + 0.5;
                DYNAMIC_GRID[at.clamp(0.0, 65535.0) as usize]
            }));
            absmax.push(largest);
        }
        Absmax::Double { codes, absmax, offset }
    }
}

/// Dequantises packed codes: `absmax` has one scale for each block of `out`, `packed` one byte for two numbers.
pub fn dequantize_into(packed: &[u8], absmax: &[f32], out: &mut [f32]) {
    let share = share(absmax.len());
    let shares =
        out.chunks_mut(share * BLOCK).zip(packed.chunks(share * BLOCK / 2)).zip(absmax.chunks(share));
    in_parallel(shares, |((out, packed), absmax)| {
        let blocks = out.chunks_mut(BLOCK).zip(packed.chunks(BLOCK / 2));
        for ((out, packed), &absmax) in blocks.zip(absmax) {
            dequantize_block(out, packed, absmax);
        }
    });
}

/// [`dynamic_map`] of numbers of both signs.
pub static DYNAMIC_MAP: LazyLock<[f32; 256]> = LazyLock::new(|| dynamic_map(true));

/// The 8-bit dynamic map, of both signs or of none: 7 decades, each of half as many steps as the next, 0 and 1; sorted.
pub fn dynamic_map(signed: bool) -> [f32; 256] {
    let mut map = Vec::with_capacity(256);
    for decade in 0..7 {
        let steps = 1usize << (if signed { decade } else { decade + 1 });
        let scale = 10f64.powi(decade - 6) as f32;
        let boundaries = linspace(steps + 1);
        for pair in boundaries.windows(2) {
            let mean = (pair[0] + pair[1]) / 2.0;
            map.push(scale * mean);
            if signed {
                map.push(-scale * mean);
            }
        }
    }
    map.extend([0.0, 1.0]);
    map.sort_by(f32::total_cmp);
    std::array::from_fn(|i| map[i])
}

static DYNAMIC_GRID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let nearest = |value: f32| {
        let right = DYNAMIC_MAP.partition_point(|&entry| entry <= value).min(255);
        let left = right.saturating_sub(1);
        let nearer_right = (value - DYNAMIC_MAP[right]).abs() < (value - DYNAMIC_MAP[left]).abs();
        (if nearer_right { right } else { left }) as u8
    };
    (0..=u16::MAX).map(|i| nearest(f32::from(i) / 65535.0 * 2.0 - 1.0)).collect()
});

static MIDPOINTS: LazyLock<[f32; 15]> =
    LazyLock::new(|| std::array::from_fn(|i| (CODE[i] + CODE[i + 1]) / 2.0));

/// `torch.linspace(0.1, 1, count)` in f32: from the front in the first half, from the back in the second, each in one
/// fused rounding.
fn linspace(count: usize) -> Vec<f32> {
    let step = (1.0 - 0.1f32) / (count - 1) as f32;
    let at = |i: usize| match i < count / 2 {
        true => step.mul_add(i as f32, 0.1),
        false => (-step).mul_add((count - 1 - i) as f32, 1.0),
    };
    (0..count).map(at).collect()
}

fn quantize_block(values: &[f32], packed: &mut [u8]) -> f32 {
    let absmax = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    // An all-zero block has no inverse; every code of it is that of zero.
    let inverse = 1.0 / absmax.max(1e-38);
    let midpoints = &*MIDPOINTS;
    let whole = values.len() == BLOCK;
    let code = |value: f32| {
        // bitsandbytes divides in a last block that is short.
        let scaled = if whole { value * inverse } else { value / absmax.max(1e-38) };
        let scaled = scaled.clamp(-1.0, 1.0);
        midpoints.iter().map(|&midpoint| u8::from(scaled > midpoint)).sum::<u8>()
    };
    for (pair, packed) in values.chunks(2).zip(packed) {
        let low = pair.get(1).map_or(code(0.0), |&value| code(value));
        *packed = code(pair[0]) << 4 | low;
    }
    absmax
}

fn dequantize_block(out: &mut [f32], packed: &[u8], absmax: f32) {
    let table: [f32; 16] = std::array::from_fn(|code| CODE[code] * absmax);
    let mut pairs = out.chunks_exact_mut(2);
    for (pair, &byte) in (&mut pairs).zip(packed) {
        pair[0] = table[(byte >> 4) as usize];
        pair[1] = table[(byte & 0xf) as usize];
    }
    if let ([last], Some(&byte)) = (pairs.into_remainder(), packed.last()) {
        *last = table[(byte >> 4) as usize];
    }
}

/// Blocks for one thread. Below 2^18 numbers, a tenth of a millisecond, a second thread costs more than it saves.
fn share(blocks: usize) -> usize {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    if blocks * BLOCK < 1 << 18 { blocks.max(1) } else { blocks.div_ceil(threads) }
}

/// Works on every share, on the first right here and on each other in a thread of its own.
fn in_parallel<T: Send>(mut shares: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    let first = shares.next();
    thread::scope(|scope| {
        for share in shares {
            let work = &work;
            scope.spawn(move || work(share));
        }
        first.map(&work);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_come_back_as_zeros() {
        let quantized = Nf4::quantize(&[0.0; 100], false);
        let mut out = [1.0; 100];
        quantized.dequantize_into(&mut out);
        assert_eq!(out, [0.0; 100]);
        assert_eq!(quantized.packed[0], 0x77);
    }

    #[test]
    fn the_threads_share_a_large_matrix_without_a_seam() {
        let values: Vec<f32> = (0..3_000_001).map(|i| ((i * 37) % 1001) as f32 / 500.0 - 1.0).collect();
        let whole = Nf4::quantize(&values, true);
        let mut out = vec![f32::NAN; values.len()];
        whole.dequantize_into(&mut out);
        for start in [0, 64 * 20_000, 2_999_936] {
            let end = (start + 640).min(values.len());
            let part = Nf4::quantize(&values[start..end], false);
            assert_eq!(part.packed, whole.packed[start / 2..end.div_ceil(2)]);
        }
        let worst = values.iter().zip(&out).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.17, "the widest gap of the code is 0.304 and half of it is {worst}");
        assert_eq!(Quantization::Nf4 { double: true }.bytes(values.len(), 4), whole.bytes());
    }
}
