//! The adapter folder: ours, and PEFT's own.

use std::fs;

use model::adapter::Adapter;
use model::base::Base;
use model::lora::{LoraConfig, Projection};
use serde_json::{Value, json};

use crate::reference::fixture;

fn initial() -> Adapter {
    let base = Base::open(fixture("llama-untied").to_str().unwrap()).unwrap();
    let lora = LoraConfig { dropout: 0.05, ..LoraConfig::all(4, 6.0) };
    Adapter::initial(&base.config, &lora, 3)
}

/// The error of PEFT's folder with one key of its configuration changed.
fn load_with(key: &str, value: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(fixture("llama-untied-adapter/adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config[key] = value;
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let weights = "adapter_model.safetensors";
    fs::copy(fixture("llama-untied-adapter").join(weights), folder.path().join(weights)).unwrap();
    let error = Adapter::load(folder.path()).unwrap_err();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}").replace(&folder.path().display().to_string(), "DIR").replace('\\', "/")
}

#[test]
fn a_saved_adapter_comes_back_and_equal_adapters_make_equal_bytes() {
    let adapter = initial();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    adapter.save(&first.path().join("new"), "org/base").unwrap();
    adapter.save(second.path(), "org/base").unwrap();
    assert_eq!(Adapter::load(second.path()).unwrap(), adapter);
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let bytes = |folder: &std::path::Path| fs::read(folder.join(file)).unwrap();
        assert_eq!(bytes(&first.path().join("new")), bytes(second.path()), "{file}");
    }
    assert_eq!(fs::read_dir(second.path()).unwrap().count(), 2);
}

#[test]
fn the_configuration_is_the_one_peft_reads() {
    let folder = tempfile::tempdir().unwrap();
    initial().save(folder.path(), "org/base").unwrap();
    insta::assert_snapshot!(fs::read_to_string(folder.path().join("adapter_config.json")).unwrap());
}

#[test]
fn what_peft_wrote_is_read() {
    let adapter = Adapter::load(&fixture("llama-untied-adapter")).unwrap();
    assert_eq!(adapter.lora, LoraConfig::all(4, 6.0));
    assert_eq!(adapter.matrices.len(), 2 * 7 * 2);
    assert_eq!(adapter.matrices.keys().collect::<Vec<_>>(), initial().matrices.keys().collect::<Vec<_>>());
    let down = &adapter.matrices[&model::adapter::key(1, Projection::Down, 'A')];
    assert_eq!((down.rows, down.columns), (4, 64));
}

#[test]
fn adapters_of_other_kinds_are_named() {
    let path = "DIR/adapter_config.json";
    assert_eq!(
        load_with("use_dora", json!(true)),
        format!("{path}: the adapter uses `use_dora`, which is not supported")
    );
    assert_eq!(
        load_with("layer_replication", json!([[0, 2], [1, 2]])),
        format!("{path}: the adapter uses `layer_replication`, which is not supported")
    );
    assert_eq!(
        load_with("peft_type", json!("IA3")),
        format!("{path}: the adapter uses peft_type \"IA3\", which is not supported")
    );
    assert_eq!(load_with("r", json!(null)), format!("{path}: `r` is missing or of the wrong type"));
    assert_eq!(
        load_with("target_modules", json!(["c_attn"])),
        format!(
            "{path}: `c_attn` is not a projection of these models; q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj are"
        )
    );
}
