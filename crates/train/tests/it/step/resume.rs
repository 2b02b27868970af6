//! A run that was cut off, by whatever, ends in the same adapter as one that was not.

use std::fs;
use std::path::Path;

use model::lora::LoraConfig;
use model::nf4::Quantization;
use train::recipe::Recipe;
use train::step::checkpoint;
use train::step::gradient::Row;
use train::step::interrupt::Stop;
use train::step::trainer::{End, Error, Event, Job, run};

use crate::step::support::{fixture, load, recipe, row};

const TYPED: [&str; 8] =
    ["--lora-rank", "4", "--lora-dropout", "0.1", "--save-every", "2", "--max-seq-length", "40"];

/// Trains twelve steps, asking to stop after `stop_after` of them.
fn train(folder: &Path, recipe: &Recipe, rows: &[Row], resume: bool, stop_after: u64) -> Result<End, Error> {
    train_on("b", folder, recipe, rows, resume, stop_after)
}

/// The same on a base of this hash.
fn train_on(
    base: &str,
    folder: &Path,
    recipe: &Recipe,
    rows: &[Row],
    resume: bool,
    stop_after: u64,
) -> Result<End, Error> {
    let lora = LoraConfig { dropout: recipe.lora.dropout, ..LoraConfig::all(4, 16.0) };
    let mut model = load(&fixture("llama-tied"), lora, Quantization::Nf4 { double: false });
    let steps: Vec<Vec<usize>> = (0..12).map(|step| vec![step % 6, (step * 5 + 1) % 6]).collect();
    let initial = model.adapter().unwrap();
    let rate = |step: u64| 1e-2 * (1.0 - step as f64 / 12.0);
    let job = Job { recipe, base, rows, steps: &steps, rate: &rate, initial: &initial, folder, resume };
    let stop = Stop::default();
    run(&mut model, &job, &stop, &mut |event| {
        if matches!(&event, Event::Step(line) if line.step == stop_after) {
            stop.ask();
        }
    })
}

fn rows() -> Vec<Row> {
    (0..6).map(|at| row(at, 96)).collect()
}

fn adapter(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("adapter_model.safetensors")).unwrap()
}

#[test]
fn interrupted_and_resumed_is_the_same_to_the_byte() {
    for optimizer in ["adamw", "adamw8bit"] {
        let recipe = recipe(&[&TYPED[..], &["--optimizer", optimizer]].concat());
        let out = tempfile::tempdir().unwrap();
        let (whole, cut) = (out.path().join("whole"), out.path().join("cut"));
        assert_eq!(train(&whole, &recipe, &rows(), false, 0).unwrap(), End::Done);

        assert_eq!(train(&cut, &recipe, &rows(), false, 5).unwrap(), End::Interrupted { step: 5 });
        assert!(!cut.join("adapter_model.safetensors").exists());
        let error = train(&cut, &recipe, &rows(), false, 0).unwrap_err();
        assert!(error.to_string().contains("stopped after step 5; --resume goes on"), "{error}");
        assert_eq!(train(&cut, &recipe, &rows(), true, 9).unwrap(), End::Interrupted { step: 9 });
        assert_eq!(train(&cut, &recipe, &rows(), true, 0).unwrap(), End::Done);

        assert!(adapter(&whole) == adapter(&cut), "{optimizer}");
    }
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_with_the_difference() {
    let out = tempfile::tempdir().unwrap();
    train(out.path(), &recipe(&TYPED), &rows(), false, 3).unwrap();
    let other = recipe(&[&TYPED[..], &["--learning-rate", "1e-3", "--seed", "4"]].concat());
    let error = train(out.path(), &other, &rows(), true, 0).unwrap_err().to_string();
    assert!(error.contains("learning_rate: 0.0002 then, 0.001 now"), "{error}");
    assert!(error.contains("seed: 0 then, 4 now"), "{error}");
    let mut others = rows();
    others.swap(0, 1);
    let error = train(out.path(), &recipe(&TYPED), &others, true, 0).unwrap_err().to_string();
    assert!(error.contains("made on other rows"), "{error}");
    let error = train_on("c", out.path(), &recipe(&TYPED), &rows(), true, 0).unwrap_err().to_string();
    assert!(error.contains("the base's sha256: b then, c now"), "{error}");
    // How often to save is nobody's business but the disk's, and where the base lies nobody's but the user's.
    let mut rarer = recipe(&[&TYPED[..4], &["--save-every", "7", "--max-seq-length", "40"]].concat());
    rarer.base = "elsewhere".into();
    assert_eq!(train(out.path(), &rarer, &rows(), true, 0).unwrap(), End::Done);
}

#[test]
fn a_draft_that_a_crash_left_is_no_checkpoint() {
    let out = tempfile::tempdir().unwrap();
    train(out.path(), &recipe(&TYPED), &rows(), false, 5).unwrap();
    fs::create_dir(out.path().join("checkpoints/.draft-x")).unwrap();
    let (step, path) = checkpoint::latest(out.path()).unwrap();
    assert_eq!((step, path.file_name().unwrap().to_str().unwrap()), (5, "step-000005"));
    // Of the steps 2, 4 and 5, the two newest stay.
    assert!(!out.path().join("checkpoints/step-000002").exists());
    assert!(out.path().join("checkpoints/step-000004").exists());
}

#[test]
fn a_loss_that_is_no_number_stops_with_step_row_and_checkpoint() {
    let out = tempfile::tempdir().unwrap();
    let recipe = recipe(&TYPED);
    let mut model = load(&fixture("llama-tied"), LoraConfig::all(4, 16.0), Quantization::None);
    let (rows, steps) = (rows(), vec![vec![0, 1]; 9]);
    let initial = model.adapter().unwrap();
    // After step 4 the adapter is pushed out of all numbers.
    let rate = |step: u64| if step == 4 { 1e38 } else { 1e-3 };
    let folder = out.path();
    let job = Job {
        recipe: &recipe,
        base: "b",
        rows: &rows,
        steps: &steps,
        rate: &rate,
        initial: &initial,
        folder,
        resume: false,
    };
    let error = run(&mut model, &job, &Stop::default(), &mut |_| {}).unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, Error::NotFinite { step: 6, row: Some(0), .. }), "{words}");
    assert!(words.contains("the last good checkpoint is") && words.contains("step-000004"), "{words}");
    let (step, path) = checkpoint::latest(folder).unwrap();
    let checkpoint = checkpoint::load(&path, &recipe, "b", &checkpoint::fingerprint(&rows, &steps)).unwrap();
    assert_eq!(step, 4);
    assert!(
        checkpoint
            .adapter
            .matrices
            .values()
            .all(|matrix| matrix.values.iter().all(|value| value.is_finite()))
    );
}

#[test]
fn an_adapter_that_is_no_number_is_neither_checkpoint_nor_result() {
    // The rate of step 4 is more than an f32 holds; its loss and gradient were good.
    for (step_count, save_every) in [(4, "9"), (9, "4")] {
        let out = tempfile::tempdir().unwrap();
        let recipe = recipe(&[&TYPED[..4], &["--save-every", save_every]].concat());
        let mut model = load(&fixture("llama-tied"), LoraConfig::all(4, 16.0), Quantization::None);
        let (rows, steps) = (rows(), vec![vec![0, 1]; step_count]);
        let initial = model.adapter().unwrap();
        let job = Job {
            recipe: &recipe,
            base: "b",
            rows: &rows,
            steps: &steps,
            rate: &|step| if step == 3 { 1e39 } else { 1e-3 },
            initial: &initial,
            folder: out.path(),
            resume: false,
        };
        let error = run(&mut model, &job, &Stop::default(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::NotFinite { what: "adapter", step: 4, .. }), "{error}");
        assert!(checkpoint::latest(out.path()).is_none());
        assert!(!out.path().join("adapter_model.safetensors").exists());
    }
}
