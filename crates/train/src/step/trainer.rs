//! The loop over the steps of one arm: longest rows, resume, step, checkpoint, adapter.
//!
//! What happens is handed to the caller as an [`Event`]; nothing is printed or drawn here, and `metrics.jsonl` is the
//! caller's.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::adapter::{self, Adapter};
use model::device;
use model::transformer::{self, Model};

use super::checkpoint::{self, Checkpoint, State};
use super::gradient::{self, Method, Row};
use super::interrupt::Stop;
use super::optimizer::{self, AdamW, Precision};
use super::reload;
use crate::recipe::{Optimizer, Recipe};
use crate::record::metrics::Line;

/// What is to be trained.
pub struct Job<'a> {
    /// The settings.
    pub recipe: &'a Recipe,
    /// SHA-256 over the base's files.
    pub base: &'a str,
    /// All rows of the arm.
    pub rows: &'a [Row],
    /// Which of them each step sees, in order.
    pub steps: &'a [Vec<usize>],
    /// The learning rate of a step, counted from 0.
    pub rate: &'a dyn Fn(u64) -> f64,
    /// The adapter before the first step.
    pub initial: &'a Adapter,
    /// Where the adapter and its checkpoints go.
    pub folder: &'a Path,
    /// Go on from the last checkpoint, if there is one.
    pub resume: bool,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The longest rows that can be taken together went through, forward and back.
    Fits {
        /// How many.
        rows: usize,
        /// Their tokens.
        tokens: usize,
        /// What it took.
        took: Duration,
        /// Peak memory in bytes, where the device says.
        peak: Option<u64>,
    },
    /// The run goes on after this many steps. Lines of later steps in `metrics.jsonl` are of a run that was cut off.
    Resumed {
        /// Steps taken before.
        step: u64,
    },
    /// A step was taken.
    Step(Line),
    /// A checkpoint was written.
    Saved {
        /// Steps taken.
        step: u64,
        /// Its folder.
        path: PathBuf,
    },
    /// The adapter was saved and read back.
    Checked {
        /// Largest difference of a logit.
        difference: f64,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps were taken and the adapter was saved.
    Done,
    /// It was asked to stop, and can be resumed.
    Interrupted {
        /// Steps taken.
        step: u64,
    },
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The loss or the gradient is no number.
    #[error("the {what} of step {step} is {value}{}; nothing of this step was kept, and {}", .row.map(|row| format!(", from row {row}")).unwrap_or_default(), kept(.checkpoint))]
    NotFinite {
        /// loss, gradient norm or adapter.
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// Index of the row whose loss it is.
        row: Option<usize>,
        /// NaN or infinity.
        value: f64,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// libtorch gave up.
    #[error(
        "the longest rows, {rows} together of {tokens} tokens, do not go through on this device: {problem}; a smaller --max-seq-length, --quantization nf4 or checkpointing may fit"
    )]
    LongestRow {
        /// How many are taken together.
        rows: usize,
        /// Their tokens.
        tokens: usize,
        /// libtorch's words.
        problem: String,
    },
    /// libtorch gave up later.
    #[error("step {step} failed: {problem}; {}", kept(.checkpoint))]
    Step {
        /// The step, from 1.
        step: u64,
        /// libtorch's words.
        problem: String,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// There is an unfinished run.
    #[error(
        "{folder} holds a run that stopped after step {step}; --resume goes on from there, another --out starts anew"
    )]
    Unfinished {
        /// The run's folder.
        folder: PathBuf,
        /// Steps taken.
        step: u64,
    },
    /// Nothing to train on.
    #[error("there is no row, or no step, to train on")]
    Empty,
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// The optimizer's part of a checkpoint.
    #[error(transparent)]
    Optimizer(#[from] optimizer::Error),
    /// The adapter does not fit.
    #[error(transparent)]
    Model(#[from] transformer::Error),
    /// The adapter cannot be saved.
    #[error(transparent)]
    Adapter(#[from] adapter::Error),
    /// The saved adapter is not the trained one.
    #[error(transparent)]
    Reload(#[from] reload::Error),
}

/// Trains one arm from where it stands to its end, and leaves its adapter in the folder. Checkpoints stay: the caller has
/// more to write, and clears them when the folder is complete.
///
/// # Errors
/// Any of [`Error`]. The folder keeps its last checkpoint.
pub fn run(model: &mut Model, job: &Job, stop: &Stop, on: &mut dyn FnMut(Event)) -> Result<End, Error> {
    let recipe = job.recipe;
    let longest = job.rows.iter().max_by_key(|row| row.ids.len()).ok_or(Error::Empty)?;
    if job.steps.is_empty() {
        return Err(Error::Empty);
    }
    let method = Method {
        checkpointing: recipe.checkpointing,
        group_tokens: longest.ids.len().max(recipe.max_seq_length as usize),
    };
    let fingerprint = checkpoint::fingerprint(job.rows, job.steps);
    let precision = precision(recipe.optimizer);
    let mut optimizer = AdamW::new(model.parameters(), precision, recipe.weight_decay);
    let (mut step, mut saved) = (0, None);
    match checkpoint::latest(job.folder) {
        Some((step, _)) if !job.resume => return Err(Error::Unfinished { folder: job.folder.into(), step }),
        Some((at, path)) => {
            let checkpoint = checkpoint::load(&path, recipe, job.base, &fingerprint)?;
            model.set_adapter(&checkpoint.adapter)?;
            optimizer.restore(checkpoint.state.step, &checkpoint.optimizer)?;
            (step, saved) = (at, Some(path));
        }
        None => model.set_adapter(job.initial)?,
    }
    if job.resume {
        on(Event::Resumed { step });
    }
    // What the arm before this one took, and what loading took, is not this arm's peak. On a CPU they share a process.
    if model.device().is_cuda() {
        device::empty_cache(model.device());
        device::reset_peak(model.device());
    }
    // Out of memory shows here, in the first seconds, and not in the hour when these rows' turn comes.
    on(probe(model, &heaviest(job, method), method)?);
    optimizer.zero_grad();

    while step < job.steps.len() as u64 {
        if stop.asked() {
            save(model, job, &optimizer, &fingerprint, step, saved.as_ref(), on)?;
            return Ok(End::Interrupted { step });
        }
        let line = take(model, job, method, &mut optimizer, step, saved.as_ref())?;
        step += 1;
        on(Event::Step(line));
        if stop.asked_at_once() {
            return Ok(End::Interrupted { step });
        }
        if step.is_multiple_of(u64::from(recipe.save_every)) && step < job.steps.len() as u64 {
            saved = Some(save(model, job, &optimizer, &fingerprint, step, saved.as_ref(), on)?);
        }
    }
    trained(model, step, saved.as_ref())?.save(job.folder, &recipe.base)?;
    let difference = reload::check(model, job.folder, longest)?;
    on(Event::Checked { difference });
    Ok(End::Done)
}

/// The optimizer's moments under a recipe.
pub fn precision(optimizer: Optimizer) -> Precision {
    match optimizer {
        Optimizer::Adamw => Precision::Full,
        Optimizer::Adamw8bit => Precision::Bytes,
    }
}

fn take(
    model: &Model,
    job: &Job,
    method: Method,
    optimizer: &mut AdamW,
    step: u64,
    saved: Option<&PathBuf>,
) -> Result<Line, Error> {
    let started = Instant::now();
    let recipe = job.recipe;
    let indices = &job.steps[step as usize];
    let rows: Vec<&Row> = indices.iter().map(|&row| &job.rows[row]).collect();
    let checkpoint = || saved.cloned();
    let number = step + 1;
    // Both arms drop alike: the seed is of the recipe and the step, not of the data.
    let dropout = (recipe.lora.dropout > 0.0).then_some((u64::from(recipe.seed) << 32) ^ number);
    let sums = caught(|| gradient::accumulate(model, &rows, method, dropout))
        .map_err(|problem| Error::Step { step: number, problem, checkpoint: checkpoint() })?;
    if let Some((&row, &value)) = indices.iter().zip(&sums).find(|(_, sum)| !sum.is_finite()) {
        let checkpoint = checkpoint();
        return Err(Error::NotFinite { what: "loss", step: number, row: Some(row), value, checkpoint });
    }
    let grad_norm = optimizer.clip(recipe.max_grad_norm);
    if !grad_norm.is_finite() {
        let (what, value, checkpoint) = ("gradient norm", grad_norm, checkpoint());
        return Err(Error::NotFinite { what, step: number, row: None, value, checkpoint });
    }
    let learning_rate = (job.rate)(step);
    optimizer.step(learning_rate);
    optimizer.zero_grad();
    let tokens: usize = rows.iter().map(|row| row.ids.len()).sum();
    let learned: usize = rows.iter().map(|row| row.learned_tokens()).sum();
    Ok(Line {
        step: number,
        loss: sums.iter().sum::<f64>() / learned as f64,
        learning_rate,
        grad_norm,
        tokens: tokens as u64,
        supervised_tokens: learned as u64,
        tokens_per_second: tokens as f64 / started.elapsed().as_secs_f64(),
        peak_memory_bytes: device::peak_memory(model.device()),
    })
}

/// The longest row, and with checkpointing those after it, as many as a step can take through the layers with it.
fn heaviest<'a>(job: &Job<'a>, method: Method) -> Vec<&'a Row> {
    let together = if method.checkpointing { job.steps.iter().map(Vec::len).max().unwrap_or(1) } else { 1 };
    let mut rows: Vec<&Row> = job.rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ids.len()));
    let mut tokens = 0;
    let fits = |row: &&Row| {
        tokens += row.ids.len();
        tokens <= method.group_tokens
    };
    rows.into_iter().take(together.max(1)).take_while(fits).collect()
}

/// Sends rows through, forward and back, and updates nothing.
fn probe(model: &Model, rows: &[&Row], method: Method) -> Result<Event, Error> {
    let tokens = rows.iter().map(|row| row.ids.len()).sum();
    let started = Instant::now();
    caught(|| gradient::accumulate(model, rows, method, None)).map_err(|problem| Error::LongestRow {
        rows: rows.len(),
        tokens,
        problem,
    })?;
    let peak = device::peak_memory(model.device());
    Ok(Event::Fits { rows: rows.len(), tokens, took: started.elapsed(), peak })
}

fn save(
    model: &Model,
    job: &Job,
    optimizer: &AdamW,
    rows: &str,
    step: u64,
    saved: Option<&PathBuf>,
    on: &mut dyn FnMut(Event),
) -> Result<PathBuf, Error> {
    let adapter = trained(model, step, saved)?;
    let state = State::new(step, job.recipe, job.base, rows);
    let path = checkpoint::save(job.folder, &Checkpoint { state, adapter, optimizer: optimizer.state() })?;
    on(Event::Saved { step, path: path.clone() });
    Ok(path)
}

/// The adapter after `step` steps. A step of good gradients can still leave what is no number, at a rate that is far too
/// high: that is no good checkpoint, and no adapter.
fn trained(model: &Model, step: u64, saved: Option<&PathBuf>) -> Result<Adapter, Error> {
    let adapter = model.adapter().ok_or(Error::Empty)?;
    let mut values = adapter.matrices.values().flat_map(|matrix| &matrix.values);
    match values.find(|value| !value.is_finite()) {
        None => Ok(adapter),
        Some(&value) => {
            let (value, checkpoint) = (f64::from(value), saved.cloned());
            Err(Error::NotFinite { what: "adapter", step, row: None, value, checkpoint })
        }
    }
}

/// tch's operators panic with libtorch's words; out of memory is one of them, and is no fault of ours.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload: Box<dyn Any + Send>| {
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or(payload.downcast_ref::<&str>().copied()).unwrap_or("libtorch panicked");
        first_line(words).to_owned()
    })
}

/// Libtorch's first line: the rest is a C++ stack trace, in which line ends are spelled out as tch's panic shows them.
fn first_line(words: &str) -> &str {
    let line = words.split(['\n', '\r']).next().unwrap_or(words);
    let line = line.split("\\n").next().unwrap_or(line);
    line.rsplit_once("Torch(\"").map_or(line, |(_, said)| said)
}

fn kept(checkpoint: &Option<PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "there was no checkpoint yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn of_libtorchs_words_the_first_line_is_kept() {
        let panic = r#"called `Result::unwrap()` on an `Err` value: Torch("CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc at x.cpp:1")"#;
        assert_eq!(first_line(panic), "CUDA out of memory. Tried to allocate 2.00 GiB.");
        assert_eq!(first_line("index out of range\nframe #0"), "index out of range");
    }
}
