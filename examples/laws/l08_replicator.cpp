// L8: under mirror descent softmax weights follow the replicator equation; with Gaussian alignments B_eff/N falls as
// exp(-tau^2). SPDX-License-Identifier: Apache-2.0
#include <Eigen/Cholesky>
#include <cmath>
#include <mts/theory/replicator.hpp>

#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace laws::flows;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L8";

Index batch(const Case& c) { return static_cast<Index>(c["N"]); }
std::vector<double> one_number(double x) { return {x}; }
std::vector<double> numbers(const SampleVector& x) { return {x.begin(), x.end()}; }
SampleVector beginning(const Case& c) {
  const SampleVector w = draw(batch(c), "p0", 0.6).array().exp().matrix();
  return w / w.sum();
}
SampleVector alignments(const Case& c) { return draw(batch(c), "alignments"); }

/// B_eff/N of N softmax weights that began equal, after mirror descent for tau = c sigma t.
double simulated_b_eff(mts::RandomStream& random, Index n, double tau) {
  double sum = 0, squares = 0;
  for (Index i = 0; i < n; ++i) {
    const double w = std::exp(tau * random.normal());
    sum += w;
    squares += w * w;
  }
  return sum * sum / squares / static_cast<double>(n);
}

std::vector<Claim> claims() {
  std::vector<Claim> out;
  const std::vector<Case> grid = {{{"N", 6}, {"c", 1}, {"t", 2}}, {{"N", 32}, {"c", 0.5}, {"t", 5}}};
  const auto exact = [](const Case& c) { return numbers(replicator(beginning(c), alignments(c), c["c"], c["t"])); };
  const Mutant tabular{
      "exponents with p(0), as if the flow were tabular", [](const Case& c) {
        const SampleVector p = beginning(c);
        return numbers(replicator(p, p.cwiseProduct(alignments(c)) * static_cast<double>(p.size()), c["c"], c["t"]));
      }};
  // z' = c (a - abar) integrated for the logits, and p taken at the end.
  out.push_back({"L8",
                 "p(t) of mirror descent",
                 "exact",
                 source,
                 grid,
                 exact,
                 Exact{[](const Case& c) {
                         const SampleVector a = alignments(c), p0 = beginning(c);
                         const auto weights = [](const State& z) {
                           const SampleVector w = vector(z).array().exp().matrix();
                           return SampleVector(w / w.sum());
                         };
                         const State end = integrated(
                             [&](const State& z, State& dz, double) {
                               const double mean = weights(z).dot(a);
                               for (std::size_t i = 0; i < z.size(); ++i)
                                 dz[i] = c["c"] * (a[static_cast<Index>(i)] - mean);
                             },
                             state(p0.array().log().matrix()), c["t"]);
                         return numbers(weights(end));
                       },
                       1e-9},
                 {tabular}});
  out.push_back({"L8",
                 "p(t) of the replicator equation",
                 "exact",
                 source,
                 grid,
                 exact,
                 Exact{[](const Case& c) {
                         const SampleVector a = alignments(c);
                         return integrated(
                             [&](const State& p, State& dp, double) {
                               const double mean = vector(p).dot(a);
                               for (std::size_t i = 0; i < p.size(); ++i)
                                 dp[i] = c["c"] * p[i] * (a[static_cast<Index>(i)] - mean);
                             },
                             state(beginning(c)), c["t"]);
                       },
                       1e-9},
                 {tabular}});
  out.push_back({"L8",
                 "natural gradient: z' = c F^+ dabar/dz, F the Fisher matrix of p",
                 "exact",
                 source,
                 {{{"N", 6}, {"c", 1}, {"t", 2}}},
                 exact,
                 Exact{[](const Case& c) {
                         const SampleVector a = alignments(c), one = SampleVector::Ones(a.size());
                         const auto weights = [](const State& z) {
                           const SampleVector w = vector(z).array().exp().matrix();
                           return SampleVector(w / w.sum());
                         };
                         const State end = integrated(
                             [&](const State& z, State& dz, double) {
                               const SampleVector p = weights(z);
                               // F + 1 1^T has the inverse of F across 1, and moves nothing along it: 1^T gradient = 0.
                               Eigen::MatrixXd fisher = one * one.transpose();
                               fisher.diagonal() += p;
                               fisher -= p * p.transpose();
                               const SampleVector v =
                                   c["c"] * fisher.ldlt().solve(vector(mean_alignment_gradient(softmax, a, one, z)));
                               dz.assign(v.begin(), v.end());
                             },
                             state(beginning(c).array().log().matrix()), c["t"]);
                         return numbers(weights(end));
                       },
                       1e-9},
                 {tabular}});
  out.push_back({"L8", "multiplicative weights: exact in discrete time", "exact", source, grid, exact,
                 Exact{[](const Case& c) {
                         SampleVector p = beginning(c);
                         constexpr int steps = 7;
                         for (int k = 0; k < steps; ++k) {
                           p = p.cwiseProduct((c["c"] * c["t"] / steps * alignments(c).array()).exp().matrix());
                           p /= p.sum();
                         }
                         return numbers(p);
                       },
                       1e-12}});
  // What follows the next order is below e^(11 tau^2)/N^2 (L7's claims test the next order itself).
  out.push_back(
      {"L8",
       "Gaussian alignments: E B_eff/N -> exp(-tau^2)",
       "O(1/N^2)",
       source,
       {{{"N", 512}, {"tau", .5}}, {{"N", 4096}, {"tau", 1}}},
       [](const Case& c) { return one_number(gaussian_replicator_b_eff(c["tau"], batch(c)).next); },
       Simulation{.simulator = [](const Case& c) -> Simulation::Replicate {
                    return [n = batch(c), tau = c["tau"]](mts::RandomStream& random, std::span<double> seen) {
                      seen[0] = simulated_b_eff(random, n, tau);
                    };
                  },
                  .allowance = [](const Case& c) { return std::exp(11 * c["tau"] * c["tau"]) / (c["N"] * c["N"]); }},
       {{"exp(-tau^2/2)", [](const Case& c) { return one_number(std::exp(-c["tau"] * c["tau"] / 2)); }}}});
  return out;
}

const laws::Register l8("L8", claims);

}  // namespace
