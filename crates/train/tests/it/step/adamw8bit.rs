//! Our 8-bit AdamW beside that of bitsandbytes: the values are written down in `tests/optimizer/adamw8bit.st`, with the
//! script that made them.

use model::nf4::dynamic_map;
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor};
use train::step::optimizer::{AdamW, Precision};

const STEPS: i64 = 40;

fn written(name: &str) -> Tensor {
    let file = SafeTensors::deserialize(include_bytes!("../../optimizer/adamw8bit.st")).unwrap();
    let view = file.tensor(name).unwrap();
    let kind = if view.dtype() == safetensors::Dtype::U8 { Kind::Uint8 } else { Kind::Float };
    let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
    Tensor::from_data_size(view.data(), &shape, kind)
}

/// The numbers that the script trains, by the formulas that it has too.
fn start() -> (Tensor, Tensor) {
    let place = Tensor::arange(600, (Kind::Double, Device::Cpu)).view([20, 30]);
    ((&place * 1.7).sin().to_kind(Kind::Float), place)
}

fn run() -> (Tensor, AdamW) {
    let (parameter, place) = start();
    let parameter = parameter.set_requires_grad(true);
    let size =
        Tensor::full([20, 30], 10.0, (Kind::Double, Device::Cpu)).pow(&-((&place * 7).fmod(256) / 256));
    let mut optimizer = AdamW::new(vec![("p".into(), parameter.shallow_clone())], Precision::Bytes, 1e-2);
    for step in 1..=STEPS {
        let gradient = (((&place * 0.61 + step as f64 * 0.83).sin() + 0.5) * &size).to_kind(Kind::Float);
        optimizer.zero_grad();
        // The gradient of sum(p · g) by p is exactly g.
        (&parameter * gradient).sum(Kind::Float).backward();
        optimizer.step(1e-2);
    }
    (parameter.detach(), optimizer)
}

#[test]
fn a_byte_means_what_it_means_to_bitsandbytes() {
    for (name, signed) in [("signed", true), ("unsigned", false)] {
        assert_eq!(Tensor::from_slice(&dynamic_map(signed)[..]), written(name), "{name}");
    }
}

#[test]
fn forty_steps_end_in_the_codes_and_numbers_of_bitsandbytes() {
    let (parameter, optimizer) = run();
    // The same operations in f32, in another order where ours are fused: a few units in the last place, of numbers up to 1.
    let apart = (&parameter - written("search.parameter")).abs().max().double_value(&[]);
    assert!(apart < 1e-6, "{apart:e}");
    let state = optimizer.state();
    for moment in ["mean", "variance"] {
        let (codes, scales) = (&state[&format!("p.{moment}.codes")], &state[&format!("p.{moment}.scales")]);
        // Ours are padded to whole blocks.
        assert_eq!(codes.narrow(0, 0, 600), written(&format!("search.{moment}.codes")), "{moment}");
        let theirs = written(&format!("search.{moment}.scales"));
        let apart = ((scales - &theirs) / theirs).abs().max().double_value(&[]);
        assert!(apart < 1e-6, "{moment}: {apart:e}");
    }
}

/// The kernel of bitsandbytes for the CPU is the one that differs: it rounds a number to one of 65,536 points before it
/// takes the nearest code. That moves a number by up to 1.5e-5 of its block's largest, and so over a border between two
/// codes where it lies as near to one: there it is off by a step of the map, up to 0.014 of the largest, for as long as
/// the moment remembers.
#[test]
fn the_grid_of_its_kernel_for_the_cpu_is_all_that_is_apart() {
    let (parameter, _) = run();
    let moved = (&parameter - start().0).norm().double_value(&[]);
    let apart = (&parameter - written("grid.parameter")).norm().double_value(&[]) / moved;
    // 8e-3 when it was written down: twice that would be a difference that the grid does not explain.
    assert!(apart > 1e-5 && apart < 1.6e-2, "{apart:e}");
    let theirs = (written("search.parameter") - written("grid.parameter")).norm().double_value(&[]) / moved;
    assert!((apart - theirs).abs() < 1e-5, "{apart:e}, and theirs are {theirs:e} apart");
}
