//! The training of every planned arm, and what is left in its folder: the one place where plans meet tensors.
//!
//! The base is loaded once for all arms. Nothing is printed here; a bar shows how far a run is, and what happened is
//! returned.

mod folder;
mod watch;

use std::path::PathBuf;

use model::adapter::{Adapter, WEIGHTS};
use model::device;
use model::lora::LoraConfig;
use model::transformer::{LoadOptions, Model};
use progress::Progress;

use crate::data::ArmExamples;
use crate::forecast;
use crate::lock::{Lock, LockError};
use crate::pace::{Held, Pace};
use crate::plan::Plan;
use crate::prepare::{Planned, PrepareError, Prepared};
use crate::record::metrics::{Line, MetricsError};
use crate::record::provenance;
use crate::step::gradient::Row;
use crate::step::interrupt::Stop;
use crate::step::trainer::{self, End, Event, Job};
use watch::Record;

/// Where and how a run computes; no part of the recipe.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device.
    pub device: tch::Device,
    /// The type of its computation.
    pub dtype: tch::Kind,
    /// The embedding lies in host memory.
    pub host_embedding: bool,
    /// Go on from checkpoints.
    pub resume: bool,
}

/// What became of one arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The arm.
    pub arm: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its first and last step, as far as it came.
    pub ends: Option<(Line, Line)>,
    /// How it ended.
    pub ending: Ending,
}

/// How an arm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its adapter is there, and was read back.
    Trained,
    /// It had been trained under the same plan before.
    AlreadyTrained,
    /// It was interrupted and can be resumed; arms after it were not begun.
    Interrupted,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The base or the initial adapter.
    #[error(transparent)]
    Model(#[from] model::transformer::Error),
    /// The adapter to start from.
    #[error("cannot start from the adapter of --init-adapter")]
    Initial(#[source] model::adapter::Error),
    /// The adapter to start from has another shape than the recipe's.
    #[error(
        "the adapter of --init-adapter {folder} has {theirs}, and the recipe {ours}; pass --lora-rank {} --lora-alpha {}, or start afresh",
        .lora.rank, .lora.alpha
    )]
    InitialShape {
        /// Where it lies.
        folder: PathBuf,
        /// Its settings.
        lora: LoraConfig,
        /// The same in words.
        theirs: String,
        /// The recipe's.
        ours: String,
    },
    /// The adapter's settings.
    #[error(transparent)]
    Lora(#[from] model::lora::Error),
    /// The training of an arm.
    #[error("arm `{arm}`{}", .row.as_ref().map(|row| format!(", {row}")).unwrap_or_default())]
    Train {
        /// The arm.
        arm: String,
        /// The row at fault, `path:line`, where there is one.
        row: Option<String>,
        /// What happened.
        source: Box<trainer::Error>,
    },
    /// Another run's folder.
    #[error(transparent)]
    Prepare(Box<PrepareError>),
    /// Another process's folder, or one that cannot be written to.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A file of the folder.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<PrepareError> for RunError {
    fn from(error: PrepareError) -> Self {
        Self::Prepare(Box::new(error))
    }
}

/// Trains every planned arm that is not trained yet, one after the other.
///
/// # Errors
/// [`RunError`]; arms trained before it are complete, and the one at fault keeps its last checkpoint.
pub fn run(
    prepared: &Prepared,
    planned: &Planned,
    options: &Options,
    progress: &Progress,
    stop: &Stop,
) -> Result<Vec<Outcome>, RunError> {
    let lora = forecast::lora(&prepared.recipe)?;
    let mut outcomes = Vec::new();
    let mut open = Vec::new();
    for plan in &planned.plans {
        let folder = prepared.folder(plan);
        prepared.check_beside(plan)?;
        let begun = prepared.is_begun(plan)?;
        // The provenance is written last, so with it the folder is complete but for the adapter, which someone may have moved.
        if begun && [provenance::FILE, WEIGHTS].iter().all(|name| folder.join(name).is_file()) {
            outcomes.push(outcome(plan, folder, Ending::AlreadyTrained)?);
        } else {
            open.push(plan);
        }
    }
    if open.is_empty() {
        return Ok(outcomes);
    }
    let initial = initial(prepared, &lora)?;
    // Before the base is loaded: a folder that is in use or not writable shows at once.
    let locks = open.iter().map(|plan| Lock::take(&prepared.folder(plan)));
    let _locks = locks.collect::<Result<Vec<_>, _>>()?;
    let bar = progress.bar("load", prepared.base.config.layers as u64);
    let load = LoadOptions {
        device: options.device,
        dtype: options.dtype,
        quantization: forecast::quantization(&prepared.recipe),
        lora: Some(lora.clone()),
        seed: u64::from(prepared.recipe.seed),
        host_embedding: options.host_embedding,
    };
    let mut model = Model::load_with(&prepared.base, &load, |layer, _| {
        // What was read of the files is in the model now, in one form or another.
        prepared.base.weights.release();
        bar.set(layer as u64);
    })?;
    prepared.base.weights.release();
    bar.finish();
    for plan in open {
        let Some(arm) = planned.examples.arm(&plan.frozen.data.arm) else { continue };
        let end = train(prepared, plan, arm, &mut model, &initial, options, progress, stop)?;
        let ending = match end {
            End::Done => Ending::Trained,
            End::Interrupted { .. } => Ending::Interrupted,
        };
        outcomes.push(outcome(plan, prepared.folder(plan), ending)?);
        if ending == Ending::Interrupted {
            break;
        }
    }
    Ok(outcomes)
}

/// The adapter that every arm starts from.
fn initial(prepared: &Prepared, lora: &LoraConfig) -> Result<Adapter, RunError> {
    let Some(folder) = &prepared.recipe.lora.init else {
        return Ok(Adapter::initial(&prepared.base.config, lora, u64::from(prepared.recipe.seed)));
    };
    let adapter = Adapter::load(folder).map_err(RunError::Initial)?;
    let theirs = &adapter.lora;
    if (lora.rank, lora.alpha, &lora.targets) != (theirs.rank, theirs.alpha, &theirs.targets) {
        let words = |lora: &LoraConfig| {
            format!("rank {}, alpha {} on {}", lora.rank, lora.alpha, lora.target_names())
        };
        return Err(RunError::InitialShape {
            folder: folder.clone(),
            theirs: words(theirs),
            ours: words(lora),
            lora: theirs.clone(),
        });
    }
    Ok(adapter)
}

#[expect(clippy::too_many_arguments, reason = "each is another owner's, and they meet only here")]
fn train(
    prepared: &Prepared,
    plan: &Plan,
    arm: &ArmExamples,
    model: &mut Model,
    initial: &Adapter,
    options: &Options,
    progress: &Progress,
    stop: &Stop,
) -> Result<End, RunError> {
    let folder = prepared.folder(plan);
    folder::begin(prepared, plan, &folder)?;
    let rows: Vec<Row> = arm
        .examples
        .iter()
        .map(|example| Row {
            ids: example.encoded.ids.iter().map(|&id| i64::from(id)).collect(),
            learned: example.encoded.supervised.clone(),
        })
        .collect();
    let schedule = plan.schedule;
    let job = Job {
        recipe: &prepared.recipe,
        base: &plan.frozen.course.base_sha256,
        rows: &rows,
        steps: plan.steps(),
        rate: &|step| schedule.rate(step as u32),
        initial,
        folder: &folder,
        resume: options.resume,
    };
    let bar = progress.bar(&arm.arm, u64::from(plan.len()));
    let mut pace = Pace::default();
    let mut record = Record::of(&folder);
    let end = trainer::run(model, &job, stop, &mut |event| {
        watch::tell(&event, &bar, progress);
        if let Event::Step(line) = &event
            && let Some(slow) = pace.step(line.tokens_per_second)
        {
            let memory = device::memory(options.device);
            let (free, total) = memory.map(|memory| (memory.free, memory.total)).unzip();
            progress.say(&slow.warning(line.step, Held { peak: line.peak_memory_bytes, free, total }));
        }
        record.take(&event);
        // Training without a record of it is not wanted. A checkpoint of this step would leave a gap in its metrics.
        if record.failed.is_some() {
            stop.ask_at_once();
        }
    });
    bar.finish();
    if let Some(error) = record.failed {
        return Err(error);
    }
    let end = end.map_err(|source| {
        let row = match &source {
            trainer::Error::NotFinite { row, .. } => *row,
            _ => None,
        };
        let row = row.and_then(|row| arm.examples.get(row));
        let row = row.map(|row| format!("{}:{}", arm.path.display(), row.line));
        RunError::Train { arm: arm.arm.clone(), row, source: Box::new(source) }
    })?;
    if end == End::Done {
        folder::finish(prepared, plan, &folder, options)?;
    }
    Ok(end)
}

fn outcome(plan: &Plan, folder: PathBuf, ending: Ending) -> Result<Outcome, RunError> {
    let lines = folder::lines(&folder)?;
    let ends = lines.first().copied().zip(lines.last().copied());
    Ok(Outcome { arm: plan.frozen.data.arm.clone(), folder, ends, ending })
}
