//! `cargo xtask answer`: one greedy answer of a base, or of an adapter on it, on standard output.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use dataset::experiment::Experiment;
use model::adapter::Adapter;
use model::base::Base;
use model::device;
use model::transformer::{LoadOptions, Model};
use train::flags::Place;
use train::plan::Frozen;
use train::recipe::Quantization;
use train::{forecast, prepare};

/// Ask the base, or an adapter on it, one question, and print the likeliest answer.
#[derive(Debug, Parser)]
#[command(name = "answer", bin_name = "cargo xtask answer", version)]
struct Flags {
    /// The model: a folder with config.json, a GGUF file, or a hub id that lies in the local hub cache
    #[arg(long, value_name = "DIR|GGUF|HUB-ID")]
    base: String,
    /// The adapter's folder [default: none, the base itself answers]
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// File with the system prompt [default: none]
    #[arg(long, value_name = "FILE", conflicts_with = "experiment")]
    system: Option<PathBuf>,
    /// The experiment whose arm has the system prompt
    #[arg(long, value_name = "FILE", requires = "arm")]
    experiment: Option<PathBuf>,
    /// The arm of --experiment
    #[arg(long, value_name = "NAME", requires = "experiment")]
    arm: Option<String>,
    /// Most tokens of the answer
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_new_tokens: usize,
    /// How the base's projections are held [default: as the adapter was trained, else none]
    #[arg(long, value_enum)]
    quantization: Option<Quantization>,
    #[command(flatten)]
    place: Place,
    /// The question
    prompt: String,
}

/// The input is wrong.
const WRONG_INPUT: u8 = 1;

fn main() -> ExitCode {
    // The very first thing: any question about CUDA before it is answered with no, and stays so.
    device::open_cuda();
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(WRONG_INPUT) } else { ExitCode::SUCCESS };
            drop(error.print());
            return code;
        }
    };
    match answer(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::from(WRONG_INPUT)
        }
    }
}

fn answer(flags: &Flags) -> anyhow::Result<()> {
    let device = device::parse(&flags.place.device.to_string())?;
    let system = system(flags)?;
    let frozen = match &flags.adapter {
        Some(folder) => frozen(folder, flags.quantization.is_some())?,
        None => None,
    };
    let base = Base::open(&flags.base)?;
    let day = frozen.as_ref().map_or_else(|| jiff::Zoned::now().date().to_string(), |f| f.recipe.day.clone());
    let chat = prepare::open_chat(&base, &day)?;
    let adapter = flags.adapter.as_deref().map(Adapter::load).transpose()?;
    let quantization = match (&frozen, flags.quantization) {
        // An adapter is valid on the weights it was trained on.
        (Some(frozen), None) => forecast::quantization(&frozen.recipe),
        (_, Some(Quantization::Nf4)) => model::nf4::Quantization::Nf4 { double: false },
        (_, Some(Quantization::None) | None) => model::nf4::Quantization::None,
    };
    let lora = adapter.as_ref().map(|adapter| adapter.lora.clone());
    let dtype = device::natural_kind(device);
    let host_embedding = flags.place.embedding.is_on_host();
    let options = LoadOptions { device, dtype, quantization, lora, host_embedding, ..LoadOptions::cpu() };
    let mut model = Model::load(&base, &options)?;
    base.weights.release();
    if let Some(adapter) = &adapter {
        model.set_adapter(adapter)?;
    }
    let prompt = chat.prompt(system.as_deref(), &flags.prompt)?;
    let prompt: Vec<i64> = prompt.into_iter().map(i64::from).collect();
    let mut stop: Vec<i64> = base.eos_ids.iter().map(|&id| i64::from(id)).collect();
    stop.push(i64::from(chat.end()));
    let ids = model.greedy(&prompt, flags.max_new_tokens, &stop);
    let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
    writeln!(std::io::stdout(), "{}", chat.tokenizer.text(&ids)?)?;
    Ok(())
}

fn system(flags: &Flags) -> anyhow::Result<Option<String>> {
    if let Some(path) = &flags.system {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Some(text.trim_end().to_owned()));
    }
    let (Some(path), Some(name)) = (&flags.experiment, &flags.arm) else { return Ok(None) };
    let experiment = Experiment::load(path)?;
    match experiment.arms.into_iter().find(|arm| &arm.name == name) {
        Some(arm) => Ok(Some(arm.system_prompt)),
        None => bail!("{} has no arm `{name}`", path.display()),
    }
}

/// The recipe beside an adapter of ours; another's has none. One that does not read, as of another version, is passed
/// over only where the weights under the adapter are `stated`.
fn frozen(folder: &Path, stated: bool) -> anyhow::Result<Option<Frozen>> {
    let path = folder.join(prepare::RECIPE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    match toml::from_str(&text) {
        Ok(frozen) => Ok(Some(frozen)),
        Err(_) if stated => Ok(None),
        Err(error) => Err(error).with_context(|| {
            let path = path.display();
            format!("cannot read {path}, which says on which weights the adapter is valid; say so with --quantization")
        }),
    }
}
