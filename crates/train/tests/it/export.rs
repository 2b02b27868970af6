//! A bundle for other engines says what the recipe says, as a YAML parser reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use model::config::Family;
use serde_json::{Value, json};
use train::data::{ArmExamples, Example, Examples, Gate, Ledger};
use train::export;
use train::flags::Flags;
use train::mask::Encoded;
use train::plan::{BaseHashes, Plan};
use train::recipe::{Recipe, Section};

fn examples() -> Examples {
    let row = |line: usize| Example {
        line,
        encoded: Encoded { ids: vec![5, 6, 7, line as u32], supervised: 1..3, thinking: 0, set_in: false },
        cut: false,
    };
    Examples {
        prompts: (0..10).map(|at| format!("prompt {at}")).collect(),
        arms: vec![ArmExamples {
            arm: "aba".into(),
            path: "aba".into(),
            examples: (1..=10).map(row).collect(),
        }],
    }
}

fn plan(typed: &[&str]) -> Plan {
    let flags = Flags::parse_from([&["train"], typed].concat());
    let flags = Flags { base: flags.base.or(Some("Qwen/Qwen3-8B".into())), ..flags };
    let recipe = Recipe::freeze(&flags, &Section::default(), "2026-01-02").unwrap();
    let base = BaseHashes { base: "x".into(), template: "y".into(), tokenizer: "z".into(), initial: None };
    let ledger = Ledger {
        arm: "aba".into(),
        path: "aba".into(),
        sha256: "s".into(),
        gate: Gate::Passed,
        states_system: true,
        lines: vec![],
    };
    Plan::new("phase_3e", &recipe, &base, &examples(), &ledger)
}

/// The bundle's YAML files by name, as a parser reads them.
fn bundle(folder: &Path, typed: &[&str]) -> BTreeMap<String, Value> {
    let plan = plan(typed);
    let order: Vec<usize> = (0..10).rev().collect();
    export::write(folder, &plan, &examples().arms[0], &order, Family::Qwen3).unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_saphyr::from_str::<Value>(&text).unwrap())
    })
    .collect()
}

const TYPED: [&str; 22] = [
    "--lora-rank=8",
    "--lora-alpha=24",
    "--lora-dropout=0.05",
    "--learning-rate=3e-5",
    "--schedule=linear",
    "--warmup-steps=2",
    "--epochs=3",
    "--grad-accum=6",
    "--max-seq-length=2048",
    "--seed=17",
    "--weight-decay=0.01",
    "--max-grad-norm=0.5",
    "--optimizer=adamw8bit",
    "--double-quantization",
    "--no-checkpointing",
    "--no-shuffle",
    "--save-every=25",
    "--dtype=bf16",
    "--overlong=drop",
    "--device=cpu",
    "--allow-ungated",
    "--progress=hidden",
];

/// The same things under each engine's names. Ten rows, six a step, three passes: six steps.
fn expected(names: [&str; 8]) -> Vec<(String, Value)> {
    let values = [
        json!("Qwen/Qwen3-8B"),
        json!(2048),
        json!(3),
        json!(1),
        json!("linear"),
        json!(true),
        json!(false),
        json!("./adapter"),
    ];
    let shared = [
        ("load_in_4bit", json!(true)),
        ("lora_r", json!(8)),
        ("lora_alpha", json!(24)),
        ("lora_dropout", json!(0.05)),
        (
            "lora_target_modules",
            json!(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
        ),
        ("learning_rate", json!(0.00003)),
        ("warmup_steps", json!(2)),
        ("max_steps", json!(6)),
        ("weight_decay", json!(0.01)),
        ("max_grad_norm", json!(0.5)),
        ("gradient_checkpointing", json!(false)),
        ("seed", json!(17)),
        ("save_steps", json!(25)),
    ];
    let shared = shared.into_iter().map(|(name, value)| (name.to_owned(), value));
    names.into_iter().map(str::to_owned).zip(values).chain(shared).collect()
}

fn check(found: &Value, expected: &[(String, Value)]) {
    for (name, value) in expected {
        assert_eq!(&found[name], value, "{name}");
    }
}

#[test]
fn every_piece_says_what_the_recipe_says() {
    let folder = tempfile::tempdir().unwrap();
    let files = bundle(folder.path(), &TYPED);
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(names, ["axolotl.yaml", "sky.yaml", "trl-sft.yaml"]);

    let axolotl = &files["axolotl.yaml"];
    check(
        axolotl,
        &expected([
            "base_model",
            "sequence_len",
            "gradient_accumulation_steps",
            "micro_batch_size",
            "lr_scheduler",
            "bf16",
            "sample_packing",
            "output_dir",
        ]),
    );
    assert_eq!(axolotl["adapter"], "qlora");
    assert_eq!(axolotl["optimizer"], "adamw_torch_8bit");
    assert_eq!(axolotl["bnb_config_kwargs"]["bnb_4bit_use_double_quant"], true);
    assert_eq!(axolotl["datasets"], json!([{"path": "train.pretok.jsonl", "ds_type": "json", "type": null}]));
    assert_eq!(
        (&axolotl["curriculum_sampling"], &axolotl["shuffle_merged_datasets"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(axolotl["fsdp_config"]["transformer_layer_cls_to_wrap"], "Qwen3DecoderLayer");
    assert_eq!(axolotl["num_epochs"], Value::Null);

    let trl = &files["trl-sft.yaml"];
    check(
        trl,
        &expected([
            "model_name_or_path",
            "max_length",
            "gradient_accumulation_steps",
            "per_device_train_batch_size",
            "lr_scheduler_type",
            "bf16",
            "packing",
            "output_dir",
        ]),
    );
    assert_eq!((&trl["use_peft"], &trl["use_bnb_nested_quant"]), (&json!(true), &json!(true)));
    assert_eq!((trl["optim"].as_str(), trl["dtype"].as_str()), (Some("adamw_bnb_8bit"), Some("bfloat16")));
    assert_eq!(trl["train_sampling_strategy"], "sequential");
    assert_eq!(
        trl["datasets"],
        json!([{"path": "json", "data_files": "train.pretok.jsonl", "split": "train"}])
    );

    let sky = &files["sky.yaml"];
    assert_eq!((&sky["name"], &sky["workdir"]), (&json!("phase-3e-aba"), &json!(".")));
    assert_eq!(sky["resources"]["accelerators"], "H100:2");
    assert_eq!(sky["run"], "axolotl train axolotl.yaml\n");
    assert!(sky["setup"].as_str().unwrap().contains("axolotl>=0.18"), "{sky}");
}

#[test]
fn rows_a_step_are_those_of_the_recipe_whatever_the_cards() {
    for (rows, cards) in [(8, 4), (6, 2), (5, 1), (1, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let files = bundle(folder.path(), &[&format!("--grad-accum={rows}")]);
        assert_eq!(files["sky.yaml"]["resources"]["accelerators"], format!("H100:{cards}"));
        for name in ["axolotl.yaml", "trl-sft.yaml"] {
            assert_eq!(files[name]["gradient_accumulation_steps"], rows / cards, "{name}");
        }
        assert_eq!(files["axolotl.yaml"]["fsdp_version"].is_null(), cards == 1);
    }
}

#[test]
fn rows_are_written_in_the_order_of_the_first_pass() {
    let folder = tempfile::tempdir().unwrap();
    bundle(folder.path(), &[]);
    let text = std::fs::read_to_string(folder.path().join(export::ROWS)).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 10);
    assert_eq!(
        rows[0],
        json!({"input_ids": [5, 6, 7, 10], "attention_mask": [1, 1, 1, 1], "labels": [-100, 6, 7, -100]})
    );
    assert_eq!(rows[9]["input_ids"], json!([5, 6, 7, 1]));
}

#[test]
fn what_a_piece_cannot_carry_over_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let initial = folder.path().join("it's");
    let flag = format!("--init-adapter={}", initial.display());
    let given = plan(&[&flag, "--base=model.gguf"]);
    let out = folder.path().join("out");
    let said = export::write(&out, &given, &examples().arms[0], &[0], Family::Llama).unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("TRL's command cannot start from an adapter") && !out.join("trl-sft.yaml").exists()
    );
    assert!(said[1].contains("model.gguf is a GGUF file"));
    let read = |name: &str| -> Value {
        serde_saphyr::from_str(&std::fs::read_to_string(out.join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("axolotl.yaml")["lora_model_dir"], initial.to_str().unwrap());
    assert_eq!(read("sky.yaml")["file_mounts"]["/tmp/initial-adapter"], initial.to_str().unwrap());
    assert_eq!(read("sky.yaml")["run"], "axolotl train axolotl.yaml --lora-model-dir /tmp/initial-adapter\n");

    let here = format!("--base={}", folder.path().display());
    let said = export::write(&out, &plan(&[&here]), &examples().arms[0], &[0], Family::Llama).unwrap();
    assert!(said.len() == 1 && said[0].contains("is a folder of this machine"), "{said:?}");

    let held = export::write(&out, &plan(&["--hold=tokens"]), &examples().arms[0], &[0], Family::Llama);
    assert!(held.unwrap_err().to_string().contains("the same number of rows every step"));
    let odd = export::write(&out, &plan(&["--lora-alpha=1.5"]), &examples().arms[0], &[0], Family::Llama);
    assert_eq!(
        odd.unwrap_err().to_string(),
        "--lora-alpha is 1.5, and other engines take whole numbers only"
    );
}

#[test]
fn pyyaml_reads_the_same_and_transformers_knows_the_names() {
    let Some(python) = std::env::var_os("REFERENCE_PYTHON") else {
        eprintln!("skipped: REFERENCE_PYTHON names no Python with PyYAML and transformers");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let files = bundle(folder.path(), &TYPED);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/check.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(said["files"], serde_json::to_value(files).unwrap());
    // SFTConfig, ModelConfig and DatasetMixtureConfig of TRL 1.9 have these.
    assert_eq!(
        said["own"],
        json!([
            "bnb_4bit_quant_type",
            "datasets",
            "dtype",
            "load_in_4bit",
            "lora_alpha",
            "lora_dropout",
            "lora_r",
            "lora_target_modules",
            "max_length",
            "model_name_or_path",
            "packing",
            "padding_free",
            "shuffle_dataset",
            "use_bnb_nested_quant",
            "use_peft"
        ])
    );
}
