// L17: weights w_i ~ Exp(1), independent: p is uniform on the simplex, so E[1/B_eff] = E[sum p^2] = 2/(N + 1).
#include <cmath>
#include <vector>

#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

Claim mean_inverse_effective_batch() {
  return {.law = "L17",
          .name = "E[1/B_eff] of exponential weights",
          .order = "exact",
          .source = "docs/theory.md, L17",
          .grid = {Case{{"N", 2}}, Case{{"N", 16}}, Case{{"N", 256}}},
          .prediction = [](const Case& at) { return std::vector{2 / (at["N"] + 1)}; },
          .check = Simulation{.simulator = [](const Case& at) -> Simulation::Replicate {
            return [n = at["N"]](mts::RandomStream& random, std::span<double> observed) {
              double sum = 0, squares = 0;
              for (int i = 0; i < n; ++i) {
                const double w = -std::log(1 - random.uniform());
                sum += w;
                squares += w * w;
              }
              observed[0] = squares / (sum * sum);
            };
          }},
          .mutants = {{"N for N + 1", [](const Case& at) { return std::vector{2 / at["N"]}; }}}};
}

const laws::Register l17("L17", [] { return std::vector{mean_inverse_effective_batch()}; });

}  // namespace
