// One thread against two, by the wall clock.
#include <thread>

#include "mts/core/parallel.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

void measure_threads(benchmark::State& state, const Case& c) {
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const auto trainer = make_trainer(c, train, validation, Estimator::per_sample_dot);
  const auto on = [&](int threads, auto step) {
    return [=] {
      const mts::ThreadLimit limit(threads);
      step();
    };
  };
  const auto plain = [&] { trainer->plain(); };
  const auto select = [&] { trainer->select(); };
  Side plain_1{"plain", on(1, plain)}, plain_2{"plain", on(2, plain)}, mts_1{"mts", on(1, select)},
      mts_2{"mts", on(2, select)};
  run_rounds({&plain_1, &plain_2, &mts_1, &mts_2}, {.clock = &wall_seconds});
  auto& counter = state.counters;
  state.SetIterationTime(median(mts_2.seconds));
  counter["plain_1_ms"] = plain_1.median_ms();
  counter["plain_2_ms"] = plain_2.median_ms();
  counter["mts_1_ms"] = mts_1.median_ms();
  counter["mts_2_ms"] = mts_2.median_ms();
  counter["plain_speedup"] = median_ratio(plain_1.seconds, plain_2.seconds);
  counter["mts_speedup"] = median_ratio(mts_1.seconds, mts_2.seconds);
  counter["mts_speedup_of_least"] = least(mts_1.seconds) / least(mts_2.seconds);
  counter["rounds"] = static_cast<double>(mts_1.seconds.size());
}

}  // namespace

void register_threads() {
  if (std::thread::hardware_concurrency() < 2) return;
  for (const auto& c : cases()) measurement("threads/" + c.name(), [c](auto& state) { measure_threads(state, c); });
}

}  // namespace bench
