//! What one row costs: its key, its line, and both ways through JSON. `cargo bench -p dataset`

#![expect(clippy::unwrap_used, reason = "a bench ends where it fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dataset::key::{self, Key, Question};
use dataset::ledger::line;
use dataset::row::{Meta, Row, TokenStats};

/// A row of the length that real ones have: 6 kB, with line ends and quotation marks in it.
fn row() -> Row {
    let thought = "The person asks two things at once, and \"both\" cannot be had.\n".repeat(12);
    let answer =
        "I would begin with the second point – it decides the first. Here is why:\n\n- one\n- two\n\n"
            .repeat(40);
    Row {
        format: Some(1),
        key: Some(key::sha256_hex(b"row")),
        instruction: "What follows from it, and what would you do?".into(),
        system_prompt: Some(include_str!("../../../fixtures/phase_3e/arms/aba.md").into()),
        output: format!("<think>\n{thought}</think>\n\n{answer}"),
        meta: Meta {
            category: "reasoning".into(),
            sub_theme: "logic".into(),
            model_type: "aba".into(),
            model: "vertex-gemini-3.1-pro-preview".into(),
            model_version: Some("gemini-3.1-pro-preview".into()),
            response_id: Some("q1ePabyNGZ6".into()),
            timestamp: "2026-02-13T10:00:00Z".into(),
            finish_reason: "STOP".into(),
            attempts: Some(1),
            escalated: 0,
            resampled: 0,
            generation: None,
        },
        token_stats: TokenStats {
            input: 380,
            output: 900,
            thoughts: Some(2100),
            cached: Some(0),
            total: 3380,
        },
    }
}

fn rows(criterion: &mut Criterion) {
    let row = row();
    let bytes = line::encode(&row).unwrap();
    let question = Question {
        model: "gemini-3.1-pro-preview",
        system_prompt: row.system_prompt.as_deref().unwrap(),
        prompt: &row.instruction,
        temperature: 1.0,
        max_output_tokens: 4096,
        thinking_level: Some("low"),
    };

    criterion.bench_function("row/key", |bencher| bencher.iter(|| Key::of(black_box(&question))));
    criterion.bench_function("row/encode", |bencher| bencher.iter(|| line::encode(black_box(&row)).unwrap()));
    criterion.bench_function("row/decode", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Row>(black_box(&bytes)).unwrap())
    });
    criterion.bench_function("row/sha256", |bencher| bencher.iter(|| key::sha256_hex(black_box(&bytes))));
}

criterion_group!(benches, rows);
criterion_main!(benches);
