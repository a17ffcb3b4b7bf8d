#pragma once
// Two or more sides measured by turns: a round gives each side one turn of several steps, so what disturbs the machine
// disturbs all, and what a side leaves in the caches is lost on its first step only.

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "mts/core/error.hpp"
#include "support/clock.hpp"
#include "support/program.hpp"
#include "support/statistics.hpp"

namespace bench {

/// One side: its steps, and the seconds a step took in each round.
struct Side {
  std::string name;
  std::function<void()> step;
  std::vector<double> seconds{};
  int steps = 1;  ///< a turn

  double median_ms() const { return 1e3 * median(seconds); }
  double least_ms() const { return 1e3 * least(seconds); }
};

struct RoundOptions {
  double seconds = 3;  ///< to be spent in all; a tenth with --quick
  double turn = 0.02;  ///< seconds a turn lasts at least
  int rounds = 5;      ///< at least
  double (*clock)() = &thread_seconds;
};

/// Warms up, then runs rounds until the time is spent.
inline void run_rounds(std::vector<Side*> sides, const RoundOptions& options = {}) {
  for (Side* side : sides) {
    double once = 0;
    for (int k = 0; k < 2 && once < 0.2; ++k) {  // the first step of a side allocates
      const double begin = wall_seconds();
      side->step();
      once = wall_seconds() - begin;
    }
    side->steps = std::clamp(static_cast<int>(options.turn / once), 1, 1000);
    side->seconds.clear();
  }
  const double end = wall_seconds() + budget(options.seconds);
  const double thread_begin = thread_seconds(), process_begin = process_seconds();
  const int least_rounds = quick() ? 3 : options.rounds;
  for (int round = 0; round < least_rounds || wall_seconds() < end; ++round)
    for (Side* side : sides) {
      const double begin = options.clock();
      for (int k = 0; k < side->steps; ++k) side->step();
      side->seconds.push_back((options.clock() - begin) / side->steps);
    }
  const double thread = thread_seconds() - thread_begin, process = process_seconds() - process_begin;
  if (options.clock == &thread_seconds && process > 1.1 * thread + 1e-3)
    throw mts::Error("a step ran on more than one thread, so that its time says nothing of one");
}

/// Registers a measurement that runs once, with rounds of its own; f(state) sets the iteration time and the counters.
template <class F>
void measurement(const std::string& name, F&& f) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [f](benchmark::State& state) {
                                 for (auto _ : state) guarded(state, [&] { f(state); });
                               })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace bench
