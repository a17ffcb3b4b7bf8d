#pragma once
/// \file
/// The benchmarks, each in a file of its own.

#include "lab/registry.hpp"

namespace mts::lab {

Benchmark spurious_benchmark();  // spurious.cpp

}  // namespace mts::lab
