//! The GGUF reader on files that are whole, cut short and corrupted.

use std::fs;

use model::config::Config;
use model::dtype::Dtype;
use model::gguf::{Error, Gguf};
use proptest::prelude::*;

use crate::reference::fixture;

fn whole() -> Vec<u8> {
    fs::read(fixture("llama.gguf")).unwrap()
}

/// Reads everything that a loader reads. Panics are what the tests look for.
fn read_all(bytes: Vec<u8>) -> Result<(), Error> {
    let gguf = Gguf::from_bytes(bytes)?;
    let _ = Config::from_gguf(&gguf);
    for (name, info) in gguf.tensors() {
        let (dtype, bytes) = gguf.data(name)?;
        let mut out = vec![0.0; info.shape.iter().product::<usize>().min(1 << 16)];
        dtype.decode(bytes, &mut out);
    }
    Ok(())
}

#[test]
fn a_whole_file_gives_its_metadata_and_tensors() {
    let gguf = Gguf::from_bytes(whole()).unwrap();
    assert_eq!(gguf.text("general.architecture"), Some("llama"));
    assert_eq!(gguf.number("llama.block_count"), Some(2.0));
    assert_eq!(gguf.texts("tokenizer.ggml.tokens").map(<[_]>::len), Some(96));
    let info = gguf.tensor("blk.1.attn_q.weight").unwrap();
    assert_eq!((info.shape.as_slice(), info.dtype), (&[64, 32][..], Some(Dtype::Q4_1)));
    assert_eq!(gguf.data("blk.1.attn_q.weight").unwrap().1.len(), 64 * 20);
}

#[test]
fn a_format_that_is_not_read_is_named_with_its_tensor() {
    let mut bytes = whole();
    let name = b"blk.0.ffn_up.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    // Two dimensions of eight bytes follow their count; then the type.
    bytes[at + 4 + 16] = 14;
    let error = Gguf::from_bytes(bytes).unwrap().data("blk.0.ffn_up.weight").unwrap_err();
    assert_eq!(
        error.to_string(),
        "tensor `blk.0.ffn_up.weight` has ggml type 14, only F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are read"
    );
}

#[test]
fn a_file_that_turns_a_part_of_each_head_is_refused() {
    let mut bytes = whole();
    // Of the same length; without it a head is as wide as the quotient, half of what is now turned.
    let (key, other) = (b"llama.attention.key_length", b"llama.rope.dimension_count");
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[at..at + key.len()].copy_from_slice(other);
    let error = Config::from_gguf(&Gguf::from_bytes(bytes).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model uses a rotary embedding of a part of each head, which is not supported"
    );
}

#[test]
fn other_files_are_not_taken_for_gguf() {
    assert!(matches!(Gguf::from_bytes(b"PK\x03\x04".to_vec()), Err(Error::Magic)));
    assert!(matches!(Gguf::from_bytes(Vec::new()), Err(Error::Magic)));
    assert!(matches!(Gguf::from_bytes(b"GGUF\x01\0\0\0".to_vec()), Err(Error::Version(1))));
}

#[test]
fn a_length_beyond_the_file_allocates_nothing() {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend([0u64, 1].iter().flat_map(|count| count.to_le_bytes()));
    bytes.extend((u64::MAX - 3).to_le_bytes());
    assert!(matches!(Gguf::from_bytes(bytes), Err(Error::Truncated { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_file_cut_anywhere_is_an_error(cut in 0.0..1.0f64) {
        let mut bytes = whole();
        // The padding after the last tensor may be missing.
        bytes.truncate(((bytes.len() - 32) as f64 * cut) as usize);
        prop_assert!(read_all(bytes).is_err());
    }

    #[test]
    fn a_corrupted_file_is_read_or_refused(at in 0usize..4000, byte: u8, run in 1usize..9) {
        let mut bytes = whole();
        bytes[at..at + run].fill(byte);
        let _ = read_all(bytes);
    }

    #[test]
    fn noise_after_the_magic_is_read_or_refused(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_all([b"GGUF\x03\0\0\0".as_slice(), &noise].concat());
    }
}
