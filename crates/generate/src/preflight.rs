//! What is asked of the service before the first paid request: whether it would answer at all.

use vertex::{Client, CountError, PreflightError, Request};

use crate::plan::Plan;

/// Why nothing paid is asked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The service, the access or the model.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// A prompt that the model cannot take.
    #[error(
        "{path}: the prompt {excerpt:?} has {tokens} tokens with its system prompt, but {model} takes {limit}; shorten it, or correct generation.max_input_tokens"
    )]
    TooLong {
        /// The prompts file.
        path: std::path::PathBuf,
        /// Its beginning.
        excerpt: String,
        /// The model.
        model: String,
        /// How long it is.
        tokens: u64,
        /// How long it may be.
        limit: u64,
    },
    /// The prompts file.
    #[error(transparent)]
    Prompts(#[from] dataset::prompt::PromptError),
}

/// Checks address, credentials, project, location, model, and the length of every prompt that could be too long.
/// Costs nothing.
///
/// # Errors
/// [`CheckError`], which names what to set.
pub async fn check(plan: &Plan, client: &Client) -> Result<(), CheckError> {
    client.preflight(&plan.common.model).await?;
    let limit = u64::from(plan.experiment.generation.max_input_tokens);
    let system = plan.experiment.arms.iter().map(|arm| &arm.system_prompt).max_by_key(|text| text.len());
    let system = system.map_or("", |text| text.as_str());
    // A token has at least one byte, so only a prompt of more bytes than that is worth a question.
    if (system.len() + plan.source.longest()) as u64 <= limit {
        return Ok(());
    }
    for prompt in plan.source.prompts()? {
        let prompt = prompt?;
        if (system.len() + prompt.text.len()) as u64 <= limit {
            continue;
        }
        let request = Request::new(plan.common.model.clone(), system, prompt.text.as_str());
        let tokens = match client.count_tokens(&request).await {
            Ok(tokens) => tokens,
            Err(CountError::Refused(fatal)) => return Err(PreflightError::Refused(fatal).into()),
            // The service will say so itself, for nothing.
            Err(_) => continue,
        };
        if tokens > limit {
            return Err(CheckError::TooLong {
                path: plan.source.path().to_owned(),
                excerpt: prompt.text.chars().take(60).collect(),
                model: plan.common.model.to_string(),
                tokens,
                limit,
            });
        }
    }
    Ok(())
}
