// L3': a floor under B_eff is a shift of the alignments; class and prior weights change nothing but p; a penalty cannot
// revive a collapsed batch, tempering can.
// SPDX-License-Identifier: Apache-2.0
#include <mts/selection/effective_batch_floor.hpp>

#include "laws/registry.hpp"
#include "laws/toy_step.hpp"

namespace {

using namespace laws::toy;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L3'";

BatchFloor floor_of(const Case& c) { return {c["f"], c["lambda"]}; }
/// The penalty written down again, from the definition.
double penalty(const Case& c, const SampleVector& p) {
  double squares = 0;
  for (Index i = 0; i < p.size(); ++i) squares += p[i] * p[i];
  const double miss = c["f"] - 1 / squares / static_cast<double>(p.size());
  return miss > 0 ? c["lambda"] * miss * miss : 0;
}
std::vector<double> predicted(Kind kind, const Case& c, double factor) {
  const Problem problem(kind, c);
  const Weights w = weights_of(problem);
  return numbers(logit_hypergradient(w.p, w.s, problem.alignments() + factor * floor_of(c).shift(w.p)));
}
/// Weights so concentrated that the tempering floor is at work.
Problem tempered_problem(const Case& c) {
  Problem problem(Kind::sigmoid, c);
  problem.z *= c["scale"];
  return problem;
}
SampleVector log_weights(const Problem& problem) {
  SampleVector l(problem.size());
  for (Index i = 0; i < l.size(); ++i) l[i] = std::log(problem.prior[i] * raw_weight(problem.activation, problem.z[i]));
  return l;
}
/// The same by bisection in plain code.
SampleVector bisected(const Problem& problem, const SampleVector& z, double floor) {
  double low = 0, high = 1;
  SampleVector p(z.size());
  constexpr int halvings = 60;
  for (int k = 0; k < halvings; ++k) {
    const double tau = (low + high) / 2;
    for (Index i = 0; i < z.size(); ++i) p[i] = std::pow(problem.prior[i] * raw_weight(problem.activation, z[i]), tau);
    p /= p.sum();
    (1 / p.squaredNorm() > floor ? low : high) = tau;
  }
  return p;
}

std::vector<Claim> claims() {
  const std::vector<Case> grid = {
      {{"N", 8}, {"prior", 0}, {"step", 0}, {"f", .95}, {"lambda", .5}},
      {{"N", 8}, {"prior", 1}, {"step", 2}, {"momentum", .9}, {"f", .9}, {"lambda", 2}},
      {{"N", 12}, {"prior", 1}, {"step", 3}, {"adam", 1}, {"f", 1}, {"lambda", .3}},
  };
  std::vector<Claim> out;
  for (const auto kind : {Kind::softmax, Kind::sigmoid, Kind::softplus}) {
    const auto prediction = [kind](const Case& c) { return predicted(kind, c, 1); };
    const std::vector<Mutant> mutants = {{"without the floor", [kind](const Case& c) { return predicted(kind, c, 0); }},
                                         {"half the shift", [kind](const Case& c) { return predicted(kind, c, 0.5); }}};
    out.push_back({"L3'", mts::detail::text("meta loss with a floor, by differences, ", name(kind)), "exact", source,
                   grid, prediction,
                   Exact{[kind](const Case& c) {
                           const Problem problem(kind, c);
                           return numbers(differences(
                               [&](const SampleVector& z) {
                                 return problem.objective(z) + penalty(c, plain_weights(kind, z, problem.prior));
                               },
                               problem.z));
                         },
                         1e-8},
                   mutants});
    out.push_back({"L3'", mts::detail::text("meta loss with a floor, the library's step, ", name(kind)), "exact",
                   source, grid, prediction,
                   Exact{[kind](const Case& c) {
                           mts::MtsOptions options;
                           options.b_eff_floor = {c["f"], c["lambda"]};
                           return numbers(library_logit_gradient(Problem(kind, c), options));
                         },
                         1e-11},
                   mutants});
    out.push_back(
        {"L3'", mts::detail::text("dB_eff/dz, ", name(kind)), "exact", source, grid,
         [kind](const Case& c) {
           const Weights w = weights_of(Problem(kind, c));
           return numbers(b_eff_gradient(w.p, w.s));
         },
         Exact{[kind](const Case& c) {
                 const Problem problem(kind, c);
                 return numbers(differences(
                     [&](const SampleVector& z) { return 1 / plain_weights(kind, z, problem.prior).squaredNorm(); },
                     problem.z));
               },
               1e-8}});
  }
  // As one logit runs away the floor's own force fades, as e^-z: the floor cannot revive what is dead.
  const auto fading = [](double rate) { return [rate](const Case&) { return std::vector<double>{rate}; }; };
  out.push_back({"L3'",
                 "the floor's force vanishes at collapse, as exp(-z)",
                 "exact in the limit",
                 source,
                 {{{"N", 8}, {"z", 14}}, {{"N", 16}, {"z", 16}}},
                 fading(1),
                 Exact{[](const Case& c) {
                         const auto force = [&](double top) {
                           SampleVector z = SampleVector::Zero(static_cast<Index>(c["N"]));
                           z[0] = top;
                           mts::BatchWeights w;
                           mts::normalize(mts::SoftmaxWeight{}, z, {}, 0, w);
                           SampleVector a = SampleVector::Zero(z.size()), dz;
                           mts::EffectiveBatchFloor{.fraction = 0.5, .strength = 1}.shift(w, a);
                           mts::pullback_to_logits(w, a, dz);
                           return dz.norm();
                         };
                         return std::vector<double>{std::log(force(c["z"]) / force(c["z"] + 1))};
                       },
                       1e-4},
                 {{"it does not fade", fading(0)}}});
  const std::vector<Case> tempered_grid = {
      {{"N", 8}, {"prior", 0}, {"step", 0}, {"scale", 4}, {"floor", .85}},
      {{"N", 8}, {"prior", 1}, {"step", 2}, {"momentum", .9}, {"scale", 3}, {"floor", .8}},
      {{"N", 12}, {"prior", 1}, {"step", 0}, {"adam", 1}, {"scale", 5}, {"floor", .7}}};
  const auto tempered = [](const Case& c) {
    const Problem problem = tempered_problem(c);
    return temper(log_weights(problem), c["floor"] * c["N"]);
  };
  out.push_back({"L3'", "tempering holds B_eff at the floor", "exact", source, tempered_grid,
                 [tempered](const Case& c) { return numbers(tempered(c).p); },
                 Exact{[](const Case& c) {
                         const Problem problem = tempered_problem(c);
                         mts::BatchWeights w;
                         mts::normalize(mts::SigmoidWeight{}, problem.z, problem.prior, c["floor"], w);
                         return numbers(w.p);
                       },
                       1e-10}});
  // The alignments of the tempered step, with p as bisection finds it.
  const auto alignments = [](const Problem& problem, double floor) {
    const auto moved = [&](const SampleVector& p) {
      return mean_gradient(problem.validation, problem.theta - problem.inner.step_of(problem.mixed_gradient(p)));
    };
    const SampleVector gamma = moved(bisected(problem, problem.z, floor));
    SampleVector a(problem.size());
    for (Index i = 0; i < a.size(); ++i)
      a[i] = sgd_pull({problem.inner.eta, problem.inner.mu, problem.inner.tau, problem.inner.nesterov, true}) *
             gradient(problem.train, i, problem.theta).dot(gamma);
    return a;
  };
  const std::vector<Case> plain_grid = {{{"N", 8}, {"prior", 0}, {"step", 0}, {"scale", 4}, {"floor", .85}},
                                        {{"N", 12}, {"prior", 1}, {"step", 0}, {"scale", 5}, {"floor", .7}}};
  out.push_back({"L3'",
                 "dL/dz of tempered weights, by differences",
                 "exact",
                 source,
                 plain_grid,
                 [tempered, alignments](const Case& c) {
                   const Problem problem = tempered_problem(c);
                   const Tempered t = tempered(c);
                   return numbers(tempered_logit_hypergradient(
                       t, weights_of(problem).s, alignments(problem, c["floor"] * c["N"]), log_weights(problem)));
                 },
                 Exact{[](const Case& c) {
                         const Problem problem = tempered_problem(c);
                         return numbers(differences(
                             [&](const SampleVector& z) {
                               const SampleVector p = bisected(problem, z, c["floor"] * c["N"]);
                               return mean_loss(problem.validation,
                                                problem.theta - problem.inner.step_of(problem.mixed_gradient(p)));
                             },
                             problem.z));
                       },
                       1e-7},
                 {{"tau held fixed", [tempered, alignments](const Case& c) {
                     const Problem problem = tempered_problem(c);
                     const Tempered t = tempered(c);
                     return numbers(t.tau * logit_hypergradient(t.p, weights_of(problem).s,
                                                                alignments(problem, c["floor"] * c["N"])));
                   }}}});
  return out;
}

const laws::Register l3("L3'", claims);

}  // namespace
