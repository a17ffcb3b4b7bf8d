/// L13: the GSNR of a noisy binary feature.
#include <mts/theory/gsnr_binary_feature.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

BinaryFeature law(const Case& at) {
  BinaryFeature l;
  l.rho = at["rho"];
  l.eps = at["eps"];
  l.a_good = 1;
  l.a_bad = -.5;
  l.sigma = at["sigma"];
  l.beta = at["beta"];
  return l;
}
Simulation::Replicate binary_batch(const Case& at) {
  return [l = law(at), n = static_cast<int>(at["N"])](mts::RandomStream& random, std::span<double> observed) {
    laws::WeightedCovariance g;
    for (int i = 0; i < n; ++i) {
      const bool good = random.chance(l.rho), flipped = random.chance(l.eps);
      const double f = good != flipped ? 1 : 0;
      g.add(std::exp(l.beta * f), f, (good ? l.a_good : l.a_bad) + l.sigma * random.normal());
    }
    laws::observe(g.value(), observed);
  };
}
double predicted(const Case& at, GsnrOrder order) {
  return predict_gsnr(gsnr_expansion(gsnr_moments_binary_feature(law(at))), at["N"], order).gsnr;
}

Claim ratio() {
  constexpr double left_out = 32;  // carried one order further, the relative error is at most 28/N^2 at these points
  return {"L13",
          "GSNR, noisy binary feature",
          "O(1/N^2) relative",
          "docs/theory.md, L13",
          {{{"N", 64}, {"rho", .3}, {"eps", .1}, {"sigma", 1}, {"beta", .7}},
           {{"N", 64}, {"rho", .5}, {"eps", .25}, {"sigma", 1}, {"beta", 0}},
           {{"N", 48}, {"rho", .2}, {"eps", 0}, {"sigma", 1}, {"beta", 1.5}},
           {{"N", 48}, {"rho", .15}, {"eps", .05}, {"sigma", .5}, {"beta", -1}}},
          [](const Case& at) { return std::vector{predicted(at, GsnrOrder::next)}; },
          Simulation{binary_batch, 2, gsnr_statistic,
                     [](const Case& at) { return left_out / (at["N"] * at["N"]) * predicted(at, GsnrOrder::next); }},
          {{"without the next order", [](const Case& at) { return std::vector{predicted(at, GsnrOrder::leading)}; }},
           {"as if the feature were not flipped", [](const Case& at) {
              BinaryFeature l = law(at);
              l.eps = 0;
              return std::vector{predict_gsnr(gsnr_expansion(gsnr_moments_binary_feature(l)), at["N"]).gsnr};
            }}}};
}

/// The sums over f collapse to one line; against moments of L10 taken over the atoms (f, y) with the law of a given y.
Claim collapsed() {
  return {"L13",
          "leading order in one line",
          "exact",
          "docs/theory.md, L13",
          {{{"N", 64}, {"rho", .3}, {"eps", .1}, {"sigma", 1}, {"beta", .7}},
           {{"N", 32}, {"rho", .6}, {"eps", .3}, {"sigma", .4}, {"beta", -1.3}}},
          [](const Case& at) { return std::vector{gsnr_binary_feature_leading(at["N"], law(at))}; },
          Exact{[](const Case& at) {
            const BinaryFeature l = law(at);
            WeightedPopulation p{
                Eigen::Vector4d(l.rho * (1 - l.eps), l.rho * l.eps, (1 - l.rho) * l.eps, (1 - l.rho) * (1 - l.eps)),
                Eigen::Vector4d(std::exp(l.beta), 1, std::exp(l.beta), 1), Eigen::Vector4d(1, 0, 1, 0),
                Eigen::Vector4d(l.a_good, l.a_good, l.a_bad, l.a_bad), Eigen::Vector4d::Constant(l.sigma * l.sigma)};
            return std::vector{predict_gsnr(gsnr_expansion(gsnr_moments(p)), at["N"], GsnrOrder::leading).gsnr};
          }}};
}

const laws::Register l13("L13", [] { return std::vector{ratio(), collapsed()}; });

}  // namespace
