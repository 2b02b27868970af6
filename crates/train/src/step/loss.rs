//! Cross-entropy over the learned positions, a chunk at a time, with its gradient written out.
//!
//! The gradient of −log softmax(h Wᵀ)[t] by h is (softmax − onehot(t)) W. So the head needs no autograd, and logits as
//! wide as the vocabulary exist for one chunk only. This module knows no model and no mask.

use tch::{Kind, Tensor};

/// Learned positions that go through the head at once.
pub const CHUNK: i64 = 256;

/// The loss of some positions and what it asks of their hidden states.
pub struct Loss {
    /// Sum of −log p over the positions, in nats: a scalar, f32, on the device.
    pub sum: Tensor,
    /// Gradient of `sum · scale` by the hidden states, [N, D].
    pub gradient: Tensor,
}

/// Cross-entropy of hidden states [N, D] against ids [N], through the head [V, D]. `scale` multiplies the gradient only:
/// it is one over the learned tokens of the whole step, so that long and short rows weigh by their tokens.
pub fn cross_entropy(hidden: &Tensor, targets: &Tensor, head: &Tensor, scale: f64, chunk: i64) -> Loss {
    let _guard = tch::no_grad_guard();
    let (count, words) = (targets.size()[0], head.size()[0]);
    let mut sum = Tensor::zeros([], (Kind::Float, hidden.device()));
    let by_hidden = Tensor::empty(hidden.size(), (hidden.kind(), hidden.device()));
    // One piece of memory for the logits of every chunk, and for what becomes of them.
    let room = Tensor::empty([chunk.min(count), words], (hidden.kind(), hidden.device()));
    let mut start = 0;
    while start < count {
        let len = chunk.min(count - start);
        let targets = targets.narrow(0, start, len).unsqueeze(1);
        // 1. Logits and their log-probabilities: (C, D) -> (C, V), in f32
        let logits = hidden.narrow(0, start, len).mm_out(&room.narrow(0, 0, len), &head.tr());
        let wide = logits.to_kind(Kind::Float);
        let mut log_p = wide.internal_log_softmax_out(&wide, -1, false);
        sum -= log_p.gather(1, &targets, false).sum(Kind::Float);
        // 2. softmax − onehot, in the memory of the log-probabilities
        let mut p = log_p.exp_();
        let ones = Tensor::full([len, 1], -1.0, (Kind::Float, hidden.device()));
        let p = p.scatter_add_(1, &targets, &ones);
        // 3. Back through the head: (C, V) -> (C, D)
        let by_chunk = by_hidden.narrow(0, start, len);
        let _ = p.to_kind(head.kind()).mm_out(&by_chunk, head).g_mul_scalar_(scale);
        start += len;
    }
    Loss { sum, gradient: by_hidden }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn equals_autograd_through_whole_logits() {
        tch::manual_seed(3);
        let on = (Kind::Float, Device::Cpu);
        let hidden = Tensor::randn([37, 24], on).set_requires_grad(true);
        let head = Tensor::randn([101, 24], on);
        let targets = Tensor::randint(101, [37], (Kind::Int64, Device::Cpu));

        let chunked = cross_entropy(&hidden.detach(), &targets, &head, 1.0 / 37.0, 8);

        let mean = hidden.linear(&head, None::<&Tensor>).cross_entropy_for_logits(&targets);
        mean.backward();
        let loss = chunked.sum.double_value(&[]) / 37.0;
        assert!((loss - mean.double_value(&[])).abs() < 1e-5, "{loss}");
        let worst = (chunked.gradient - hidden.grad()).abs().max().double_value(&[]);
        assert!(worst < 1e-6, "{worst}");
    }
}
