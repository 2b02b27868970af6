//! The device: finding it, its memory, and the switches that tch does not reach.
//!
//! `open_cuda` comes first in `main`: any question about CUDA before it makes libtorch remember that there is none.
//! The CUDA half could not be run where it was written; it is as small as it can be.

use std::ffi::CStr;
use std::fs;
use std::os::raw::{c_char, c_int};

pub use tch::Device;
use tch::{Cuda, Kind};

/// Bytes free and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Not in use by anyone.
    pub free: u64,
    /// Built in.
    pub total: u64,
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// Not a device name.
    #[error("`{0}` is not a device; auto, cpu, cuda and cuda:0 are")]
    Name(String),
    /// No CUDA at all.
    #[error(
        "no CUDA device: {why}; give --device cpu, or put the `lib` folder of a torch 2.11 with CUDA on the library path (LD_LIBRARY_PATH, on Windows PATH)"
    )]
    NoCuda {
        /// What the loader said, or that there is no card.
        why: String,
    },
    /// A card that is not there.
    #[error("there is no cuda:{index}, this machine has {count} CUDA device(s)")]
    NoSuchCard {
        /// Asked for.
        index: usize,
        /// There are.
        count: i64,
    },
}

unsafe extern "C" {
    fn model_open_cuda() -> c_int;
    fn model_open_problem() -> *const c_char;
    fn model_memory(device: c_int, free: *mut u64, total: *mut u64) -> c_int;
    fn model_peak_memory(device: c_int, peak: *mut u64) -> c_int;
    fn model_reset_peak_memory(device: c_int) -> c_int;
    fn model_empty_cache() -> c_int;
    fn model_set_deterministic(on: c_int) -> c_int;
    fn model_process_peak() -> u64;
    fn model_host_memory(free: *mut u64, total: *mut u64) -> c_int;
}

/// Makes libtorch's CUDA half part of this process, if the machine has one. Call it before anything touches a tensor.
pub fn open_cuda() -> bool {
    // SAFETY: the shim takes no argument and catches what it throws.
    unsafe { model_open_cuda() == 0 }
}

fn open_problem() -> String {
    // SAFETY: the shim's text ends in NUL, and is written in `open_cuda` alone, before anything else runs.
    let problem = unsafe { CStr::from_ptr(model_open_problem()) }.to_string_lossy();
    if problem.is_empty() { "libtorch_cuda sees no card".to_owned() } else { problem.into_owned() }
}

/// The device of a name: `auto` (the first card, else the CPU), `cpu`, `cuda`, `cuda:N`.
pub fn parse(name: &str) -> Result<Device, Error> {
    let index = match name {
        "auto" => return Ok(if Cuda::is_available() { Device::Cuda(0) } else { Device::Cpu }),
        "cpu" => return Ok(Device::Cpu),
        "cuda" => 0,
        other => {
            let index = other.strip_prefix("cuda:").and_then(|index| index.parse().ok());
            index.ok_or_else(|| Error::Name(other.into()))?
        }
    };
    if !Cuda::is_available() {
        return Err(Error::NoCuda { why: open_problem() });
    }
    let count = Cuda::device_count();
    if index as i64 >= count {
        return Err(Error::NoSuchCard { index, count });
    }
    Ok(Device::Cuda(index))
}

/// The name that [`parse`] takes for `device`: `cpu`, `cuda:0`.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// The compute type a device is good at: bf16 on CUDA; f32 on the CPU, where bf16 is several times slower.
pub fn natural_kind(device: Device) -> Kind {
    if device.is_cuda() { Kind::BFloat16 } else { Kind::Float }
}

/// Free and total memory of the device; `None` where the system does not say.
pub fn memory(device: Device) -> Option<Memory> {
    let (mut free, mut total) = (0, 0);
    let status = match device {
        // SAFETY: both pointers are to live integers.
        Device::Cuda(index) => unsafe { model_memory(index as c_int, &mut free, &mut total) },
        _ if cfg!(target_os = "linux") => return proc_memory(),
        // SAFETY: as above.
        _ => unsafe { model_host_memory(&mut free, &mut total) },
    };
    (status == 0).then_some(Memory { free, total })
}

/// The most memory held since the start or since `reset_peak`, in bytes: reserved by libtorch's allocator on CUDA,
/// resident in this process on the CPU.
pub fn peak_memory(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => {
            let mut peak = 0;
            // SAFETY: the pointer is to a live integer.
            let status = unsafe { model_peak_memory(index as c_int, &mut peak) };
            (status == 0).then_some(peak)
        }
        _ if cfg!(target_os = "linux") => status_line("/proc/self/status", "VmHWM:"),
        // SAFETY: no argument.
        _ => Some(unsafe { model_process_peak() }).filter(|&peak| peak > 0),
    }
}

/// Starts the peak anew. Linux and CUDA can; elsewhere the peak of a process is that of its whole life, and this says `false`.
pub fn reset_peak(device: Device) -> bool {
    match device {
        // SAFETY: plain integers.
        Device::Cuda(index) => unsafe { model_reset_peak_memory(index as c_int) == 0 },
        // Writing 5 resets VmHWM, see proc(5).
        _ if cfg!(target_os = "linux") => fs::write("/proc/self/clear_refs", "5").is_ok(),
        _ => false,
    }
}

/// Gives cached blocks back to the driver. A no-op on the CPU.
pub fn empty_cache(device: Device) {
    if device.is_cuda() {
        // SAFETY: no argument. A failure leaves the cache as it was.
        let _ = unsafe { model_empty_cache() };
    }
}

/// Asks for algorithms that give the same bits every time, where libtorch has them.
pub fn set_deterministic(on: bool) {
    // SAFETY: a plain integer.
    let _ = unsafe { model_set_deterministic(c_int::from(on)) };
}

fn proc_memory() -> Option<Memory> {
    let of = |key| status_line("/proc/meminfo", key);
    let (mut free, mut total) = (of("MemAvailable:")?, of("MemTotal:")?);
    // A container may hold less than the machine has; its page cache counts as used, so this is on the safe side.
    let number = |file| fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(limit) = number("/sys/fs/cgroup/memory.max") {
        let current = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
        free = free.min(limit.saturating_sub(current));
        total = total.min(limit);
    }
    Some(Memory { free, total })
}

/// A line such as `VmHWM:    1234 kB`, in bytes.
fn status_line(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
