// L2: dL_val/dphi_m = -Cov_p(s J_m, a): no correlation between what the net can move and the alignment, no signal.
// SPDX-License-Identifier: Apache-2.0
#include "laws/registry.hpp"
#include "laws/toy_step.hpp"

namespace {

using namespace laws::toy;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L2";

/// A linear net on the samples' own coordinates and a constant: z = X phi_head + phi_3.
Matrix columns(const Problem& problem) {
  Matrix j(problem.size(), dimension + 1);
  j << problem.train, SampleVector::Ones(problem.size());
  return j;
}
SampleVector beginning() { return SampleVector{{0.9, -0.6, 0.4, -0.3}}; }

Problem problem_of(Kind kind, const Case& c) {
  Problem problem(kind, c);
  problem.z = columns(problem) * beginning();
  return problem;
}
std::vector<double> differenced(const Problem& problem, const Matrix& j, const SampleVector& phi) {
  return numbers(differences([&](const SampleVector& x) { return problem.objective(j * x); }, phi));
}
/// J_m with s J_m made uncorrelated with a under p: what a net cannot learn from.
SampleVector without_signal(const Problem& problem) {
  const Weights w = weights_of(problem);
  const SampleVector a = problem.alignments();
  const SampleVector x = w.s.cwiseProduct(SampleVector(problem.train.col(0)));
  const auto off_a = (a.array() - w.p.dot(a)).eval();
  const double share = (w.p.array() * off_a * x.array()).sum() / (w.p.array() * off_a.square()).sum();
  return (x - share * a).cwiseQuotient(w.s);
}

std::vector<Claim> claims() {
  const std::vector<Case> grid = {
      {{"N", 8}, {"prior", 0}, {"step", 0}},
      {{"N", 12}, {"prior", 1}, {"step", 2}, {"momentum", .9}, {"nesterov", 1}},
      {{"N", 6}, {"prior", 1}, {"step", 3}, {"adam", 1}},
  };
  std::vector<Claim> out;
  for (const auto kind : {Kind::softmax, Kind::sigmoid, Kind::softplus}) {
    out.push_back({"L2",
                   mts::detail::text("dL/dphi is a covariance under p, ", name(kind)),
                   "exact",
                   source,
                   grid,
                   [kind](const Case& c) {
                     const Problem problem = problem_of(kind, c);
                     const Weights w = weights_of(problem);
                     return numbers(covariance_hypergradient(w.p, w.s, problem.alignments(), columns(problem)));
                   },
                   Exact{[kind](const Case& c) {
                           const Problem problem = problem_of(kind, c);
                           return differenced(problem, columns(problem), beginning());
                         },
                         1e-8},
                   {{"the covariance under uniform weights", [kind](const Case& c) {
                       const Problem problem = problem_of(kind, c);
                       const Weights w = weights_of(problem);
                       const SampleVector uniform =
                           SampleVector::Constant(problem.size(), 1 / static_cast<double>(problem.size()));
                       return numbers(covariance_hypergradient(uniform, w.s, problem.alignments(), columns(problem)));
                     }}}});
    out.push_back({"L2",
                   mts::detail::text("no covariance, no signal, ", name(kind)),
                   "exact",
                   source,
                   grid,
                   [](const Case&) { return std::vector<double>{0}; },
                   Exact{[kind](const Case& c) {
                           const Problem problem = problem_of(kind, c);
                           const SampleVector j = without_signal(problem);
                           // z is where it is; phi only says how far along j it has moved.
                           return numbers(differences(
                               [&](const SampleVector& phi) { return problem.objective(problem.z + phi[0] * j); },
                               SampleVector::Zero(1)));
                         },
                         1e-11, true},
                   {{"the covariance of J_m without s and p",
                     [kind](const Case& c) {
                       const Problem problem = problem_of(kind, c);
                       const SampleVector j = without_signal(problem);
                       return std::vector<double>{(j.array() * problem.alignments().array()).mean() -
                                                  j.mean() * problem.alignments().mean()};
                     }}},
                   false});
  }
  return out;
}

const laws::Register l2("L2", claims);

}  // namespace
