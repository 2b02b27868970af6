// What tch does not reach: opening CUDA at run time, memory statistics, determinism, and the peak of the process
// on Windows. Every function returns 0 or a size on success and never lets a C++ exception cross into Rust.

#include <cstdint>
#include <exception>
#include <string>

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#include <psapi.h>
#else
#include <dlfcn.h>
#endif

namespace {
template <typename F>
int guarded(F body) {
  try {
    body();
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}
std::string open_problem;
}  // namespace

extern "C" {

// 0 when libtorch's CUDA half is now part of this process. Its constructors register the CUDA hooks.
int model_open_cuda() {
#ifdef _WIN32
  if (LoadLibraryA("torch_cuda.dll") == nullptr) {
    open_problem = "torch_cuda.dll could not be opened";
    return 1;
  }
#else
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* problem = dlerror();
    open_problem = problem != nullptr ? problem : "libtorch_cuda.so could not be opened";
    return 1;
  }
#endif
  // cuDNN's attention makes a plan for every length that it has not met, and no two rows are of one length.
  return guarded([] { at::globalContext().setSDPUseCuDNN(false); });
}

// Why model_open_cuda did not; empty where it did.
const char* model_open_problem() {
  return open_problem.c_str();
}

int model_memory(int device, uint64_t* free_bytes, uint64_t* total_bytes) {
  return guarded([&] {
    const auto info = at::accelerator::getMemoryInfo(static_cast<c10::DeviceIndex>(device));
    *free_bytes = info.first;
    *total_bytes = info.second;
  });
}

// Element 0 of the statistics is the aggregate over both pools.
int model_peak_memory(int device, uint64_t* peak_bytes) {
  return guarded([&] {
    const auto stats = at::accelerator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
    *peak_bytes = static_cast<uint64_t>(stats.reserved_bytes[0].peak);
  });
}

int model_reset_peak_memory(int device) {
  return guarded([&] { at::accelerator::resetPeakStats(static_cast<c10::DeviceIndex>(device)); });
}

int model_empty_cache() {
  return guarded([] { at::accelerator::emptyCache(); });
}

int model_set_deterministic(int on) {
  return guarded([&] {
    auto& context = at::globalContext();
    context.setDeterministicAlgorithms(on != 0, /*warn_only=*/true);
    context.setDeterministicCuDNN(on != 0);
    context.setDeterministicFillUninitializedMemory(false);
  });
}

// The largest working set of this process so far; 0 where the system is not asked this way.
uint64_t model_process_peak() {
#ifdef _WIN32
  PROCESS_MEMORY_COUNTERS counters;
  if (K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters))) {
    return static_cast<uint64_t>(counters.PeakWorkingSetSize);
  }
#endif
  return 0;
}

// Free and total physical memory; 0 where the system is not asked this way.
int model_host_memory(uint64_t* free_bytes, uint64_t* total_bytes) {
#ifdef _WIN32
  MEMORYSTATUSEX status;
  status.dwLength = sizeof(status);
  if (GlobalMemoryStatusEx(&status)) {
    *free_bytes = status.ullAvailPhys;
    *total_bytes = status.ullTotalPhys;
    return 0;
  }
#endif
  return 1;
}
}
