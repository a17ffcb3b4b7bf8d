// Check a derivation of your own. Weights w = exp(beta x) of N Gaussian samples: how large is the effective batch on average?
// With w scaled to mean 1, E w^k = e^{beta^2 k (k-1)/2}; B_eff/N = (mean w)^2 / mean w^2 expanded about the means' limits gives
//     E[B_eff]/N = e^{-beta^2} (1 + (E^4 - 2 E^2 + E)/N) + O(1/N^2),   E = e^{beta^2}.
// SPDX-License-Identifier: Apache-2.0
#include <iomanip>
#include <iostream>
#include <mts/theory/verify.hpp>

using namespace mts::theory;

double limit(const Case& at) { return std::exp(-at["beta"] * at["beta"]); }
double largest_term(const Case& at) { return std::pow(limit(at), -4) / at["N"]; }
double next_order(const Case& at) { return largest_term(at) + (1 / limit(at) - 2 / std::pow(limit(at), 2)) / at["N"]; }

int main() {
  const Claim claim{
      .law = "mine",
      .name = "B_eff/N of exponential weights",
      .order = "O(1/N^2)",
      .source = "the lines above",
      .grid = {Case{{"N", 64}, {"beta", .3}}, Case{{"N", 64}, {"beta", .6}}, Case{{"N", 256}, {"beta", .7}}},
      .prediction = [](const Case& at) { return std::vector{limit(at) * (1 + next_order(at))}; },
      .check = Simulation{.simulator = [](const Case& at) -> Simulation::Replicate {
                            return [n = at["N"], beta = at["beta"]](mts::RandomStream& random, std::span<double> b) {
                              double sum = 0, squares = 0;
                              for (int i = 0; i < n; ++i) {
                                const double w = std::exp(beta * random.normal());
                                sum += w, squares += w * w;
                              }
                              b[0] = sum * sum / squares / n;
                            };
                          },
                          .allowance = [](const Case& at) { return 2 * limit(at) * std::pow(largest_term(at), 2); }},
      .mutants = {{"the limit alone", [](const Case& at) { return std::vector{limit(at)}; }}}};

  const Report report = verify({claim}, {.precision = 0.001});
  for (const Finding& f : report.findings)
    std::cout << std::left << std::setw(18) << f.parameters << " predicted " << std::setw(8) << f.predicted
              << " measured " << std::setw(8) << f.measured << " +- " << std::setw(11) << f.standard_error << " z "
              << std::setw(9) << f.z << ' ' << name_of(f.verdict) << ' ' << f.reason << '\n';
  for (const JudgedMutant& m : report.mutants) std::cout << m.name << (m.refuted ? ": refuted\n" : ": not refuted\n");
  return report.holds() && report.survivors().empty() ? 0 : 1;
}
