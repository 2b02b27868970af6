//! What may be typed after `cargo xtask train`, and nothing about what it means: that is `recipe` and `request`.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use crate::recipe::{Dtype, Hold, Optimizer, Overlong, Quantization, Schedule};

/// Train an adapter per arm, under one plan, on data that the gate has passed.
#[derive(Debug, Clone, Parser)]
#[command(name = "train", bin_name = "cargo xtask train", version)]
pub struct Flags {
    /// The experiment
    #[arg(long, value_name = "FILE", default_value = "fixtures/phase_3e/experiment.toml")]
    pub experiment: PathBuf,
    /// Folder of the ledgers and of gate.json [default: data/<experiment>]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The arm to train, or `all` for every arm one after the other
    #[arg(long, value_name = "NAME|all", default_value = "all")]
    pub arm: String,
    /// The model to adapt: a folder with config.json, a GGUF file, or a hub id that lies in the local hub cache
    #[arg(long, value_name = "DIR|GGUF|HUB-ID")]
    pub base: Option<String>,
    /// Where adapters go, one folder an arm [default: models/<experiment>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Longest row in tokens, prompt included [default: 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..))]
    pub max_seq_length: Option<u32>,
    /// Train this many steps, however many passes over the data that takes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "epochs")]
    pub max_steps: Option<u32>,
    /// Train this many passes over the data [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// How the base's projections are held: nf4 needs a quarter of the memory of bf16 [default: nf4]
    #[arg(long, value_enum)]
    pub quantization: Option<Quantization>,
    /// Quantise the scales of NF4 as well, which saves 0.4 bits a weight
    #[arg(long)]
    pub double_quantization: bool,
    /// Rows that make one step [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub grad_accum: Option<u32>,
    /// What is equal in the arms beside their steps and learning rates [default: rows]
    #[arg(long, value_enum)]
    pub hold: Option<Hold>,
    /// Highest learning rate of the schedule [default: 2e-4]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// How the learning rate goes after the warm-up [default: cosine]
    #[arg(long, value_enum)]
    pub schedule: Option<Schedule>,
    /// Steps over which the learning rate rises [default: 3 % of the steps]
    #[arg(long, value_name = "N")]
    pub warmup_steps: Option<u32>,
    /// Optimizer; adamw8bit keeps its state in blocks of bytes [default: adamw]
    #[arg(long, value_enum)]
    pub optimizer: Option<Optimizer>,
    /// Decoupled weight decay of AdamW [default: 0]
    #[arg(long, value_name = "X")]
    pub weight_decay: Option<f64>,
    /// Gradient norm above which a step is scaled down [default: 1]
    #[arg(long, value_name = "X")]
    pub max_grad_norm: Option<f64>,
    /// Rank of the adapter [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub lora_rank: Option<u32>,
    /// Scale of the adapter, over its rank [default: 16]
    #[arg(long, value_name = "X")]
    pub lora_alpha: Option<f64>,
    /// Share of an adapter's inputs that each step leaves out [default: 0]
    #[arg(long, value_name = "X")]
    pub lora_dropout: Option<f64>,
    /// Start from the adapter in this folder rather than from a fresh one
    #[arg(long, value_name = "DIR")]
    pub init_adapter: Option<PathBuf>,
    /// Keep the rows in the order of the first arm's ledger
    #[arg(long)]
    pub no_shuffle: bool,
    /// Decides the initial adapter and the order of rows, the same on every machine, and dropout [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags say what they are")]
    pub place: Place,
    /// Number format of the computation; auto is bf16 on a GPU and f32 on a CPU [default: auto]
    #[arg(long, value_enum)]
    pub dtype: Option<Dtype>,
    /// Keep every layer's activations: faster, where memory is ample
    #[arg(long)]
    pub no_checkpointing: bool,
    /// What to do with rows over the limit, in all arms alike [default: stop]
    #[arg(long, value_enum)]
    pub overlong: Option<Overlong>,
    /// Steps between two checkpoints [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub save_every: Option<u32>,
    /// Print the plan, the token table and the forecasts; train nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write a bundle for axolotl, TRL and SkyPilot to this folder, one folder an arm; train nothing
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run")]
    pub export: Option<PathBuf>,
    /// Go on from the last checkpoint
    #[arg(long)]
    pub resume: bool,
    /// Train on data without a passing verdict; the provenance will say so
    #[arg(long)]
    pub allow_ungated: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// What every command that computes is told, `answer` too. Their --base and --quantization are no part of it: one may be
/// left out where the other must not, and what they are by default differs.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where to compute; auto takes the first GPU, or else the CPU
    #[arg(long, value_name = "auto|cpu|cuda:N", default_value = "auto", value_parser = parse_device)]
    pub device: Device,
    /// Where the embedding lies; on the host it leaves a GPU as much more memory. It stays where the head is when both are
    /// one matrix
    #[arg(long, value_enum, default_value_t = Embedding::Device)]
    pub embedding: Embedding,
}

/// Where the embedding lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Embedding {
    /// Beside the other weights
    Device,
    /// In host memory; the rows that are looked up are sent
    Host,
}

impl Embedding {
    /// Whether that is host memory.
    pub fn is_on_host(self) -> bool {
        self == Self::Host
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first GPU, or else the CPU.
    Auto,
    /// The CPU, even where a GPU is.
    Cpu,
    /// The GPU with this index.
    Cuda(usize),
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, lines otherwise
    Auto,
    /// Lines
    Plain,
    /// Nothing
    Hidden,
}

impl Display for Device {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

fn parse_device(text: &str) -> Result<Device, String> {
    match text {
        "auto" => Ok(Device::Auto),
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        other => other
            .strip_prefix("cuda:")
            .and_then(|index| index.parse().ok())
            .map(Device::Cuda)
            .ok_or_else(|| "auto, cpu, or cuda: and a number".into()),
    }
}
