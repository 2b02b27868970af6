//! `cargo xtask gen`: parse, plan, look whether the service would answer, ask, report.

mod env_file;
mod interrupts;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use dataset::command;
use generate::books::Books;
use generate::dispatch::Dispatch;
use generate::ending::{self, Pairs};
use generate::flags::Flags;
use generate::forecast;
use generate::plan::{Plan, Standing};
use generate::preflight;
use generate::screen::Screen;
use generate::stop::Stop;
use generate::versions::Versions;
use pacer::Pacer;
use progress::{Mode, Progress};
use tokio::sync::mpsc::unbounded_channel;
use tracing_subscriber::EnvFilter;
use vertex::{Access, Client};

/// The input is wrong, or pairs are missing.
const WRONG_INPUT: u8 = 1;
/// Something else went wrong.
const UNEXPECTED: u8 = 2;
/// Interrupted; the same command resumes.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(WRONG_INPUT) } else { ExitCode::SUCCESS };
            // Nobody is left to tell when the terminal is gone.
            drop(error.print());
            return code;
        }
    };
    let progress = Progress::new(Mode::Auto);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(progress.writer()).init();
    match run(&flags, &progress) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            progress.say(&format!("error: {error:#}"));
            ExitCode::from(if is_unexpected(&error) { UNEXPECTED } else { WRONG_INPUT })
        }
    }
}

fn run(flags: &Flags, progress: &Progress) -> anyhow::Result<u8> {
    env_file::load()?;
    vertex::install_crypto();
    let mut plan = Plan::new(flags)?;
    if let Some((one, other)) = plan.experiment.twins() {
        progress.say(&format!(
            "warning: the arms `{}` and `{}` have the same system prompt; their answers will differ by chance alone",
            one.name, other.name
        ));
    }
    if flags.dry_run {
        return dry_run(&plan);
    }
    let pacer = Pacer::new(plan.limits, fastrand::u64(..))?;
    let client = Client::new(Access::from_env()?, plan.options)?;
    plan.ask(client.access().is_loopback())?;
    let (standing, ledgers) = plan.open(|line| progress.say(line))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // From here on, so that no Ctrl-C falls between two listeners.
    let mut interrupts = runtime.block_on(async { interrupts::listen() })?;
    let missing: u64 = standing.tally.iter().map(|arm| arm.total - arm.before).sum();
    if missing > 0 {
        let place = client.access().to_string();
        progress.say(&format!("asking {} through {place} for {missing} answers", plan.common.model));
        let checked = runtime.block_on(async {
            tokio::select! {
                checked = preflight::check(&plan, &client) => Some(checked),
                // Before the first request there is nothing to keep.
                _ = interrupts.recv() => None,
            }
        });
        let Some(checked) = checked else { return Ok(INTERRUPTED) };
        checked?;
    }
    let attempts = dataset::attempts::open(&plan.layout.attempts())?;
    plan.run.save(&plan.layout.run())?;

    let (telling, told) = unbounded_channel();
    let ledgers = ledgers.into_iter().map(dataset::ledger::Ledger::into_parts).collect();
    let Standing { indexes, tally, .. } = standing;
    let price = plan.experiment.price;
    let dispatch = Dispatch {
        screen: Screen::new(progress.clone(), &plan.common.arms, &tally, price),
        common: Arc::new(plan.common.clone()),
        client: Arc::new(client),
        pacer,
        max_attempts: plan.max_attempts,
        books: Books::open(ledgers, attempts, telling)?,
        told,
        versions: Versions::new(plan.run.clone(), plan.layout.run(), plan.accepted_versions.clone()),
        indexes,
        tally,
        interrupts,
        attempts_path: plan.layout.attempts().display().to_string(),
    };
    let started = Instant::now();
    let ended = runtime.block_on(dispatch.run(plan.source.prompts()?));
    // Requests that were given up need not be waited for.
    runtime.shutdown_background();

    if missing > 0
        && let Err(error) =
            ending::line(&plan.common.arms, &ended, started.elapsed()).append(&plan.layout.runs())
    {
        // It only counts what the ledgers hold: a disk that is full must not hide the report that says so.
        progress.say(&format!("warning: no line for this run: {:#}", anyhow::Error::new(error)));
    }
    let whole = match Pairs::of(&plan.source, &plan.common.arms, &ended) {
        Ok(pairs) => {
            let gate = command::command("gate", &plan.experiment, &plan.layout);
            let next = ending::Next { gate, prompts: plan.source.path() };
            progress.say(&ending::report(&plan.common.arms, &ended, &pairs, price, &next));
            pairs.all_whole()
        }
        Err(error) if ended.stop.is_none() => return Err(error.into()),
        // The reason that a run was stopped for matters more than a prompts file that has changed since.
        Err(_) => false,
    };
    Ok(match ended.stop {
        None if whole => 0,
        None => WRONG_INPUT,
        Some(Stop::Interrupted) => INTERRUPTED,
        Some(stop) => {
            let unexpected = matches!(stop, Stop::Disk(_) | Stop::Run(_) | Stop::Bug(_));
            progress.say(&format!("error: {:#}", anyhow::Error::new(stop)));
            if unexpected { UNEXPECTED } else { WRONG_INPUT }
        }
    })
}

/// Whether the system failed us, rather than whoever typed the command.
fn is_unexpected(error: &anyhow::Error) -> bool {
    error.is::<std::io::Error>()
        || error.is::<dataset::run::RunError>()
        || error.is::<dataset::ledger::AppendError>()
        || error.is::<vertex::ClientError>()
}

fn dry_run(plan: &Plan) -> anyhow::Result<u8> {
    let standing = plan.look()?;
    let arms = plan.common.arms.iter().zip(standing.tally.iter().zip(&standing.past));
    let mut arms: Vec<forecast::Arm> = arms
        .map(|(name, (tally, past))| forecast::Arm {
            name: name.clone(),
            missing: tally.total - tally.before,
            bytes: 0,
            past: past.mean(),
        })
        .collect();
    for prompt in plan.source.prompts()? {
        let prompt = prompt?;
        for (place, arm) in arms.iter_mut().enumerate() {
            if standing.indexes[place].find(&prompt.text).is_none() {
                arm.bytes += (plan.common.system_prompt(place).len() + prompt.text.len()) as u64;
            }
        }
    }
    let quota = forecast::Quota {
        requests_per_minute: plan.limits.requests_per_minute,
        tokens_per_minute: plan.limits.tokens_per_minute,
        max_in_flight: plan.limits.max_in_flight,
    };
    let report = forecast::report(&arms, plan.experiment.price, quota);
    std::io::stdout().write_all(report.as_bytes()).context("cannot write the forecast to standard output")?;
    Ok(0)
}
