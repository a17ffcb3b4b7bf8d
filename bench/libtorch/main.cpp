// The same steps here and in LibTorch, side by side in one process, on one thread. --tuned: glibc's malloc without mmap
// and without trimming, which spares LibTorch most of its page faults; without it malloc is as it comes. Nothing is
// timed before both sides have been seen to agree.
#include <malloc.h>

#include <iostream>

#include "libtorch/agreement.hpp"
#include "libtorch/peer.hpp"
#include "mts/core/parallel.hpp"
#include "step/trainer.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

void tune_malloc() {
  // 32 MiB is the most that glibc takes for a threshold, so mmap is switched off altogether.
  if (mallopt(M_MMAP_MAX, 0) != 1 || mallopt(M_TRIM_THRESHOLD, 1 << 30) != 1 || mallopt(M_TOP_PAD, 64 << 20) != 1)
    throw mts::Error("mallopt refused");
}

void measure_case(benchmark::State& state, const Case& c, Writing writing) {
  const mts::ThreadLimit one(1);
  const Images train(c.samples, "train"), validation(validation_samples, "validation");
  const auto trainer = make_trainer(c, train, validation, Estimator::per_sample_dot);
  const auto peer = make_peer(c, writing, train, validation, offline_columns(), initial_theta(c.net), initial_phi());
  const auto agreement = check_agreement(c, train, validation, *trainer, *peer);

  Side plain{"mts plain", [&] { trainer->plain(); }}, select{"mts", [&] { trainer->select(); }};
  Side torch_plain{"torch plain", [&] { peer->plain(); }}, central{"central", [&] { peer->central_difference(); }},
      through{"double", [&] { peer->double_backward(); }};
  run_rounds({&plain, &torch_plain, &select, &central, &through}, {.seconds = 5});

  auto& counter = state.counters;
  state.SetIterationTime(median(select.seconds));
  counter["plain_ms"] = plain.median_ms();
  counter["mts_ms"] = select.median_ms();
  counter["torch_plain_ms"] = torch_plain.median_ms();
  counter["torch_central_difference_ms"] = central.median_ms();
  counter["torch_double_backward_ms"] = through.median_ms();
  counter["overhead"] = median_ratio(select.seconds, plain.seconds);
  counter["torch_overhead"] = median_ratio(central.seconds, torch_plain.seconds);
  counter["plain_ratio"] = median_ratio(torch_plain.seconds, plain.seconds);
  counter["central_difference_ratio"] = median_ratio(central.seconds, select.seconds);
  counter["double_backward_ratio"] = median_ratio(through.seconds, select.seconds);
  counter["plain_ratio_of_least"] = torch_plain.least_ms() / plain.least_ms();
  counter["central_difference_ratio_of_least"] = central.least_ms() / select.least_ms();
  counter["error_losses"] = agreement.losses;
  counter["error_weights"] = agreement.weights;
  counter["error_weighted_gradient"] = agreement.weighted_gradient;
  counter["error_alignments"] = agreement.alignments;
  counter["error_hypergradient"] = agreement.hypergradient;
  counter["rounds"] = static_cast<double>(plain.seconds.size());
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  const bool tuned = take_option("--tuned", argc, argv);
  try {
    if (tuned) tune_malloc();
    one_thread_in_torch();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  benchmark::AddCustomContext("peer", describe_torch());
  return run(argc, argv, [tuned] {
    for (const auto& c : cases())
      for (const auto w : {Writing::nchw, Writing::channels_last}) {
        if (c.net == Net::mlp && w == Writing::channels_last) continue;
        const std::string writing = c.net == Net::mlp ? "" : w == Writing::nchw ? "/nchw" : "/channels last";
        measurement(std::string("peer/") + (tuned ? "tuned malloc/" : "malloc as it comes/") + c.name() + writing,
                    [c, w](auto& state) { measure_case(state, c, w); });
      }
  });
}
