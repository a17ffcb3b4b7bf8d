// Overhead and time per sample against the batch size.
#include "mts/core/parallel.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

void measure_size(benchmark::State& state, const Case& c) {
  const mts::ThreadLimit one(1);
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const auto trainer = make_trainer(c, train, validation, Estimator::per_sample_dot);
  Side plain{"plain", [&] { trainer->plain(); }}, select{"mts", [&] { trainer->select(); }};
  run_rounds({&plain, &select}, {.seconds = 2, .rounds = 3});
  const double n = static_cast<double>(c.samples), m = static_cast<double>(validation_samples);
  auto& counter = state.counters;
  state.SetIterationTime(median(select.seconds));
  counter["samples"] = n;
  counter["plain_ms"] = plain.median_ms();
  counter["mts_ms"] = select.median_ms();
  counter["plain_us_per_sample"] = 1e3 * plain.median_ms() / n;
  counter["mts_us_per_sample"] = 1e3 * select.median_ms() / n;
  counter["ratio"] = median_ratio(select.seconds, plain.seconds);
  counter["floor_ratio"] = floor_flops(c.layers(), n, m) / plain_flops(c.layers(), n);
  counter["rounds"] = static_cast<double>(plain.seconds.size());
}

}  // namespace

void register_sweep() {
  for (Index n = 64; n <= 65536; n *= 2) {
    const Case c{Net::mlp, n};
    measurement("sweep/" + c.name(), [c](auto& state) { measure_size(state, c); });
  }
}

}  // namespace bench
