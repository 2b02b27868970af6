//! What a run leaves is an adapter that PEFT loads, and that computes there what it computes here.

use std::path::Path;
use std::process::Command;

use model::adapter::Adapter;
use model::lora::LoraConfig;
use model::nf4::Quantization;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tch::{Kind, Tensor};
use train::step::gradient::Row;
use train::step::interrupt::Stop;
use train::step::trainer::{End, Event, Job, run};

use crate::step::support::{fixture, load, recipe, row};

#[test]
fn peft_computes_the_same_from_what_a_run_leaves() {
    let base = fixture("qwen3-tied");
    let out = tempfile::tempdir().unwrap();
    let mut model = load(&base, LoraConfig::all(4, 6.0), Quantization::None);
    let rows: Vec<Row> = (0..6).map(|at| row(at, 96)).collect();
    let steps: Vec<Vec<usize>> = (0..30).map(|step| vec![step % 6, (step + 1) % 6]).collect();
    let recipe = recipe(&["--lora-rank", "4", "--lora-alpha", "6", "--quantization", "none"]);
    let initial = model.adapter().unwrap();
    let folder = out.path().join("adapter");
    let job = Job {
        recipe: &recipe,
        base: "b",
        rows: &rows,
        steps: &steps,
        rate: &|_| 1e-2,
        initial: &initial,
        folder: &folder,
        resume: false,
    };
    let mut events = Vec::new();
    let end = run(&mut model, &job, &Stop::default(), &mut |event| events.push(event)).unwrap();
    assert_eq!(end, End::Done);
    assert!(matches!(events[0], Event::Fits { rows: 2, tokens: 42, .. }), "{:?}", events[0]);
    assert_eq!(events.last(), Some(&Event::Checked { difference: 0.0 }));
    let losses: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step(line) => Some(line.loss),
            _ => None,
        })
        .collect();
    assert_eq!(losses.len(), 30);
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    assert_ne!(Adapter::load(&folder).unwrap(), initial);

    // The other side, where a Python is named.
    let Some(python) = std::env::var_os("REFERENCE_PYTHON") else {
        eprintln!("skipped: REFERENCE_PYTHON names no Python with torch, transformers and peft");
        return;
    };
    let ids = Tensor::from_slice(&row(2, 96).ids).unsqueeze(0);
    let logits = tch::no_grad(|| model.logits(&ids));
    let file = out.path().join("logits.safetensors");
    write(&file, &ids, &logits);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peft/check.py");
    let mut command = Command::new(python);
    let output = command.arg(script).arg(&base).arg(&folder).arg(&file).output().unwrap();
    let words =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("");
    assert!(output.status.success(), "{words}");
    assert!(words.contains("largest difference"), "{words}");
}

fn write(path: &Path, ids: &Tensor, logits: &Tensor) {
    let bytes = |tensor: &Tensor, size: usize| {
        let mut bytes = vec![0u8; tensor.numel() * size];
        tensor.contiguous().copy_data_u8(&mut bytes, tensor.numel());
        bytes
    };
    assert_eq!((ids.kind(), logits.kind()), (Kind::Int64, Kind::Float));
    let shape = |tensor: &Tensor| tensor.size().iter().map(|&size| size as usize).collect::<Vec<_>>();
    let (left, right) = (bytes(ids, 8), bytes(logits, 4));
    let views = [
        ("ids", TensorView::new(Dtype::I64, shape(ids), &left).unwrap()),
        ("logits", TensorView::new(Dtype::F32, shape(logits), &right).unwrap()),
    ];
    safetensors::serialize_to_file(views, None, path).unwrap();
}
