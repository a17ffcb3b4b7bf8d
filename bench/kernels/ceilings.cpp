// The machine's ceilings, for one thread and two.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "kernels/kernels.hpp"
#include "support/ceilings.hpp"

namespace bench {

namespace {

using benchmark::Counter;

void fma(benchmark::State& state) {
  constexpr long rounds = 250'000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(multiply_adds(rounds, 0.999f, 0.001f));
  }
  state.counters["GFLOP/s"] =
      Counter(1e-9 * multiply_add_flops(rounds) * static_cast<double>(state.iterations()), Counter::kIsRate);
}

/// Three arrays of 128 MiB a thread: more than any cache.
template <bool streaming>
void triad_of_memory(benchmark::State& state) {
  constexpr std::size_t n = std::size_t{32} << 20;
  std::vector<float> b(n, 1.0f), c(n, 2.0f), storage(n + 16, 0.0f);
  void* at = storage.data();
  std::size_t room = storage.size() * sizeof(float);
  float* a = static_cast<float*>(std::align(64, n * sizeof(float), at, room));
  for (auto _ : state) {
    if constexpr (streaming)
      streaming_triad(n, a, b.data(), c.data(), 0.5f);
    else
      triad(n, a, b.data(), c.data(), 0.5f);
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] =
      Counter(1e-9 * 12.0 * static_cast<double>(n) * static_cast<double>(state.iterations()), Counter::kIsRate);
}

}  // namespace

void register_ceilings() {
  for (int threads : {1, 2}) {
    const auto add = [&](const char* name, void (*f)(benchmark::State&)) {
      auto* b = benchmark::RegisterBenchmark(name, f)->Unit(benchmark::kMillisecond)->Threads(threads);
      if (threads > 1) b->UseRealTime();
    };
    add("ceiling/multiply-add", fma);
    add("ceiling/triad", triad_of_memory<false>);
    add("ceiling/streaming triad", triad_of_memory<true>);
  }
}

}  // namespace bench
