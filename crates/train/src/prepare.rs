//! Everything that is settled before a tensor exists: what was typed becomes a recipe, rows become examples, and each
//! arm gets its plan. Nothing is written here.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dataset::experiment::ExperimentError;
use dataset::prompt::PromptError;
use dataset::{Experiment, Layout};
use model::adapter::WEIGHTS;
use model::base::{self, Base};
use sha2::{Digest, Sha256};

use crate::data::{Examples, LedgerError, PairError, Pairs, ledger};
use crate::flags::Flags;
use crate::mask::{Chat, MaskError};
use crate::plan::{BaseHashes, Difference, Frozen, Plan, PlanError, difference};
use crate::recipe::{Dtype, Hold, Recipe, RecipeError, Section};
use crate::record::provenance::File;
use crate::template::{Template, TemplateError};
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::tokens;

/// The frozen plan's name in an arm's folder.
pub const RECIPE: &str = "recipe.toml";

/// A run before its limit is applied.
pub struct Prepared {
    /// The experiment.
    pub experiment: Experiment,
    /// Where its data lie.
    pub layout: Layout,
    /// The settings.
    pub recipe: Recipe,
    /// The base; its weights are mapped, not read.
    pub base: Base,
    /// The base's files and their hashes.
    pub base_files: Vec<File>,
    /// The weights of the adapter to start from, if there is one that can be read.
    pub initial: Option<File>,
    /// The verdict that the rows were read under, where there is one.
    pub verdict: Option<File>,
    /// SHA-256 of this program's executable; empty where it cannot be read.
    pub code: String,
    /// The base's template and tokenizer.
    pub chat: Chat,
    /// Rows by prompt.
    pub pairs: Pairs,
    /// All of them as ids, whatever their length.
    pub examples: Examples,
    /// Arms that are to be trained, by name.
    pub chosen: Vec<String>,
    /// Arms of the experiment that have no data; only possible where one other arm is trained alone.
    pub missing: Vec<String>,
    /// The folder of the arms' folders.
    pub out: PathBuf,
}

/// A run whose every step is known.
pub struct Planned {
    /// What remains under the limit, in one order for all arms.
    pub examples: Examples,
    /// One a chosen arm.
    pub plans: Vec<Plan>,
}

/// Why a run cannot begin. All of it is wrong input, and nothing has been written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error of the module that it names")]
pub enum PrepareError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error(transparent)]
    Prompts(#[from] PromptError),
    #[error("the experiment {experiment} has no arm `{arm}`; it has {known}, or `all`")]
    NoArm { experiment: PathBuf, arm: String, known: String },
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Base(#[from] base::Error),
    #[error("the base {0} has no chat template; use an instruction-tuned base")]
    NoTemplate(PathBuf),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Mask(#[from] MaskError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error(
        "--hold tokens needs the data of every arm, and there is none of {0}; make it with `cargo xtask gen`, or hold rows"
    )]
    HoldAlone(String),
    #[error("the tokenizer knows {tokens} tokens and the base only {rows}; they do not belong together")]
    Vocabulary { tokens: usize, rows: usize },
    #[error("cannot read {path}")]
    Frozen { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a recipe of this version; train into another --out")]
    FrozenForm { path: PathBuf, source: toml::de::Error },
    #[error(
        "{folder} holds a run under another recipe; give it the old settings, or train into another --out{}",
        lines(.differences)
    )]
    AnotherRecipe { folder: PathBuf, differences: Vec<Difference> },
    #[error(
        "{folder} holds an arm of this experiment under another plan, and only their data may differ; give this one the same settings, or train both into another --out{}",
        lines(.differences)
    )]
    AnotherArm { folder: PathBuf, differences: Vec<Difference> },
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Settles everything up to the examples. `today` is `YYYY-MM-DD`; a run that was begun earlier keeps its own day.
///
/// # Errors
/// [`PrepareError`], naming the file, line or setting at fault.
pub fn prepare(flags: &Flags, today: &str) -> Result<Prepared, PrepareError> {
    let experiment = Experiment::load(&flags.experiment)?;
    let layout = Layout::new(flags.data.as_deref(), &experiment.name);
    let chosen = choose(&experiment, &flags.arm)?;
    let out = flags.out.clone().unwrap_or_else(|| Path::new("models").join(&experiment.name));
    let section: Section = experiment.section("train")?;
    // The day is one for all arms, whenever each of them is trained.
    let mut arms = experiment.arms.iter();
    let begun = arms.find_map(|arm| read_frozen(&out.join(&arm.name)).transpose()).transpose()?;
    let day = begun.map_or_else(|| today.to_owned(), |frozen| frozen.recipe.day);
    let recipe = Recipe::freeze(flags, &section, &day)?;

    let (pairs, missing) = read_pairs(&experiment, &layout, &chosen, flags.allow_ungated)?;
    // Hashed now: when training ends, hours later, another file may lie there.
    let hashed = |path: PathBuf| {
        let sha256 = base::sha256(&path).ok()?;
        Some(File { path: path.display().to_string(), sha256 })
    };
    let verdict = hashed(layout.verdict());
    let code = std::env::current_exe().ok().and_then(hashed).map_or_else(String::new, |file| file.sha256);
    let initial = recipe.lora.init.as_ref().and_then(|folder| hashed(folder.join(WEIGHTS)));
    if recipe.hold == Hold::Tokens && !missing.is_empty() {
        return Err(PrepareError::HoldAlone(missing.join(", ")));
    }
    let base = Base::open(&recipe.base)?;
    let chat = open_chat(&base, &recipe.day)?;
    let examples = pairs.encode(&chat)?;
    tokens::check_ends(&examples, &chat)?;
    let base_files = base.hashes()?.into_iter();
    let base_files =
        base_files.map(|(path, sha256)| File { path: path.display().to_string(), sha256 }).collect();
    Ok(Prepared {
        experiment,
        layout,
        recipe,
        base,
        base_files,
        initial,
        verdict,
        code,
        chat,
        pairs,
        examples,
        chosen,
        missing,
        out,
    })
}

/// Makes the chat of a base: its tokenizer and its template as of `day`.
///
/// # Errors
/// A base without a template, or one that cannot be learned under.
pub fn open_chat(base: &Base, day: &str) -> Result<Chat, PrepareError> {
    let source = base.chat_template.as_deref();
    let source = source.ok_or_else(|| PrepareError::NoTemplate(base.path.clone()))?;
    let tokenizer = Tokenizer::of(&base.tokenizer)?;
    if tokenizer.size() > base.config.vocab_size {
        return Err(PrepareError::Vocabulary { tokens: tokenizer.size(), rows: base.config.vocab_size });
    }
    let template = Template::new(source, tokenizer.words().clone(), day)?;
    Ok(Chat::new(tokenizer, template)?)
}

impl Planned {
    /// Says what the numbers are computed in, where the recipe leaves that to the device. An arm in f32 is no counterpart of
    /// one in bf16, nor its beginning of its end.
    pub fn compute_in(&mut self, dtype: Dtype) {
        self.plans.iter_mut().for_each(|plan| plan.frozen.course.dtype = Some(dtype));
    }
}

impl Prepared {
    /// Applies the limit and plans the chosen arms.
    ///
    /// # Errors
    /// Rows over the limit, where the recipe says stop.
    pub fn plan(&self) -> Result<Planned, PrepareError> {
        let examples = self.examples.clone().limit(self.recipe.max_seq_length, self.recipe.overlong)?;
        let files: String = self.base_files.iter().map(|file| format!("{}\n", file.sha256)).collect();
        let hashes = BaseHashes {
            base: sha256(files.as_bytes()),
            template: sha256(self.chat.template.source().as_bytes()),
            tokenizer: sha256(self.chat.tokenizer.json().as_bytes()),
            initial: self.initial.as_ref().map(|file| file.sha256.clone()),
        };
        let ledgers = self.pairs.arms.iter().filter(|ledger| self.chosen.contains(&ledger.arm));
        let plans = ledgers
            .map(|ledger| Plan::new(&self.experiment.name, &self.recipe, &hashes, &examples, ledger))
            .collect();
        Ok(Planned { examples, plans })
    }

    /// Compares `plan` with what its folder holds. Returns whether a run was begun there under the same plan.
    ///
    /// # Errors
    /// [`PrepareError::AnotherRecipe`] with every difference.
    pub fn is_begun(&self, plan: &Plan) -> Result<bool, PrepareError> {
        let folder = self.folder(plan);
        let Some(held) = read_frozen(&folder)? else { return Ok(false) };
        let differences = difference(&held, &plan.frozen)?;
        match differences.is_empty() {
            true => Ok(true),
            false => Err(PrepareError::AnotherRecipe { folder, differences }),
        }
    }

    /// Compares `plan` with those of the arms beside it, of which none is trained now: an arm under another plan is no
    /// counterpart of this one.
    ///
    /// # Errors
    /// [`PrepareError::AnotherArm`] with every difference.
    pub fn check_beside(&self, plan: &Plan) -> Result<(), PrepareError> {
        for arm in self.experiment.arms.iter().filter(|arm| !self.chosen.contains(&arm.name)) {
            let folder = self.out.join(&arm.name);
            let Some(held) = read_frozen(&folder)? else { continue };
            let mut differences = difference(&held, &plan.frozen)?;
            differences.retain(|difference| !difference.key.starts_with("data."));
            if !differences.is_empty() {
                return Err(PrepareError::AnotherArm { folder, differences });
            }
        }
        Ok(())
    }

    /// Where the adapter of `plan` goes.
    pub fn folder(&self, plan: &Plan) -> PathBuf {
        self.out.join(&plan.frozen.data.arm)
    }
}

fn choose(experiment: &Experiment, arm: &str) -> Result<Vec<String>, PrepareError> {
    let names: Vec<String> = experiment.arms.iter().map(|arm| arm.name.clone()).collect();
    match arm {
        "all" => Ok(names),
        one if names.iter().any(|name| name == one) => Ok(vec![one.to_owned()]),
        other => Err(PrepareError::NoArm {
            experiment: experiment.path.clone(),
            arm: other.to_owned(),
            known: names.join(", "),
        }),
    }
}

/// Reads every arm, also those that are not trained now: pairs are made over all of them, so that an arm trained alone
/// sees the rows that it sees beside the others.
fn read_pairs(
    experiment: &Experiment,
    layout: &Layout,
    chosen: &[String],
    allow_ungated: bool,
) -> Result<(Pairs, Vec<String>), PrepareError> {
    let mut prompts: HashSet<String> = experiment.prompts()?.into_iter().map(|prompt| prompt.text).collect();
    match experiment.smoke_prompts() {
        Ok(smoke) => prompts.extend(smoke.into_iter().map(|prompt| prompt.text)),
        Err(PromptError::NoSmoke { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let (mut ledgers, mut missing) = (Vec::new(), Vec::new());
    for arm in &experiment.arms {
        let path = layout.ledger(&arm.name);
        if !chosen.contains(&arm.name) && !path.exists() {
            missing.push(arm.name.clone());
            continue;
        }
        ledgers.push(ledger::read(&path, arm, &prompts, allow_ungated)?);
    }
    Ok((Pairs::new(ledgers)?, missing))
}

fn read_frozen(folder: &Path) -> Result<Option<Frozen>, PrepareError> {
    let path = folder.join(RECIPE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            toml::from_str(&text).map(Some).map_err(|source| PrepareError::FrozenForm { path, source })
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(PrepareError::Frozen { path, source }),
    }
}

fn lines(differences: &[Difference]) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".into());
    differences
        .iter()
        .map(|d| format!("\n  {}: {} there, {} now", d.key, value(&d.left), value(&d.right)))
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    dataset::receipt::hex(&Sha256::digest(bytes))
}
