//! `cargo xtask train`: parse, settle, report, then train, export, or leave it at the report.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use model::{device, transformer};
use progress::{Mode, Progress};
use train::flags::{self, Flags};
use train::forecast::{self, Place};
use train::prepare::{self, Planned, PrepareError, Prepared};
use train::recipe::Dtype;
use train::run::{self, Ending, Options, Outcome, RunError};
use train::step::interrupt::{EXIT, Stop};
use train::step::{checkpoint, trainer};
use train::{export, report};

/// The input is wrong, or does not fit the device.
const WRONG_INPUT: u8 = 1;
/// Anything that nobody expects.
const UNEXPECTED: u8 = 2;

fn main() -> ExitCode {
    // The very first thing: any question about CUDA before it is answered with no, and stays so.
    device::open_cuda();
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(WRONG_INPUT) } else { ExitCode::SUCCESS };
            // Nobody is left to tell when the terminal is gone.
            drop(error.print());
            return code;
        }
    };
    let progress = Progress::new(match flags.progress {
        flags::Progress::Auto => Mode::Auto,
        flags::Progress::Plain => Mode::Plain,
        flags::Progress::Hidden => Mode::Hidden,
    });
    match train(&flags, &progress) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(if is_wrong_input(&error) { WRONG_INPUT } else { UNEXPECTED })
        }
    }
}

fn is_wrong_input(error: &anyhow::Error) -> bool {
    let run = error.downcast_ref().is_some_and(|error| match error {
        RunError::Prepare(_)
        | RunError::Initial(_)
        | RunError::InitialShape { .. }
        | RunError::Lora(_)
        | RunError::Lock(_)
        | RunError::Model(transformer::Error::Weights(_) | transformer::Error::Adapter(_)) => true,
        RunError::Train { source, .. } => matches!(
            **source,
            trainer::Error::Checkpoint(
                checkpoint::Error::Recipe { .. }
                    | checkpoint::Error::Rows { .. }
                    | checkpoint::Error::Content { .. }
            ) | trainer::Error::Model(transformer::Error::Adapter(_))
                | trainer::Error::Unfinished { .. }
                | trainer::Error::LongestRow { .. }
        ),
        _ => false,
    });
    let export =
        matches!(error.downcast_ref(), Some(export::ExportError::Alpha(_) | export::ExportError::Hold));
    run || export || error.is::<PrepareError>() || error.is::<device::Error>() || error.is::<TooLarge>()
}

/// The forecast is above what the device has free.
#[derive(Debug, thiserror::Error)]
#[error("this does not fit the device\n{0}")]
struct TooLarge(String);

fn train(flags: &Flags, progress: &Progress) -> anyhow::Result<u8> {
    let today = jiff::Zoned::now().date().to_string();
    let prepared = prepare::prepare(flags, &today)?;
    complain(&report::rows(&prepared));
    let mut planned = prepared.plan()?;
    complain(&report::plans(&prepared, &planned)?);
    complain(&report::example(&prepared, &planned, colours())?);
    if let Some(folder) = &flags.export {
        return write_bundles(&prepared, &planned, folder);
    }

    let options = options(flags, &prepared)?;
    planned.compute_in(if options.dtype == tch::Kind::Float { Dtype::F32 } else { Dtype::Bf16 });
    let place = place(&options, &prepared);
    let rows = planned.examples.arms.iter().flat_map(|arm| &arm.examples);
    let longest = rows.map(|row| row.encoded.ids.len()).max().unwrap_or(0);
    let kind = if options.dtype == tch::Kind::Float { "f32" } else { "bf16" };
    complain(&format!("computes on {} in {kind}", device::name(options.device)));
    let memory = forecast::describe(&prepared.recipe, &prepared.base.config, place, longest)?;
    complain(&memory);
    complain(&forecast::time(&prepared.recipe, &prepared.base.config, place, &planned));
    if flags.dry_run {
        return Ok(0);
    }
    let forecast = forecast::memory(&prepared.recipe, &prepared.base.config, place, longest)?;
    // A CPU can swap and its free memory is a guess, so there the forecast only warns; it stands above.
    if place.gpu && forecast::is_too_large(&forecast, place) {
        return Err(TooLarge(memory).into());
    }
    let said = progress.clone();
    let stop = Stop::on_ctrl_c(move || said.say("stopping after this step; once more ends it now"))?;
    let outcomes = run::run(&prepared, &planned, &options, progress, &stop)?;
    summary(&outcomes)
}

fn options(flags: &Flags, prepared: &Prepared) -> anyhow::Result<Options> {
    let device = device::parse(&flags.place.device.to_string())?;
    let dtype = match prepared.recipe.dtype {
        Dtype::Auto => device::natural_kind(device),
        Dtype::F32 => tch::Kind::Float,
        Dtype::Bf16 => tch::Kind::BFloat16,
    };
    Ok(Options { device, dtype, host_embedding: flags.place.embedding.is_on_host(), resume: flags.resume })
}

fn place(options: &Options, prepared: &Prepared) -> Place {
    let gpu = options.device.is_cuda();
    // Until now this process has read rows and made a tokenizer; what that took it keeps.
    let process = device::peak_memory(device::Device::Cpu).unwrap_or(0) + prepared.base.weights.resident();
    Place {
        compute_bytes: if options.dtype == tch::Kind::Float { 4 } else { 2 },
        free: device::memory(options.device).map(|memory| memory.free),
        held: if gpu { 0 } else { process },
        gpu,
        host_embedding: options.host_embedding,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn write_bundles(prepared: &Prepared, planned: &Planned, folder: &std::path::Path) -> anyhow::Result<u8> {
    let recipe = &prepared.recipe;
    let order = train::order::pass(&planned.examples.prompts, recipe.seed, 0, recipe.shuffle);
    for plan in &planned.plans {
        let name = &plan.frozen.data.arm;
        let Some(arm) = planned.examples.arm(name) else { continue };
        let family = prepared.base.config.family;
        for lacking in export::write(&folder.join(name), plan, arm, &order, family)? {
            complain(&format!("{name}: {lacking}"));
        }
        say(&folder.join(name).display().to_string())?;
    }
    Ok(0)
}

fn summary(outcomes: &[Outcome]) -> anyhow::Result<u8> {
    let mut code = 0;
    for Outcome { arm, folder, ends, ending } in outcomes {
        let loss = ends.map_or_else(String::new, |(first, last)| {
            format!(
                ", loss {:.4} at step {} and {:.4} at step {}",
                first.loss, first.step, last.loss, last.step
            )
        });
        let how = match ending {
            Ending::Trained => "trained",
            Ending::AlreadyTrained => "was already trained under this plan",
            Ending::Interrupted => {
                code = EXIT as u8;
                "interrupted; --resume goes on from there"
            }
        };
        say(&format!("{arm}: {how}{loss}: {}", folder.display()))?;
    }
    Ok(code)
}

fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

fn complain(text: &str) {
    // A report that nobody reads is no reason to stop.
    drop(writeln!(std::io::stderr(), "{}", text.trim_end()));
}
