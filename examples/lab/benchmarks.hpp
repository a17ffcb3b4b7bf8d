#pragma once
/// \file
/// The benchmarks; those of real images and edits of them are in benchmarks.cpp.

#include "lab/registry.hpp"

namespace mts::lab {

Benchmark spurious_benchmark();
Benchmark attribute_benchmark();
Benchmark texture_benchmark();
Benchmark domain_benchmark();

}  // namespace mts::lab
