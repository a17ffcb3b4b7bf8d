#pragma once
/// \file
/// What tests on a device share: the device, and their decorator.

#include <doctest/doctest.h>

#include "mts/cuda/device.hpp"
#include "mts/cuda/queue.hpp"

namespace mts::testing {

/// `TEST_CASE("..." * needs_device())`: skipped, by name, where there is none.
inline doctest::skip needs_device() { return doctest::skip(cuda::device_count() == 0); }

inline cuda::SharedQueue<cuda::Device> device_queue() { return cuda::make_queue<cuda::Device>(); }

}  // namespace mts::testing
