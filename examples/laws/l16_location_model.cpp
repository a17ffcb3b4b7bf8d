/// L16: the Gaussian location model, end to end.
#include <mts/theory/location_model.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

LocationModel model(const Case& at) { return {at["rho"], at["b"], at["sigma"], at["d"]}; }

Claim excess_loss() {
  return {"L16",
          "excess loss at mass q on good samples",
          "exact",
          "docs/theory.md, L16a",
          {{{"N", 40}, {"rho", .5}, {"b", 1}, {"sigma", 1}, {"d", 10}, {"q", .5}},
           {{"N", 40}, {"rho", .25}, {"b", .5}, {"sigma", 2}, {"d", 5}, {"q", .8}},
           {{"N", 20}, {"rho", .75}, {"b", 1}, {"sigma", 1}, {"d", 20}, {"q", 1}}},
          [](const Case& at) { return std::vector{location_excess_loss(model(at), at["N"], at["q"])}; },
          Simulation{[](const Case& at) -> Simulation::Replicate {
                       return [m = model(at), q = at["q"], n = static_cast<int>(at["N"])](mts::RandomStream& random,
                                                                                          std::span<double> observed) {
                         const int good = static_cast<int>(std::lround(m.rho * n));
                         double loss = 0;
                         for (int l = 0; l < static_cast<int>(m.dimension); ++l) {
                           double estimate = 0;  // theta_hat - theta*, entry l; b along the first axis
                           for (int i = 0; i < n; ++i) {
                             const double mass = i < good ? q / good : (1 - q) / (n - good);
                             const double centre = i >= good && l == 0 ? m.shift : 0.0;
                             estimate += mass * (centre + m.sigma * random.normal());
                           }
                           loss += estimate * estimate / 2;
                         }
                         observed[0] = loss;
                       };
                     },
                     1,
                     {},
                     {}},
          {{"without the noise of the bad samples", [](const Case& at) {
              LocationModel good = model(at);
              const double bias = 1 - at["q"], n = at["N"];
              return std::vector{(bias * bias * good.shift * good.shift +
                                  good.dimension * good.sigma * good.sigma * at["q"] * at["q"] / (good.rho * n)) /
                                 2};
            }}}};
}

Claim best_mass() {
  return {"L16",
          "mass of least excess loss",
          "exact",
          "docs/theory.md, L16a",
          {{{"N", 40}, {"rho", .5}, {"b", 1}, {"sigma", 1}, {"d", 10}},
           {{"N", 10}, {"rho", .2}, {"b", .3}, {"sigma", 2}, {"d", 50}}},
          [](const Case& at) { return std::vector{location_best_mass(model(at), at["N"])}; },
          Exact{[](const Case& at) {
                  // Bias and variance of theta_hat written out, searched by thirds.
                  const auto loss = [&](double q) {
                    const double good = at["rho"] * at["N"], bad = at["N"] - good;
                    const double variance = q * q / good + (1 - q) * (1 - q) / bad;
                    return (1 - q) * (1 - q) * at["b"] * at["b"] + at["d"] * at["sigma"] * at["sigma"] * variance;
                  };
                  double low = 0, high = 1;
                  for (int k = 0; k < 200; ++k) {
                    const double third = (high - low) / 3;
                    if (loss(low + third) < loss(high - third))
                      high -= third;
                    else
                      low += third;
                  }
                  return std::vector{(low + high) / 2};
                },
                1e-6},
          {{"1: bad samples do not help", [](const Case&) { return std::vector{1.0}; }}}};
}

/// The closed loop as it is: the logit gap x under the gradient of L1 for shared logits, and theta - theta* = y b relaxing to the
/// equilibrium of its weights at `rate` (0: at once). Returns the mass on good samples at time t.
double integrated(double rho, double b, double c, double rate, double q0, double t) {
  const double offset = std::log(rho / (1 - rho));
  const auto mass = [&](double x) { return 1 / (1 + std::exp(-(x + offset))); };
  const auto flow = [&](const laws::flows::State& s, laws::flows::State& change, double) {
    const double q = mass(s[0]), y = rate > 0 ? s[1] : 1 - q;
    const double a_good = b * b * y, a_bad = 0, abar = q * a_good + (1 - q) * a_bad;  // up to a constant
    change[0] = c * (q * (a_good - abar) - (1 - q) * (a_bad - abar));
    change[1] = rate > 0 ? -rate * (s[1] - (1 - q)) : 0;
  };
  const auto end = laws::flows::integrated(flow, {std::log(q0 / (1 - q0)) - offset, 1 - q0}, t);
  return mass(end[0]);
}

Claim closed_loop() {
  return {"L16",
          "mass on good samples in the closed loop",
          "exact",
          "docs/theory.md, L16b",
          {{{"b", 1}, {"c", .1}, {"q0", .5}, {"t", 30}},
           {{"b", 2}, {"c", .05}, {"q0", .2}, {"t", 5}},
           {{"b", .5}, {"c", .2}, {"q0", .05}, {"t", 2000}}},
          [](const Case& at) {
            return std::vector{location_mass({.5, at["b"], 1, 1}, at["c"], at["q0"], at["t"])};
          },
          Exact{[](const Case& at) {
                  constexpr double rho = .3;  // does not matter
                  return std::vector{integrated(rho, at["b"], at["c"], 0, at["q0"], at["t"])};
                },
                1e-9},
          {{"half the rate", [](const Case& at) {
              return std::vector{location_mass({.5, at["b"], 1, 1}, at["c"] / 2, at["q0"], at["t"])};
            }}}};
}

Claim late() {
  return {"L16",
          "late exponent of 1 - q",
          "0.01",
          "docs/theory.md, L16b",
          {{{"b", 1}, {"c", 1}, {"t", 1e6}}},
          [](const Case&) { return std::vector{-.5}; },
          Exact{[](const Case& at) {
                  const auto bad = [&](double t) { return 1 - integrated(.5, at["b"], at["c"], 0, .5, t); };
                  return std::vector{std::log(bad(4 * at["t"]) / bad(at["t"])) / std::log(4.0)};
                },
                .01, true},
          {{"a third", [](const Case&) { return std::vector{-1.0 / 3}; }}}};
}

/// With theta relaxing at a finite rate the mass differs from the closed form by O(c/rate): halving c halves it.
Claim lag() {
  return {"L16",
          "order of the error in c over theta's rate",
          "0.1",
          "docs/theory.md, L16b",
          {{{"c over rate", .01}, {"c t", 3}}},
          [](const Case&) { return std::vector{1.0}; },
          Exact{[](const Case& at) {
                  const auto error = [&](double c) {
                    const double t = at["c t"] / c;
                    return integrated(.5, 1, c, 1, .3, t) - location_mass({.5, 1, 1, 1}, c, .3, t);
                  };
                  const double c = at["c over rate"];
                  return std::vector{std::log2(error(c) / error(c / 2))};
                },
                .1, true},
          {{"second order", [](const Case&) { return std::vector{2.0}; }}},
          false};
}

const laws::Register l16("L16", [] { return std::vector{excess_loss(), best_mass(), closed_loop(), late(), lag()}; });

}  // namespace
