#pragma once
/// \file
/// Counts allocations. Eigen allocates by malloc, so malloc is what is counted. It replaces malloc for the whole program, so
/// exactly one file of a program includes this.
/// MTS_COUNTS_ALLOCATIONS: defined where that can be done.

#include <atomic>
#include <cstddef>
#include <memory>

#include "support/sanitized.hpp"

#if defined(__GLIBC__) && !defined(MTS_SANITIZED)
#define MTS_COUNTS_ALLOCATIONS 1

namespace mts_test {

/// Of one stretch of work.
struct Allocations {
  long count = 0;
  long bytes = 0;
};

inline thread_local bool counting_allocations = false;
inline thread_local int allocations_counted = 0;
inline std::atomic<bool> counting_all_threads = false;
inline std::atomic<long> all_threads_count = 0, all_threads_bytes = 0;

/// How often this thread allocates while f runs.
template <class F>
int allocations_of(F&& f) {
  allocations_counted = 0;
  counting_allocations = true;
  f();
  counting_allocations = false;
  return allocations_counted;
}
/// What all threads together allocate meanwhile.
template <class F>
Allocations allocations_of_all_threads(F&& f) {
  all_threads_count = all_threads_bytes = 0;
  counting_all_threads = true;
  f();
  counting_all_threads = false;
  return {all_threads_count, all_threads_bytes};
}

inline void count_allocation(std::size_t bytes) {
  allocations_counted += counting_allocations;
  if (!counting_all_threads.load(std::memory_order_relaxed)) return;
  all_threads_count.fetch_add(1, std::memory_order_relaxed);
  all_threads_bytes.fetch_add(static_cast<long>(bytes), std::memory_order_relaxed);
}

}  // namespace mts_test

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) noexcept {
  mts_test::count_allocation(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  mts_test::count_allocation(count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* p, std::size_t size) noexcept {
  mts_test::count_allocation(size);
  return __libc_realloc(p, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  mts_test::count_allocation(size);
  return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  mts_test::count_allocation(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) noexcept {
  mts_test::count_allocation(size);
  *p = __libc_memalign(alignment, size);
  return *p ? 0 : 12;  // ENOMEM
}
}

#endif
