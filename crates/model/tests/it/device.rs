//! Devices by name, and memory as the trainer reports it.

use model::device::{self, Error};
use tch::{Cuda, Device, Kind, Tensor};

#[test]
fn names_become_devices_or_errors() {
    assert_eq!(device::parse("cpu"), Ok(Device::Cpu));
    for name in ["gpu", "cuda:", "cuda:-1", "CPU", ""] {
        assert_eq!(device::parse(name), Err(Error::Name(name.into())));
    }
    if Cuda::is_available() {
        assert_eq!(device::parse("auto"), Ok(Device::Cuda(0)));
        let count = Cuda::device_count();
        assert_eq!(device::parse("cuda:99"), Err(Error::NoSuchCard { index: 99, count }));
    } else {
        assert_eq!(device::parse("auto"), Ok(Device::Cpu));
        for name in ["cuda:0", "cuda"] {
            assert!(matches!(device::parse(name), Err(Error::NoCuda { why }) if !why.is_empty()), "{name}");
        }
    }
}

#[test]
fn the_peak_of_the_process_follows_what_is_allocated() {
    let memory = device::memory(Device::Cpu).unwrap();
    assert!(memory.free > 0 && memory.free <= memory.total, "{memory:?}");
    let before = device::peak_memory(Device::Cpu).unwrap();
    let megabytes = 1 << 28;
    let held = Tensor::ones([megabytes / 4], (Kind::Float, Device::Cpu));
    let after = device::peak_memory(Device::Cpu).unwrap();
    assert!(after >= megabytes as u64, "{after} after {before}");
    assert_eq!(held.get(0).double_value(&[]), 1.0);
    drop(held);
    if device::reset_peak(Device::Cpu) {
        assert!(device::peak_memory(Device::Cpu).unwrap() > 0);
    }
}
