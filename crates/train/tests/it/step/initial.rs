//! `--init-adapter`: training starts from a folder that PEFT wrote.

use model::adapter::Adapter;

use crate::step::binary::Bench;
use crate::step::support::fixture;

/// A rate that moves no f32.
const STANDING: [&str; 8] =
    ["--max-steps", "1", "--learning-rate", "1e-30", "--quantization", "none", "--lora-alpha", "6"];

#[test]
fn training_starts_from_what_peft_wrote() {
    let bench = Bench::new("llama-untied");
    let folder = fixture("llama-untied-adapter").display().to_string();
    let given = ["--init-adapter", folder.as_str()];
    let (code, _, words) = bench.run("from", &[&STANDING[..], &given].concat());
    assert_eq!(code, Some(0), "{words}");
    let (code, _, words) = bench.run("fresh", &STANDING);
    assert_eq!(code, Some(0), "{words}");

    let load = |path: &std::path::Path| Adapter::load(path).unwrap();
    assert_eq!(load(&bench.path("from/left")), load(folder.as_ref()));
    // It is not the fresh one, and computes something else.
    assert_ne!(load(&bench.path("fresh/left")), load(folder.as_ref()));
    assert_ne!(bench.losses("from"), bench.losses("fresh"));

    let provenance: serde_json::Value =
        serde_json::from_slice(&bench.read("from/left/provenance.json")).unwrap();
    let weights = fixture("llama-untied-adapter").join("adapter_model.safetensors");
    assert_eq!(provenance["initial_adapter"]["sha256"], model::base::sha256(&weights).unwrap());
}

#[test]
fn an_adapter_that_is_not_there_or_does_not_fit_is_named_before_the_base_is_loaded() {
    let bench = Bench::new("llama-untied");
    let folder = fixture("llama-untied-adapter").display().to_string();
    let cases: [(&[&str], [&str; 2]); 2] = [
        (&["--init-adapter", "nowhere"], ["cannot start from the adapter of --init-adapter", "nowhere"]),
        (
            &["--init-adapter", &folder, "--lora-alpha", "16"],
            ["rank 4, alpha 6 on", "pass --lora-rank 4 --lora-alpha 6"],
        ),
    ];
    for (flags, expected) in cases {
        let (code, _, words) =
            bench.run("out", &[&["--max-steps", "1", "--quantization", "none"], flags].concat());
        assert_eq!(code, Some(1), "{words}");
        assert!(expected.iter().all(|part| words.contains(part)), "{words}");
        assert!(!bench.path("out").exists());
    }
}
