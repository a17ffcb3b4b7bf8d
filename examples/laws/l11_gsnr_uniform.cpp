/// L11: the GSNR under uniform weights, exact at every N.
#include <mts/theory/gsnr_uniform.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

/// a = r J + sqrt(1 - r^2) e, J drawn by `feature` with mean 0 and variance 1.
template <class Feature>
auto uniform_batch(Feature feature) {
  return [feature](const Case& at) -> Simulation::Replicate {
    return [feature, at, r = at["r"], n = static_cast<int>(at["N"])](mts::RandomStream& random, std::span<double> out) {
      const auto J = feature(at);
      laws::WeightedCovariance g;
      for (int i = 0; i < n; ++i) {
        const double x = J(random);
        g.add(1, x, r * x + std::sqrt(1 - r * r) * random.normal());
      }
      laws::observe(g.value(), out);
    };
  };
}

Claim gaussian() {
  const auto feature = [](const Case&) { return [](mts::RandomStream& random) { return random.normal(); }; };
  return {
      "L11",
      "GSNR, uniform weights, Gaussian pair",
      "exact",
      "docs/theory.md, L11",
      {{{"N", 4}, {"r", .6}},
       {{"N", 16}, {"r", .3}},
       {{"N", 64}, {"r", .5}},
       {{"N", 256}, {"r", .1}},
       {{"N", 16}, {"r", -.8}}},
      [](const Case& at) { return std::vector{gsnr_uniform_gaussian(at["N"], at["r"])}; },
      Simulation{uniform_batch(feature), 2, gsnr_statistic, {}},
      {{"N for N - 1", [](const Case& at) { return std::vector{gsnr_uniform_gaussian(at["N"] + 1, at["r"])}; }},
       {"without r^2 in the noise", [](const Case& at) { return std::vector{(at["N"] - 1) * at["r"] * at["r"]}; }}}};
}

/// J = 1 with probability P, standardised: E J^4 = (1 - 3 P (1 - P))/(P (1 - P)), and k22 = r^2 (E J^4 - 3).
double binary_k22(const Case& at) {
  const double spread = at["P"] * (1 - at["P"]);
  return at["r"] * at["r"] * ((1 - 3 * spread) / spread - 3);
}
Claim binary() {
  const auto feature = [](const Case& at) {
    return [p = at["P"]](mts::RandomStream& random) {
      return ((random.chance(p) ? 1.0 : 0.0) - p) / std::sqrt(p * (1 - p));
    };
  };
  return {"L11",
          "GSNR, uniform weights, binary J",
          "exact",
          "docs/theory.md, L11",
          {{{"N", 5}, {"P", .1}, {"r", .5}},
           {{"N", 16}, {"P", .1}, {"r", .5}},
           {{"N", 64}, {"P", .1}, {"r", .5}},
           {{"N", 16}, {"P", .5}, {"r", .7}}},
          [](const Case& at) { return std::vector{gsnr_uniform(at["N"], at["r"], binary_k22(at))}; },
          Simulation{uniform_batch(feature), 2, gsnr_statistic, {}},
          {{"as if the pair were Gaussian",
            [](const Case& at) { return std::vector{gsnr_uniform_gaussian(at["N"], at["r"])}; }}}};
}

/// The batch for a target is that whose GSNR, by the formula, is the target: a root against a formula.
Claim batch() {
  return {"L11",
          "batch for a target GSNR",
          "exact",
          "docs/theory.md, L11",
          {{{"g", 1}, {"r", .3}, {"k22", 0}}, {{"g", 4}, {"r", .1}, {"k22", .5}}, {{"g", 3}, {"r", .6}, {"k22", -.7}}},
          [](const Case& at) { return std::vector{at["g"]}; },
          Exact{[](const Case& at) {
            const double n = batch_for_gsnr_uniform(at["g"], at["r"], at["k22"]), r = at["r"];
            return std::vector{r * r / (at["k22"] / n + (1 + r * r) / (n - 1))};
          }},
          {{"1 + g/r^2", [](const Case& at) {
              const double r = at["r"], n = 1 + at["g"] / (r * r);
              return std::vector{r * r / (at["k22"] / n + (1 + r * r) / (n - 1))};
            }}}};
}

const laws::Register l11("L11", [] { return std::vector{gaussian(), binary(), batch()}; });

}  // namespace
