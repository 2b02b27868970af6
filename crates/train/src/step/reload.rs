//! The last check of a run: the adapter that lies on disk computes what the trained one computed.

use std::path::Path;

use model::adapter::{self, Adapter};
use model::transformer::{self, Model};
use tch::{Kind, Tensor};

use super::gradient::Row;

/// What the saved adapter turned out to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("the adapter that was just saved cannot be read back")]
    Read(#[from] adapter::Error),
    /// It does not fit the model it came from.
    #[error("the adapter that was just saved does not fit the model")]
    Fit(#[from] transformer::Error),
    /// It computes something else.
    #[error(
        "the adapter at {folder} gives logits {difference:e} away from the trained one's; the disk or the memory of this machine is at fault"
    )]
    Differs {
        /// Where it lies.
        folder: String,
        /// Largest difference of a logit.
        difference: f64,
    },
}

/// Positions whose logits are compared; each has one for every id.
const POSITIONS: usize = 64;

/// Reads the adapter at `folder` back into the model it was saved from, and compares logits over the beginning of a row.
/// Gives the largest difference, 0 on a CPU. The model's adapter is set to zero in between, so that nothing of the trained
/// one can stand in for what the file lacks.
///
/// # Errors
/// Any of [`Error`].
pub fn check(model: &mut Model, folder: &Path, row: &Row) -> Result<f64, Error> {
    let _guard = tch::no_grad_guard();
    let ids =
        Tensor::from_slice(&row.ids[..row.ids.len().min(POSITIONS)]).unsqueeze(0).to_device(model.device());
    let trained = model.logits(&ids).to_kind(Kind::Float);
    let saved = Adapter::load(folder)?;
    for (_, mut parameter) in model.parameters() {
        let _ = parameter.zero_();
    }
    model.set_adapter(&saved)?;
    let reloaded = model.logits(&ids).to_kind(Kind::Float);
    // Device syncs: two numbers are read.
    let largest = trained.abs().max().double_value(&[]);
    let difference = (reloaded - trained).abs().max().double_value(&[]);
    // A CPU gives the same bits; kernels of a GPU may add in another order.
    let allowed = if model.device().is_cuda() { 1e-2 * largest } else { 0.0 };
    // Not a number is no agreement either.
    if difference <= allowed {
        Ok(difference)
    } else {
        Err(Error::Differs { folder: folder.display().to_string(), difference })
    }
}
