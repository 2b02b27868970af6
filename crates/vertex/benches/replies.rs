//! What one request and one reply cost besides the network: writing the body, judging the answer. `cargo bench -p vertex`

#![expect(clippy::unwrap_used, reason = "a bench ends where it fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vertex::{Model, Place, Reply, Request, judge};

const ANSWER: &[u8] = include_bytes!("../../../fixtures/vertex/200-answer.json");
const REFUSAL: &[u8] = include_bytes!("../../../fixtures/vertex/429-per-day-and-minute.json");
const SYSTEM: &str = include_str!("../../../fixtures/phase_3e/arms/aba.md");

fn replies(criterion: &mut Criterion) {
    let place = Place::Vertex { project: Some("p".into()), location: "global".into() };
    let model: Model = "gemini-3.1-pro-preview".parse().unwrap();
    let request = Request::new(model.clone(), SYSTEM, "What follows from it, and what would you do?");

    criterion.bench_function("request/body", |bencher| bencher.iter(|| black_box(&request).body(&place)));
    for (name, status, body) in [("reply/answer", 200, ANSWER), ("reply/429", 429, REFUSAL)] {
        let reply = Reply { status, retry_after: None, body };
        criterion
            .bench_function(name, |bencher| bencher.iter(|| judge(black_box(reply), &place, model.as_str())));
    }
}

criterion_group!(benches, replies);
criterion_main!(benches);
