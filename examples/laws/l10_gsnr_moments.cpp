/// L10: the GSNR to leading and next order from moments of one sample; the extension to sigmoid weights of Gaussian features.
#include <mts/theory/gsnr_moments.hpp>
#include <mts/theory/gsnr_sigmoid_gaussian.hpp>

#include "laws/batch_statistics.hpp"
#include "laws/registry.hpp"

namespace {

using namespace mts::theory;

/// Small populations without any symmetry: atoms of (probability, w, X, a), and a second with strong weights.
struct Atoms {
  std::array<double, 4> probability, w, x, a;
};
Atoms atoms(const Case& at) {
  if (at["population"] == 1) return {{.3, .2, .35, .15}, {1, 2.5, .7, 1.6}, {-1, .4, 1.3, 2}, {.5, -1.2, .9, 2.2}};
  return {{.25, .25, .3, .2}, {.4, 3, 1, 1.8}, {.2, 1.5, -1.1, -.3}, {1.4, .6, -.8, -2}};
}
GsnrMoments moments(const Case& at) {
  const Atoms p = atoms(at);
  const auto vector = [](const std::array<double, 4>& v) { return mts::SampleVector(Eigen::Vector4d(v.data())); };
  return gsnr_moments({vector(p.probability), vector(p.w), vector(p.x), vector(p.a), {}});
}
std::array<double, 4> all_batches(const Case& at) {
  const Atoms p = atoms(at);
  return laws::expansion_of_all_batches(p.probability, [&](const std::array<double, 4>& counts) {
    laws::WeightedCovariance g;
    for (std::size_t k = 0; k < 4; ++k) g.add(counts[k] * p.w[k], p.x[k], p.a[k]);
    return g.value();
  });
}

const std::vector<Case> populations{{{"population", 1}}, {{"population", 2}}};
constexpr double extrapolation = 1e-3;

Claim bias() {
  return {"L10",
          "bias coefficient B1, all batches of a population",
          "exact",
          "docs/theory.md, L10",
          populations,
          [](const Case& at) { return std::vector{gsnr_bias_coefficient(moments(at))}; },
          Exact{[](const Case& at) { return std::vector{all_batches(at)[1]}; }, extrapolation},
          {{"without E[uv]", [](const Case& at) { return std::vector{-moments(at).ho}; }},
           {"without E[ho]", [](const Case& at) { return std::vector{-moments(at).uv}; }}}};
}
Claim variance() {
  return {"L10",
          "variance coefficients V1 and V2, all batches of a population",
          "exact",
          "docs/theory.md, L10",
          populations,
          [](const Case& at) {
            const auto e = gsnr_expansion(moments(at));
            return std::vector{e.v1, e.v2()};
          },
          Exact{[](const Case& at) {
                  const auto c = all_batches(at);
                  return std::vector{c[2], c[3]};
                },
                extrapolation},
          {{"without the third cumulants", [](const Case& at) {
              const auto e = gsnr_expansion(moments(at));
              return std::vector{e.v1, e.v2_pairs};
            }}}};
}

/// What is left out falls like 1/N^2 in E[G] and 1/N^3 in Var[G].
Claim order() {
  return {"L10",
          "order of what the next order leaves out: E[G], Var[G]",
          "0.1",
          "docs/theory.md, L10",
          populations,
          [](const Case&) {
            return std::vector{2.0, 3.0};
          },
          Exact{[](const Case& at) {
                  const Atoms p = atoms(at);
                  const auto m = moments(at);
                  const auto e = gsnr_expansion(m);
                  const auto left = [&](int n) {
                    const auto exact = laws::over_all_batches(p.probability, n, [&](const auto& counts) {
                      laws::WeightedCovariance g;
                      for (std::size_t k = 0; k < 4; ++k) g.add(counts[k] * p.w[k], p.x[k], p.a[k]);
                      return g.value();
                    });
                    return std::array{std::abs(exact.mean - gsnr_mean(m, n)),
                                      std::abs(exact.variance - predict_gsnr(e, n).variance)};
                  };
                  const auto coarse = left(96), fine = left(192);
                  return std::vector{std::log2(coarse[0] / fine[0]), std::log2(coarse[1] / fine[1])};
                },
                0.1, true},
          {{"one order less", [](const Case&) {
              return std::vector{1.0, 2.0};
            }}}};
}

/// w = sigmoid(2f + .8e - 1), X = (1 - w) f, a = r f + sqrt(1 - r^2) e.
SigmoidGaussian sigmoid(const Case& at) {
  SigmoidGaussian law;
  law.z_f = 2;
  law.z_e = .8;
  law.z_0 = -1;
  law.a_f = at["r"];
  law.a_e = std::sqrt(1 - at["r"] * at["r"]);
  return law;
}
Simulation::Replicate sigmoid_batch(const Case& at) {
  return [law = sigmoid(at), n = static_cast<int>(at["N"])](mts::RandomStream& random, std::span<double> observed) {
    laws::WeightedCovariance g;
    for (int i = 0; i < n; ++i) {
      const double f = random.normal(), e = random.normal();
      const double w = 1 / (1 + std::exp(-(law.z_f * f + law.z_e * e + law.z_0)));
      g.add(w, (1 - w) * f, law.a_f * f + law.a_e * e);
    }
    laws::observe(g.value(), observed);
  };
}
Prediction sigmoid_gsnr(GsnrOrder order) {
  return [order](const Case& at) {
    return std::vector{predict_gsnr(gsnr_expansion(gsnr_moments_sigmoid_gaussian(sigmoid(at))), at["N"], order).gsnr};
  };
}
Claim sigmoid_ratio() {
  constexpr double left_out = 10;  // relative error at most 10/N^2, from simulations of a million batches
  return {
      "L10",
      "GSNR, sigmoid weights of Gaussian features",
      "O(1/N^2) relative",
      "docs/theory.md, L10; moments by quadrature",
      {{{"N", 32}, {"r", .2}}, {{"N", 32}, {"r", .8}}, {{"N", 128}, {"r", .3}}},
      sigmoid_gsnr(GsnrOrder::next),
      Simulation{sigmoid_batch, 2, gsnr_statistic,
                 [](const Case& at) { return left_out / (at["N"] * at["N"]) * sigmoid_gsnr(GsnrOrder::next)(at)[0]; }},
      {{"without the next order", sigmoid_gsnr(GsnrOrder::leading)}}};
}
/// Where mu nearly vanishes, E[G] is mostly the bias: signal without information. Here E[G]^2 is six times mu^2.
Claim sigmoid_bias() {
  return {"L10",
          "mean, sigmoid weights, where mu nearly vanishes",
          "O(1/N^2)",
          "docs/theory.md, L10; moments by quadrature",
          {{{"N", 32}, {"r", .647}}},
          [](const Case& at) { return std::vector{gsnr_mean(gsnr_moments_sigmoid_gaussian(sigmoid(at)), at["N"])}; },
          Simulation{sigmoid_batch, 2},
          {{"without the bias",
            [](const Case& at) { return std::vector{gsnr_moments_sigmoid_gaussian(sigmoid(at)).mu}; }}}};
}

const laws::Register l10("L10", [] {
  return std::vector{bias(), variance(), order(), sigmoid_ratio(), sigmoid_bias()};
});

}  // namespace
