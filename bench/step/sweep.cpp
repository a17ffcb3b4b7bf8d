// Overhead and time per sample against the batch size, activations kept and recomputed.
#include <string_view>

#include "mts/core/parallel.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

/// A step with selection that must be of the regime asked for.
std::function<void()> select_step(Trainer& trainer, const char* activations) {
  return [&trainer, activations] {
    const auto report = trainer.select();
    if (std::string_view(report.activations) != activations)
      throw mts::Error(mts::detail::text("expected activations to be ", activations, ", found ", report.activations));
  };
}

void measure_size(benchmark::State& state, Index samples) {
  const mts::ThreadLimit one(1);
  const Case kept{Net::mlp, samples}, recomputed{Net::mlp, samples, false};
  const Images train(samples, "train"), validation(validation_samples, "validation");
  const auto trainer = make_trainer(kept, train, validation, Estimator::per_sample_dot);
  const auto other = make_trainer(recomputed, train, validation, Estimator::per_sample_dot);
  Side plain{"plain", [&] { trainer->plain(); }}, select{"mts", select_step(*trainer, "kept")},
      again{"mts, recomputed", select_step(*other, "recomputed")};
  run_rounds({&plain, &select, &again}, {.seconds = 2, .rounds = 3});
  const double n = static_cast<double>(samples), m = static_cast<double>(validation_samples);
  auto& counter = state.counters;
  state.SetIterationTime(median(select.seconds));
  counter["samples"] = n;
  counter["plain_ms"] = plain.median_ms();
  counter["mts_ms"] = select.median_ms();
  counter["plain_us_per_sample"] = 1e3 * plain.median_ms() / n;
  counter["mts_us_per_sample"] = 1e3 * select.median_ms() / n;
  counter["recomputed_us_per_sample"] = 1e3 * again.median_ms() / n;
  counter["ratio"] = median_ratio(select.seconds, plain.seconds);
  counter["recomputed_to_kept"] = median_ratio(again.seconds, select.seconds);
  counter["floor_ratio"] = floor_flops(kept.layers(), n, m) / plain_flops(kept.layers(), n);
  counter["rounds"] = static_cast<double>(plain.seconds.size());
}

}  // namespace

void register_sweep() {
  for (Index n = 64; n <= (quick() ? 16384 : 65536); n *= quick() ? 4 : 2)
    measurement(mts::detail::text("sweep/mlp/", n), [n](auto& state) { measure_size(state, n); });
}

}  // namespace bench
