//! Loss and gradients of one step, without autograd over the whole model.
//!
//! With checkpointing, the rows of a step go through layer i together before any goes through layer i + 1, and little of
//! each layer is kept: its input and, in host memory, what attention gave. On the way back the rest is run again, for one
//! row at a time. So a quantised layer is dequantised once forward and once backward for all these rows, and the
//! activations of one layer and one row exist at a time. Without checkpointing, a row goes through all layers by itself
//! and every wide product is kept.
//!
//! Gradients are left where autograd leaves them, added to those of the adapter's parameters. Nothing here updates a
//! parameter.

use std::ops::Range;

use model::backward::{Keep, Trace};
use model::layer::DenseLayer;
use model::rope::RopeTables;
use model::transformer::Model;
use tch::{Device, Tensor};

use super::loss::{self, CHUNK};

/// The ids of one row, and which of them are learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The whole conversation.
    pub ids: Vec<i64>,
    /// The stretch that is learned.
    pub learned: Range<usize>,
}

/// How gradients are computed; no choice here changes what they are.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Keep little of each layer, and run the rest again on the way back.
    pub checkpointing: bool,
    /// Tokens whose layer inputs are kept at once. Rows beyond it wait for the next group, so that accumulating rows
    /// needs no more memory than the longest of them.
    pub group_tokens: usize,
}

impl Row {
    /// Learned ids that have an id before them to be told from; the first of a row has none.
    pub fn learned_tokens(&self) -> usize {
        self.learned.end - self.learned.start.max(1)
    }
}

/// Adds the gradients of the mean loss over all learned tokens of `rows` to the adapter's. Gives the summed loss of each
/// row, in nats. `dropout` is the seed of the step's dropout, `None` for none.
pub fn accumulate(model: &Model, rows: &[&Row], method: Method, dropout: Option<u64>) -> Vec<f64> {
    let learned: usize = rows.iter().map(|row| row.learned_tokens()).sum();
    let scale = 1.0 / learned.max(1) as f64;
    let seeds =
        |at: usize| dropout.map(|seed| seed.wrapping_add((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let rope = model.rope(longest as i64);
    let mut sums = Vec::with_capacity(rows.len());
    for group in groups(rows, if method.checkpointing { method.group_tokens } else { 0 }) {
        let jobs: Vec<Job> = group.map(|at| Job::new(model, rows[at], &rope, seeds(at))).collect();
        match method.checkpointing {
            true => sums.extend(layer_major(model, &jobs, scale)),
            false => sums.extend(jobs.iter().map(|job| plain(model, job, scale))),
        }
    }
    // A device sync, the only one of the pass: the host reads what the rows lost.
    let sums = Tensor::stack(&sums, 0).to_device(Device::Cpu);
    (0..rows.len()).map(|at| sums.double_value(&[at as i64])).collect()
}

/// Splits rows, in their order, so that no group holds more tokens than the limit; a longer row is a group of its own.
fn groups(rows: &[&Row], limit: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (at, row) in rows.iter().enumerate() {
        tokens += row.ids.len();
        match groups.last_mut() {
            Some(last) if tokens <= limit => last.end = at + 1,
            _ => {
                groups.push(at..at + 1);
                tokens = row.ids.len();
            }
        }
    }
    groups
}

/// A row on the device.
struct Job {
    ids: Tensor,
    start: i64,
    targets: Tensor,
    rope: RopeTables,
    dropout: Option<u64>,
}

impl Job {
    fn new(model: &Model, row: &Row, rope: &RopeTables, dropout: Option<u64>) -> Job {
        let len = row.ids.len() as i64;
        let ids = Tensor::from_slice(&row.ids).to_device(model.device());
        // The state at a position tells the id after it.
        let first = row.learned.start.max(1) as i64;
        let targets = ids.narrow(0, first, row.learned_tokens() as i64);
        Job { ids: ids.unsqueeze(0), start: first - 1, targets, rope: rope.narrow(0, len), dropout }
    }

    /// The loss of the last layer's output [1, L, D], and its gradient by that output.
    fn loss(&self, model: &Model, x: &Tensor, scale: f64) -> (Tensor, Tensor) {
        let _guard = tch::no_grad_guard();
        let count = self.targets.size()[0];
        let learned = x.narrow(1, self.start, count);
        let normed = model.final_norm(&learned).squeeze_dim(0);
        let loss = loss::cross_entropy(&normed, &self.targets, model.head_weight(), scale, CHUNK);
        let gradient = x.zeros_like();
        let by_learned = model.final_norm_pull_back(&learned, &loss.gradient.unsqueeze(0));
        gradient.narrow(1, self.start, count).copy_(&by_learned);
        (loss.sum, gradient)
    }
}

fn layer_major(model: &Model, jobs: &[Job], scale: f64) -> Vec<Tensor> {
    let last = model.len() - 1;
    let keep = checkpoint(model.device());
    // 1. Forward: traces[i][m] is what layer i keeps of row m.
    let mut traces: Vec<Vec<Trace>> = Vec::with_capacity(last);
    let mut states: Vec<Tensor> = jobs.iter().map(|job| model.embed(&job.ids)).collect();
    for index in 0..last {
        let dense = model.layer(index).materialize();
        let traced = jobs.iter().zip(&mut states).map(|(job, x)| {
            let (y, trace) = dense.trace(x, &job.rope, job.dropout, keep);
            *x = y;
            trace
        });
        traces.push(traced.collect());
    }
    // 2. The last layer goes forward only once: nothing lies between it and its own way back.
    let dense = model.layer(last).materialize();
    let mut sums = Vec::with_capacity(jobs.len());
    for (job, x) in jobs.iter().zip(&mut states) {
        let (y, trace) = dense.trace(x, &job.rope, job.dropout, Keep::Products);
        let (sum, gradient) = job.loss(model, &y, scale);
        sums.push(sum);
        *x = down(&dense, last, trace, &gradient, job);
    }
    drop(dense);
    // 3. Down: the gradient by a layer's output becomes the one by its input.
    for index in (0..last).rev() {
        let dense = model.layer(index).materialize();
        // Taking the traces frees them as they are used.
        for ((trace, job), gradient) in traces.pop().into_iter().flatten().zip(jobs).zip(&mut states) {
            *gradient = down(&dense, index, trace, gradient, job);
        }
    }
    sums
}

/// What is kept of a layer under checkpointing. In host memory there is room for what attention gave, which takes the
/// longest to compute again for its size; a card has better uses for it.
fn checkpoint(device: Device) -> Keep {
    if device.is_cuda() { Keep::Input } else { Keep::Attention }
}

/// Pulls a gradient through layer `index`. Nothing trains below the first, so nobody asks for its input's: it stays.
fn down(dense: &DenseLayer, index: usize, trace: Trace, gradient: &Tensor, job: &Job) -> Tensor {
    let pulled = dense.pull_back(trace, gradient, &job.rope, job.dropout, index > 0);
    pulled.unwrap_or_else(|| gradient.shallow_clone())
}

fn plain(model: &Model, job: &Job, scale: f64) -> Tensor {
    let mut traces = Vec::with_capacity(model.len());
    let mut x = model.embed(&job.ids);
    for index in 0..model.len() {
        let dense = model.layer(index).materialize();
        let (y, trace) = dense.trace(&x, &job.rope, job.dropout, Keep::Products);
        traces.push(trace);
        x = y;
    }
    let (sum, mut gradient) = job.loss(model, &x, scale);
    for (index, trace) in traces.into_iter().enumerate().rev() {
        gradient = down(&model.layer(index).materialize(), index, trace, &gradient, job);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_no_more_than_the_limit() {
        let rows: Vec<Row> = [3, 3, 9, 2, 2, 2].map(|len| Row { ids: vec![0; len], learned: 1..len }).into();
        let rows: Vec<&Row> = rows.iter().collect();
        assert_eq!(groups(&rows, 6), [0..2, 2..3, 3..6]);
        assert_eq!(groups(&rows, 0).len(), 6);
    }
}
