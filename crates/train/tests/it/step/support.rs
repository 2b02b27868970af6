//! Models, rows and recipes for the tests of the step.

use std::path::{Path, PathBuf};

use clap::Parser;
use model::adapter::Adapter;
use model::base::Base;
use model::lora::LoraConfig;
use model::nf4::Quantization;
use model::transformer::{LoadOptions, Model};
use train::flags::Flags;
use train::recipe::{Recipe, Section};
use train::step::gradient::Row;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name)
}

/// SmolLM2, if `cargo xtask setup` has fetched it; says aloud when not.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn smollm2() -> Option<PathBuf> {
    let named = std::env::var_os("DEMO_MODEL").map(PathBuf::from);
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/setup/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    let path = named.unwrap_or(fetched);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there, `cargo xtask setup` fetches it", path.display());
    None
}

pub fn open(path: &Path) -> Base {
    Base::open(&path.display().to_string()).unwrap()
}

pub fn load(path: &Path, lora: LoraConfig, quantization: Quantization) -> Model {
    // The same bits in every run of a test, whatever the machine has cores.
    tch::set_num_threads(1);
    let options = LoadOptions { lora: Some(lora), quantization, ..LoadOptions::cpu() };
    Model::load(&open(path), &options).unwrap()
}

/// Row `at` of the formula that `trajectory.py` has too.
pub fn row(at: usize, vocabulary: usize) -> Row {
    let len = 11 + 5 * (at % 3);
    let ids = (0..len).map(|place| ((at * 131 + place * 37 + place * place * 5 + 3) % vocabulary) as i64);
    Row { ids: ids.collect(), learned: 3 + at % 4..len - at % 2 }
}

/// The initial adapter of the formula that `trajectory.py` has too.
pub fn initial(model: &Model) -> Adapter {
    let mut adapter = model.adapter().unwrap();
    let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
    for (count, name) in names.iter().filter(|name| name.contains("lora_A")).enumerate() {
        let matrix = adapter.matrices.get_mut(name).unwrap();
        let width = (matrix.columns as f64).sqrt();
        for (at, value) in matrix.values.iter_mut().enumerate() {
            let number = (at as i64 * 7919 + count as i64 * 104_729) % 2001 - 1000;
            *value = (number as f64 / 1000.0 / width) as f32;
        }
    }
    for name in names.iter().filter(|name| name.contains("lora_B")) {
        adapter.matrices.get_mut(name).unwrap().values.fill(0.0);
    }
    adapter
}

/// A recipe as it would be typed.
pub fn recipe(typed: &[&str]) -> Recipe {
    let flags = Flags::parse_from([&["train", "--base", "tiny"], typed].concat());
    Recipe::freeze(&flags, &Section::default(), "2026-01-02").unwrap()
}
