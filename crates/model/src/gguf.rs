//! A reader of GGUF files, versions 2 and 3: metadata, tensor table, and the bytes of a tensor out of a memory map.
//!
//! It never trusts a length: a truncated or corrupted file is an error that names the place, not a panic and not an
//! allocation of its choosing. It knows nothing of models. Format: ggml's `docs/gguf.md`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::dtype::Dtype;

/// An open GGUF file.
pub struct Gguf {
    bytes: Bytes,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

/// A metadata value. Numbers of every width are held as f64, which is exact for all that models store.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer or float.
    Number(f64),
    /// A boolean.
    Bool(bool),
    /// A string.
    Text(String),
    /// An array of numbers or booleans.
    Numbers(Vec<f64>),
    /// An array of strings.
    Texts(Vec<String>),
}

/// Where a tensor lies.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Rows first, as everyone but ggml writes it.
    pub shape: Vec<usize>,
    /// `None` for a format that we do not read; asking for its bytes names it.
    pub dtype: Option<Dtype>,
    /// ggml's number for the format.
    pub ggml_type: u32,
    start: usize,
    end: usize,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or not readable.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Something other than GGUF.
    #[error("not a GGUF file: it does not begin with the letters GGUF")]
    Magic,
    /// Version 1, or one that is not out yet.
    #[error(
        "GGUF version {0} is not supported, only 2 and 3 are (a big-endian file reads as a large number)"
    )]
    Version(u32),
    /// The file ends where more was announced.
    #[error("the file ends at byte {at} inside {what}; fetch it again")]
    Truncated {
        /// Offset of what could not be read.
        at: usize,
        /// What was being read.
        what: String,
    },
    /// A field that cannot be.
    #[error("{what} at byte {at} is corrupt: {problem}")]
    Corrupt {
        /// Offset of the field.
        at: usize,
        /// What was being read.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No such tensor.
    #[error("tensor `{0}` is not in the file")]
    NoTensor(String),
    /// A quantisation that we do not read.
    #[error("tensor `{name}` has ggml type {ggml_type}, only F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are read")]
    Format {
        /// The tensor.
        name: String,
        /// ggml's number for the format.
        ggml_type: u32,
    },
}

enum Bytes {
    Map(Mmap),
    Owned(Vec<u8>),
}

impl Gguf {
    /// Maps a file and reads its header; tensor data is not touched.
    pub fn open(path: &Path) -> Result<Gguf, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is read-only. A file that someone truncates while it is mapped faults, here as in any
        // program that maps its weights.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Gguf::parse(Bytes::Map(map))
    }

    /// Reads a file that is already in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Gguf, Error> {
        Gguf::parse(Bytes::Owned(bytes))
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A metadata string.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A metadata number.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A metadata array of strings.
    pub fn texts(&self, key: &str) -> Option<&[String]> {
        match self.get(key) {
            Some(Value::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// A metadata array of numbers.
    pub fn numbers(&self, key: &str) -> Option<&[f64]> {
        match self.get(key) {
            Some(Value::Numbers(numbers)) => Some(numbers),
            _ => None,
        }
    }

    /// Where a tensor lies, if it is there.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// The format and the bytes of a tensor.
    pub fn data(&self, name: &str) -> Result<(Dtype, &[u8]), Error> {
        let info = self.tensors.get(name).ok_or_else(|| Error::NoTensor(name.into()))?;
        let dtype =
            info.dtype.ok_or_else(|| Error::Format { name: name.into(), ggml_type: info.ggml_type })?;
        Ok((dtype, &self.bytes.as_slice()[info.start..info.end]))
    }

    /// Lets go of the pages that were read; see `Weights::release`.
    pub(crate) fn release(&self) {
        if let Bytes::Map(map) = &self.bytes {
            crate::weights::release(map);
        }
    }

    /// Per-frequency divisors of the rotary embedding, where the file has them (Llama 3.1 and later).
    pub fn divisors(&self) -> Option<Vec<f32>> {
        let (dtype, bytes) = self.data("rope_freqs.weight").ok()?;
        let mut out = vec![0.0; self.tensor("rope_freqs.weight")?.shape.iter().product()];
        dtype.decode(bytes, &mut out);
        Some(out)
    }

    fn parse(bytes: Bytes) -> Result<Gguf, Error> {
        let mut cursor = Cursor { bytes: bytes.as_slice(), at: 0 };
        if cursor.take(4, "the magic number").map_err(|_| Error::Magic)? != b"GGUF" {
            return Err(Error::Magic);
        }
        let version = cursor.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(Error::Version(version));
        }
        let tensor_count = cursor.u64("the number of tensors")?;
        let metadata_count = cursor.u64("the number of metadata entries")?;
        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = cursor.text("a metadata key")?;
            let kind = cursor.u32(&key)?;
            let value = cursor.value(kind, &key)?;
            metadata.insert(key, value);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let (name, info) = cursor.tensor_info()?;
            tensors.insert(name, info);
        }
        let alignment = match metadata.get("general.alignment") {
            Some(Value::Number(value)) if *value >= 1.0 && *value <= 65_536.0 => *value as usize,
            Some(value) => return Err(cursor.corrupt("general.alignment", format!("it is {value:?}"))),
            None => 32,
        };
        let data = cursor.at.next_multiple_of(alignment);
        let total = bytes.as_slice().len();
        for (name, info) in &mut tensors {
            let outside = || Error::Truncated { at: total, what: format!("tensor `{name}`") };
            info.start = info.start.checked_add(data).ok_or_else(outside)?;
            info.end = info.end.checked_add(data).ok_or_else(outside)?;
            if info.end > total {
                return Err(outside());
            }
        }
        Ok(Gguf { bytes, metadata, tensors })
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Map(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::Truncated { at: self.at, what: what.into() });
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    fn u32(&mut self, what: &str) -> Result<u32, Error> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, Error> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A length is refused before anything is allocated for it: `unit` bytes at least must follow per element.
    fn len(&mut self, unit: usize, what: &str) -> Result<usize, Error> {
        let len = self.u64(what)?;
        let remaining = self.bytes.len() - self.at;
        match usize::try_from(len)
            .ok()
            .filter(|len| len.checked_mul(unit).is_some_and(|size| size <= remaining))
        {
            Some(len) => Ok(len),
            None => Err(Error::Truncated { at: self.at, what: what.into() }),
        }
    }

    fn text(&mut self, what: &str) -> Result<String, Error> {
        let len = self.len(1, what)?;
        let bytes = self.take(len, what)?;
        // Some vocabularies hold tokens that are no UTF-8; such a token cannot occur in rendered text either way.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn value(&mut self, kind: u32, what: &str) -> Result<Value, Error> {
        Ok(match kind {
            7 => Value::Bool(self.array::<1>(what)?[0] != 0),
            8 => Value::Text(self.text(what)?),
            9 => {
                let element = self.u32(what)?;
                if element == 8 {
                    let len = self.len(8, what)?;
                    Value::Texts((0..len).map(|_| self.text(what)).collect::<Result<_, _>>()?)
                } else {
                    let width = width(element).ok_or_else(|| self.corrupt(what, unknown(element)))?;
                    let len = self.len(width, what)?;
                    Value::Numbers((0..len).map(|_| self.number(element, what)).collect::<Result<_, _>>()?)
                }
            }
            _ => Value::Number(self.number(kind, what)?),
        })
    }

    fn number(&mut self, kind: u32, what: &str) -> Result<f64, Error> {
        Ok(match kind {
            0 | 7 => f64::from(self.array::<1>(what)?[0]),
            1 => f64::from(i8::from_le_bytes(self.array(what)?)),
            2 => f64::from(u16::from_le_bytes(self.array(what)?)),
            3 => f64::from(i16::from_le_bytes(self.array(what)?)),
            4 => f64::from(self.u32(what)?),
            5 => f64::from(i32::from_le_bytes(self.array(what)?)),
            6 => f64::from(f32::from_le_bytes(self.array(what)?)),
            10 => self.u64(what)? as f64,
            11 => i64::from_le_bytes(self.array(what)?) as f64,
            12 => f64::from_le_bytes(self.array(what)?),
            other => return Err(self.corrupt(what, unknown(other))),
        })
    }

    /// Offsets are relative to the data section until the whole header has been read.
    fn tensor_info(&mut self) -> Result<(String, TensorInfo), Error> {
        let name = self.text("a tensor's name")?;
        let dims = self.u32(&name)?;
        if !(1..=4).contains(&dims) {
            return Err(self.corrupt(&name, format!("it has {dims} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dims {
            let size = self.u64(&name)?;
            shape.push(
                usize::try_from(size).map_err(|_| self.corrupt(&name, format!("a dimension of {size}")))?,
            );
        }
        let ggml_type = self.u32(&name)?;
        let offset = self.u64(&name)?;
        let dtype = match ggml_type {
            0 => Some(Dtype::F32),
            1 => Some(Dtype::F16),
            2 => Some(Dtype::Q4_0),
            3 => Some(Dtype::Q4_1),
            8 => Some(Dtype::Q8_0),
            30 => Some(Dtype::BF16),
            _ => None,
        };
        let start =
            usize::try_from(offset).map_err(|_| self.corrupt(&name, format!("its offset is {offset}")))?;
        let rows = shape[1..].iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let size = match dtype {
            None => Some(0),
            Some(dtype) => rows.zip(dtype.row_bytes(shape[0])).and_then(|(rows, row)| rows.checked_mul(row)),
        };
        let end = size.and_then(|size| start.checked_add(size));
        let end =
            end.ok_or_else(|| self.corrupt(&name, format!("its shape {shape:?} does not fit its format")))?;
        shape.reverse();
        Ok((name, TensorInfo { shape, dtype, ggml_type, start, end }))
    }

    fn corrupt(&self, what: &str, problem: String) -> Error {
        Error::Corrupt { at: self.at, what: format!("`{}`", what.escape_debug()), problem }
    }
}

fn width(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn unknown(kind: u32) -> String {
    format!("value type {kind} is unknown")
}
