//! The way back through one block, written out.
//!
//! Frozen matrices need no gradient, and norms, turns and SwiGLU have short closed forms. So nothing here goes through
//! autograd, except attention on a card, and exactly what is needed is kept or computed again. Gradients of the
//! adapters are added to those that autograd would use; this module updates nothing.
//!
//! Shapes as in `layer`; N stands for B · L.

use tch::{Kind, Tensor};

use crate::attention;
use crate::layer::{Adapter, DenseLayer};
use crate::lora::Projection;
use crate::norm::{self, rms_norm};
use crate::rope::RopeTables;

/// What a block's forward keeps for its way back; no choice here changes a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Its input: the least memory, and most of the block is run again.
    Input,
    /// What attention gave as well, and the sum after it: three times the memory, and attention is not run again.
    Attention,
    /// The values of all wide products: no product is run again.
    Products,
}

/// What a forward left.
pub struct Trace {
    input: Tensor,
    attended: Option<Attended>,
    products: Option<Products>,
}

struct Attended {
    /// Heads merged, [N, H·E].
    merged: Tensor,
    /// Of every row of scores, [B, H, L].
    lse: Option<Tensor>,
    /// The sum after attention, [N, D].
    residual: Tensor,
    /// Of the projection back.
    low: Option<Tensor>,
}

struct Products {
    heads: Group,
    mlp: Group,
    /// What went through A of the last product.
    low: Option<Tensor>,
}

/// Projections of one input: their values [N, out], and the adapters' inner values side by side, [N, r · adapted].
struct Group {
    values: Vec<Tensor>,
    low: Option<Tensor>,
}

const HEADS: &[Projection] = &[Projection::Q, Projection::K, Projection::V];
const OUT: &[Projection] = &[Projection::O];
const MLP: &[Projection] = &[Projection::Gate, Projection::Up];
const DOWN: &[Projection] = &[Projection::Down];

impl DenseLayer {
    /// One block over whole rows, as `forward` computes it, and what its way back needs: x [B, L, D] -> [B, L, D].
    pub fn trace(&self, x: &Tensor, rope: &RopeTables, dropout: Option<u64>, keep: Keep) -> (Tensor, Trace) {
        let _guard = tch::no_grad_guard();
        let size = x.size();
        // 1. Attention and the sum after it.
        let (heads, attended) = self.attended(x, rope, dropout);
        // 2. MLP: (N, D) -> (N, F) -> (N, D)
        let mlp = self.mlp(&attended.residual, dropout);
        let inner = mlp.values[0].silu().g_mul_(&mlp.values[1]);
        let mut down = self.project_all(DOWN, &inner, dropout);
        let mut y = down.values.remove(0);
        let y = y.g_add_(&attended.residual).view(&size[..]);
        let trace = Trace {
            input: x.shallow_clone(),
            attended: (keep != Keep::Input).then_some(attended),
            products: (keep == Keep::Products).then_some(Products { heads, mlp, low: down.low }),
        };
        (y, trace)
    }

    /// From the gradient by the block's output [B, L, D] to the one by its input; `None` if that is not `wanted`, as by
    /// the input of the first block, which nothing trains. `dropout` is what the forward was given.
    pub fn pull_back(
        &self,
        trace: Trace,
        gradient: &Tensor,
        rope: &RopeTables,
        dropout: Option<u64>,
        wanted: bool,
    ) -> Option<Tensor> {
        let _guard = tch::no_grad_guard();
        let Trace { input, attended, products } = trace;
        let size = input.size();
        let x = flat(&input);
        let gradient = flat(gradient);
        // 1. What was not kept is computed again.
        let (heads, mlp, low) = match products {
            Some(Products { heads, mlp, low }) => (Some(heads), Some(mlp), low),
            None => (None, None, None),
        };
        let (heads, attended) = match (heads, attended) {
            (heads, Some(attended)) => {
                (heads.unwrap_or_else(|| self.projected_heads(&input, dropout)), attended)
            }
            (_, None) => self.attended(&input, rope, dropout),
        };
        let Attended { merged, lse, residual, low: low_out } = attended;

        // 2. Down and SwiGLU: (N, D) -> (N, F)
        let mut gradient = {
            let mlp = mlp.unwrap_or_else(|| self.mlp(&residual, dropout));
            let [gate, up] = [&mlp.values[0], &mlp.values[1]];
            let mut act = gate.silu();
            let mut by_inner = self.pull_all(DOWN, &[&gradient], &(&act * up), low, dropout);
            let by_up = act.g_mul_(&by_inner);
            let by_gate = gate.silu_backward(&by_inner.g_mul_(up));
            drop(by_inner);
            // 3. Gate, up and the norm before them: (N, F) -> (N, D)
            let normed = rms_norm(&residual, &self.norms.post_attention, self.shape.eps);
            let by_normed = self.pull_all(MLP, &[&by_gate, &by_up], &normed, mlp.low, dropout);
            gradient + norm::pull_back(&residual, &self.norms.post_attention, self.shape.eps, &by_normed)
        };
        drop(residual);

        // 4. The projection back, attention, turn and head norms: (N, D) -> (N, H·E), (N, K·E), (N, K·E)
        let by_merged = self.pull_all(OUT, &[&gradient], &merged, low_out, dropout);
        let [q, k, v] = self.turned(&heads, &size, rope);
        let split = |x: &Tensor| self.split(x, &size, self.shape.heads).transpose(1, 2);
        let by_heads = attention::pull_back([&q, &k, &v], &split(&merged), lse.as_ref(), &split(&by_merged));
        let by_heads = self.turned_back(&heads, by_heads, &size, rope);
        let by_heads = [&by_heads[0], &by_heads[1], &by_heads[2]];
        drop((q, k, v, merged, by_merged));

        // 5. q, k, v and the norm before them: (N, H·E + 2·K·E) -> (N, D)
        let normed = rms_norm(&x, &self.norms.input, self.shape.eps);
        if !wanted {
            self.train(HEADS, &by_heads, &normed, heads.low, dropout, None);
            return None;
        }
        let by_normed = self.pull_all(HEADS, &by_heads, &normed, heads.low, dropout);
        let by_norm = norm::pull_back(&x, &self.norms.input, self.shape.eps, &by_normed);
        Some(gradient.g_add_(&by_norm).view(&size[..]))
    }

    fn projected_heads(&self, x: &Tensor, dropout: Option<u64>) -> Group {
        self.project_all(HEADS, &rms_norm(&flat(x), &self.norms.input, self.shape.eps), dropout)
    }

    fn attended(&self, x: &Tensor, rope: &RopeTables, dropout: Option<u64>) -> (Group, Attended) {
        let size = x.size();
        let heads = self.projected_heads(x, dropout);
        let [q, k, v] = self.turned(&heads, &size, rope);
        let (out, lse) = attention::attend_kept(&q, &k, &v);
        let merged = out.transpose(1, 2).reshape([-1, self.shape.heads * self.shape.head_dim]);
        let mut back = self.project_all(OUT, &merged, dropout);
        let residual = back.values.remove(0).g_add_(&flat(x));
        (heads, Attended { merged, lse, residual, low: back.low })
    }

    fn mlp(&self, residual: &Tensor, dropout: Option<u64>) -> Group {
        self.project_all(MLP, &rms_norm(residual, &self.norms.post_attention, self.shape.eps), dropout)
    }

    /// (N, heads · E) -> (B, L, heads, E)
    fn split(&self, x: &Tensor, size: &[i64], heads: i64) -> Tensor {
        x.view([size[0], size[1], heads, self.shape.head_dim])
    }

    /// q, k and v as projected -> normed where the family does, turned, [B, heads, L, E].
    fn turned(&self, heads: &Group, size: &[i64], rope: &RopeTables) -> [Tensor; 3] {
        let [q, k, v] = self.split_heads(heads, size);
        let normed = |x: Tensor, weight: &Option<Tensor>| match weight {
            Some(weight) => rms_norm(&x, weight, self.shape.eps),
            None => x,
        };
        let (q, k) = (normed(q, &self.norms.query), normed(k, &self.norms.key));
        [rope.apply(&q.transpose(1, 2)), rope.apply(&k.transpose(1, 2)), v.transpose(1, 2)]
    }

    /// The way back of `turned`: gradients [B, heads, L, E] -> [N, heads · E].
    fn turned_back(&self, heads: &Group, by: [Tensor; 3], size: &[i64], rope: &RopeTables) -> [Tensor; 3] {
        let [q, k, _] = self.split_heads(heads, size);
        let [by_q, by_k, by_v] = by;
        let back = |x: &Tensor, weight: &Option<Tensor>, gradient: Tensor| {
            let gradient = rope.apply_back(&gradient).transpose(1, 2);
            match weight {
                Some(weight) => norm::pull_back(x, weight, self.shape.eps, &gradient),
                None => gradient,
            }
        };
        let merge = |x: Tensor| x.reshape([size[0] * size[1], -1]);
        [
            merge(back(&q, &self.norms.query, by_q)),
            merge(back(&k, &self.norms.key, by_k)),
            merge(by_v.transpose(1, 2)),
        ]
    }

    fn split_heads(&self, heads: &Group, size: &[i64]) -> [Tensor; 3] {
        let split = |at: usize, count| self.split(&heads.values[at], size, count);
        [split(0, self.shape.heads), split(1, self.shape.kv_heads), split(2, self.shape.kv_heads)]
    }

    /// Projections of one input x [N, in].
    fn project_all(&self, projections: &[Projection], x: &Tensor, dropout: Option<u64>) -> Group {
        let low = self.low_all(projections, x, dropout);
        let mut start = 0;
        let mut project = |&projection: &Projection| {
            let at = projection as usize;
            let mut value = x.linear(&self.matrices[at], None::<&Tensor>);
            if let (Some(adapter), Some(low)) = (&self.adapters[at], &low) {
                let rank = adapter.a.size()[0];
                let _ = value
                    .addmm_(&low.narrow(1, start, rank), &adapter.b.detach().to_kind(self.shape.kind).tr());
                start += rank;
            }
            value
        };
        let values = projections.iter().map(&mut project).collect();
        Group { values, low }
    }

    /// scale · (dropped x) Aᵀ of every adapter among the projections, side by side.
    fn low_all(&self, projections: &[Projection], x: &Tensor, dropout: Option<u64>) -> Option<Tensor> {
        let adapted = self.adapted(projections);
        let (_, first) = adapted.first()?;
        if self.drops(first, dropout).is_some() {
            let lows: Vec<Tensor> = adapted
                .iter()
                .map(|(projection, adapter)| self.low(*projection, adapter, x, dropout))
                .collect();
            return Some(Tensor::cat(&lows, 1));
        }
        // One product for all of them: each alone is too thin for the processor.
        let low = x.linear(&self.stacked(&adapted), None::<&Tensor>);
        Some(if first.scale == 1.0 { low } else { low * first.scale })
    }

    /// The A of adapters, [r · adapters, in], in the compute type.
    fn stacked(&self, adapted: &[(Projection, &Adapter)]) -> Tensor {
        let all: Vec<Tensor> =
            adapted.iter().map(|(_, adapter)| adapter.a.detach().to_kind(self.shape.kind)).collect();
        if let [one] = &all[..] { one.shallow_clone() } else { Tensor::cat(&all, 0) }
    }

    fn adapted(&self, projections: &[Projection]) -> Vec<(Projection, &Adapter)> {
        let adapter =
            |&projection: &Projection| Some((projection, self.adapters[projection as usize].as_ref()?));
        projections.iter().filter_map(adapter).collect()
    }

    /// The gradient by the input x [N, in] of projections, from those by their values [N, out]; gradients of their
    /// adapters on the way. `low` is that of the forward, and computed again without it.
    fn pull_all(
        &self,
        projections: &[Projection],
        gradients: &[&Tensor],
        x: &Tensor,
        low: Option<Tensor>,
        dropout: Option<u64>,
    ) -> Tensor {
        let matrix = |at: usize| &self.matrices[projections[at] as usize];
        let mut by_x = gradients[0].mm(matrix(0));
        for (at, gradient) in gradients.iter().enumerate().skip(1) {
            let _ = by_x.addmm_(gradient, matrix(at));
        }
        self.train(projections, gradients, x, low, dropout, Some(&mut by_x));
        by_x
    }

    /// Gradients of the adapters of projections, and what they add to the gradient by the input.
    fn train(
        &self,
        projections: &[Projection],
        gradients: &[&Tensor],
        x: &Tensor,
        low: Option<Tensor>,
        dropout: Option<u64>,
        by_x: Option<&mut Tensor>,
    ) {
        let adapted = self.adapted(projections);
        let Some(low) = low.or_else(|| self.low_all(projections, x, dropout)) else { return };
        // 1. B: gᵀ low, and the gradient by low itself, [N, r] each.
        let mut start = 0;
        let mut by_low = Vec::with_capacity(adapted.len());
        for (projection, gradient) in projections.iter().zip(gradients) {
            let Some(adapter) = &self.adapters[*projection as usize] else { continue };
            let rank = adapter.a.size()[0];
            add_product(&mut gradient_of(&adapter.b), &gradient.tr(), &low.narrow(1, start, rank));
            let by = gradient.mm(&adapter.b.detach().to_kind(self.shape.kind));
            by_low.push(if adapter.scale == 1.0 { by } else { by * adapter.scale });
            start += rank;
        }
        // 2. A, and on to the input. What was dropped differs from adapter to adapter.
        let mut by_x = by_x;
        if adapted.iter().any(|(_, adapter)| self.drops(adapter, dropout).is_some()) {
            for ((projection, adapter), by_low) in adapted.iter().zip(&by_low) {
                let mask = self.dropped(*projection, adapter, &x.ones_like(), dropout);
                add_product(&mut gradient_of(&adapter.a), &by_low.tr(), &(x * &mask));
                if let Some(by_x) = &mut by_x {
                    let part = by_low.mm(&adapter.a.detach().to_kind(self.shape.kind));
                    let _ = by_x.g_add_(&(part * mask));
                }
            }
            return;
        }
        let by_low = if let [one] = &by_low[..] { one.shallow_clone() } else { Tensor::cat(&by_low, 1) };
        let by_a = by_low.tr().mm(x);
        let mut start = 0;
        for (_, adapter) in &adapted {
            let rank = adapter.a.size()[0];
            let _ = gradient_of(&adapter.a).g_add_(&by_a.narrow(0, start, rank));
            start += rank;
        }
        if let Some(by_x) = by_x {
            let _ = by_x.addmm_(&by_low, &self.stacked(&adapted));
        }
    }
}

/// [B, L, D] -> [N, D]
fn flat(x: &Tensor) -> Tensor {
    let size = x.size();
    x.reshape([-1, size[size.len() - 1]])
}

/// Adds a product to a gradient in f32, in one go where the product is in f32 too.
fn add_product(gradient: &mut Tensor, left: &Tensor, right: &Tensor) {
    if left.kind() == gradient.kind() {
        let _ = gradient.addmm_(left, right);
    } else {
        let _ = gradient.g_add_(&left.mm(right));
    }
}

/// The gradient of a parameter, sharing memory with it; zero if there was none.
fn gradient_of(parameter: &Tensor) -> Tensor {
    let gradient = parameter.grad();
    if gradient.defined() {
        return gradient;
    }
    // tch cannot set a gradient; the one of zero times a sum is zero, and is there.
    tch::with_grad(|| (parameter.sum(Kind::Float) * 0.0).backward());
    parameter.grad()
}
