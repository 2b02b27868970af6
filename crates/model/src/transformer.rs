//! The whole model: embedding, blocks, norm and head, and the adapters that train.
//!
//! It computes and holds; it knows no loss and no optimizer. Frozen weights never require a gradient. Operations panic
//! with libtorch's own message when the device runs out of memory; loading returns it as an error.

use tch::{Device, Kind, TchError, Tensor};

use crate::adapter::{self, Matrix};
use crate::base::Base;
use crate::config::{Config, Family};
use crate::layer::{Adapter, Layer, Norms, Shape};
use crate::lora::{self, LoraConfig, Projection, initial_a};
use crate::nf4::Quantization;
use crate::norm::{self, rms_norm};
use crate::rope::RopeTables;
use crate::weight::Placement;
use crate::weights;

/// A loaded model.
pub struct Model {
    config: Config,
    options: LoadOptions,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    /// `None` when the head is the embedding.
    head: Option<Tensor>,
}

/// How a base is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where.
    pub device: Device,
    /// The compute type: `device::natural_kind`, or what the user insists on.
    pub dtype: Kind,
    /// How the seven matrices of a block are held. Embedding, head and norms stay in the compute type.
    pub quantization: Quantization,
    /// Adapters to train, if any.
    pub lora: Option<LoraConfig>,
    /// Seed of the first A.
    pub seed: u64,
    /// Keep the embedding in host memory and send the rows that are looked up. Of no effect where it is also the head.
    pub host_embedding: bool,
}

/// Why a model cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor that is missing or does not fit.
    #[error(transparent)]
    Weights(#[from] weights::Error),
    /// A LoRA configuration that cannot be.
    #[error(transparent)]
    Lora(#[from] lora::Error),
    /// libtorch refuses, most often for want of memory.
    #[error(
        "libtorch cannot load the model; if it is out of memory, `--quantization nf4` or a smaller base may fit"
    )]
    Torch(#[from] TchError),
    /// An adapter that does not fit this model.
    #[error("the adapter does not fit the model: {0}")]
    Adapter(String),
}

impl LoadOptions {
    /// On the CPU in f32, unquantised, without adapters.
    pub fn cpu() -> LoadOptions {
        LoadOptions {
            device: Device::Cpu,
            dtype: Kind::Float,
            quantization: Quantization::None,
            lora: None,
            seed: 0,
            host_embedding: false,
        }
    }
}

impl Model {
    /// Loads a base, one matrix at a time.
    pub fn load(base: &Base, options: &LoadOptions) -> Result<Model, Error> {
        Model::load_with(base, options, |_, _| {})
    }

    /// Loads a base and says after each block how many of how many are there.
    pub fn load_with(
        base: &Base,
        options: &LoadOptions,
        mut on_layer: impl FnMut(usize, usize),
    ) -> Result<Model, Error> {
        let (config, weights) = (&base.config, &base.weights);
        if let Some(lora) = &options.lora {
            lora.check()?;
        }
        let _guard = tch::no_grad_guard();
        let placement = Placement::new(options.device, options.dtype, options.quantization)?;
        let vector = |name: &str, len: usize| -> Result<Tensor, Error> {
            Ok(placement.dense(&weights.view(name, &[len])?)?)
        };
        let mut layers = Vec::with_capacity(config.layers);
        for index in 0..config.layers {
            let prefix = format!("model.layers.{index}");
            let matrix = |projection: Projection| {
                let (rows, columns) = projection.shape(config);
                let name = format!("{prefix}.{}.weight", projection.path());
                Ok::<_, Error>(placement.matrix(&weights.view(&name, &[rows, columns])?)?)
            };
            let norm = |name: &str, len: usize| vector(&format!("{prefix}.{name}.weight"), len);
            let head_norm = |name: &str| match config.family {
                Family::Qwen3 => norm(name, config.head_dim).map(Some),
                Family::Llama => Ok(None),
            };
            layers.push(Layer {
                matrices: seven(matrix)?,
                norms: Norms {
                    input: norm("input_layernorm", config.hidden_size)?,
                    post_attention: norm("post_attention_layernorm", config.hidden_size)?,
                    query: head_norm("self_attn.q_norm")?,
                    key: head_norm("self_attn.k_norm")?,
                },
                adapters: adapters(config, options, index)?,
                shape: Shape::new(config, options.dtype),
                index,
            });
            on_layer(index + 1, config.layers);
        }
        let table = [config.vocab_size, config.hidden_size];
        let embedding = weights.view("model.embed_tokens.weight", &table)?;
        let (embedding, head) = if config.tie_word_embeddings {
            (placement.dense(&embedding)?, None)
        } else {
            let embedding = if options.host_embedding {
                crate::weight::from_view(&embedding)?.f_to_kind(options.dtype)?
            } else {
                placement.dense(&embedding)?
            };
            (embedding, Some(placement.dense(&weights.view("lm_head.weight", &table)?)?))
        };
        let norm = vector("model.norm.weight", config.hidden_size)?;
        Ok(Model { config: config.clone(), options: options.clone(), embedding, layers, norm, head })
    }

    /// A model of this shape out of small random numbers, every block alike: for measuring, not for asking.
    pub fn random(config: &Config, options: &LoadOptions) -> Result<Model, Error> {
        if let Some(lora) = &options.lora {
            lora.check()?;
        }
        let _guard = tch::no_grad_guard();
        let placement = Placement::new(options.device, options.dtype, options.quantization)?;
        let ones = |len: usize| Tensor::f_ones([len as i64], (options.dtype, options.device));
        let table = |device: Device| -> Result<Tensor, Error> {
            let size = [config.vocab_size as i64, config.hidden_size as i64];
            Ok(Tensor::f_randn(size, (options.dtype, device))?.f_mul_scalar(0.02)?)
        };
        let mut layers: Vec<Layer> = Vec::with_capacity(config.layers);
        for index in 0..config.layers {
            let matrices = match layers.first() {
                Some(first) => std::array::from_fn(|i| first.matrices[i].duplicate()),
                None => seven(|projection| {
                    let (rows, columns) = projection.shape(config);
                    let values = initial_a(options.seed ^ 1, 0, projection, rows, columns);
                    Ok::<_, Error>(placement.made_up(&values, [rows as i64, columns as i64])?)
                })?,
            };
            let head_norm = || match config.family {
                Family::Qwen3 => ones(config.head_dim).map(Some),
                Family::Llama => Ok(None),
            };
            layers.push(Layer {
                matrices,
                norms: Norms {
                    input: ones(config.hidden_size)?,
                    post_attention: ones(config.hidden_size)?,
                    query: head_norm()?,
                    key: head_norm()?,
                },
                adapters: adapters(config, options, index)?,
                shape: Shape::new(config, options.dtype),
                index,
            });
        }
        let untied = !config.tie_word_embeddings;
        let embedding = table(if untied && options.host_embedding { Device::Cpu } else { options.device })?;
        let head = if untied { Some(table(options.device)?) } else { None };
        let norm = ones(config.hidden_size)?;
        Ok(Model { config: config.clone(), options: options.clone(), embedding, layers, norm, head })
    }

    /// The shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How it was loaded.
    pub fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.options.device
    }

    /// The compute type.
    pub fn dtype(&self) -> Kind {
        self.options.dtype
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no block; a checked configuration has one.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Block `index`. Panics past the last.
    pub fn layer(&self, index: usize) -> &Layer {
        &self.layers[index]
    }

    /// Rotary tables for `len` positions.
    pub fn rope(&self, len: i64) -> RopeTables {
        RopeTables::new(&self.config, len, self.device(), self.dtype())
    }

    /// Rows of the embedding: ids [B, L] of i64 -> [B, L, D].
    pub fn embed(&self, ids: &Tensor) -> Tensor {
        let ids = ids.to_device(self.embedding.device());
        Tensor::embedding(&self.embedding, &ids, -1, false, false).to_device(self.device())
    }

    /// The norm after the last block: [.., D] -> [.., D].
    pub fn final_norm(&self, x: &Tensor) -> Tensor {
        rms_norm(x, &self.norm, self.config.rms_norm_eps)
    }

    /// The gradient by the input of that norm, from the one by its value; both [.., D] as x.
    pub fn final_norm_pull_back(&self, x: &Tensor, gradient: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        norm::pull_back(x, &self.norm, self.config.rms_norm_eps, gradient)
    }

    /// The head, [V, D]; the embedding itself where it is tied.
    pub fn head_weight(&self) -> &Tensor {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Logits of every position: ids [B, L] -> [B, L, V], in the compute type. For checks and short texts: a long row's
    /// logits are larger than the model.
    pub fn logits(&self, ids: &Tensor) -> Tensor {
        let rope = self.rope(ids.size()[1]);
        let mut x = self.embed(ids);
        for layer in &self.layers {
            x = layer.materialize().forward(&x, &rope, None);
        }
        self.final_norm(&x).linear(self.head_weight(), None::<&Tensor>)
    }

    /// The likeliest continuation of `prompt`: at most `max_new` ids, up to and without the first of `stop`.
    pub fn greedy(&self, prompt: &[i64], max_new: usize, stop: &[i64]) -> Vec<i64> {
        let _guard = tch::no_grad_guard();
        let capacity = (prompt.len() + max_new) as i64;
        let rope = self.rope(capacity);
        let mut caches: Vec<_> = Vec::with_capacity(self.layers.len());
        let mut answer = Vec::new();
        let mut next = prompt.to_vec();
        let mut seen = 0;
        while !next.is_empty() && answer.len() < max_new {
            let new = next.len() as i64;
            let mut x = self.embed(&Tensor::from_slice(&next).unsqueeze(0));
            let positions = rope.narrow(seen, new);
            for (index, layer) in self.layers.iter().enumerate() {
                let dense = layer.materialize();
                if index == caches.len() {
                    caches.push(dense.cache(1, capacity));
                }
                x = dense.forward_cached(&x, &positions, &mut caches[index]);
            }
            seen += new;
            let last = self.final_norm(&x.narrow(1, new - 1, 1));
            // The one synchronisation with the device per token: its id is needed for the next.
            let id = last.linear(self.head_weight(), None::<&Tensor>).argmax(-1, false).int64_value(&[0, 0]);
            if stop.contains(&id) {
                break;
            }
            answer.push(id);
            next = vec![id];
        }
        answer
    }

    /// The numbers that train, by PEFT's names: block by block, in `Projection::ALL` order, A before B. Fp32 leaves on
    /// the device that share memory with the model's.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for layer in &self.layers {
            for (projection, pair) in Projection::ALL.into_iter().zip(&layer.adapters) {
                let Some(pair) = pair else { continue };
                all.push((adapter::key(layer.index, projection, 'A'), pair.a.shallow_clone()));
                all.push((adapter::key(layer.index, projection, 'B'), pair.b.shallow_clone()));
            }
        }
        all
    }

    /// A copy of the adapter in host memory, ready to be saved. `None` for a model without one.
    pub fn adapter(&self) -> Option<adapter::Adapter> {
        let lora = self.options.lora.clone()?;
        let matrix = |tensor: &Tensor| {
            let size = tensor.size();
            let mut values = vec![0f32; tensor.numel()];
            // A device sync: the copy waits for every kernel that writes the tensor.
            tensor.to_device(Device::Cpu).copy_data(&mut values, tensor.numel());
            Matrix { rows: size[0] as usize, columns: size[1] as usize, values }
        };
        let matrices =
            self.parameters().iter().map(|(name, tensor)| (name.clone(), matrix(tensor))).collect();
        Some(adapter::Adapter { lora, matrices })
    }

    /// Overwrites the adapter's numbers. Rank, α and targets must be those of the model.
    pub fn set_adapter(&mut self, adapter: &adapter::Adapter) -> Result<(), Error> {
        let Some(own) = &self.options.lora else {
            return Err(Error::Adapter("the model was loaded without LoRA".into()));
        };
        let theirs = &adapter.lora;
        if (own.rank, own.alpha, &own.targets) != (theirs.rank, theirs.alpha, &theirs.targets) {
            return Err(Error::Adapter(format!(
                "it has rank {}, alpha {} on {}, the model has rank {}, alpha {} on {}",
                theirs.rank,
                theirs.alpha,
                theirs.target_names(),
                own.rank,
                own.alpha,
                own.target_names()
            )));
        }
        let _guard = tch::no_grad_guard();
        let parameters = self.parameters();
        if let Some(name) =
            adapter.matrices.keys().find(|name| parameters.iter().all(|(own, _)| own != *name))
        {
            return Err(Error::Adapter(format!("tensor `{name}` has no place in it")));
        }
        for (name, mut tensor) in parameters {
            let Some(matrix) = adapter.matrices.get(&name) else {
                return Err(Error::Adapter(format!("tensor `{name}` is missing from it")));
            };
            let size = [matrix.rows as i64, matrix.columns as i64];
            if tensor.size() != size {
                return Err(Error::Adapter(format!(
                    "tensor `{name}` is {size:?} and should be {:?}",
                    tensor.size()
                )));
            }
            tensor.f_copy_(&Tensor::f_from_slice(&matrix.values)?.f_view(size)?)?;
        }
        Ok(())
    }

    /// Bytes that the frozen weights hold: matrices of the blocks, then embedding and head.
    pub fn frozen_bytes(&self) -> (usize, usize) {
        let of = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        let matrices =
            self.layers.iter().flat_map(|layer| &layer.matrices).map(|matrix| matrix.bytes()).sum();
        (matrices, of(&self.embedding) + self.head.as_ref().map_or(0, of))
    }
}

fn seven<T, E>(make: impl FnMut(Projection) -> Result<T, E>) -> Result<[T; 7], E> {
    let made: Vec<T> = Projection::ALL.into_iter().map(make).collect::<Result<_, E>>()?;
    Ok(made.try_into().unwrap_or_else(|_| unreachable!("seven projections make seven values")))
}

fn adapters(config: &Config, options: &LoadOptions, layer: usize) -> Result<[Option<Adapter>; 7], Error> {
    seven(|projection| {
        let Some(lora) = options.lora.as_ref().filter(|lora| lora.targets.contains(&projection)) else {
            return Ok(None);
        };
        let (rows, columns) = projection.shape(config);
        let a = initial_a(options.seed, layer, projection, lora.rank, columns);
        let size = [lora.rank as i64, columns as i64];
        let a = Tensor::f_from_slice(&a)?.f_view(size)?.f_to_device(options.device)?;
        let b = Tensor::f_zeros([rows as i64, lora.rank as i64], (Kind::Float, options.device))?;
        let leaf = |tensor: Tensor| tensor.f_set_requires_grad(true);
        Ok(Some(Adapter { a: leaf(a)?, b: leaf(b)?, scale: lora.scale(), dropout: lora.dropout }))
    })
}
