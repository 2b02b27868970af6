//! The training of every planned arm, and what is left in its folder: the one place where plans meet tensors.
//!
//! The base is loaded once for all arms. Nothing is printed here; a bar shows how far a run is, and what happened is
//! returned.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model::adapter::{Adapter, WEIGHTS};
use model::device;
use model::lora::LoraConfig;
use model::transformer::{LoadOptions, Model};
use progress::{Bar, Progress};

use crate::data::ArmExamples;
use crate::forecast;
use crate::lock::{Lock, LockError};
use crate::pace::{Held, Pace};
use crate::plan::Plan;
use crate::prepare::{Planned, PrepareError, Prepared, RECIPE};
use crate::record::metrics::{Line, Metrics, MetricsError};
use crate::record::provenance::{Circumstances, Provenance};
use crate::record::tensorboard::Events;
use crate::record::{card, chart, provenance};
use crate::step::checkpoint;
use crate::step::gradient::Row;
use crate::step::interrupt::Stop;
use crate::step::trainer::{self, End, Event, Job};

/// Where and how a run computes; no part of the recipe.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device.
    pub device: tch::Device,
    /// The type of its computation.
    pub dtype: tch::Kind,
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
        host_embedding: false,
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
    begin(prepared, plan, &folder)?;
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
    let mut record = Record { folder: folder.clone(), files: None, failed: None };
    let end = trainer::run(model, &job, stop, &mut |event| {
        tell(&event, &bar, progress);
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
        finish(prepared, plan, &folder, options)?;
    }
    Ok(end)
}

/// Writes what is known before the first step.
fn begin(prepared: &Prepared, plan: &Plan, folder: &Path) -> Result<(), RunError> {
    let recipe = toml::to_string(&plan.frozen).map_err(|error| PrepareError::Plan(error.into()))?;
    write(&folder.join(RECIPE), &recipe)?;
    write(&folder.join("tokenizer.json"), prepared.chat.tokenizer.json())?;
    write(&folder.join("tokenizer_config.json"), prepared.chat.tokenizer.config())?;
    write(&folder.join("chat_template.jinja"), prepared.chat.template.source())
}

/// Writes what is known after the last; the provenance comes last of all, and says that the folder is complete.
fn finish(prepared: &Prepared, plan: &Plan, folder: &Path, options: &Options) -> Result<(), RunError> {
    let lines = lines(folder)?;
    let Some(ledger) = prepared.pairs.arms.iter().find(|ledger| ledger.arm == plan.frozen.data.arm) else {
        return Ok(());
    };
    let circumstances = Circumstances {
        made_at: jiff::Timestamp::now().to_string(),
        device: match options.device {
            tch::Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        },
        verdict: prepared.verdict.clone(),
        base_files: prepared.base_files.clone(),
        initial_adapter: prepared.initial.clone(),
        code_sha256: prepared.code.clone(),
    };
    let provenance = Provenance::new(&plan.frozen, ledger, circumstances);
    write(&folder.join(chart::FILE), &chart::svg(&lines))?;
    write(&folder.join("README.md"), &card::card(&plan.frozen, &provenance, &lines))?;
    let path = folder.join(provenance::FILE);
    let mut text = serde_json::to_string_pretty(&provenance)
        .map_err(|error| RunError::Write { path: path.clone(), source: error.into() })?;
    text.push('\n');
    write(&path, &text)?;
    // Only now: until the folder is complete, a run that is cut off here goes on from them.
    checkpoint::clear(folder).map_err(|error| RunError::Train {
        arm: plan.frozen.data.arm.clone(),
        row: None,
        source: Box::new(error.into()),
    })
}

/// The lines of metrics and the events of one run; opened when it is known where the run begins.
struct Record {
    folder: PathBuf,
    files: Option<(Metrics, Events)>,
    failed: Option<RunError>,
}

impl Record {
    fn take(&mut self, event: &Event) {
        let done = match event {
            Event::Resumed { step } => self.open(*step).map(|files| self.files = Some(files)),
            Event::Step(report) => self.append(report),
            Event::Fits { .. } | Event::Saved { .. } | Event::Checked { .. } => Ok(()),
        };
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    fn open(&self, step: u64) -> Result<(Metrics, Events), RunError> {
        let (metrics, kept) = Metrics::open(&self.folder, step)?;
        let fail = |source| RunError::Write { path: self.folder.clone(), source };
        let mut events = Events::create(&self.folder, now()).map_err(fail)?;
        kept.iter().try_for_each(|line| events.append(line, now())).map_err(fail)?;
        Ok((metrics, events))
    }

    fn append(&mut self, line: &Line) -> Result<(), RunError> {
        let mut files = match self.files.take() {
            Some(files) => files,
            None => self.open(0)?,
        };
        files.0.append(line)?;
        let folder = &self.folder;
        files.1.append(line, now()).map_err(|source| RunError::Write { path: folder.clone(), source })?;
        self.files = Some(files);
        Ok(())
    }
}

fn tell(event: &Event, bar: &Bar, progress: &Progress) {
    let gib = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!(", {:.2} GiB", bytes as f64 / f64::from(1 << 30)),
        None => String::new(),
    };
    match event {
        Event::Fits { rows, tokens, took, peak } => {
            let what = match rows {
                1 => "the longest row".to_owned(),
                rows => format!("the {rows} longest rows together"),
            };
            let (took, peak) = (took.as_secs_f64(), gib(*peak));
            progress.say(&format!("{what}, {tokens} tokens, went through in {took:.1} s{peak}"));
        }
        Event::Resumed { step } => {
            bar.resume_at(*step);
            progress.say(&format!("goes on after step {step}"));
        }
        Event::Step(report) => {
            bar.message(format!(
                "loss {:.4}, {:.0} tokens/s{}",
                report.loss,
                report.tokens_per_second,
                gib(report.peak_memory_bytes)
            ));
            bar.set(report.step);
        }
        Event::Saved { .. } => {}
        Event::Checked { difference } => {
            progress.say(&format!("the saved adapter was read back; its logits differ by {difference:.1e}"));
        }
    }
}

fn outcome(plan: &Plan, folder: PathBuf, ending: Ending) -> Result<Outcome, RunError> {
    let lines = lines(&folder)?;
    let ends = lines.first().copied().zip(lines.last().copied());
    Ok(Outcome { arm: plan.frozen.data.arm.clone(), folder, ends, ending })
}

fn lines(folder: &Path) -> Result<Vec<Line>, RunError> {
    let path = folder.join(crate::record::metrics::FILE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    Ok(crate::record::metrics::read(&path)?)
}

/// Writes a file whole or not at all: it is renamed into place.
fn write(path: &Path, text: &str) -> Result<(), RunError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|source| RunError::Write { path: path.to_owned(), source })
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
