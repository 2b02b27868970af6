//! What a run refuses, and what it is not put off by: folders, places, arms one after the other, disks.

use std::fs;

use dataset::receipt::{self, Judged, Receipt, Verdict};
use train::plan::Frozen;
use train::recipe::Dtype;

use crate::step::binary::{Bench, finish};
use crate::step::support::fixture;

const SHORT: [&str; 4] = ["--max-steps", "3", "--quantization", "none"];

/// Trains one arm, not necessarily `left`, under these settings.
fn arm(bench: &Bench, name: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = bench.plain("out");
    command.args([
        "--base",
        "base",
        "--grad-accum",
        "2",
        "--lora-rank",
        "4",
        "--lora-alpha",
        "6",
        "--arm",
        name,
    ]);
    finish(command.args(["--allow-ungated"]).args(SHORT).args(more))
}

#[test]
fn a_base_in_another_place_is_the_same_and_one_with_other_bytes_is_not() {
    let bench = Bench::new("llama-tied");
    let (code, _, words) = arm(&bench, "left", &[]);
    assert_eq!(code, Some(0), "{words}");
    fs::rename(bench.path("base"), bench.path("moved")).unwrap();
    let moved = |name: &str| {
        let mut command = bench.plain("out");
        command.args(["--base", "moved", "--grad-accum", "2", "--lora-rank", "4", "--lora-alpha", "6"]);
        finish(command.args(["--arm", name, "--allow-ungated"]).args(SHORT))
    };
    let (code, said, words) = moved("left");
    assert!(code == Some(0) && said.contains("already trained"), "{said}{words}");
    let (code, _, words) = moved("right");
    assert_eq!(code, Some(0), "{words}");

    let config = fs::read_to_string(bench.path("moved/config.json")).unwrap();
    fs::write(bench.path("moved/config.json"), config + "\n").unwrap();
    let (code, _, words) = moved("right");
    assert!(code == Some(1) && words.contains("course.base_sha256"), "{words}");
}

#[test]
fn an_arm_trained_after_the_other_has_its_plan_or_none() {
    let bench = Bench::new("llama-untied");
    let (code, _, words) = arm(&bench, "left", &[]);
    assert_eq!(code, Some(0), "{words}");
    let (code, _, words) = arm(&bench, "right", &["--learning-rate", "1e-3"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("only their data may differ"), "{words}");
    assert!(words.contains("recipe.learning_rate: 0.0002 there, 0.001 now"), "{words}");
    assert!(!bench.path("out/right").exists());

    // Another day is no reason to part: a template that asks for it is told the first arm's.
    let path = bench.path("out/left/recipe.toml");
    let mut left: Frozen = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    left.recipe.day = "2025-12-31".into();
    fs::write(&path, toml::to_string(&left).unwrap()).unwrap();
    let (code, _, words) = arm(&bench, "right", &[]);
    assert_eq!(code, Some(0), "{words}");
    let right = String::from_utf8(bench.read("out/right/recipe.toml")).unwrap();
    assert!(right.contains("day = \"2025-12-31\""), "{right}");
}

#[test]
fn arms_that_start_from_other_adapters_are_not_compared() {
    let bench = Bench::new("llama-untied");
    let initial = bench.path("initial");
    fs::create_dir(&initial).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(fixture("llama-untied-adapter").join(name), initial.join(name)).unwrap();
    }
    let flags = ["--init-adapter", initial.to_str().unwrap()];
    let (code, _, words) = arm(&bench, "left", &flags);
    assert_eq!(code, Some(0), "{words}");
    // Other numbers in the same place.
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(bench.path("out/left").join(name), initial.join(name)).unwrap();
    }
    let (code, _, words) = arm(&bench, "right", &flags);
    assert!(code == Some(1) && words.contains("course.initial_sha256"), "{words}");
}

#[test]
fn a_second_process_is_told_that_the_folder_is_in_use() {
    let bench = Bench::new("llama-tied");
    let mut first = bench.start("out", &["--max-steps", "100000"], 1);
    let (code, _, words) = bench.run("out", &["--max-steps", "100000", "--resume"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("another process trains into"), "{words}");
}

#[test]
fn a_folder_that_cannot_be_written_is_wrong_input() {
    let bench = Bench::new("llama-tied");
    fs::write(bench.path("file"), "").unwrap();
    let (code, _, words) = bench.run("file/out", &SHORT);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("cannot train into") && words.contains("another --out"), "{words}");
}

#[test]
fn a_base_that_lacks_a_tensor_is_wrong_input() {
    let bench = Bench::new("llama-tied");
    let config = fs::read_to_string(bench.path("base/config.json")).unwrap();
    let deeper = config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert_ne!(config, deeper);
    fs::write(bench.path("base/config.json"), deeper).unwrap();
    let (code, _, words) = bench.run("out", &SHORT);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("model.layers.2.") && words.contains("is missing"), "{words}");
}

#[test]
fn a_verdict_is_on_exactly_the_bytes_that_are_trained_on() {
    let bench = Bench::new("llama-tied");
    let judged = |arm: &str| {
        let file = format!("sft_{arm}.jsonl");
        let path = bench.path("data").join(&file);
        let sha256 = model::base::sha256(&path).unwrap();
        Judged { arm: arm.into(), file, rows: 6, bytes: path.metadata().unwrap().len(), sha256 }
    };
    let verdict = Receipt {
        format: receipt::FORMAT,
        experiment: "tiny".into(),
        verdict: Verdict::Pass,
        judged_at: "2026-01-01T00:00:00Z".into(),
        files: vec![judged("left"), judged("right")],
        failures: Default::default(),
    };
    receipt::write(&bench.path("data/gate.json"), &verdict).unwrap();
    let gated = |out: &str| {
        let mut command = bench.plain(out);
        finish(command.args(["--base", "base", "--arm", "left", "--lora-rank", "4"]).args(SHORT))
    };
    let (code, _, words) = gated("out");
    assert_eq!(code, Some(0), "{words}");
    let provenance: serde_json::Value =
        serde_json::from_slice(&bench.read("out/left/provenance.json")).unwrap();
    assert_eq!(provenance["gate"], "passed");
    let hash = model::base::sha256(&bench.path("data/gate.json")).unwrap();
    assert_eq!(provenance["verdict"]["sha256"], hash);

    // One byte more, in the arm that is only paired with.
    let right = bench.path("data/sft_right.jsonl");
    fs::write(&right, fs::read_to_string(&right).unwrap() + "\n").unwrap();
    let (code, _, words) = gated("again");
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("sft_right.jsonl is not the file that the gate judged"), "{words}");
    assert!(!bench.path("again").exists());
}

#[test]
fn a_run_that_is_cut_off_after_its_last_step_is_not_taken_again() {
    let bench = Bench::new("llama-tied");
    let flags = ["--max-steps", "12", "--save-every", "5"];
    let (code, _, words) = bench.run("whole", &flags);
    assert_eq!(code, Some(0), "{words}");
    assert!(!bench.path("whole/left/checkpoints").exists());

    // Something in the way of what is written between the adapter and the provenance.
    fs::create_dir_all(bench.path("cut/left/loss.svg")).unwrap();
    let (code, _, words) = bench.run("cut", &flags);
    assert!(code == Some(2) && words.contains("cannot write"), "{words}");
    fs::remove_dir(bench.path("cut/left/loss.svg")).unwrap();
    let (code, _, words) = bench.run("cut", &[&flags[..], &["--resume"]].concat());
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("goes on after step 10"), "{words}");
    let adapter = "left/adapter_model.safetensors";
    assert!(bench.read(&format!("whole/{adapter}")) == bench.read(&format!("cut/{adapter}")));
    assert!(!bench.path("cut/left/checkpoints").exists());
    // Who moved the adapter away gets it again, and not the word that it is there.
    fs::remove_file(bench.path("cut").join(adapter)).unwrap();
    let (code, said, words) = bench.run("cut", &flags);
    assert!(code == Some(0) && said.contains("left: trained"), "{said}{words}");
    assert!(bench.read(&format!("whole/{adapter}")) == bench.read(&format!("cut/{adapter}")));
}

#[test]
fn arms_are_computed_in_one_format() {
    let bench = Bench::new("llama-tied");
    let (code, _, words) = arm(&bench, "left", &[]);
    assert_eq!(code, Some(0), "{words}");
    let path = bench.path("out/left/recipe.toml");
    let mut left: Frozen = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    // As if it had been trained on a card.
    assert_eq!(left.course.dtype, Some(Dtype::F32));
    left.course.dtype = Some(Dtype::Bf16);
    fs::write(&path, toml::to_string(&left).unwrap()).unwrap();
    let (code, _, words) = arm(&bench, "right", &[]);
    assert!(code == Some(1) && words.contains("course.dtype: bf16 there, f32 now"), "{words}");
}

#[test]
fn rows_beyond_the_positions_of_the_base_are_said() {
    let bench = Bench::with_answers("llama-tied", 40);
    let (code, _, words) =
        finish(bench.plain("out").args(["--base", "base", "--arm", "left", "--allow-ungated", "--dry-run"]));
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("left: 6 rows are longer than the 64 positions that the base was trained for"),
        "{words}"
    );
}

/// A file of this process may grow to a limit and no further, as on a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_run_and_what_was_whole_stays() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let bench = Bench::new("llama-tied");
    let flags = ["--max-steps", "400", "--save-every", "20"];
    let (code, _, words) = bench.run("whole", &flags);
    assert_eq!(code, Some(0), "{words}");
    let adapter = "left/adapter_model.safetensors";
    let checkpoint = 4 + bench.read(&format!("whole/{adapter}")).len() / 1024;
    // In KiB: the optimizer's part of a checkpoint, which is twice the adapter, does not fit; then a line of metrics.
    for (out, limit) in [("checkpoint", checkpoint), ("metrics", 3 * checkpoint)] {
        let train = bench.train(out, &flags);
        let mut limited = Command::new("bash");
        limited.current_dir(bench.path("")).arg0("bash").arg("-c");
        limited.arg(format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"")).arg("bash");
        limited.arg(train.get_program()).args(train.get_args());
        limited.env("OMP_NUM_THREADS", "1").env("MKL_NUM_THREADS", "1");
        let (code, _, words) = finish(&mut limited);
        assert_eq!(code, Some(2), "{out}: {words}");
        assert!(words.contains("cannot write") && words.contains("File too large"), "{out}: {words}");
        assert!(!bench.path(out).join(adapter).exists(), "{out}");
        let (code, _, words) = bench.run(out, &[&flags[..], &["--resume"]].concat());
        assert_eq!(code, Some(0), "{out}: {words}");
        assert!(bench.read(&format!("whole/{adapter}")) == bench.read(&format!("{out}/{adapter}")), "{out}");
        assert_eq!(bench.losses("whole"), bench.losses(out));
    }
}
