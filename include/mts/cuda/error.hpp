#pragma once
/// \file
/// Errors of a device, and what they say.

#include <cstddef>

#include "mts/core/error.hpp"

namespace mts::cuda {

/// A call of CUDA or cuBLAS that failed: which, where, and why.
class DeviceError : public Error {
 public:
  using Error::Error;
};
/// There is no device to run on, or its driver is too old. The CPU path is not affected.
class NoDevice : public DeviceError {
 public:
  using DeviceError::DeviceError;
};
/// The device has no room for so much.
class OutOfMemory : public DeviceError {
 public:
  OutOfMemory(std::size_t asked, std::size_t available, std::size_t total)
      : DeviceError(mts::detail::text("cuda: out of memory: asked for ", mib(asked), " MiB, ", mib(available), " of ",
                                      mib(total), " MiB are free; lower the workspace budget, or the batch")) {}

 private:
  static double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }
};

}  // namespace mts::cuda
