#pragma once
// What this machine can do at most, at this moment and for this build's -march: multiply-adds in registers, and a triad
// a = b + s c over memory. Measured beside whatever is compared with it, because a shared machine's ceiling moves.

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "support/clock.hpp"

namespace bench {

#if defined(__AVX512F__)
inline constexpr std::size_t register_bytes = 64;
#elif defined(__AVX__)
inline constexpr std::size_t register_bytes = 32;
#else
inline constexpr std::size_t register_bytes = 16;
#endif
using Lanes [[gnu::vector_size(register_bytes)]] = float;

/// Independent chains of multiply-adds: more than latency (4) times units (2), fewer than the registers.
inline constexpr int chains = 12;

/// `rounds` multiply-adds on each chain; returns a number that depends on all of them.
[[gnu::noinline]] inline float multiply_adds(long rounds, float scale, float shift) {
  const Lanes a = Lanes{} + scale, b = Lanes{} + shift;
  asm volatile("" : "+r"(rounds));  // or calls of equal arguments would be taken for one
  return [&]<std::size_t... k>(std::index_sequence<k...>) {
    std::array<Lanes, sizeof...(k)> x{(Lanes{} + static_cast<float>(k))...};
    for (long r = 0; r < rounds; ++r) ((x[k] = x[k] * a + b), ...);
    const Lanes sum = (x[k] + ...);
    return sum[0];
  }(std::make_index_sequence<chains>{});
}
inline double multiply_add_flops(long rounds) {
  return 2.0 * chains * static_cast<double>(register_bytes / sizeof(float)) * static_cast<double>(rounds);
}

/// FLOP/s of one thread: the best of five runs of about half a millisecond.
inline double peak_flops() {
  constexpr long rounds = 250'000;
  volatile float sink = 0;
  double best = 0;
  for (int k = 0; k < 5; ++k) {
    const double begin = thread_seconds();
    sink = multiply_adds(rounds, 0.999f, 0.001f);
    best = std::max(best, multiply_add_flops(rounds) / (thread_seconds() - begin));
  }
  static_cast<void>(sink);
  return best;
}

/// a = b + s c. Bytes are counted as STREAM counts them: two reads and a write, 12 n.
inline void triad(std::size_t n, float* a, const float* b, const float* c, float s) {
  for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
}
/// The same with stores that pass the caches by; a must be aligned to a register, n a multiple of one.
inline void streaming_triad(std::size_t n, float* a, const float* b, const float* c, float s) {
#if defined(__AVX__)
  const __m256 factor = _mm256_set1_ps(s);
  for (std::size_t i = 0; i < n; i += 8)
    _mm256_stream_ps(a + i, _mm256_add_ps(_mm256_loadu_ps(b + i), _mm256_mul_ps(factor, _mm256_loadu_ps(c + i))));
  _mm_sfence();
#elif defined(__x86_64__)
  const __m128 factor = _mm_set1_ps(s);
  for (std::size_t i = 0; i < n; i += 4)
    _mm_stream_ps(a + i, _mm_add_ps(_mm_loadu_ps(b + i), _mm_mul_ps(factor, _mm_loadu_ps(c + i))));
  _mm_sfence();
#else
  triad(n, a, b, c, s);
#endif
}

/// Bytes/s of a triad whose three arrays have `footprint` bytes together: the ceiling of a kernel that touches as much,
/// be that in a cache or in memory. The best of five runs.
inline double triad_bytes(double footprint) {
  const auto n = std::max<std::size_t>(static_cast<std::size_t>(footprint / 12), 1024);
  static std::vector<float> a, b, c;
  for (auto* x : {&a, &b, &c})
    if (x->size() < n) x->assign(n, 1.0f);
  const long passes = std::max<long>(1, static_cast<long>(4e6 / (12.0 * static_cast<double>(n))));
  triad(n, a.data(), b.data(), c.data(), 0.5f);
  double best = 0;
  for (int k = 0; k < 5; ++k) {
    const double begin = thread_seconds();
    for (long p = 0; p < passes; ++p) {
      triad(n, a.data(), b.data(), c.data(), 0.5f);
      asm volatile("" : : "r"(a.data()) : "memory");
    }
    best = std::max(best, 12.0 * static_cast<double>(n) * static_cast<double>(passes) / (thread_seconds() - begin));
  }
  return best;
}

}  // namespace bench
