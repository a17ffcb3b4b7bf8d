// L5: sum_k integral dz_k/s(z_k) is constant along the tabular flow, and along that of nets with one logit a group.
// SPDX-License-Identifier: Apache-2.0
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <mts/core/parameters.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/weights.hpp>
#include <mts/theory/conservation.hpp>

#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace laws::flows;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L5";
using Dense = mts::DenseParameters<double>;

/// The flow from a case: N logits (tabular) or as many groups of 1, 2, 3, ... samples, alignments that swing while it
/// runs.
State moved(const PlainActivation& activation, const Case& c, double shift, double time) {
  const auto n = static_cast<Index>(c["N"]);
  const SampleVector a = draw(n, "alignments"), prior = draw(n, "priors", 0.4).array().exp().matrix();
  const double swing = c["swing"];
  return integrated(
      [&](const State& z, State& dz, double t) {
        SampleVector now = a;
        for (Index i = 0; i < n; ++i) now[i] *= 1 + swing * std::sin(t + static_cast<double>(i));
        dz = mean_alignment_gradient(activation, now, prior, z);
      },
      state(draw(n, "logits", 0.5, shift)), time);
}
template <class Y>
double sum_of(const State& z, const Y& y) {
  double sum = 0;
  for (const double x : z) sum += y(x);
  return sum;
}

template <class A, class Y>
Claim conserved_claim(const char* name, A activation, PlainActivation plain, Y y, double shift) {
  const std::vector<Case> grid = {{{"N", 6}, {"swing", 0}, {"t", 10}}, {{"N", 8}, {"swing", 1.5}, {"t", 20}}};
  return {
      "L5",
      mts::detail::text("the sum of y(z) stays, ", name),
      "exact",
      source,
      grid,
      [=](const Case& c) {
        return std::vector<double>{conserved_sum(activation, draw(static_cast<Index>(c["N"]), "logits", 0.5, shift))};
      },
      Exact{[=](const Case& c) { return std::vector<double>{sum_of(moved(plain, c, shift, c["t"]), y)}; }, 1e-9},
      {{"the sum of the raw weights stays", [=](const Case& c) {
          return std::vector<double>{conserved_sum(activation, draw(static_cast<Index>(c["N"]), "logits", 0.5, shift)) -
                                     sum_of(moved(plain, c, shift, 0), plain.psi) +
                                     sum_of(moved(plain, c, shift, c["t"]), plain.psi)};
        }}}};
}

/// `steps` library SGD steps of a tabular net on one batch.
template <class A>
SampleVector library_steps(const A& activation, Index n, const mts::SgdOptions& options, int steps) {
  Dense z(n), gradient(n);
  z.values() = draw(n, "logits", 0.5, 0.3);
  const SampleVector a = draw(n, "alignments");
  mts::Sgd<Dense> sgd(options);
  mts::BatchWeights weights;
  SampleVector dz;
  for (int k = 0; k < steps; ++k) {
    mts::normalize(activation, z.values(), {}, 0, weights);
    mts::pullback_to_logits(weights, a, dz);
    gradient.values() = dz;
    sgd.step(z, gradient);
  }
  return z.values();
}
double plain_y(double z) { return z + std::exp(z); }

std::vector<Claim> claims() {
  std::vector<Claim> out = {conserved_claim(
                                "softmax: z", Softmax{}, softmax, [](double z) { return z; }, 0.3),
                            conserved_claim("sigmoid: z + exp z", Sigmoid{}, sigmoid, plain_y, 0.3),
                            conserved_claim(
                                "linear weights: z^2/2", Power{1}, linear, [](double z) { return z * z / 2; }, 4),
                            conserved_claim(
                                "softplus, by quadrature", Softplus{}, softplus,
                                [](double z) {
                                  return boost::math::quadrature::gauss_kronrod<double, 31>::integrate(
                                      [](double x) { return softplus.psi(x) / softplus.slope(x); }, 0.0, z, 5, 1e-13);
                                },
                                0.3)};
  // The flow of one logit a group, groups of 1, 2, ... samples: each group counts once.
  out.push_back({"L5",
                 "a sigmoid logit a group: the groups' sum stays",
                 "exact",
                 source,
                 {{{"groups", 3}, {"t", 4}}, {{"groups", 5}, {"t", 8}}},
                 [](const Case& c) {
                   return std::vector<double>{
                       conserved_sum(Sigmoid{}, draw(static_cast<Index>(c["groups"]), "groups", 0.5))};
                 },
                 Exact{[](const Case& c) {
                         const auto groups = static_cast<Index>(c["groups"]);
                         const Index n = groups * (groups + 1) / 2;
                         std::vector<std::size_t> of;
                         for (Index g = 0; g < groups; ++g)
                           of.insert(of.end(), static_cast<std::size_t>(g + 1), static_cast<std::size_t>(g));
                         const SampleVector a = draw(n, "alignments"), prior = SampleVector::Ones(n);
                         const State end = integrated(
                             [&](const State& phi, State& dphi, double) {
                               State z;
                               for (const auto g : of) z.push_back(phi[g]);
                               const State dz = mean_alignment_gradient(sigmoid, a, prior, z);
                               dphi.assign(phi.size(), 0);
                               for (std::size_t i = 0; i < of.size(); ++i) dphi[of[i]] += dz[i];
                             },
                             state(draw(groups, "groups", 0.5)), c["t"]);
                         return std::vector<double>{sum_of(end, plain_y)};
                       },
                       1e-9},
                 {{"the sum over samples stays", [](const Case& c) {
                     const SampleVector z = draw(static_cast<Index>(c["groups"]), "groups", 0.5);
                     double sum = 0;
                     for (Index g = 0; g < z.size(); ++g) sum += static_cast<double>(g + 1) * plain_y(z[g]);
                     return std::vector<double>{sum};
                   }}}});
  // Discrete SGD with momentum: exactly the sum of the logits for softmax.
  out.push_back(
      {"L5",
       "softmax: discrete SGD keeps the sum of z",
       "exact",
       source,
       {{{"N", 8}, {"c", 3}, {"momentum", 0}, {"steps", 200}}, {{"N", 16}, {"c", 1}, {"momentum", .9}, {"steps", 200}}},
       [](const Case& c) {
         return std::vector<double>{conserved_sum(Softmax{}, draw(static_cast<Index>(c["N"]), "logits", 0.5, 0.3))};
       },
       Exact{[](const Case& c) {
               return std::vector<double>{library_steps(mts::SoftmaxWeight{}, static_cast<Index>(c["N"]),
                                                        {.learning_rate = c["c"], .momentum = c["momentum"]},
                                                        static_cast<int>(c["steps"]))
                                              .sum()};
             },
             1e-12}});
  const auto drift = [](Index n, double time, int steps) {
    const SampleVector z = library_steps(mts::SigmoidWeight{}, n, {.learning_rate = time / steps}, steps);
    return sum_of(state(z), plain_y) - sum_of(state(draw(n, "logits", 0.5, 0.3)), plain_y);
  };
  out.push_back(
      {"L5",
       "sigmoid: a discrete step raises the sum by sum y'' dz^2/2",
       "O(dz) relative",
       source,
       {{{"N", 8}, {"c", .05}}, {{"N", 16}, {"c", .1}}},
       [](const Case& c) {
         const auto n = static_cast<Index>(c["N"]);
         const SampleVector z = draw(n, "logits", 0.5, 0.3), one = SampleVector::Ones(n);
         const SampleVector dz =
             c["c"] * vector(mean_alignment_gradient(sigmoid, draw(n, "alignments"), one, state(z)));
         return std::vector<double>{conservation_drift(Sigmoid{}, z, dz)};
       },
       Exact{[drift](const Case& c) { return std::vector<double>{drift(static_cast<Index>(c["N"]), c["c"], 1)}; },
             0.01}});
  const auto order = [](double value) { return [value](const Case&) { return std::vector<double>{value}; }; };
  out.push_back({"L5",
                 "sigmoid: discrete SGD keeps the sum at first order in the step",
                 "0.1 in the order",
                 source,
                 {{{"N", 8}, {"t", 8}, {"steps", 64}}, {{"N", 12}, {"t", 8}, {"steps", 128}}},
                 order(1),
                 Exact{[drift](const Case& c) {
                         const auto n = static_cast<Index>(c["N"]);
                         const auto steps = static_cast<int>(c["steps"]);
                         return std::vector<double>{std::log2(drift(n, c["t"], steps) / drift(n, c["t"], 2 * steps))};
                       },
                       0.1, true},
                 {{"order 2", order(2)}, {"no drift that falls", order(0)}},
                 false});
  return out;
}

const laws::Register l5("L5", claims);

}  // namespace
