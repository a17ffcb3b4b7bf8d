// L6: the mean raw weight falls from w0 > 1/3: second derivatives of the mean along simulated flows.
// SPDX-License-Identifier: Apache-2.0
#include <mts/theory/mean_weight.hpp>

#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace laws::flows;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L6";

SampleVector alignments(const Case& c) { return draw(static_cast<Index>(c["N"]), "alignments"); }
double variance(const SampleVector& x) { return (x.array() - x.mean()).square().mean(); }

/// The kernel of a case: of N x 2 features whose lengths differ, or tabular where the case has no "kernel".
mts::RowMatrix<double> kernel_of(const Case& c) {
  const auto n = static_cast<Index>(c["N"]);
  for (const auto& [key, value] : c.parameters())
    if (key == "kernel" && value != 0) {
      mts::RowMatrix<double> j(n, 2);
      j << draw(n, "J 0", 0.8, 0.3), draw(n, "J 1", 0.5);
      return j * j.transpose();
    }
  return mts::RowMatrix<double>::Identity(n, n);
}

/// First (order 1) or second derivative in time of the mean raw weight along the plain flow, at equal logits z0.
double derivative_of_mean(const PlainActivation& activation, const Case& c, double z0, int order) {
  const SampleVector a = alignments(c), one = SampleVector::Ones(a.size());
  const auto kernel = kernel_of(c);
  const double rate = c["c"], h = 0.008 * static_cast<double>(a.size()) / rate;
  const auto at = [&](double t) {
    const double sign = t < 0 ? -1 : 1;
    const State z = integrated(
        [&](const State& x, State& dx, double) {
          const SampleVector v = sign * rate * (kernel * vector(mean_alignment_gradient(activation, a, one, x)));
          dx.assign(v.begin(), v.end());
        },
        State(static_cast<std::size_t>(a.size()), z0), std::abs(t));
    double sum = 0;
    for (const double x : z) sum += activation.psi(x) - activation.psi(z0);
    return sum / static_cast<double>(a.size());
  };
  if (order == 1) return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  return (16 * (at(h) + at(-h)) - (at(2 * h) + at(-2 * h))) / (12 * h * h);
}
double logit(double w) { return std::log(w / (1 - w)); }
std::vector<double> one_number(double x) { return {x}; }

std::vector<Claim> claims() {
  std::vector<Claim> out;
  const auto sigmoid_curvature = [](const Case& c) {
    const SampleVector a = alignments(c);
    return mean_weight_curvature(c["w0"], a.size(), variance(a), c["c"]);
  };
  out.push_back(
      {"L6",
       "curvature of the mean sigmoid weight",
       "exact at t = 0",
       source,
       {{{"N", 8}, {"w0", .2}, {"c", 1}}, {{"N", 8}, {"w0", .5}, {"c", 1}}, {{"N", 16}, {"w0", .8}, {"c", 4}}},
       [sigmoid_curvature](const Case& c) { return one_number(sigmoid_curvature(c)); },
       Exact{[](const Case& c) { return one_number(derivative_of_mean(sigmoid, c, logit(c["w0"]), 2)); }, 1e-5},
       {{"threshold 1/2: (1 - 2 w0) for (1 - 3 w0)", [sigmoid_curvature](const Case& c) {
           return one_number(sigmoid_curvature(c) * (1 - 2 * c["w0"]) / (1 - 3 * c["w0"]));
         }}}});
  out.push_back({"L6",
                 "the mean falls iff w0 > 1/3",
                 "exact",
                 source,
                 {{{"N", 8}, {"c", 1}}, {{"N", 20}, {"c", 3}}},
                 [](const Case&) { return one_number(mean_weight_threshold); },
                 Exact{[](const Case& c) {
                         double low = 0.2, high = 0.5;
                         constexpr int halvings = 24;
                         for (int k = 0; k < halvings; ++k) {
                           const double middle = (low + high) / 2;
                           (derivative_of_mean(sigmoid, c, logit(middle), 2) > 0 ? low : high) = middle;
                         }
                         return one_number(low);
                       },
                       1e-4},
                 {{"1/2", [](const Case&) { return one_number(0.5); }}}});
  const auto any = [&](const char* name, auto activation, PlainActivation plain) {
    out.push_back(
        {"L6",
         mts::detail::text("curvature of the mean weight, ", name),
         "exact at t = 0",
         source,
         {{{"N", 8}, {"z0", .4}, {"c", 1}}, {{"N", 12}, {"z0", 2}, {"c", 2}}},
         [activation](const Case& c) {
           const SampleVector a = alignments(c);
           return one_number(mean_weight_curvature(activation, c["z0"], a.size(), variance(a), c["c"]));
         },
         Exact{[plain](const Case& c) { return one_number(derivative_of_mean(plain, c, c["z0"], 2)); }, 1e-5}});
  };
  any("softmax", Softmax{}, softmax);
  any("softplus", Softplus{}, softplus);
  any("linear weights", Power{1}, linear);
  out.push_back(
      {"L6",
       "slope of the mean sigmoid weight, any kernel",
       "exact at t = 0",
       source,
       {{{"N", 8}, {"w0", .5}, {"c", 1}, {"kernel", 1}}, {{"N", 16}, {"w0", .3}, {"c", 2}, {"kernel", 1}}},
       [](const Case& c) {
         return one_number(mean_weight_slope(c["w0"], Kernel::general(kernel_of(c)), alignments(c), c["c"]));
       },
       Exact{[](const Case& c) { return one_number(derivative_of_mean(sigmoid, c, logit(c["w0"]), 1)); }, 1e-6},
       {{"as if tabular: 0", [](const Case&) { return one_number(0); }}}});
  out.push_back({"L6",
                 "curvature of the mean sigmoid weight, any kernel",
                 "exact",
                 source,
                 {{{"N", 8}, {"z0", 0}, {"c", 1}, {"kernel", 1}}, {{"N", 16}, {"z0", 1}, {"c", 2}, {"kernel", 1}}},
                 [](const Case& c) {
                   const SampleVector a = alignments(c);
                   const WeightFlow flow(Sigmoid{}, a, c["c"], Kernel::general(kernel_of(c)));
                   return one_number(mean_weight(flow, SampleVector::Constant(a.size(), c["z0"])).curvature);
                 },
                 Exact{[](const Case& c) { return one_number(derivative_of_mean(sigmoid, c, c["z0"], 2)); }, 1e-5},
                 {{"as if tabular", [](const Case& c) {
                     const SampleVector a = alignments(c);
                     return one_number(mean_weight_curvature(Sigmoid{}, c["z0"], a.size(), variance(a), c["c"]));
                   }}}});
  return out;
}

const laws::Register l6("L6", claims);

}  // namespace
