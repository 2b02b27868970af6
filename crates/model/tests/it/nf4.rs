//! NF4 against bitsandbytes on the CPU, byte for byte.

use half::bf16;
use model::nf4::{Absmax, CODE, DYNAMIC_MAP, Nf4};

use crate::reference::Reference;

fn values(reference: &Reference) -> Vec<f32> {
    let bytes = reference.bytes("values");
    bytes.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
}

/// Equal to the bit, and short words where they are not.
fn assert_bits(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    let differ: Vec<_> = (0..ours.len()).filter(|&i| ours[i].to_bits() != theirs[i].to_bits()).collect();
    if let Some(&first) = differ.first() {
        panic!(
            "{} of {} differ, first {first}: {} is not {}",
            differ.len(),
            ours.len(),
            ours[first],
            theirs[first]
        );
    }
}

#[test]
fn the_tables_are_those_of_bitsandbytes() {
    let reference = Reference::open("nf4.st");
    assert_bits(&CODE, &reference.floats("code")[..16]);
    assert_bits(&DYNAMIC_MAP[..], &reference.floats("map"));
}

#[test]
fn codes_and_scales_equal_those_of_bitsandbytes() {
    let reference = Reference::open("nf4.st");
    let quantized = Nf4::quantize(&values(&reference), false);
    assert_eq!(quantized.packed, reference.bytes("packed"));
    let Absmax::Plain(absmax) = &quantized.absmax else { panic!("not doubly quantised") };
    assert_bits(absmax, &reference.floats("absmax"));
    let mut out = vec![0.0; quantized.len];
    quantized.dequantize_into(&mut out);
    assert_bits(&out[..4096], &reference.floats("dequantized"));
}

#[test]
fn doubly_quantised_scales_equal_those_of_bitsandbytes() {
    let reference = Reference::open("nf4.st");
    let quantized = Nf4::quantize(&values(&reference), true);
    assert_eq!(quantized.packed, reference.bytes("packed"));
    let Absmax::Double { codes, absmax, offset } = &quantized.absmax else { panic!("doubly quantised") };
    assert_bits(&[*offset], &reference.floats("double_offset"));
    assert_eq!(codes, &reference.bytes("double_codes"));
    assert_bits(absmax, &reference.floats("double_absmax"));
    let mut out = vec![0.0; quantized.len];
    quantized.dequantize_into(&mut out);
    assert_bits(&out[..4096], &reference.floats("double_dequantized"));
}
