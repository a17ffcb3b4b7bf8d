#pragma once
// What the benchmark programs have in common: --quick besides Google Benchmark's own options, and an exit status that
// tells whether a result was wrong.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <exception>
#include <string_view>

namespace bench {

inline bool& quick() {
  static bool value = false;
  return value;
}
/// How long a measurement lasts that is to last so long: a tenth of it with --quick.
inline double budget(double seconds) { return quick() ? seconds / 10 : seconds; }

/// How many benchmarks of this program ended in an error so far.
inline int& failures() {
  static int count = 0;
  return count;
}
/// Calls f(); what it throws becomes the benchmark's error.
template <class F>
void guarded(benchmark::State& state, F&& f) {
  try {
    f();
  } catch (const std::exception& error) {
    ++failures();
    state.SkipWithError(error.what());
  }
}

/// Takes an option of ours out of the arguments. \return whether it was there
inline bool take_option(std::string_view option, int& argc, char** argv) {
  const auto end = std::remove_if(argv + 1, argv + argc, [&](const char* a) { return a == option; });
  const bool found = end != argv + argc;
  argc = static_cast<int>(end - argv);
  return found;
}

/// Calls register_all() and runs what it registered. \return the exit status: 2 for an unknown option, 1 if a benchmark
/// ended in an error
template <class F>
int run(int argc, char** argv, F&& register_all) {
  quick() = take_option("--quick", argc, argv);
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return failures() == 0 ? 0 : 1;
}

}  // namespace bench
