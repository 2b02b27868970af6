//! `cargo xtask demo`: the whole job once, offline but for the package registries.
//!
//! It composes the same binaries that the other verbs hand over to, and does nothing that a user could not type.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use xshell::Shell;

use crate::hand_over::{build, build_train};
use crate::setup::{self, Libtorch, say};

/// The question that the summary puts to the base and to each adapter; no prompt of the experiment asks it.
const UNSEEN: &str = "My landlord wants to keep my deposit because of scratches that were there when I moved in. \
                      Can I just stop paying the last month's rent?";

/// Flags of `cargo xtask demo`.
#[derive(Debug, Args)]
pub struct DemoFlags {
    /// Training steps per arm.
    #[arg(long, default_value_t = 20)]
    steps: u32,
    /// Where rows and verdict go.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
    /// Where the adapters go.
    #[arg(long, default_value = "models/demo")]
    out: PathBuf,
}

/// Runs every stage in turn and stops at the first that fails, with its exit code.
pub fn run(sh: &Shell, flags: &DemoFlags) -> anyhow::Result<ExitCode> {
    let mut stages = Stages::default();
    let root = sh.current_dir();

    let (sim, generate, gate, status) = stages.time("build", || {
        anyhow::Ok((
            build(sh, "simulator", "sim")?,
            build(sh, "generate", "generate")?,
            build(sh, "gate", "gate")?,
            build(sh, "status", "status")?,
        ))
    })?;

    let served = Simulator::start(&root, &sim)?;
    say(&format!("simulated Vertex at {}", served.base_url));
    let mut command = Command::new(generate);
    command.arg("--data").arg(&flags.data);
    // Whatever this shell has set for the real service stays out of the demo.
    for key in ["GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"] {
        command.env_remove(key);
    }
    command.env("GOOGLE_GENAI_USE_VERTEXAI", "true");
    command.env("GOOGLE_VERTEX_BASE_URL", &served.base_url);
    command.env("GOOGLE_CLOUD_PROJECT", "demo").env("GOOGLE_CLOUD_LOCATION", "global");
    if let Some(code) = stages.run("gen", &root, &mut command)? {
        return Ok(code);
    }
    drop(served);

    if let Some(code) = stages.run("gate", &root, Command::new(gate).arg("--data").arg(&flags.data))? {
        return Ok(code);
    }

    let (libtorch, model) = stages.time("setup", || anyhow::Ok((setup::libtorch(sh)?, setup::model(sh)?)))?;
    let train = stages.time("build train", || build_train(sh, &libtorch, "train"))?;
    let answer = build_train(sh, &libtorch, "answer")?;

    let steps = flags.steps.to_string();
    let mut command = with_libtorch(&libtorch, &train);
    command.args(["--arm", "all", "--max-steps", &steps, "--max-seq-length", "2048", "--grad-accum", "1"]);
    // So few steps have to be long ones for the loss to fall out of the noise of single rows.
    command.args(["--learning-rate", "1e-3", "--schedule", "constant"]);
    command.arg("--base").arg(&model).arg("--data").arg(&flags.data).arg("--out").arg(&flags.out);
    if let Some(code) = stages.run("train", &root, &mut command)? {
        return Ok(code);
    }

    let mut command = Command::new(status);
    command.arg("--data").arg(&flags.data).arg("--models").arg(&flags.out);
    if let Some(code) = stages.run("status", &root, &mut command)? {
        return Ok(code);
    }

    say(&format!("\na prompt that was not trained on: {UNSEEN}"));
    let mut asked: Vec<(String, Option<PathBuf>)> = vec![("base".into(), None)];
    asked.extend(["control", "aba"].map(|arm| (arm.to_owned(), Some(flags.out.join(arm)))));
    for (name, adapter) in asked {
        say(&format!("\n--- {name}"));
        let mut command = with_libtorch(&libtorch, &answer);
        command.arg("--base").arg(&model).args(["--max-new-tokens", "96"]);
        if let Some(adapter) = adapter {
            command.arg("--adapter").arg(adapter);
            command.args(["--experiment", "fixtures/phase_3e/experiment.toml", "--arm", &name]);
        }
        if let Some(code) = stages.run(&format!("answer of {name}"), &root, command.arg(UNSEEN))? {
            return Ok(code);
        }
    }
    stages.report();
    Ok(ExitCode::SUCCESS)
}

fn with_libtorch(libtorch: &Libtorch, program: &Path) -> Command {
    let mut command = Command::new(program);
    libtorch.run_environment(&mut command);
    command
}

/// How long each stage took.
#[derive(Default)]
struct Stages {
    seconds: Vec<(String, f64)>,
}

impl Stages {
    fn time<T>(&mut self, name: &str, stage: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        say(&format!("\n=== {name}"));
        let started = Instant::now();
        let result = stage()?;
        self.seconds.push((name.to_owned(), started.elapsed().as_secs_f64()));
        Ok(result)
    }

    /// Runs one stage; returns its exit code where it did not succeed.
    fn run(&mut self, name: &str, root: &Path, command: &mut Command) -> anyhow::Result<Option<ExitCode>> {
        let status = self.time(name, || {
            let command = command.current_dir(root);
            command.status().with_context(|| format!("cannot run {}", command.get_program().display()))
        })?;
        if !status.success() {
            say(&format!("the demo stopped at {name}; run it again and it goes on from there"));
            return Ok(Some(crate::hand_over::exit_code(status)));
        }
        Ok(None)
    }

    fn report(&self) {
        let total: f64 = self.seconds.iter().map(|(_, seconds)| seconds).sum();
        let each: Vec<String> =
            self.seconds.iter().map(|(name, seconds)| format!("{name} {seconds:.0} s")).collect();
        say(&format!("\n{}; {total:.0} s in all", each.join(", ")));
    }
}

/// The simulator's process, stopped when dropped.
struct Simulator {
    child: Child,
    base_url: String,
}

impl Simulator {
    fn start(root: &Path, program: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["--port", "0", "--scenario", "demo"])
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let mut base_url = String::new();
        if let Some(stdout) = child.stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut base_url)?;
        }
        let simulator = Self { child, base_url: base_url.trim().to_owned() };
        if simulator.base_url.is_empty() {
            bail!("the simulator ended before it said where it listens");
        }
        Ok(simulator)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself, with a message of its own.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
