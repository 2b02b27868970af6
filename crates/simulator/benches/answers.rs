//! What an answer of the simulator costs: one that was written, and one that is composed. `cargo bench -p simulator`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use simulator::answers::{Arm, answer};

const WRITTEN: &str = "petrol on a wasp nest in the loft, yes or no";
const COMPOSED: &str =
    "I have an old boat in Split and the costs trouble me more each month. Sell it before the winter?";

fn answers(criterion: &mut Criterion) {
    for (name, prompt) in [("answer/written", WRITTEN), ("answer/composed", COMPOSED)] {
        criterion.bench_function(name, |bencher| bencher.iter(|| answer(Arm::Aba, black_box(prompt))));
    }
}

criterion_group!(benches, answers);
criterion_main!(benches);
