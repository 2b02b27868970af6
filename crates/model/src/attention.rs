//! Causal attention, and its way back.
//!
//! Shapes: B rows, L positions, H query heads, K key and value heads, E head_dim. Never with a mask: the fast kernels
//! want none.

use tch::{Device, Kind, Tensor};

/// Attention of q [B, H, L, E] over k and v [B, K, S, E] -> [B, H, L, E].
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Tensor {
    // A card's kernels for heads in groups take 16-bit numbers alone. In f32 what is left for groups writes all L x S
    // scores down, and the kernel that does not wants a key and a value for each query head.
    if q.device().is_cuda() && q.kind() == Kind::Float {
        let each = |x: &Tensor| repeated(x, q.size()[1]);
        return dot_product(q, &each(k), &each(v), causal);
    }
    dot_product(q, k, v, causal)
}

fn dot_product(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Tensor {
    let grouped = q.size()[1] != k.size()[1];
    Tensor::scaled_dot_product_attention(q, k, v, None::<&Tensor>, 0.0, causal, None, grouped)
}

/// Keys or values [B, K, S, E] -> [B, H, S, E], each as often as query heads share it.
fn repeated(x: &Tensor, heads: i64) -> Tensor {
    let share = heads / x.size()[1];
    if share == 1 { x.shallow_clone() } else { x.repeat_interleave_self_int(share, 1, None) }
}

/// Causal attention and, where the device's kernel gives it, the log-sum-exp of every row of scores, [B, H, L].
///
/// Libtorch's kernel for the CPU does; those of a card hide theirs behind autograd.
pub(crate) fn attend_kept(q: &Tensor, k: &Tensor, v: &Tensor) -> (Tensor, Option<Tensor>) {
    if q.device() != Device::Cpu {
        return (attend(q, k, v, true), None);
    }
    let none = None::<&Tensor>;
    let (out, lse) =
        Tensor::internal_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, true, none, None);
    (out, Some(lse))
}

/// Gradients by q, k and v of causal attention, from the gradient by its value `out`, [B, H, L, E]. `lse` is what
/// [`attend_kept`] gave; without it the attention is run again under autograd.
pub(crate) fn pull_back(
    [q, k, v]: [&Tensor; 3],
    out: &Tensor,
    lse: Option<&Tensor>,
    gradient: &Tensor,
) -> [Tensor; 3] {
    let Some(lse) = lse else { return by_autograd([q, k, v], gradient) };
    let none = None::<&Tensor>;
    let (by_q, by_k, by_v) = Tensor::internal_scaled_dot_product_flash_attention_for_cpu_backward(
        gradient, q, k, v, out, lse, 0.0, true, none, None,
    );
    [by_q, by_k, by_v]
}

fn by_autograd(inputs: [&Tensor; 3], gradient: &Tensor) -> [Tensor; 3] {
    tch::with_grad(|| {
        let leaves = inputs.map(|input| input.detach().set_requires_grad(true));
        let out = attend(&leaves[0], &leaves[1], &leaves[2], true);
        // The gradient of sum(y · g) by y is exactly g.
        (out * gradient).sum(Kind::Float).backward();
        leaves.map(|leaf| leaf.grad())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(size: [i64; 4], step: f64) -> Tensor {
        let count: i64 = size.iter().product();
        (Tensor::arange(count, (Kind::Float, Device::Cpu)) * step).sin().view(size) * 1.5
    }

    #[test]
    fn a_key_for_each_query_head_gives_what_groups_give() {
        let q = waves([2, 6, 9, 8], 0.7);
        let [k, v] = [0.31, 1.3].map(|step| waves([2, 2, 9, 8], step));
        let each = dot_product(&q, &repeated(&k, 6), &repeated(&v, 6), true);
        assert!(each.allclose(&dot_product(&q, &k, &v, true), 1e-6, 1e-6, false));
    }

    /// The way that a card goes, run on the CPU, against the one that the CPU goes.
    #[test]
    fn the_way_back_by_what_was_kept_equals_autograd() {
        for (len, heads, kv_heads) in [(5, 4, 2), (131, 6, 2), (64, 3, 3)] {
            let q = waves([2, heads, len, 8], 0.7);
            let [k, v] = [0.31, 1.3].map(|step| waves([2, kv_heads, len, 8], step));
            let gradient = waves([2, heads, len, 8], 0.11);
            let _guard = tch::no_grad_guard();
            let (out, lse) = attend_kept(&q, &k, &v);
            let near = |own: &Tensor, other: &Tensor| {
                let worst = (own - other).abs().max().double_value(&[]);
                let size = other.abs().max().double_value(&[]);
                assert!(size > 0.1 && worst < 2e-6 * size, "{len}: off by {worst} of {size}");
            };
            near(&out, &attend(&q, &k, &v, true));
            let own = pull_back([&q, &k, &v], &out, lse.as_ref(), &gradient);
            let autograd = pull_back([&q, &k, &v], &out, None, &gradient);
            own.iter().zip(&autograd).for_each(|(own, other)| near(own, other));
        }
    }
}
