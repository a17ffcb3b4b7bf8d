// The four cases with each alignment estimator: plain step, step with selection, phases, flops, allocations. One
// thread.
#include <algorithm>
#include <map>

#include "mts/core/parallel.hpp"
#include "step/step.hpp"
#include "step/trainer.hpp"
#include "support/allocations.hpp"
#include "support/ceilings.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

std::string counter_name(std::string_view phase) {
  std::string name(phase);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name + "_ms";
}

/// Allocations of one step, at least and at most, over all steps but the warming ones.
struct Allocations {
  Heap before{}, most{};
  void begin() { before = heap(); }
  void end() {
    const Heap now = heap();
    most.allocations = std::max(most.allocations, now.allocations - before.allocations);
    most.bytes = std::max(most.bytes, now.bytes - before.bytes);
  }
};

void measure_case(benchmark::State& state, const Case& c, Estimator estimator) {
  const mts::ThreadLimit one(1);
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const auto trainer = make_trainer(c, train, validation, estimator);
  mts::diagnostics::PhaseTimes phases;
  Allocations plain_heap, heap_of_step;
  long steps = 0;
  Side plain{"plain", [&] {
               plain_heap.begin();
               trainer->plain();
               plain_heap.end();
             }};
  Side select{"mts", [&] {
                heap_of_step.begin();
                const auto report = trainer->select();
                heap_of_step.end();
                phases += report.seconds;
                ++steps;
              }};
  for (int k = 0; k < 2; ++k) plain.step(), select.step();
  plain_heap = heap_of_step = {};
  phases = {};
  steps = 0;

  const double peak_before = peak_flops();
  run_rounds({&plain, &select});
  const double peak = std::max(peak_before, peak_flops());

  const double n = static_cast<double>(c.samples), m = static_cast<double>(validation_samples);
  const double floor = floor_flops(c.layers(), n, m), plain_work = plain_flops(c.layers(), n);
  auto& counter = state.counters;
  state.SetIterationTime(median(select.seconds));
  counter["mts_ms"] = select.median_ms();
  counter["mts_least_ms"] = select.least_ms();
  counter["plain_ms"] = plain.median_ms();
  counter["plain_least_ms"] = plain.least_ms();
  counter["ratio"] = median_ratio(select.seconds, plain.seconds);
  counter["ratio_of_least"] = select.least_ms() / plain.least_ms();
  counter["floor_ratio"] = floor / plain_work;
  counter["rounds"] = static_cast<double>(plain.seconds.size());
  counter["mts_GFLOP/s"] = 1e-9 * floor / median(select.seconds);
  counter["plain_GFLOP/s"] = 1e-9 * plain_work / median(plain.seconds);
  counter["plain_of_peak"] = plain_work / median(plain.seconds) / peak;
  counter["mts_of_peak"] = floor / median(select.seconds) / peak;
  counter["mts_allocations"] = static_cast<double>(heap_of_step.most.allocations);
  counter["mts_allocated_bytes"] = static_cast<double>(heap_of_step.most.bytes);
  counter["plain_allocations"] = static_cast<double>(plain_heap.most.allocations);
  for (const auto& phase : phases.phases())
    counter[counter_name(phase.name)] = 1e3 * phase.seconds / static_cast<double>(steps);
}

}  // namespace

void register_cases() {
  for (const auto& c : cases())
    for (const auto e : {Estimator::per_sample_dot, Estimator::pushforward, Estimator::central_difference})
      measurement("step/" + c.name() + "/" + name_of(e), [c, e](auto& state) { measure_case(state, c, e); });
}

}  // namespace bench
