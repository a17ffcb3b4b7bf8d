/// L15: the variance of the weighted training gradient.
#include <mts/theory/weighted_gradient_variance.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

/// Two groups in one dimension: good samples, a fraction rho, of weight 1 with gradients N(0, 1); bad ones of weight `w` with
/// gradients N(gap, sigma^2).
Simulation::Replicate two_group_batch(const Case& at) {
  return [rho = at["rho"], w = at["w"], gap = at["gap"], sigma = at["sigma"], n = static_cast<int>(at["N"])](
             mts::RandomStream& random, std::span<double> observed) {
    double sum = 0, mean = 0;
    for (int i = 0; i < n; ++i) {
      const bool good = random.chance(rho);
      const double g = good ? random.normal() : gap + sigma * random.normal(), w_i = good ? 1 : w;
      sum += w_i;
      mean += w_i * g;
    }
    laws::observe(mean / sum, observed);
  };
}
GradientMoments moments(const Case& at) {
  GradientPopulation p;
  for (auto* x : {&p.probability, &p.w, &p.variance}) x->resize(2);
  p.g.resize(2, 1);
  p.probability << at["rho"], 1 - at["rho"];
  p.w << 1, at["w"];
  p.g << 0, at["gap"];
  p.variance << 1, at["sigma"] * at["sigma"];
  return gradient_moments(p);
}

Claim variance() {
  // What is left out is about the square of what the next order adds, relative to the leading one, and a fifth more at most here.
  constexpr double left_out = 1.2;
  const auto predicted = [](const Case& at) { return weighted_gradient_variance(moments(at), at["N"]); };
  return {"L15",
          "variance of the weighted gradient, two groups",
          "O(1/N^3)",
          "docs/theory.md, L15",
          {{{"N", 64}, {"rho", .5}, {"w", .1}, {"gap", 2}, {"sigma", 3}},
           {{"N", 32}, {"rho", .3}, {"w", .25}, {"gap", 3}, {"sigma", 1}},
           {{"N", 48}, {"rho", .1}, {"w", .05}, {"gap", 3}, {"sigma", 1}},
           {{"N", 24}, {"rho", .7}, {"w", 8}, {"gap", 0}, {"sigma", 1}}},
          [predicted](const Case& at) { return std::vector{predicted(at)}; },
          Simulation{two_group_batch, 2, laws::variance_statistic,
                     [predicted](const Case& at) {
                       const double lead = weighted_gradient_variance_leading(moments(at), at["N"]),
                                    next = predicted(at);
                       const double relative = std::abs(next / lead - 1) + 1 / at["N"];
                       return left_out * relative * relative * next;
                     }},
          {{"tr Sigma_g / B_eff",
            [](const Case& at) { return std::vector{gradient_variance_by_effective_batch(moments(at), at["N"])}; }},
           {"without the next order",
            [](const Case& at) { return std::vector{weighted_gradient_variance_leading(moments(at), at["N"])}; }}}};
}

/// The coefficients, from all batches of a small population.
Claim coefficients() {
  static constexpr std::array<double, 4> probability{.3, .2, .35, .15}, w{1, 2.5, .7, 1.6}, g{.5, -1.2, .9, 2.2};
  constexpr double extrapolation = 1e-3;
  return {"L15",
          "variance coefficients, all batches of a population",
          "exact",
          "docs/theory.md, L15",
          {{{"population", 1}}},
          [](const Case&) {
            GradientPopulation p;
            p.probability = Eigen::Vector4d(probability.data());
            p.w = Eigen::Vector4d(w.data());
            p.g = Eigen::Vector4d(g.data());
            const auto m = gradient_moments(p);
            // Var = c/N + d/N^2 at two sizes gives c and d
            const double at1 = weighted_gradient_variance(m, 1), at2 = weighted_gradient_variance(m, 2);
            return std::vector{4 * at2 - at1, 2 * at1 - 4 * at2};
          },
          Exact{[](const Case&) {
                  const auto c = laws::expansion_of_all_batches(probability, [](const auto& counts) {
                    double sum = 0, mean = 0;
                    for (std::size_t k = 0; k < 4; ++k) {
                      sum += counts[k] * w[k];
                      mean += counts[k] * w[k] * g[k];
                    }
                    return mean / sum;
                  });
                  return std::vector{c[2], c[3]};
                },
                extrapolation}};
}

const laws::Register l15("L15", [] { return std::vector{variance(), coefficients()}; });

}  // namespace
