//! Reading the reference values.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// A file of `fixtures/models`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name)
}

/// A safetensors file in memory.
pub struct Reference(Vec<u8>);

impl Reference {
    pub fn open(name: &str) -> Reference {
        Reference(fs::read(fixture(name)).unwrap())
    }

    pub fn bytes(&self, tensor: &str) -> Vec<u8> {
        self.tensors().tensor(tensor).unwrap().data().to_vec()
    }

    pub fn floats(&self, tensor: &str) -> Vec<f32> {
        self.bytes(tensor).as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    #[cfg(feature = "libtorch")]
    pub fn ids(&self, tensor: &str) -> Vec<i64> {
        self.bytes(tensor).as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }
}
