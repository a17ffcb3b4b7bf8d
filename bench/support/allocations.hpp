#pragma once
// Heap allocations of this program: link support/allocations.cpp, which puts itself in front of malloc and its
// relatives. Eigen allocates by malloc, so counting operator new would miss most.

#include <cstddef>

namespace bench {

struct Heap {
  std::size_t allocations = 0;  ///< calls so far of malloc, calloc, realloc, aligned_alloc, memalign and posix_memalign
  std::size_t bytes = 0;        ///< bytes asked for so far
};
Heap heap();

}  // namespace bench
