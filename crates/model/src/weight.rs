//! One frozen matrix on its device, dense or in NF4, and the way back to a dense one.

use tch::{Device, Kind, TchError, Tensor};

use crate::nf4::{self, Absmax, Nf4, Quantization};
use crate::weights::View;

/// A frozen matrix [rows, columns].
pub(crate) enum Weight {
    /// In the compute type.
    Dense(Tensor),
    /// Quantised, in host memory.
    Host { nf4: Nf4, shape: [i64; 2] },
    /// Quantised, on a card.
    Card(Card),
}

/// NF4 as tensors. Scales follow `nf4::Absmax`.
pub(crate) struct Card {
    shape: [i64; 2],
    packed: Tensor,
    absmax: Tensor,
    /// Present under double quantisation, where `absmax` holds codes: scales of the codes, [blocks / 256], and the offset.
    second: Option<(Tensor, f64)>,
    pairs: Tensor,
    map: Tensor,
}

/// Where matrices go, and as what. The tables are made once and shared by every matrix on a card.
pub(crate) struct Placement {
    pub device: Device,
    pub kind: Kind,
    pub quantization: Quantization,
    pairs: Tensor,
    map: Tensor,
}

/// Numbers that are dequantised at once on a card: bounds the temporary indices and f32 products to 200 MB.
const CHUNK: i64 = 1 << 24;

impl Placement {
    pub fn new(device: Device, kind: Kind, quantization: Quantization) -> Result<Placement, TchError> {
        // Row b holds the two values of the byte b, so that one look-up serves two numbers.
        let values: Vec<f32> =
            (0..256).flat_map(|byte| [nf4::CODE[byte >> 4], nf4::CODE[byte & 0xf]]).collect();
        let pairs = Tensor::f_from_slice(&values)?.f_view([256, 2])?.f_to_device(device)?;
        let map = Tensor::f_from_slice(&nf4::DYNAMIC_MAP[..])?.f_to_device(device)?;
        Ok(Placement { device, kind, quantization, pairs, map })
    }

    /// A tensor in the compute type, straight from the bytes where their format is one of libtorch's.
    pub fn dense(&self, view: &View) -> Result<Tensor, TchError> {
        self.place(from_view(view)?)
    }

    /// A matrix in the form asked for. Under NF4 only this one matrix exists in full precision, until it is quantised.
    pub fn matrix(&self, view: &View) -> Result<Weight, TchError> {
        match self.quantization {
            Quantization::None => self.dense(view).map(Weight::Dense),
            Quantization::Nf4 { double } => self.quantized(&view.to_f32(), shape2(view.shape), double),
        }
    }

    /// A matrix out of numbers.
    pub fn made_up(&self, values: &[f32], shape: [i64; 2]) -> Result<Weight, TchError> {
        match self.quantization {
            Quantization::None => self.place(Tensor::f_from_slice(values)?.f_view(shape)?).map(Weight::Dense),
            Quantization::Nf4 { double } => self.quantized(values, shape, double),
        }
    }

    fn place(&self, tensor: Tensor) -> Result<Tensor, TchError> {
        // In this order the card never holds the stored numbers beside its own.
        tensor.f_to_kind(self.kind)?.f_to_device(self.device)
    }

    fn quantized(&self, values: &[f32], shape: [i64; 2], double: bool) -> Result<Weight, TchError> {
        let nf4 = Nf4::quantize(values, double);
        if self.device.is_cuda() {
            self.card(nf4, shape).map(Weight::Card)
        } else {
            Ok(Weight::Host { nf4, shape })
        }
    }

    fn card(&self, mut nf4: Nf4, shape: [i64; 2]) -> Result<Card, TchError> {
        let card = |tensor: Tensor| tensor.f_to_device(self.device);
        // Whole blocks only, so that a scale is a row; what is padded is cut off again.
        nf4.packed.resize(nf4.len.div_ceil(nf4::BLOCK) * nf4::BLOCK / 2, 0);
        let (absmax, second) = match &nf4.absmax {
            Absmax::Plain(absmax) => (card(Tensor::f_from_slice(absmax)?)?, None),
            Absmax::Double { codes, absmax, offset } => (
                card(Tensor::f_from_slice(codes)?)?,
                Some((card(Tensor::f_from_slice(absmax)?)?, f64::from(*offset))),
            ),
        };
        Ok(Card {
            shape,
            packed: card(Tensor::f_from_slice(&nf4.packed)?)?,
            absmax,
            second,
            pairs: self.pairs.shallow_clone(),
            map: self.map.shallow_clone(),
        })
    }
}

impl Weight {
    /// The matrix in the compute type, [rows, columns]. No copy if it is dense already.
    pub fn materialize(&self, kind: Kind) -> Tensor {
        match self {
            Weight::Dense(tensor) => tensor.shallow_clone(),
            Weight::Host { nf4, shape } => {
                let out = Tensor::empty(shape, (Kind::Float, Device::Cpu));
                // SAFETY: the tensor was allocated on the line above with exactly that many contiguous floats, and
                // nobody else has seen it.
                let values = unsafe { std::slice::from_raw_parts_mut(out.data_ptr().cast::<f32>(), nf4.len) };
                nf4.dequantize_into(values);
                out.to_kind(kind)
            }
            Weight::Card(card) => card.materialize(kind),
        }
    }

    /// A copy with memory of its own, for models that are made up.
    pub fn duplicate(&self) -> Weight {
        match self {
            Weight::Dense(tensor) => Weight::Dense(tensor.copy()),
            Weight::Host { nf4, shape } => Weight::Host { nf4: nf4.clone(), shape: *shape },
            Weight::Card(card) => Weight::Card(Card {
                shape: card.shape,
                packed: card.packed.copy(),
                absmax: card.absmax.copy(),
                second: card.second.as_ref().map(|(absmax, offset)| (absmax.copy(), *offset)),
                pairs: card.pairs.shallow_clone(),
                map: card.map.shallow_clone(),
            }),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        match self {
            Weight::Dense(tensor) => of(tensor),
            Weight::Host { nf4, .. } => nf4.bytes(),
            Weight::Card(card) => {
                of(&card.packed)
                    + of(&card.absmax)
                    + card.second.as_ref().map_or(0, |(absmax, _)| of(absmax) + 4)
            }
        }
    }
}

impl Card {
    fn materialize(&self, kind: Kind) -> Tensor {
        let numbers = self.packed.size()[0] * 2;
        let absmax = match &self.second {
            None => self.absmax.shallow_clone(),
            Some((scales, offset)) => {
                let blocks = self.absmax.size()[0];
                let scales = scales.repeat_interleave_self_int(nf4::ABSMAX_BLOCK as i64, 0, None);
                let values = self.map.index_select(0, &self.absmax.to_kind(Kind::Int));
                values * scales.narrow(0, 0, blocks) + *offset
            }
        };
        let out = Tensor::empty([numbers], (kind, self.packed.device()));
        let mut start = 0;
        while start < numbers {
            let len = CHUNK.min(numbers - start);
            let codes = self.packed.narrow(0, start / 2, len / 2).to_kind(Kind::Int);
            // (len / 2) codes -> (len / 2, 2) values -> (len / 64, 64), one scale a row
            let values = self.pairs.index_select(0, &codes).view([-1, nf4::BLOCK as i64]);
            let block = nf4::BLOCK as i64;
            let scales = absmax.narrow(0, start / block, len / block).unsqueeze(1);
            out.narrow(0, start, len).copy_(&(values * scales).view([len]));
            start += len;
        }
        out.narrow(0, 0, self.shape[0] * self.shape[1]).view(self.shape)
    }
}

/// A tensor in the stored format where libtorch has it, in f32 otherwise; on the CPU.
pub(crate) fn from_view(view: &View) -> Result<Tensor, TchError> {
    use crate::dtype::Dtype;
    let shape: Vec<i64> = view.shape.iter().map(|&size| size as i64).collect();
    let kind = match view.dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::Q8_0 | Dtype::Q4_0 | Dtype::Q4_1 => return decoded(view, &shape),
    };
    if view.interleaved.is_some() {
        return decoded(view, &shape);
    }
    Tensor::f_from_data_size(view.bytes, &shape, kind)
}

fn decoded(view: &View, shape: &[i64]) -> Result<Tensor, TchError> {
    let out = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?;
    // SAFETY: freshly allocated, contiguous, as many floats as the view has numbers, seen by nobody else.
    let values = unsafe { std::slice::from_raw_parts_mut(out.data_ptr().cast::<f32>(), view.len()) };
    view.decode_into(values);
    Ok(out)
}

fn shape2(shape: &[usize]) -> [i64; 2] {
    [shape[0] as i64, shape[1] as i64]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table operations that a card uses, run on the CPU, against the plain loop.
    fn check(shape: [i64; 2], double: bool, kind: Kind) {
        let placement = Placement::new(Device::Cpu, kind, Quantization::Nf4 { double }).expect("tables");
        let values: Vec<f32> =
            (0..shape[0] * shape[1]).map(|i| (i as f32 * 0.7).sin() * (i % 1009) as f32).collect();
        let nf4 = Nf4::quantize(&values, double);
        let card = placement.card(nf4.clone(), shape).expect("small tensors").materialize(kind);
        let host = Weight::Host { nf4, shape }.materialize(kind);
        assert_eq!((card.size(), card.kind()), (host.size(), kind));
        let differ = card.ne_tensor(&host).sum(Kind::Int64).int64_value(&[]);
        assert_eq!(differ, 0, "{shape:?}, double {double}, {kind:?}");
    }

    #[test]
    fn table_operations_give_the_same_numbers_as_the_loop() {
        for kind in [Kind::Float, Kind::BFloat16] {
            check([128, 96], false, kind);
            check([128, 200], true, kind);
        }
        check([3, 37], true, Kind::Float);
        // More than one chunk.
        check([4097, 4096], true, Kind::BFloat16);
    }
}
