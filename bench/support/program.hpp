#pragma once
// What the benchmark programs have in common: --quick besides Google Benchmark's own options, and an exit status that tells
// whether a result was wrong.

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

/// Calls f(); what it throws becomes the benchmark's error, and the program's.
inline int& failures() {
  static int count = 0;
  return count;
}
template <class F>
void guarded(benchmark::State& state, F&& f) {
  try {
    f();
  } catch (const std::exception& error) {
    ++failures();
    state.SkipWithError(error.what());
  }
}

/// Runs what is registered. \return the exit status: 2 for an unknown option, 1 if a benchmark ended in an error
inline int run(int argc, char** argv) {
  const auto end =
      std::remove_if(argv + 1, argv + argc, [](const char* a) { return std::string_view(a) == "--quick"; });
  quick() = end != argv + argc;
  argc = static_cast<int>(end - argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return failures() == 0 ? 0 : 1;
}

}  // namespace bench
