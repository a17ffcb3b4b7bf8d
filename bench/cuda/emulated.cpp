// The benchmark of the CUDA backend without a device: its own code on the emulation, with small batches. What it measures
// means nothing; that all of it was measured, and trained, is checked. \return 0 if so
#include <cmath>
#include <iostream>

#include "cuda/steps.hpp"
#include "mts/cuda/emulation.hpp"

namespace {

using namespace bench;

int failures = 0;
void expect(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::cerr << "expected " << what << '\n';
}

/// Products and layers of traffic.hpp are those of flops.hpp.
void check_floor(Net net) {
  const Case c{net, 1};
  const auto layers = traffic(net).layers;
  expect(layers.size() == c.layers().multiply_adds.size(), "as many layers in bytes as in flops");
  expect(traffic(net).embedding == c.layers().embedding, "the same embedding in bytes and in flops");
  expect(static_cast<Index>(traffic(net).parameters()) == classifier<float>(net).network().parameter_count(),
         "the classifier's number of parameters");
}
void check_case(const CaseResult& c) {
  expect(c.error.empty(), c.name + " to be measured, found: " + c.error);
  expect(c.found.size() == 3, c.name + ": a plain step and two with selection");
  for (const auto& f : c.found) {
    const std::string name = c.name + ", " + f.name + ": ";
    expect(f.seconds.size() >= 3, name + "three rounds");
    expect(*std::min_element(f.seconds.begin(), f.seconds.end()) > 0, name + "a time");
    expect(f.replays >= 1, name + "sequences that are replayed");
    expect(f.launches >= f.replays, name + "no fewer launches than sequences");
    expect(f.launches > c.found.front().launches || &f == &c.found.front(), name + "more launches than the plain step");
    expect(f.floor.flops > 0 && f.floor.bytes > 0, name + "a floor");
    expect(std::isfinite(f.last_loss) && f.last_loss < std::log(10.0), name + "a loss below that of a guess");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    check_floor(Net::mlp);
    check_floor(Net::cnn);
    const auto queue = mts::cuda::make_queue<mts::cuda::Emulation>();
    Results results{.where = {{"device", "emulation"}, {"date", date()}}};
    results.ceilings = measure_ceilings(queue, {.product = 64, .copy = 1 << 16});
    expect(results.ceilings.flops > 0 && results.ceilings.bytes > 0, "rates");
    measure_cases(queue, {{Net::mlp, 24}, {Net::cnn, 16}}, 16, {.seconds = 0, .turn = 0.2, .rounds = 3}, results);
    for (const auto& c : results.cases) check_case(c);
    expect(!results.failed(), "no failure");

    const auto small = mts::cuda::make_queue<mts::cuda::Emulation>(mts::cuda::Emulation::Memory{1 << 20});
    Results none;
    measure_cases(small, {{Net::mlp, 512}}, 16, {.seconds = 0, .turn = 0, .rounds = 3}, none);
    expect(!none.cases.at(0).fits && !none.cases.at(0).error.empty() && !none.failed(),
           "a batch without room to be named");

    write_table(results, std::cout);
    if (argc > 1) write_json(results, argv[1]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return failures == 0 ? 0 : 1;
}
