//! RMS norm over the last dimension, and its way back written out.
//!
//! Zhang and Sennrich 2019, <https://arxiv.org/abs/1910.07467>.

use tch::{Kind, Tensor};

/// x [.., D] normed: in f32, cast back, and only then times the weight [D], as transformers does.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Tensor {
    let wide = x.to_kind(Kind::Float);
    let inverse = inverse(&wide, eps);
    (wide * inverse).to_kind(x.kind()) * weight
}

/// The gradient by x of `rms_norm(x, weight, eps)`, from the gradient by its value; all [.., D].
///
/// With i = (mean x² + ε)^-½ and h = g · weight it is i · (h − x · i² · mean(h · x)).
pub(crate) fn pull_back(x: &Tensor, weight: &Tensor, eps: f64, gradient: &Tensor) -> Tensor {
    let wide = x.to_kind(Kind::Float);
    let inverse = inverse(&wide, eps);
    let mut pulled = (gradient * weight).to_kind(Kind::Float);
    let along = (&pulled * &wide).mean_dim(-1, true, None::<Kind>) * inverse.square();
    let _ = pulled.addcmul_(&wide, &-along).g_mul_(&inverse);
    pulled.to_kind(x.kind())
}

fn inverse(wide: &Tensor, eps: f64) -> Tensor {
    (wide.square().mean_dim(-1, true, None::<Kind>) + eps).rsqrt()
}
