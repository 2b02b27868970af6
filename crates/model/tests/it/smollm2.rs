//! The real small model, out of its GGUF file, against transformers on the same numbers.

use model::base::{Base, TokenizerSource};
use model::nf4::Quantization;
use model::transformer::{LoadOptions, Model};
use tch::Tensor;

use crate::logits::{assert_near, floats};
use crate::reference::Reference;

fn base() -> Base {
    let path = std::env::var("DEMO_MODEL").expect(
        "DEMO_MODEL names SmolLM2-135M-Instruct.Q4_1.gguf; `cargo xtask test` fetches it and sets it",
    );
    Base::open(&path).unwrap()
}

#[test]
fn smollm2_equals_transformers_and_answers() {
    let base = base();
    assert!(base.chat_template.is_some());
    assert!(matches!(&base.tokenizer, TokenizerSource::Gguf(tokenizer) if tokenizer.pre == "smollm"));
    let reference = Reference::open("smollm2.expected.st");
    let prompt = reference.ids("ids");
    let model = Model::load(&base, &LoadOptions::cpu()).unwrap();
    let logits = tch::no_grad(|| model.logits(&Tensor::from_slice(&prompt).unsqueeze(0)));
    assert_near(&floats(&logits.slice(2, None, None, 97)), &reference.floats("logits"), 1e-4);
    let answer = reference.ids("answer");
    assert_eq!(model.greedy(&prompt, answer.len(), &[]), answer);
    let eos: Vec<i64> = base.eos_ids.iter().map(|&id| i64::from(id)).collect();
    let turn = model.greedy(&prompt, 24, &eos);
    assert_eq!(turn, answer[..7], "the capital of France is Paris.");
}

#[test]
fn smollm2_in_four_bits_still_knows_the_capital() {
    let base = base();
    let options = LoadOptions { quantization: Quantization::Nf4 { double: true }, ..LoadOptions::cpu() };
    let model = Model::load(&base, &options).unwrap();
    let reference = Reference::open("smollm2.expected.st");
    let answer = model.greedy(&reference.ids("ids"), 6, &[]);
    assert_eq!(answer, reference.ids("answer")[..6]);
    let (matrices, _) = model.frozen_bytes();
    assert!(matrices * 8 < 106_168_320 * 5, "{matrices} bytes are more than 5 bits a weight");
}
