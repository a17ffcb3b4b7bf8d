/// L12: the GSNR under weights exp(beta J) that follow the feature.
#include <mts/theory/gsnr_tilted_gaussian.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

Simulation::Replicate tilted_batch(const Case& at) {
  return [r = at["r"], beta = at["beta"], n = static_cast<int>(at["N"])](mts::RandomStream& random,
                                                                         std::span<double> observed) {
    laws::WeightedCovariance g;
    for (int i = 0; i < n; ++i) {
      const double J = random.normal();
      g.add(std::exp(beta * J), J, r * J + std::sqrt(1 - r * r) * random.normal());
    }
    laws::observe(g.value(), observed);
  };
}
double next(const Case& at) { return gsnr_tilted_gaussian(at["N"], at["r"], at["beta"]); }

Claim ratio() {
  // What the next order leaves out vanishes with beta, where it is exact. At these points it is at most (40 beta^2 + 200 beta^4) v^2,
  // v = e^{2 beta^2}/N, by simulations of a few hundred thousand batches.
  const auto left_out = [](const Case& at) {
    const double v = tilted_gaussian_validity(at["N"], at["beta"]), b2 = at["beta"] * at["beta"];
    return (40 * b2 + 200 * b2 * b2) * v * v * next(at);
  };
  return {"L12",
          "GSNR, w = exp(beta J), Gaussian pair",
          "O((e^{2 beta^2}/N)^2) relative",
          "docs/theory.md, L12",
          {{{"N", 64}, {"r", .3}, {"beta", .25}},
           {{"N", 256}, {"r", .3}, {"beta", .5}},
           {{"N", 512}, {"r", .5}, {"beta", .75}},
           {{"N", 5}, {"r", .8}, {"beta", .1}},
           {{"N", 6}, {"r", .8}, {"beta", -.1}}},
          [](const Case& at) { return std::vector{next(at)}; },
          Simulation{tilted_batch, 2, gsnr_statistic, left_out},
          {{"without the next order",
            [](const Case& at) { return std::vector{gsnr_tilted_gaussian_leading(at["N"], at["r"], at["beta"])}; }},
           {"uniform weights, N replaced by B_eff", [](const Case& at) {
              return std::vector{gsnr_uniform_gaussian(at["N"] * std::exp(-at["beta"] * at["beta"]), at["r"])};
            }}}};
}

const laws::Register l12("L12", [] { return std::vector{ratio()}; });

}  // namespace
