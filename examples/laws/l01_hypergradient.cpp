// L1: dL_val/dz_k = -eta p_k s_k (a_k - abar), against brute force and against the library's own training step.
// SPDX-License-Identifier: Apache-2.0
#include "laws/registry.hpp"
#include "laws/toy_step.hpp"

namespace {

using namespace laws::toy;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L1";

const std::vector<Case> sgd_grid = {
    {{"N", 8}, {"prior", 0}, {"step", 0}},
    {{"N", 8}, {"prior", 1}, {"step", 0}},
    {{"N", 12}, {"prior", 1}, {"step", 3}, {"momentum", .9}},
    {{"N", 9}, {"prior", 0}, {"step", 0}, {"momentum", .9}, {"nesterov", 1}},
    {{"N", 8}, {"prior", 1}, {"step", 2}, {"momentum", .9}, {"nesterov", 1}},
    {{"N", 8}, {"prior", 0}, {"step", 0}, {"momentum", .8}, {"dampening", .4}},
    {{"N", 8}, {"prior", 1}, {"step", 2}, {"momentum", .8}, {"dampening", .4}},
    {{"N", 8}, {"prior", 1}, {"step", 2}, {"momentum", .8}, {"dampening", .4}, {"nesterov", 1}},
};
const std::vector<Case> adam_grid = {{{"N", 8}, {"prior", 1}, {"step", 0}, {"adam", 1}},
                                     {{"N", 8}, {"prior", 0}, {"step", 3}, {"adam", 1}},
                                     {{"N", 12}, {"prior", 1}, {"step", 7}, {"adam", 1}}};

/// L1 where psi can vanish: q = c psi'/S.
SampleVector relu_prediction(const Problem& problem) {
  const SampleVector weight = problem.prior.cwiseProduct(problem.z.cwiseMax(0));
  const SampleVector slope = problem.prior.cwiseProduct((problem.z.array() > 0).cast<double>().matrix());
  return logit_hypergradient_of_mobility(weight / weight.sum(), slope / weight.sum(), problem.alignments());
}
SampleVector predicted(Kind activation, const Case& c) {
  const Problem problem(activation, c);
  if (activation == Kind::relu) return relu_prediction(problem);
  const Weights w = weights_of(problem);
  return logit_hypergradient(w.p, w.s, problem.alignments());
}

std::vector<Mutant> mutants_of(Kind activation) {
  if (activation == Kind::relu)
    return {{"without the mean alignment", [](const Case& c) {
               const Problem problem(Kind::relu, c);
               const SampleVector weight = problem.prior.cwiseProduct(problem.z.cwiseMax(0));
               return numbers(-weight.cwiseProduct(problem.alignments()) / weight.sum());
             }}};
  std::vector<Mutant> mutants = {{"without the mean alignment",
                                  [activation](const Case& c) {
                                    const Problem problem(activation, c);
                                    const Weights w = weights_of(problem);
                                    return numbers(-w.p.cwiseProduct(w.s).cwiseProduct(problem.alignments()));
                                  }},
                                 {"alignments at theta, not at theta+", [activation](const Case& c) {
                                    const Problem problem(activation, c);
                                    Problem still = problem;
                                    const Weights w = weights_of(problem);
                                    SampleVector a(problem.size());
                                    const SampleVector before = mean_gradient(problem.validation, problem.theta);
                                    for (Index i = 0; i < problem.size(); ++i)
                                      a[i] = problem.inner.eta * gradient(problem.train, i, problem.theta).dot(before);
                                    return numbers(logit_hypergradient(w.p, w.s, a));
                                  }}};
  if (activation != Kind::softmax)
    mutants.push_back({"without the log-slope s", [activation](const Case& c) {
                         const Problem problem(activation, c);
                         const Weights w = weights_of(problem);
                         return numbers(logit_hypergradient(w.p, SampleVector::Ones(w.p.size()), problem.alignments()));
                       }});
  return mutants;
}

std::vector<Claim> claims() {
  std::vector<Claim> out;
  for (const auto activation : {Kind::softmax, Kind::sigmoid, Kind::softplus, Kind::relu}) {
    const auto prediction = [activation](const Case& c) { return numbers(predicted(activation, c)); };
    const Exact differenced{
        [activation](const Case& c) {
          const Problem problem(activation, c);
          return numbers(differences([&](const SampleVector& z) { return problem.objective(z); }, problem.z));
        },
        1e-8};
    const Exact stepped{[activation](const Case& c) { return numbers(library_logit_gradient(Problem(activation, c))); },
                        1e-11};
    const auto mutants = mutants_of(activation);
    const auto claim = [&](std::string what, const std::vector<Case>& grid, const Exact& check) {
      out.push_back({"L1", mts::detail::text("dL/dz, ", name(activation), ", ", what), "exact", source, grid,
                     prediction, check, mutants});
    };
    claim("SGD, by differences", sgd_grid, differenced);
    claim("SGD, the library's step", sgd_grid, stepped);
    claim("Adam, by differences", adam_grid, differenced);
    claim("Adam, the library's step", adam_grid, stepped);
  }
  // The net z_k = phi_0 x_k0 + tanh(phi_1 x_k1 + phi_2): dL/dphi through its Jacobian.
  struct Net {
    static SampleVector logits(const Matrix& x, const SampleVector& phi) {
      return (phi[0] * x.col(0).array() + (phi[1] * x.col(1).array() + phi[2]).tanh()).matrix();
    }
    static Matrix jacobian(const Matrix& x, const SampleVector& phi) {
      const auto slope = (1 - (phi[1] * x.col(1).array() + phi[2]).tanh().square()).eval();
      Matrix j(x.rows(), 3);
      j << x.col(0), (slope * x.col(1).array()).matrix(), slope.matrix();
      return j;
    }
    static SampleVector phi() { return SampleVector{{0.8, -1.1, 0.3}}; }
  };
  out.push_back(
      {"L1", "dL/dphi, sigmoid, by differences", "exact", source, sgd_grid,
       [](const Case& c) {
         Problem problem(Kind::sigmoid, c);
         problem.z = Net::logits(problem.train, Net::phi());
         const Weights w = weights_of(problem);
         return numbers(
             parameter_hypergradient(w.p, w.s, problem.alignments(), Net::jacobian(problem.train, Net::phi())));
       },
       Exact{[](const Case& c) {
               Problem problem(Kind::sigmoid, c);
               return numbers(differences(
                   [&](const SampleVector& phi) { return problem.objective(Net::logits(problem.train, phi)); },
                   Net::phi()));
             },
             1e-8}});
  for (const auto activation : {Kind::softmax, Kind::sigmoid, Kind::softplus})
    out.push_back({"L1",
                   mts::detail::text("sum of (dL/dz)/s is 0, ", name(activation)),
                   "exact",
                   source,
                   sgd_grid,
                   [](const Case&) { return std::vector<double>{0}; },
                   Exact{[activation](const Case& c) {
                           const Problem problem(activation, c);
                           const SampleVector dz =
                               differences([&](const SampleVector& z) { return problem.objective(z); }, problem.z);
                           return std::vector<double>{normalisation_identity(dz, weights_of(problem).s)};
                         },
                         1e-10, true},
                   {{"the sum of the sizes is 0 as well",
                     [activation](const Case& c) { return std::vector<double>{predicted(activation, c).norm()}; }}},
                   false});
  return out;
}

const laws::Register l1("L1", claims);

}  // namespace
