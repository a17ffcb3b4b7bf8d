#pragma once
/// \file
/// Counts allocations of this thread. Eigen allocates by malloc, so malloc is what is counted. It replaces malloc for the
/// whole program, so exactly one file of a program includes this.
/// MTS_COUNTS_ALLOCATIONS: defined where that can be done.

#include <cstddef>
#include <memory>

#include "support/sanitized.hpp"

#if defined(__GLIBC__) && !defined(MTS_SANITIZED)
#define MTS_COUNTS_ALLOCATIONS 1

namespace mts_test {

inline thread_local bool counting_allocations = false;
inline thread_local int allocations_counted = 0;

/// How often this thread allocates while f runs.
template <class F>
int allocations_of(F&& f) {
  allocations_counted = 0;
  counting_allocations = true;
  f();
  counting_allocations = false;
  return allocations_counted;
}

}  // namespace mts_test

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) noexcept {
  mts_test::allocations_counted += mts_test::counting_allocations;
  return __libc_malloc(size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  mts_test::allocations_counted += mts_test::counting_allocations;
  return __libc_memalign(alignment, size);
}
}

#endif
