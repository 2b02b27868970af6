//! One answer that is missing: a prompt in an arm, and what has been tried for it.

use std::sync::Arc;
use std::time::Duration;

use dataset::Prompt;
use dataset::key::Key;
use dataset::row::Sampling;
use dataset::run::Settings;
use vertex::{Model, Request, Thinking};

/// A prompt to be asked in an arm.
#[derive(Debug, Clone)]
pub struct Job {
    /// The prompt, shared by the arms.
    pub prompt: Arc<Prompt>,
    /// The place of its arm in the experiment.
    pub arm: usize,
    /// The key that its row will have.
    pub key: Key,
    /// The budget of the next request, in tokens.
    pub budget: u32,
    /// Requests that were answered or failed; 429s are not counted.
    pub attempts: u32,
    /// Times the budget was doubled.
    pub escalated: u32,
    /// Times it was sampled again for its form.
    pub resampled: u32,
    /// Times a filter struck the answer.
    pub blocked: u32,
    /// The last wait after a failure of the service.
    pub waited: Option<Duration>,
}

/// What every request of a run has in common.
#[derive(Debug, Clone)]
pub struct Common {
    /// Who is asked.
    pub model: Model,
    /// How answers are sampled, and the system prompts.
    pub settings: Settings,
    /// The arms, in the order of the experiment.
    pub arms: Vec<String>,
}

impl Common {
    /// The request that `job` sends next.
    pub fn request(&self, job: &Job) -> Request {
        let mut request =
            Request::new(self.model.clone(), self.system_prompt(job.arm), job.prompt.text.as_str());
        request.temperature = Some(self.settings.temperature);
        request.max_output_tokens = Some(job.budget);
        request.thinking = self.settings.thinking_level.clone().map(Thinking::Level);
        request
    }

    /// The settings of that request, as a row records them.
    pub fn sampling(&self, job: &Job) -> Sampling {
        Sampling {
            temperature: self.settings.temperature,
            max_output_tokens: job.budget,
            thinking_level: self.settings.thinking_level.clone(),
        }
    }

    /// The system prompt of an arm.
    pub fn system_prompt(&self, arm: usize) -> &str {
        self.settings.arms.get(&self.arms[arm]).map_or("", |prompt| &prompt.text)
    }
}
