//! Opening a base, and what is said of one that cannot be used.

use std::error::Error as _;
use std::fs;
use std::path::Path;

use model::base::{Base, TokenizerSource};
use model::config::{Config, Error, Family, Scaling};
use model::weights::Weights;
use serde_json::{Map, Value, json};

use crate::reference::fixture;

/// The configuration of a fixture with some keys changed.
fn config_with(changes: Value) -> Result<Config, Error> {
    let text = fs::read_to_string(fixture("llama-tied/config.json")).unwrap();
    let mut config: Map<String, Value> = serde_json::from_str(&text).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        config.insert(key.clone(), value.clone());
    }
    Config::from_json(&config)
}

fn check(changes: Value, message: &str) {
    assert_eq!(config_with(changes).unwrap_err().to_string(), message);
}

/// A copy of a fixture's folder.
fn copy(name: &str, to: &Path) {
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn open_error(spec: &str) -> String {
    let error = Base::open(spec).err().unwrap();
    error.source().map_or(error.to_string(), |cause| format!("{error}: {cause}"))
}

#[test]
fn a_folder_gives_its_configuration_tokenizer_and_shards() {
    let base = Base::open(fixture("qwen3-untied").to_str().unwrap()).unwrap();
    assert_eq!(base.config.family, Family::Qwen3);
    assert_eq!((base.config.head_dim, base.config.hidden_size, base.config.heads), (16, 32, 4));
    assert_eq!(base.eos_ids, [2]);
    assert!(matches!(base.tokenizer, TokenizerSource::File(_)));
    let names: Vec<_> = base.weights.files().iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    assert_eq!(base.hashes().unwrap().len(), 4);
}

#[test]
fn a_gguf_file_gives_the_same_names() {
    let base = Base::open(fixture("llama.gguf").to_str().unwrap()).unwrap();
    assert!(base.config.tie_word_embeddings);
    assert!(matches!(&base.config.rope.scaling, Some(Scaling::Divisors(divisors)) if divisors.len() == 8));
    assert_eq!((base.eos_token.as_deref(), base.bos_token.as_deref()), (Some("t2"), Some("t1")));
    assert!(base.weights.contains("model.layers.1.self_attn.q_proj.weight"));
    assert!(!base.weights.contains("lm_head.weight"));
}

#[test]
fn both_ways_to_write_the_rope_are_read() {
    let old = json!({"rope_parameters": null, "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4.0}});
    let rope = config_with(old).unwrap().rope;
    assert_eq!((rope.theta, rope.scaling), (5e5, Some(Scaling::Linear { factor: 4.0 })));
    let new = json!({"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}});
    assert_eq!(config_with(new).unwrap().rope.scaling, None);
}

#[test]
fn what_is_not_supported_is_named() {
    check(
        json!({"architectures": ["MistralForCausalLM"]}),
        "architecture `MistralForCausalLM` is not supported, only Qwen3ForCausalLM and LlamaForCausalLM (GGUF: qwen3, llama) are",
    );
    check(json!({"attention_bias": true}), "the model uses `attention_bias`, which is not supported");
    check(json!({"hidden_act": "gelu"}), "the model uses the activation `gelu`, which is not supported");
    check(
        json!({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}),
        "the model uses rope scaling `yarn`, which is not supported",
    );
    check(
        json!({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}),
        "the model uses `partial_rotary_factor`, which is not supported",
    );
    check(
        json!({"quantization_config": {"bits": 4}}),
        "the model uses weights quantised on disk (`quantization_config`), which is not supported",
    );
    check(json!({"hidden_size": null}), "`hidden_size` is missing from the model's configuration");
    check(
        json!({"num_key_value_heads": 3}),
        "`num_key_value_heads` is 3 in the model's configuration, expected a divisor of num_attention_heads",
    );
    check(
        json!({"num_attention_heads": "four"}),
        "`num_attention_heads` is \"four\" in the model's configuration, expected a positive number",
    );
}

#[test]
fn a_tensor_that_is_missing_or_misshapen_is_named() {
    let weights = Weights::open_folder(&fixture("llama-tied")).unwrap();
    let error = weights.view("model.layers.9.mlp.up_proj.weight", &[64, 32]).unwrap_err().to_string();
    assert!(error.starts_with("tensor `model.layers.9.mlp.up_proj.weight` is missing from "), "{error}");
    let error = weights.view("model.norm.weight", &[33]).unwrap_err().to_string();
    assert!(error.ends_with("llama-tied is [32], the configuration asks for [33]"), "{error}");
}

#[test]
fn a_base_that_is_not_there_is_an_error_that_says_how_to_get_it() {
    let error = open_error("Nowhere/Qwen3-8B");
    assert!(error.starts_with("no base at `Nowhere/Qwen3-8B`"), "{error}");
    assert!(error.contains("models--Nowhere--Qwen3-8B"), "{error}");
    assert!(error.ends_with("`hf download Nowhere/Qwen3-8B` fetches it"), "{error}");
    let error = open_error("/no/such/folder");
    assert!(error.contains("give a path that exists"), "{error}");
}

#[test]
fn a_hub_id_is_found_in_the_local_cache_at_its_main_revision() {
    let cache = tempfile::tempdir().unwrap();
    let model = cache.path().join("models--org--tiny");
    let snapshot = model.join("snapshots").join("0123abc");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(model.join("refs")).unwrap();
    copy("llama-tied", &snapshot);
    let open = || Base::open_with("org/tiny", Some(cache.path()));
    let error = open().err().unwrap().to_string();
    assert!(error.ends_with("`hf download org/tiny` fetches it"), "{error}");
    fs::write(model.join("refs").join("main"), "0123abc\n").unwrap();
    let base = open().unwrap();
    assert_eq!((base.name.as_str(), base.path), ("org/tiny", snapshot));
}

#[test]
fn a_shard_that_was_cut_short_is_named() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-tied", folder.path());
    let shard = folder.path().join("model.safetensors");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() - 100]).unwrap();
    let error = open_error(folder.path().to_str().unwrap());
    assert!(error.contains("model.safetensors") && error.contains("fetch it again"), "{error}");
    fs::remove_file(&shard).unwrap();
    let error = open_error(folder.path().to_str().unwrap());
    assert!(error.contains("no *.safetensors file in"), "{error}");
}

#[test]
fn a_tensor_in_two_files_is_named_with_both() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-tied", folder.path());
    let left_over = folder.path().join("model-00001-of-00001.safetensors");
    fs::copy(folder.path().join("model.safetensors"), &left_over).unwrap();
    let error = open_error(folder.path().to_str().unwrap());
    assert!(error.contains("model-00001-of-00001.safetensors and in "), "{error}");
    assert!(error.contains("keep the one that belongs to the base"), "{error}");
}

#[test]
fn a_folder_without_a_tokenizer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-tied", folder.path());
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let error = open_error(folder.path().to_str().unwrap());
    assert!(error.ends_with("has no tokenizer we can build: tokenizer.json is missing"), "{error}");
}

#[test]
fn a_template_comes_from_its_own_file_or_from_the_tokenizer_configuration() {
    let folder = tempfile::tempdir().unwrap();
    copy("llama-tied", folder.path());
    let open = || Base::open(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(open().chat_template, None);
    let settings = json!({
        "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>",
        "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}],
    });
    fs::write(folder.path().join("tokenizer_config.json"), settings.to_string()).unwrap();
    let base = open();
    assert_eq!(base.chat_template.as_deref(), Some("yes"));
    assert_eq!((base.bos_token.as_deref(), base.eos_token.as_deref()), (Some("<s>"), Some("</s>")));
    fs::write(folder.path().join("chat_template.jinja"), "file").unwrap();
    assert_eq!(open().chat_template.as_deref(), Some("file"));
}
