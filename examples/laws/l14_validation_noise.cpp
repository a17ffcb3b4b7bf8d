/// L14: what a finite validation batch, and finite pools, do to the variance of the hypergradient.
#include <mts/theory/gsnr_forecast.hpp>
#include <mts/theory/validation_noise.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

constexpr int dimension = 4;
using Vector = std::array<double, dimension>;
double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t l = 0; l < dimension; ++l) sum += a[l] * b[l];
  return sum;
}

/// g_i = J_i c + xi_i, Gamma_j = Gamma + sigma_v zeta_j; J, xi, zeta standard Gaussians, uniform weights.
constexpr Vector gradient{.8, .5, 0, -.4};
Vector direction(const Case& at) { return {.6 * at["c"], 0, -.3 * at["c"], .2 * at["c"]}; }

/// With C = Cov(J, g) = c: h_j = (J g - c).Gamma_j, so train = Gamma^T S Gamma, S = 2 c c^T + I, validation = sigma_v^2 |c|^2, and
/// cross = sigma_v^2 tr S - 2 sigma_v^2 |c|^2, since mu_j = c.Gamma_j and B1_j = -mu_j.
NoiseComponents components(const Case& at) {
  const Vector c = direction(at);
  const double mu = dot(c, gradient), c2 = dot(c, c), v = at["sigma_v"] * at["sigma_v"];
  return {mu * mu, mu * mu * 2 + dot(gradient, gradient), v * c2, v * (2 * c2 + dimension) - 2 * v * c2};
}
Simulation::Replicate two_batches(const Case& at) {
  return [c = direction(at), sigma = at["sigma_v"], n = static_cast<int>(at["N"]), m = static_cast<int>(at["M"])](
             mts::RandomStream& random, std::span<double> observed) {
    Vector gamma = gradient;
    for (int j = 0; j < m; ++j)
      for (double& x : gamma) x += sigma * random.normal() / m;
    laws::WeightedCovariance g;
    for (int i = 0; i < n; ++i) {
      const double J = random.normal();
      double a = 0;
      for (std::size_t l = 0; l < dimension; ++l) a += gamma[l] * (J * c[l] + random.normal());
      g.add(1, J, a);
    }
    laws::observe(g.value(), observed);
  };
}
Prediction without(double NoiseComponents::*part) {
  return [part](const Case& at) {
    NoiseComponents c = components(at);
    c.*part = 0;
    return std::vector{hypergradient_variance(c, at["N"], at["M"])};
  };
}

Claim variance() {
  // Uniform weights and Gaussians: what is left out is -V_train/N^2 and V_val/N^2 with less than that of V_cross: relative 1/N.
  return {"L14",
          "variance with M validation samples",
          "O(1/N^2)",
          "docs/theory.md, L14",
          {{{"N", 64}, {"M", 4}, {"sigma_v", 2}, {"c", .3}},
           {{"N", 64}, {"M", 32}, {"sigma_v", 1}, {"c", 1}},
           {{"N", 64}, {"M", 8}, {"sigma_v", .3}, {"c", 1}}},
          [](const Case& at) { return std::vector{hypergradient_variance(components(at), at["N"], at["M"])}; },
          Simulation{two_batches, 2, laws::variance_statistic,
                     [](const Case& at) { return hypergradient_variance(components(at), at["N"], at["M"]) / at["N"]; }},
          {{"without V_cross", without(&NoiseComponents::cross)},
           {"without V_val", without(&NoiseComponents::validation)},
           {"without V_train", without(&NoiseComponents::train)}}};
}

/// Three atoms of training samples, three validation samples of equal probability, one drawn a batch (M = 1): all batches are gone
/// through. Var = E_j Var[G_j] + Var_j E[G_j] = V_val + (V_train + V_cross)/N + ...
struct Atoms {
  std::array<double, 3> probability{.3, .45, .25}, w{1, 2.5, .7}, x{-1, .4, 1.3};
  std::array<std::array<double, 3>, 3> a{{{.5, -1.2, .9}, {1.1, .7, -1.4}, {-.3, 1.6, 2}}};  ///< a[j][i]
};
GsnrExpansion expansion(const std::array<double, 3>& a) {
  const Atoms p;
  const auto vector = [](const std::array<double, 3>& v) {
    return mts::SampleVector(mts::SampleVector::Map(v.data(), 3));
  };
  return gsnr_expansion(gsnr_moments({vector(p.probability), vector(p.w), vector(p.x), vector(a), {}}));
}
NoiseComponents atoms_components() {
  const Atoms p;
  std::vector<GsnrExpansion> each;
  std::array<double, 3> mean{};
  for (const auto& a : p.a) {
    each.push_back(expansion(a));
    for (std::size_t i = 0; i < 3; ++i) mean[i] += a[i] / 3;
  }
  return noise_components(each, expansion(mean));
}
Claim all_batches() {
  constexpr double extrapolation = 1e-3;
  return {"L14",
          "components of the variance, all batches of a population",
          "exact",
          "docs/theory.md, L14",
          {{{"M", 1}}},
          [](const Case&) {
            const NoiseComponents c = atoms_components();
            return std::vector{c.validation, c.train + c.cross};
          },
          Exact{[](const Case&) {
                  const Atoms p;
                  const std::vector<int> sizes{12, 16, 22, 30, 40, 52, 66};
                  std::vector<double> variance;
                  for (const int n : sizes) {
                    double within = 0, mean = 0, squares = 0;
                    for (const auto& a : p.a) {
                      const auto m = laws::over_all_batches(p.probability, n, [&](const auto& counts) {
                        laws::WeightedCovariance g;
                        for (std::size_t i = 0; i < 3; ++i) g.add(counts[i] * p.w[i], p.x[i], a[i]);
                        return g.value();
                      });
                      within += m.variance / 3;
                      mean += m.mean / 3;
                      squares += m.mean * m.mean / 3;
                    }
                    variance.push_back(within + squares - mean * mean);
                  }
                  const auto c = laws::inverse_powers(sizes, variance);
                  return std::vector{c[0], c[1]};
                },
                extrapolation},
          {{"V_cross of the noise alone, without the covariance of mu and B1", [](const Case&) {
              const Atoms p;
              const NoiseComponents c = atoms_components();
              double noise = 0;
              for (const auto& a : p.a) noise += expansion(a).v1 / 3;
              return std::vector{c.validation, noise};
            }}}};
}

/// Two given pools; batches are drawn from them without replacement. The components are those of the pools, by two-way sums.
struct Pools {
  mts::SampleVector w;
  mts::RowMatrix<double> jacobian, alignments;
};
Pools pools(const Case& at) {
  mts::RandomStream random(0, "L14 pools");
  const auto n = static_cast<mts::Index>(at["n"]), m = static_cast<mts::Index>(at["m"]);
  Pools p{mts::SampleVector(n), mts::RowMatrix<double>(n, 1), mts::RowMatrix<double>(n, m)};
  mts::RowMatrix<double> gammas(m, mts::Index{dimension});
  for (mts::Index j = 0; j < m; ++j)
    for (mts::Index l = 0; l < dimension; ++l)
      gammas(j, l) = gradient[static_cast<std::size_t>(l)] + 1.5 * random.normal();
  const Vector c{.6, 0, -.3, .2};
  for (mts::Index i = 0; i < n; ++i) {
    const double J = random.normal();
    p.w[i] = std::exp(.5 * J);
    p.jacobian(i, 0) = J;
    Vector g;
    for (std::size_t l = 0; l < dimension; ++l) g[l] = J * c[l] + random.normal();
    for (mts::Index j = 0; j < m; ++j) {
      p.alignments(i, j) = 0;
      for (std::size_t l = 0; l < dimension; ++l) p.alignments(i, j) += g[l] * gammas(j, static_cast<mts::Index>(l));
    }
  }
  return p;
}
/// The first k of a permutation that is reshuffled as far as k each time.
class Drawing {
 public:
  explicit Drawing(mts::Index n) : order_(static_cast<std::size_t>(n)) {
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<mts::Index>(i);
  }
  std::span<const mts::Index> draw(mts::RandomStream& random, std::size_t k) {
    for (std::size_t i = 0; i < k; ++i) std::swap(order_[i], order_[i + random.below(order_.size() - i)]);
    return {order_.data(), k};
  }

 private:
  std::vector<mts::Index> order_;
};
double pool_variance(const Case& at, bool factors) {
  const Pools p = pools(at);
  const GsnrForecast forecast({p.w, {}, p.jacobian}, p.alignments);
  return forecast.at(at["N"], at["M"], GsnrOrder::next, factors ? PoolSizes{at["n"], at["m"]} : PoolSizes{}).variance;
}
Claim from_pools() {
  constexpr double left_out = 30;  // relative error at most 30/N^2 at these points
  return {"L14",
          "variance without replacement from pools of n and m",
          "O(1/N^3)",
          "docs/theory.md, L14; next order by GsnrForecast",
          {{{"N", 64}, {"M", 16}, {"n", 160}, {"m", 40}}, {{"N", 64}, {"M", 40}, {"n", 160}, {"m", 40}}},
          [](const Case& at) { return std::vector{pool_variance(at, true)}; },
          Simulation{[](const Case& at) -> Simulation::Replicate {
                       return [p = pools(at), n = static_cast<std::size_t>(at["N"]),
                               m = static_cast<std::size_t>(at["M"])](mts::RandomStream& random,
                                                                      std::span<double> observed) {
                         Drawing train(p.alignments.rows()), validation(p.alignments.cols());
                         const auto columns = validation.draw(random, m);
                         laws::WeightedCovariance g;
                         for (const mts::Index i : train.draw(random, n)) {
                           double a = 0;
                           for (const mts::Index j : columns) a += p.alignments(i, j);
                           g.add(p.w[i], p.jacobian(i, 0), a / static_cast<double>(m));
                         }
                         laws::observe(g.value(), observed);
                       };
                     },
                     2, laws::variance_statistic,
                     [](const Case& at) { return left_out / (at["N"] * at["N"]) * pool_variance(at, true); }},
          {{"as if drawn with replacement", [](const Case& at) { return std::vector{pool_variance(at, false)}; }}}};
}

/// The best split against a search over all whole N that the budget allows, finely interpolated.
Claim split() {
  const auto parts = [](const Case& at) { return NoiseComponents{1, at["train"], at["validation"], at["cross"]}; };
  const auto sizes = [](const Case& at) { return at["pools"] > 0 ? PoolSizes{400, at["pools"]} : PoolSizes{}; };
  return {"L14",
          "best split of a budget between N and M",
          "exact",
          "docs/theory.md, L14",
          {{{"C", 1000}, {"c_N", 1}, {"c_M", 2}, {"train", 5}, {"validation", 1}, {"cross", 3}, {"pools", 0}},
           {{"C", 300}, {"c_N", 5}, {"c_M", 2}, {"train", .1}, {"validation", 2}, {"cross", 80}, {"pools", 0}},
           {{"C", 700}, {"c_N", 1}, {"c_M", 3}, {"train", 2}, {"validation", 2}, {"cross", 60}, {"pools", 120}},
           {{"C", 700}, {"c_N", 1}, {"c_M", 3}, {"train", 2}, {"validation", 9}, {"cross", 4}, {"pools", 120}}},
          [parts, sizes](const Case& at) {
            const auto s = best_split(parts(at), at["C"], at["c_N"], at["c_M"], sizes(at));
            return std::vector{s.n, s.m};
          },
          Exact{[parts, sizes](const Case& at) {
                  // A ternary search of the variance, written out, along the line of the budget.
                  const NoiseComponents c = parts(at);
                  const PoolSizes pool = sizes(at);
                  const auto variance = [&](double n) {
                    const double m = (at["C"] - at["c_N"] * n) / at["c_M"];
                    const double fn = 1 / n - 1 / pool.train, fm = 1 / m - 1 / pool.validation;
                    return c.train * fn + c.validation * fm + c.cross * fn * fm;
                  };
                  double low = std::max(1.0, (at["C"] - at["c_M"] * pool.validation) / at["c_N"]);
                  double high = std::min(pool.train, (at["C"] - at["c_M"]) / at["c_N"]);
                  for (int k = 0; k < 200; ++k) {
                    const double third = (high - low) / 3;
                    if (variance(low + third) < variance(high - third))
                      high -= third;
                    else
                      low += third;
                  }
                  const double n = (low + high) / 2;
                  return std::vector{n, (at["C"] - at["c_N"] * n) / at["c_M"]};
                },
                1e-6},
          {{"without V_cross", [parts, sizes](const Case& at) {
              NoiseComponents c = parts(at);
              c.cross = 0;
              const auto s = best_split(c, at["C"], at["c_N"], at["c_M"], sizes(at));
              return std::vector{s.n, s.m};
            }}}};
}

const laws::Register l14("L14", [] { return std::vector{variance(), all_batches(), from_pools(), split()}; });

}  // namespace
