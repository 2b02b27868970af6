//! A run that is killed with no warning, or asked to stop by Ctrl-C, and then resumed leaves the adapter that an
//! undisturbed run leaves.

use crate::step::binary::Bench;

const ADAPTER: &str = "left/adapter_model.safetensors";
const LONG: [&str; 4] = ["--max-steps", "400", "--lora-dropout", "0.1"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&LONG[..], more].concat()
}

fn same_as_undisturbed(bench: &Bench, flags: &[&str]) {
    let (code, _, words) = bench.run("whole", flags);
    assert_eq!(code, Some(0), "{words}");
    let (code, _, words) = bench.run("cut", &[flags, &["--resume"]].concat());
    assert_eq!(code, Some(0), "{words}");
    assert!(bench.read(&format!("whole/{ADAPTER}")) == bench.read(&format!("cut/{ADAPTER}")));
    // The metrics tell one run: every step once, with the same losses.
    assert_eq!(bench.losses("whole"), bench.losses("cut"));
}

#[test]
fn killed_at_any_step_and_resumed_is_the_same_to_the_byte() {
    let bench = Bench::new("llama-tied");
    let flags = with(&["--save-every", "1"]);
    // Killed as soon as its metrics show some steps, each time further on.
    for step in [3, 150] {
        let resume: &[&str] = if step == 3 { &[] } else { &["--resume"] };
        let mut child = bench.start("cut", &[&flags[..], resume].concat(), step);
        // SIGKILL on Unix, TerminateProcess on Windows: nothing in the child can answer it.
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was done before it could be killed");
        assert!(!bench.path("cut").join(ADAPTER).exists());
    }
    same_as_undisturbed(&bench, &flags);
    // Trained is trained: the same command again says so, and does nothing.
    let before = bench.read(&format!("cut/{ADAPTER}"));
    let (_, said, words) = bench.run("cut", &flags);
    assert!(said.contains("already trained"), "{said}{words}");
    assert!(before == bench.read(&format!("cut/{ADAPTER}")));
}

/// Windows has no signal for one process alone: a console event goes to the test runner as well.
#[cfg(unix)]
#[test]
fn ctrl_c_keeps_a_checkpoint_exits_with_130_and_resumes_to_the_same_bytes() {
    use std::process::Command;

    let bench = Bench::new("llama-tied");
    // No checkpoint is due before the end: the one that is there is Ctrl-C's.
    let flags = with(&["--save-every", "1000"]);
    let child = bench.start("cut", &flags, 20);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{words}");
    assert!(words.contains("stopping after this step"), "{words}");
    assert!(said.contains("left: interrupted; --resume goes on from there"), "{said}");
    let taken = bench.losses("cut").len();
    assert!((20..400).contains(&taken), "{taken} steps");
    let checkpoint = bench.path("cut/left/checkpoints").join(format!("step-{taken:06}"));
    assert!(checkpoint.join("state.json").is_file(), "{}", checkpoint.display());
    assert!(!bench.path("cut").join(ADAPTER).exists());

    // Without --resume it says what lies there, and starts nothing.
    let (code, _, words) = bench.run("cut", &flags);
    assert_eq!(code, Some(1));
    assert!(words.contains("stopped after step") && words.contains("--resume goes on"), "{words}");
    same_as_undisturbed(&bench, &flags);
}
