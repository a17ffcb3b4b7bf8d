// What each way to bring a model costs: the same MLP built in, written by hand with Eigen, in C behind callbacks, built in
// behind callbacks, and as a LibTorch module; the plain step and the step with selection of each, all by turns in one run,
// on one thread. Nothing is timed before the alignments of a first step have been seen to agree.
#include <cstdio>
#include <deque>

#include "adapters/contender.hpp"
#include "mts/core/parallel.hpp"
#include "support/rounds.hpp"

namespace bench {

namespace {

struct Entry {
  std::string name;
  std::unique_ptr<Contender> contender;
  Side plain{}, select{};
};

void measure(benchmark::State& state) {
  const mts::ThreadLimit one(1);
  const Images train(adapter_samples, "train"), validation(validation_samples, "validation");
  std::deque<Entry> entries;
  const auto add = [&](const char* name, std::unique_ptr<Contender> c) {
    auto& e = entries.emplace_back(Entry{name, std::move(c)});
    e.plain.step = [&e] { e.contender->plain(); };
    e.select.step = [&e] { e.contender->select(); };
  };
  add("built_in", built_in(train, validation));
  add("eigen", by_hand_in_eigen(train, validation));
  add("built_in_behind_callbacks", built_in_behind_callbacks(train, validation));
  add("c", net_in_c(train, validation));
#ifdef MTS_BENCH_LIBTORCH
  add("torch", torch_module(train, validation));
#endif

  auto& counter = state.counters;
  const Entry& reference = entries.front();
  for (auto& e : entries) {
    e.select.step();
    const auto& a = e.contender->alignments();
    const auto& expected = reference.contender->alignments();
    const double error = (a - expected).lpNorm<Eigen::Infinity>() / expected.lpNorm<Eigen::Infinity>();
    counter[e.name + "_error"] = error;
    if (!(error <= 1e-3))
      throw mts::NumericalError(mts::detail::text("alignments of ", e.name,
                                                  ": expected those of the built-in net within ", 1e-3,
                                                  " of the largest, found ", error));
  }

  std::vector<Side*> sides;
  for (auto& e : entries) sides.insert(sides.end(), {&e.plain, &e.select});
  run_rounds(sides, {.seconds = 60, .turn = 0, .rounds = 7});

  state.SetIterationTime(median(reference.select.seconds));
  counter["rounds"] = static_cast<double>(reference.plain.seconds.size());
  std::printf("%-28s%12s%12s%12s%14s%12s\n", "", "plain, ms", "MTS, ms", "MTS/plain", "plain/built-in", "MTS/built-in");
  for (const auto& e : entries) {
    const double overhead = median_ratio(e.select.seconds, e.plain.seconds),
                 plain = median_ratio(e.plain.seconds, reference.plain.seconds),
                 select = median_ratio(e.select.seconds, reference.select.seconds);
    counter[e.name + "_plain_ms"] = e.plain.median_ms();
    counter[e.name + "_mts_ms"] = e.select.median_ms();
    counter[e.name + "_overhead"] = overhead;
    counter[e.name + "_plain_to_built_in"] = plain;
    counter[e.name + "_mts_to_built_in"] = select;
    std::printf("%-28s%12.1f%12.1f%12.2f%14.2f%12.2f\n", e.name.c_str(), e.plain.median_ms(), e.select.median_ms(),
                overhead, plain, select);
  }
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, [] { bench::measurement("adapters/mlp/1024", &bench::measure); });
}
