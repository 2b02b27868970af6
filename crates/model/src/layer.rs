//! One block: frozen matrices, norms and adapters as they are held, and the dense form that computes.
//!
//! Shapes: B rows, L positions, D hidden, H query heads, K key and value heads, E head_dim, F MLP.

use tch::{Kind, Tensor};

use crate::attention::attend;
use crate::config::Config;
use crate::lora::{Projection, mix};
use crate::norm::rms_norm;
use crate::rope::RopeTables;
use crate::weight::Weight;

/// A block as it is held.
pub struct Layer {
    pub(crate) matrices: [Weight; 7],
    pub(crate) norms: Norms,
    pub(crate) adapters: [Option<Adapter>; 7],
    pub(crate) shape: Shape,
    pub(crate) index: usize,
}

/// A block whose matrices are in the compute type. Frozen weights are constants, adapters are the leaves that train.
pub struct DenseLayer {
    pub(crate) matrices: [Tensor; 7],
    pub(crate) norms: Norms,
    pub(crate) adapters: [Option<Adapter>; 7],
    pub(crate) shape: Shape,
    index: usize,
}

/// Keys and values of the positions seen so far, room for a fixed number of them.
pub struct LayerCache {
    keys: Tensor,
    values: Tensor,
    len: i64,
}

pub(crate) struct Norms {
    pub input: Tensor,
    pub post_attention: Tensor,
    pub query: Option<Tensor>,
    pub key: Option<Tensor>,
}

/// The pair of one projection: A [r, in] and B [out, r], fp32 leaves on the device.
pub(crate) struct Adapter {
    pub a: Tensor,
    pub b: Tensor,
    pub scale: f64,
    pub dropout: f64,
}

#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub heads: i64,
    pub kv_heads: i64,
    pub head_dim: i64,
    pub eps: f64,
    pub kind: Kind,
}

impl Layer {
    /// The dense form: dequantised where it was quantised, shared where it was dense. It holds no reference to the
    /// layer, so it can outlive it; dropping it frees what was dequantised.
    pub fn materialize(&self) -> DenseLayer {
        DenseLayer {
            matrices: std::array::from_fn(|i| self.matrices[i].materialize(self.shape.kind)),
            norms: self.norms.shallow_clone(),
            adapters: std::array::from_fn(|i| self.adapters[i].as_ref().map(Adapter::shallow_clone)),
            shape: self.shape,
            index: self.index,
        }
    }
}

impl DenseLayer {
    /// One block over whole rows, causal: x [B, L, D] -> [B, L, D], with tables of L positions.
    ///
    /// With `dropout` the adapters' inputs are dropped by that seed; the same seed drops the same inputs, so a
    /// recomputed forward equals the first. Without, nothing is dropped.
    pub fn forward(&self, x: &Tensor, rope: &RopeTables, dropout: Option<u64>) -> Tensor {
        let (x, inner) = self.until_down(x, rope, dropout);
        x + self.project(Projection::Down, &inner, dropout)
    }

    /// One block over new positions after those in the cache: x [B, L, D] -> [B, L, D]. `rope` has the tables of the
    /// new positions.
    pub fn forward_cached(&self, x: &Tensor, rope: &RopeTables, cache: &mut LayerCache) -> Tensor {
        let (q, k, v) = self.heads(&rms_norm(x, &self.norms.input, self.shape.eps), rope, None);
        let causal = cache.len == 0;
        let (keys, values) = cache.append(&k, &v);
        // One new position sees everything before it, and a first chunk is causal by itself: neither needs a mask.
        debug_assert!(causal || x.size()[1] == 1, "a later chunk has one position");
        let (x, inner) = self.mlp_until_down(x, &attend(&q, &keys, &values, causal), None);
        x + self.project(Projection::Down, &inner, None)
    }

    /// Room for the keys and values of `capacity` positions of B rows.
    pub fn cache(&self, rows: i64, capacity: i64) -> LayerCache {
        let size = [rows, self.shape.kv_heads, capacity, self.shape.head_dim];
        let room = || Tensor::zeros(size, (self.shape.kind, self.norms.input.device()));
        LayerCache { keys: room(), values: room(), len: 0 }
    }

    /// q [B, H, L, E], k and v [B, K, L, E] of a normed input.
    fn heads(&self, x: &Tensor, rope: &RopeTables, dropout: Option<u64>) -> (Tensor, Tensor, Tensor) {
        let (rows, len, _) = size3(x);
        let Shape { heads, kv_heads, head_dim, eps, .. } = self.shape;
        // 1. Project and split: (B, L, D) -> (B, L, H, E)
        let q = self.project(Projection::Q, x, dropout).view([rows, len, heads, head_dim]);
        let k = self.project(Projection::K, x, dropout).view([rows, len, kv_heads, head_dim]);
        let v = self.project(Projection::V, x, dropout).view([rows, len, kv_heads, head_dim]);
        // 2. Qwen3 norms each head before it is turned.
        let normed = |x: Tensor, weight: &Option<Tensor>| match weight {
            Some(weight) => rms_norm(&x, weight, eps),
            None => x,
        };
        let (q, k) = (normed(q, &self.norms.query), normed(k, &self.norms.key));
        // 3. Reshape and turn: (B, L, H, E) -> (B, H, L, E)
        let q = rope.apply(&q.transpose(1, 2));
        let k = rope.apply(&k.transpose(1, 2));
        (q, k, v.transpose(1, 2))
    }

    /// The block without its last product: the sum after attention [B, L, D], and what goes into `down`, [B, L, F].
    fn until_down(&self, x: &Tensor, rope: &RopeTables, dropout: Option<u64>) -> (Tensor, Tensor) {
        let (q, k, v) = self.heads(&rms_norm(x, &self.norms.input, self.shape.eps), rope, dropout);
        self.mlp_until_down(x, &attend(&q, &k, &v, true), dropout)
    }

    /// The same from attention [B, H, L, E] on.
    fn mlp_until_down(&self, x: &Tensor, attention: &Tensor, dropout: Option<u64>) -> (Tensor, Tensor) {
        let (rows, len, _) = size3(x);
        // 4. Merge heads and project back: (B, H, L, E) -> (B, L, D)
        let merged = attention.transpose(1, 2).reshape([rows, len, self.shape.heads * self.shape.head_dim]);
        let x = x + self.project(Projection::O, &merged, dropout);
        // 5. MLP: (B, L, D) -> (B, L, F); `down` brings it back to (B, L, D).
        let normed = rms_norm(&x, &self.norms.post_attention, self.shape.eps);
        let gate = self.project(Projection::Gate, &normed, dropout).silu();
        let inner = gate * self.project(Projection::Up, &normed, dropout);
        (x, inner)
    }

    /// x W^T + scale · (dropped x) A^T B^T: [B, L, in] -> [B, L, out]
    fn project(&self, projection: Projection, x: &Tensor, dropout: Option<u64>) -> Tensor {
        let at = projection as usize;
        let out = x.linear(&self.matrices[at], None::<&Tensor>);
        let Some(adapter) = &self.adapters[at] else { return out };
        let low = self.low(projection, adapter, x, dropout);
        let (rank, width) = (low.size()[2], out.size()[2]);
        // In place: the product lands in the output of the frozen matrix, and no third tensor of that size exists.
        let mut flat = out.view([-1, width]);
        flat.addmm_(&low.view([-1, rank]), &adapter.b.to_kind(self.shape.kind).tr()).view_as(&out)
    }

    /// scale · (dropped x) A^T: [.., in] -> [.., r]
    pub(crate) fn low(
        &self,
        projection: Projection,
        adapter: &Adapter,
        x: &Tensor,
        dropout: Option<u64>,
    ) -> Tensor {
        let a = adapter.a.to_kind(self.shape.kind);
        let low = self.dropped(projection, adapter, x, dropout).linear(&a, None::<&Tensor>);
        if adapter.scale == 1.0 { low } else { low * adapter.scale }
    }

    /// The seed by which an adapter's input is dropped, if it is.
    pub(crate) fn drops(&self, adapter: &Adapter, dropout: Option<u64>) -> Option<u64> {
        dropout.filter(|_| adapter.dropout > 0.0)
    }

    /// x as an adapter sees it. The place and the seed alone decide what is dropped: of ones, the same.
    pub(crate) fn dropped(
        &self,
        projection: Projection,
        adapter: &Adapter,
        x: &Tensor,
        dropout: Option<u64>,
    ) -> Tensor {
        let Some(seed) = self.drops(adapter, dropout) else { return x.shallow_clone() };
        let place = (self.index * Projection::ALL.len() + projection as usize) as u64;
        tch::manual_seed((mix(seed ^ mix(place + 1)) >> 1) as i64);
        x.dropout(adapter.dropout, true)
    }
}

impl LayerCache {
    /// Takes k and v [B, K, L, E], gives those of all positions so far.
    fn append(&mut self, k: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
        let new = k.size()[2];
        self.keys.narrow(2, self.len, new).copy_(k);
        self.values.narrow(2, self.len, new).copy_(v);
        self.len += new;
        (self.keys.narrow(2, 0, self.len), self.values.narrow(2, 0, self.len))
    }
}

impl Norms {
    fn shallow_clone(&self) -> Norms {
        Norms {
            input: self.input.shallow_clone(),
            post_attention: self.post_attention.shallow_clone(),
            query: self.query.as_ref().map(Tensor::shallow_clone),
            key: self.key.as_ref().map(Tensor::shallow_clone),
        }
    }
}

impl Adapter {
    fn shallow_clone(&self) -> Adapter {
        Adapter { a: self.a.shallow_clone(), b: self.b.shallow_clone(), ..*self }
    }
}

impl Shape {
    pub fn new(config: &Config, kind: Kind) -> Shape {
        Shape {
            heads: config.heads as i64,
            kv_heads: config.kv_heads as i64,
            head_dim: config.head_dim as i64,
            eps: config.rms_norm_eps,
            kind,
        }
    }
}

fn size3(x: &Tensor) -> (i64, i64, i64) {
    let size = x.size();
    (size[0], size[1], size[2])
}
