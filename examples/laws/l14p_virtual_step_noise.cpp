/// L14': in the real step the training batch also moves Gamma.
#include <mts/theory/virtual_step_noise.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

/// theta - theta* = .45 b + a vector of length 1 at right angles to b; sigma = 1.
LocationStep step(const Case& at) { return {{at["rho"], at["b"], 1, at["d"]}, .45, 1, at["eta"]}; }

/// G of the real step, J the indicator of a good sample, uniform weights. G depends on the samples of each kind through their
/// number and mean alone, and these are drawn: exactly the law of a batch, at 2 d Gaussians instead of N d.
Simulation::Replicate location_batch(const Case& at) {
  return [s = step(at), n = static_cast<int>(at["N"])](mts::RandomStream& random, std::span<double> observed) {
    int good = 0;
    for (int i = 0; i < n; ++i) good += random.chance(s.model.rho) ? 1 : 0;
    const double rho = static_cast<double>(good) / n, bad = 1 - rho;
    const double noise_good = std::sqrt(rho / n), noise_bad = std::sqrt(bad / n);
    double g = 0;
    for (int l = 0; l < static_cast<int>(s.model.dimension); ++l) {
      const double b = l == 0 ? s.model.shift : 0.0;
      const double theta = l == 0 ? s.along * s.model.shift : l == 1 ? s.across : 0.0;
      // (1/N) sum of g_i = theta - x_i over each kind
      const double of_good = rho * theta - noise_good * random.normal();
      const double of_bad = bad * (theta - b) - noise_bad * random.normal();
      const double mean = of_good + of_bad, covariance = of_good - rho * mean;
      g += covariance * (theta - s.eta * mean);
    }
    laws::observe(g, observed);
  };
}
double predicted(const Case& at) { return predict_gsnr(virtual_step_expansion(step(at)), at["N"]).gsnr; }

Claim location() {
  constexpr double left_out = 2;  // relative error at most 2 d eta^2/N^2 and 20/N^2, at these points
  constexpr double left_out_alone = 20;
  return {"L14'",
          "GSNR of the real step, location model",
          "O(1/N^2) relative",
          "docs/theory.md, L14'",
          {{{"N", 64}, {"d", 100}, {"rho", .75}, {"b", 2}, {"eta", 0}},
           {{"N", 64}, {"d", 100}, {"rho", .75}, {"b", 2}, {"eta", .1}},
           {{"N", 64}, {"d", 100}, {"rho", .75}, {"b", 2}, {"eta", .5}},
           {{"N", 64}, {"d", 100}, {"rho", .75}, {"b", 2}, {"eta", 1}},
           {{"N", 96}, {"d", 40}, {"rho", .4}, {"b", 1.5}, {"eta", .7}}},
          [](const Case& at) { return std::vector{predicted(at)}; },
          Simulation{location_batch, 2, gsnr_statistic,
                     [](const Case& at) {
                       return (left_out * at["d"] * at["eta"] * at["eta"] + left_out_alone) / (at["N"] * at["N"]) *
                              predicted(at);
                     }},
          {{"Gamma independent of the batch",
            [](const Case& at) {
              // The same Gamma on average, but that of another batch.
              LocationStep s = step(at);
              s.along = (1 - s.eta) * s.along + s.eta * (1 - s.model.rho);
              s.across *= 1 - s.eta;
              s.eta = 0;
              return std::vector{predict_gsnr(virtual_step_expansion(s), at["N"]).gsnr};
            }},
           {"without the second order", [](const Case& at) {
              return std::vector{predict_gsnr(virtual_step_expansion(step(at)), at["N"], GsnrOrder::leading).gsnr};
            }}}};
}

/// Any weights: a population of four atoms, each a gradient in R^3, all batches of which are gone through.
struct Atoms {
  std::array<double, 4> probability, w, x;
  std::array<std::array<double, 3>, 4> g;
  std::array<double, 3> gamma;
};
constexpr Atoms atoms{{.3, .2, .3, .2},
                      {1, 2.5, .7, 1.6},
                      {-1, .4, 1.3, 2},
                      {{{.5, -1, .2}, {1.2, .3, -.4}, {-.7, .8, .9}, {.1, 1.1, -1.5}}},
                      {.9, -.4, .3}};
double inner(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + 2 * a[1] * b[1] + .5 * a[2] * b[2];  // by the Hessian diag(1, 2, 1/2)
}
GsnrExpansion population(double eta) {
  // ten samples, as the probabilities say
  VirtualStepPopulation law;
  std::vector<std::size_t> of;
  for (std::size_t k = 0; k < 4; ++k)
    for (int c = 0; c < static_cast<int>(std::lround(10 * atoms.probability[k])); ++c) of.push_back(k);
  const auto n = static_cast<mts::Index>(of.size());
  law.w.resize(n);
  law.x.resize(n, 1);
  law.a.resize(n);
  law.curvature.resize(n, n);
  law.eta = eta;
  for (mts::Index i = 0; i < n; ++i) {
    const std::size_t k = of[static_cast<std::size_t>(i)];
    law.w[i] = atoms.w[k];
    law.x(i, 0) = atoms.x[k];
    law.a[i] = 0;
    for (std::size_t l = 0; l < 3; ++l) law.a[i] += atoms.g[k][l] * atoms.gamma[l];
    for (mts::Index j = 0; j < n; ++j)
      law.curvature(i, j) = inner(atoms.g[k], atoms.g[of[static_cast<std::size_t>(j)]]);
  }
  return virtual_step_expansion(law);
}
Claim all_batches() {
  constexpr double extrapolation = 1e-3;
  return {"L14'",
          "V1 and V2 of the real step, all batches of a population",
          "exact",
          "docs/theory.md, L14'",
          {{{"eta", .3}}, {{"eta", 1}}},
          [](const Case& at) {
            const auto e = population(at["eta"]);
            return std::vector{e.mu_mu, e.mu_b1, e.v1, e.v2()};
          },
          Exact{[](const Case& at) {
                  const auto c = laws::expansion_of_all_batches(atoms.probability, [&](const auto& counts) {
                    std::array<double, 3> mean{}, theta{};
                    double sum = 0;
                    for (std::size_t k = 0; k < 4; ++k) sum += counts[k] * atoms.w[k];
                    for (std::size_t k = 0; k < 4; ++k)
                      for (std::size_t l = 0; l < 3; ++l) mean[l] += counts[k] * atoms.w[k] / sum * atoms.g[k][l];
                    constexpr std::array hessian{1.0, 2.0, .5};
                    for (std::size_t l = 0; l < 3; ++l) theta[l] = atoms.gamma[l] - at["eta"] * hessian[l] * mean[l];
                    laws::WeightedCovariance g;
                    for (std::size_t k = 0; k < 4; ++k) {
                      double a = 0;
                      for (std::size_t l = 0; l < 3; ++l) a += atoms.g[k][l] * theta[l];
                      g.add(counts[k] * atoms.w[k], atoms.x[k], a);
                    }
                    return g.value();
                  });
                  return std::vector{c[0] * c[0], c[0] * c[1], c[2], c[3]};
                },
                extrapolation},
          {{"without the third cumulants", [](const Case& at) {
              const auto e = population(at["eta"]);
              return std::vector{e.mu_mu, e.mu_b1, e.v1, e.v2_pairs};
            }}}};
}

const laws::Register l14p("L14'", [] { return std::vector{location(), all_batches()}; });

}  // namespace
