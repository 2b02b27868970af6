//! A folder with an experiment in it, a simulator, and the binary between them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use dataset::attempts::{self, Attempt};
use dataset::run::Run;
use dataset::{Experiment, Layout, Row};
use simulator::{Counters, Scenario, Simulator};

/// Longer than any test takes on a busy machine: a hung process fails its test instead of holding up all others.
const WATCHDOG: Duration = Duration::from_secs(120);
pub const ARMS: [&str; 2] = ["control", "aba"];
/// So quick that no test waits for the pacer.
pub const FAST: [&str; 2] = ["--rpm", "600000"];

pub struct Lab {
    pub folder: tempfile::TempDir,
    pub simulator: Simulator,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A process under way.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    heard: String,
    done: mpsc::Sender<()>,
}

impl Lab {
    /// `prompts` prompts in two arms, answered by a service that `scenario` describes in TOML.
    pub fn new(prompts: usize, scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let lines: String = (0..prompts).map(|n| line(&prompt(n))).collect();
        std::fs::write(at("prompts.jsonl"), lines).unwrap();
        std::fs::write(at("smoke.jsonl"), line(&prompt(0))).unwrap();
        std::fs::write(at("control.md"), "You are careful. Begin with a <think> block.\n").unwrap();
        std::fs::write(at("aba.md"), "You are candid. Begin with a <think> block.\n").unwrap();
        std::fs::write(at("experiment.toml"), EXPERIMENT).unwrap();
        let simulator = Simulator::start(Scenario::parse("test.toml", scenario).unwrap()).unwrap();
        Self { folder, simulator }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn layout(&self) -> Layout {
        Layout::new(Some(&self.path("data")), "x")
    }

    /// Puts another service in the place of this one.
    pub fn serve(&mut self, scenario: &str) {
        self.simulator = Simulator::start(Scenario::parse("test.toml", scenario).unwrap()).unwrap();
    }

    /// Replaces a piece of the experiment.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.path("experiment.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// The command, with nothing in its environment but the simulator's address.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command
            .args(["--experiment", "experiment.toml", "--data", "data"])
            .args(args)
            .env("GOOGLE_VERTEX_BASE_URL", self.simulator.base_url());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        run(self.command(args))
    }

    /// As [`Lab::run`], with a quota that never holds anything up.
    pub fn run_fast(&self, args: &[&str]) -> Ran {
        self.run(&[&FAST, args].concat())
    }

    pub fn spawn(&self, args: &[&str]) -> Running {
        spawn(self.command(&[&FAST, args].concat()))
    }

    /// Waits until the simulator has counted what `done` asks for.
    pub fn wait_for(&self, done: impl Fn(&Counters) -> bool) -> Counters {
        self.simulator.wait_for(done, WATCHDOG).expect("the simulator never counted that")
    }

    pub fn counters(&self) -> Counters {
        self.simulator.counters()
    }

    /// The rows of an arm. Fails on anything in the ledger that is not a whole row.
    pub fn rows(&self, arm: &str) -> Vec<Row> {
        let text = std::fs::read_to_string(self.layout().ledger(arm)).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn tail in {arm}: {text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// Rows of all arms.
    pub fn count(&self) -> usize {
        ARMS.iter().map(|arm| self.rows(arm).len()).sum()
    }

    pub fn attempts(&self) -> Vec<Attempt> {
        let mut all = Vec::new();
        let passed_over = attempts::read(&self.layout().attempts(), |attempt| all.push(attempt)).unwrap();
        assert_eq!(passed_over, 0, "torn attempts");
        all
    }

    pub fn reasons(&self, reason: &str) -> usize {
        self.attempts().iter().filter(|attempt| attempt.reason == reason).count()
    }

    /// What holds of every ledger at every time, whatever the service did.
    pub fn check_rows(&self) {
        let experiment = Experiment::load(&self.path("experiment.toml")).unwrap();
        let run = Run::load(&self.layout().run()).unwrap();
        for arm in ARMS {
            let mut seen = BTreeSet::new();
            for row in self.rows(arm) {
                assert!(seen.insert(row.instruction.clone()), "{arm} twice: {}", row.instruction);
                generate::think::check(&row.output).unwrap();
                assert_eq!(row.meta.finish_reason, "STOP");
                assert_eq!(row.meta.model_type, arm);
                let tokens = row.token_stats;
                assert_eq!(tokens.total, tokens.input + tokens.output + tokens.thoughts.unwrap());
                let run = run.as_ref().unwrap();
                let mut keys = run.keys(arm, &row.instruction);
                assert!(keys.any(|key| Some(key.to_string()) == row.key), "{row:?}");
                assert_eq!(row.system_prompt.as_ref(), Some(&experiment.arm(arm).unwrap().system_prompt));
            }
        }
    }

    /// What holds besides after runs that were never killed: every reply that was paid for is on the disk, and
    /// nothing was paid for twice.
    pub fn check_nothing_lost(&self) {
        self.check_rows();
        let counters = self.counters();
        let answered = self.attempts().iter().filter(|attempt| attempt.token_stats.is_some()).count();
        assert_eq!(counters.ok, (self.count() + answered) as u64, "{counters:?}");
        assert_eq!(counters.paid_twice, 0, "{counters:?}");
        assert!(self.attempts().iter().all(|attempt| attempt.reason != "throttled"));
    }

    /// Checks that every prompt has one row in each arm.
    pub fn check_whole(&self, prompts: usize) {
        self.check_rows();
        for arm in ARMS {
            let seen: BTreeSet<String> = self.rows(arm).into_iter().map(|row| row.instruction).collect();
            assert_eq!(seen, (0..prompts).map(prompt).collect(), "{arm}");
        }
    }
}

impl Running {
    /// Ends the process as `kill -9` does; on Windows, as the task manager does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Listens until the process says these words.
    pub fn hear(&mut self, words: &str) {
        while !self.heard.contains(words) {
            let count = self.stderr.read_line(&mut self.heard).unwrap();
            assert!(count > 0, "never said: {words}\n{}", self.heard);
        }
    }

    pub fn wait(self) -> Ran {
        let Self { child, mut stderr, mut heard, done } = self;
        stderr.read_to_string(&mut heard).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(done);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: heard.replace("\r\n", "\n") }
    }
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that the person was told this.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "not said: {words}\n{}", self.stderr);
        self
    }
}

pub fn prompt(n: usize) -> String {
    format!("Question {n}: how long does it keep?")
}

pub fn line(prompt: &str) -> String {
    format!("{{\"prompt\":{prompt:?},\"category\":\"calibration\",\"sub_theme\":\"food\"}}\n")
}

/// The binary in `folder`, with an empty environment.
pub fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_generate"));
    command.current_dir(folder).env_clear().env("HOME", folder).env("APPDATA", folder);
    // Without it Windows opens no socket.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

pub fn run(command: Command) -> Ran {
    spawn(command).wait()
}

pub fn spawn(mut command: Command) -> Running {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (done, is_done) = mpsc::channel::<()>();
    let id = child.id();
    std::thread::spawn(move || {
        if is_done.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            end(id);
        }
    });
    let stderr = BufReader::new(child.stderr.take().unwrap());
    Running { child, stderr, heard: String::new(), done }
}

/// What Ctrl-C does.
#[cfg(unix)]
pub fn interrupt(running: &Running) {
    signal(running, "-INT");
}

/// Sends a signal, named as `kill` names it.
#[cfg(unix)]
pub fn signal(running: &Running, name: &str) {
    let status = Command::new("kill").args([name, &running.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[cfg(unix)]
fn end(id: u32) {
    let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
}

#[cfg(windows)]
fn end(id: u32) {
    let _ = Command::new("taskkill").args(["/F", "/PID", &id.to_string()]).status();
}

const EXPERIMENT: &str = r#"name = "lab"
prompts = "prompts.jsonl"
smoke = "smoke.jsonl"

[[arms]]
name = "control"
system_prompt = "control.md"

[[arms]]
name = "aba"
system_prompt = "aba.md"

[categories]
calibration = 50

[generation]
model = "gemini-3.1-pro-preview"
temperature = 1.0
max_output_tokens = 4096
max_output_tokens_ceiling = 65536
thinking_level = "low"

[price]
input = 2.0
output = 12.0
"#;
