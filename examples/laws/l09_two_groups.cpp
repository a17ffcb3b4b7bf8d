// L9: good samples against bad ones. The closed forms beside flows of all N samples, written from the definition of
// abar. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <mts/theory/two_groups.hpp>
#include <numeric>

#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace laws::flows;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L9";

double or_else(const Case& c, std::string_view name, double value) {
  for (const auto& [key, found] : c.parameters())
    if (key == name) return found;
  return value;
}
TwoGroups groups_of(const Case& c) {
  return {c["rho"], c["D"], c["c"], static_cast<Index>(c["N"]), or_else(c, "class_weight", 1), 1};
}
WeightNetKind kind_of(const Case& c) { return c["shared"] != 0 ? WeightNetKind::shared : WeightNetKind::tabular; }

/// N samples, each with a logit: the first rho N are good.
struct Simulated {
  SampleVector a, prior;
  Index good;
  double rate;
  bool shared;

  explicit Simulated(const Case& c)
      : a(static_cast<Index>(c["N"])),
        prior(SampleVector::Ones(a.size())),
        good(static_cast<Index>(std::lround(c["rho"] * c["N"]))),
        rate(c["c"]),
        shared(c["shared"] != 0) {
    a.setConstant(-0.3);  // where the alignments lie does not matter, only the gap
    a.head(good).array() += c["D"];
    prior.head(good).setConstant(or_else(c, "class_weight", 1));
  }
  State velocity(const PlainActivation& activation, const State& z) const {
    State v = mean_alignment_gradient(activation, a, prior, z);
    if (shared) {
      const auto middle = v.begin() + good;
      const double up = std::accumulate(v.begin(), middle, 0.0), down = std::accumulate(middle, v.end(), 0.0);
      std::fill(v.begin(), middle, up);
      std::fill(middle, v.end(), down);
    }
    for (double& x : v) x *= rate;
    return v;
  }
  State beginning(const Case& c) const {
    State z(static_cast<std::size_t>(a.size()), or_else(c, "z_bad", 0));
    std::fill(z.begin(), z.begin() + good, or_else(c, "z_good", 0));
    return z;
  }
  /// q, B_eff/N, z_good, z_bad.
  std::vector<double> seen(const PlainActivation& activation, const State& z) const {
    SampleVector p(a.size());
    for (Index i = 0; i < p.size(); ++i) p[i] = prior[i] * activation.psi(z[static_cast<std::size_t>(i)]);
    p /= p.sum();
    return {p.head(good).sum(), 1 / p.squaredNorm() / static_cast<double>(p.size()), z.front(), z.back()};
  }
  std::vector<double> flow(const PlainActivation& activation, const Case& c) const {
    return seen(activation, integrated([&](const State& z, State& dz, double) { dz = velocity(activation, z); },
                                       beginning(c), c["t"]));
  }
  /// The log-odds of q after so many plain gradient steps.
  double stepped_log_odds(const Case& c, int steps) const {
    State z = beginning(c);
    for (int k = 0; k < steps; ++k) {
      const State v = velocity(softmax, z);
      for (std::size_t i = 0; i < z.size(); ++i) z[i] += v[i];
    }
    const double q = seen(softmax, z)[0];
    return std::log(q / (1 - q));
  }
};
std::vector<double> numbers(const TwoGroupState& s) { return {s.q, s.b_eff_fraction, s.z_good, s.z_bad}; }

const std::vector<Case> grid = {
    {{"N", 10}, {"rho", .8}, {"D", 1}, {"c", 1}, {"shared", 0}, {"t", 50}},
    {{"N", 20}, {"rho", .25}, {"D", .5}, {"c", 2}, {"shared", 0}, {"t", 200}, {"z_good", .5}, {"z_bad", -.3}},
    {{"N", 10}, {"rho", .3}, {"D", 1}, {"c", 1}, {"shared", 0}, {"t", 20}, {"class_weight", 2.5}},
    {{"N", 10}, {"rho", .8}, {"D", 1}, {"c", 1}, {"shared", 1}, {"t", 5}},
    {{"N", 20}, {"rho", .25}, {"D", 2}, {"c", .7}, {"shared", 1}, {"t", 30}, {"z_good", -.5}, {"z_bad", .3}},
    {{"N", 10}, {"rho", .3}, {"D", 1}, {"c", 1}, {"shared", 1}, {"t", 3}, {"class_weight", .4}},
};
const std::vector<Case> one_class_weight_grid = {grid[2], grid[5]};

SoftmaxTwoGroups closed(const Case& c) {
  return {groups_of(c), kind_of(c), or_else(c, "z_good", 0), or_else(c, "z_bad", 0)};
}

std::vector<Claim> claims() {
  std::vector<Claim> out;
  const Exact softmax_flow{[](const Case& c) { return Simulated(c).flow(softmax, c); }, 1e-9};
  out.push_back(
      {"L9",
       "q, B_eff/N and logits, softmax",
       "exact",
       source,
       grid,
       [](const Case& c) { return numbers(closed(c).at(c["t"])); },
       softmax_flow,
       {{"the other kind of net",
         [](const Case& c) {
           const auto other = c["shared"] != 0 ? WeightNetKind::tabular : WeightNetKind::shared;
           return numbers(
               SoftmaxTwoGroups(groups_of(c), other, or_else(c, "z_good", 0), or_else(c, "z_bad", 0)).at(c["t"]));
         }},
        {"time 1.1 times as fast", [](const Case& c) { return numbers(closed(c).at(1.1 * c["t"])); }}}});
  out.push_back({"L9",
                 "class weights shift the beginning alone",
                 "exact",
                 source,
                 one_class_weight_grid,
                 [](const Case& c) { return numbers(closed(c).at(c["t"])); },
                 softmax_flow,
                 {{"without them", [](const Case& c) {
                     TwoGroups g = groups_of(c);
                     g.class_weight_good = 1;
                     return numbers(SoftmaxTwoGroups(g, kind_of(c)).at(c["t"]));
                   }}}});
  // The two implicit forms as the note states them, at the simulated flow's own end.
  const auto implicit = [](const Case& c, double d, double q) {
    const double rho = c["rho"];
    if (c["shared"] != 0) return 2 * std::log(q / (1 - q)) - 1 / q + 1 / (1 - q);
    return rho * rho * std::exp(d) + 2 * rho * (1 - rho) * d - (1 - rho) * (1 - rho) * std::exp(-d);
  };
  out.push_back({"L9",
                 "the implicit forms move by c D t/N (tabular), 2 c D t (shared)",
                 "exact",
                 source,
                 {grid[0], grid[1], grid[3], grid[4]},
                 [](const Case& c) {
                   return std::vector<double>{c["c"] * c["D"] * c["t"] * (c["shared"] != 0 ? 2 : 1 / c["N"])};
                 },
                 Exact{[implicit](const Case& c) {
                         const Simulated s(c);
                         const auto begin = s.seen(softmax, s.beginning(c)), end = s.flow(softmax, c);
                         return std::vector<double>{implicit(c, end[2] - end[3], end[0]) -
                                                    implicit(c, begin[2] - begin[3], begin[0])};
                       },
                       1e-9},
                 {{"c D t for both", [](const Case& c) { return std::vector<double>{c["c"] * c["D"] * c["t"]}; }}}});
  out.push_back({"L9", "the time at which q is reached, softmax", "exact", source, grid,
                 [](const Case& c) { return std::vector<double>{closed(c).time_of(Simulated(c).flow(softmax, c)[0])}; },
                 Exact{[](const Case& c) { return std::vector<double>{c["t"]}; }, 1e-9}});
  const auto any = [&](const char* name, auto activation, PlainActivation plain, const std::vector<Case>& cases) {
    const auto flow = [activation](const Case& c) {
      return TwoGroupFlow(activation, groups_of(c), kind_of(c), or_else(c, "z_good", 0), or_else(c, "z_bad", 0));
    };
    out.push_back({"L9",
                   mts::detail::text("q, B_eff/N and logits, ", name),
                   "exact",
                   source,
                   cases,
                   [flow](const Case& c) { return numbers(flow(c).at(c["t"])); },
                   Exact{[plain](const Case& c) { return Simulated(c).flow(plain, c); }, 1e-9},
                   {{"the softmax form", [](const Case& c) { return numbers(closed(c).at(c["t"])); }}}});
  };
  any("sigmoid", Sigmoid{}, sigmoid, grid);
  any("softplus", Softplus{}, softplus, {grid[0], grid[5]});
  out.push_back({"L9",
                 "shared sigmoid logits keep (z+ + e^z+) + (z- + e^z-)",
                 "exact",
                 source,
                 {grid[3], grid[4], grid[5]},
                 [](const Case& c) {
                   const double good = or_else(c, "z_good", 0), bad = or_else(c, "z_bad", 0);
                   return std::vector<double>{TwoGroupFlow(Sigmoid{}, groups_of(c), kind_of(c)).invariant(good, bad)};
                 },
                 Exact{[](const Case& c) {
                         const auto end = Simulated(c).flow(sigmoid, c);
                         return std::vector<double>{end[2] + std::exp(end[2]) + end[3] + std::exp(end[3])};
                       },
                       1e-9}});
  out.push_back({"L9",
                 "in the end B_eff/N is rho",
                 "O(1/t)",
                 source,
                 {{{"N", 10}, {"rho", .8}, {"D", 1}, {"c", 1}, {"shared", 1}, {"t", 1e4}},
                  {{"N", 10}, {"rho", .4}, {"D", 1}, {"c", 1}, {"shared", 1}, {"t", 1e4}}},
                 [](const Case& c) { return std::vector<double>{c["rho"]}; },
                 Exact{[](const Case& c) { return std::vector<double>{Simulated(c).flow(softmax, c)[1]}; }, 1e-3},
                 {{"the whole batch", [](const Case&) { return std::vector<double>{1}; }}}});
  // Discrete steps: the form with its correction is one order closer.
  const auto order = [](double value) { return [value](const Case&) { return std::vector<double>{value}; }; };
  const auto measured_order = [](const Case& c, bool corrected) {
    const auto error = [&](double steps) {
      Case finer(std::vector<Case::Parameter>{
          {"N", c["N"]}, {"rho", c["rho"]}, {"D", c["D"]}, {"c", c["c t"] / steps}, {"shared", c["shared"]}});
      const SoftmaxTwoGroups form = closed(finer);
      const double q = corrected ? form.at_step(steps).q : form.at(steps).q;
      return std::abs(std::log(q / (1 - q)) - Simulated(finer).stepped_log_odds(finer, static_cast<int>(steps)));
    };
    return std::vector<double>{std::log2(error(c["steps"]) / error(2 * c["steps"]))};
  };
  const std::vector<Case> step_grid = {{{"N", 10}, {"rho", .8}, {"D", 1}, {"c t", 40}, {"shared", 0}, {"steps", 64}},
                                       {{"N", 10}, {"rho", .3}, {"D", 1}, {"c t", 8}, {"shared", 1}, {"steps", 128}}};
  out.push_back({"L9",
                 "discrete steps converge to the closed form at order 1",
                 "0.1 in the order",
                 source,
                 step_grid,
                 order(1),
                 Exact{[=](const Case& c) { return measured_order(c, false); }, 0.1, true},
                 {{"order 2", order(2)}, {"no convergence", order(0)}},
                 false});
  out.push_back({"L9",
                 "and to the corrected form at order 2",
                 "0.1 in the order",
                 source,
                 step_grid,
                 order(2),
                 Exact{[=](const Case& c) { return measured_order(c, true); }, 0.1, true},
                 {{"order 1", order(1)}, {"order 3", order(3)}},
                 false});
  // Several groups: the reduced equations beside all N samples.
  const std::vector<Case> several = {{{"N", 20}, {"shared", 0}, {"t", 60}}, {{"N", 20}, {"shared", 1}, {"t", 6}}};
  struct Several {
    SampleVector fractions{{0.5, 0.3, 0.2}}, a{{0.2, 1.0, -0.7}}, weights{{1.0, 0.5, 2.0}}, z{{0.1, -0.2, 0.3}};
    GroupFlow<Sigmoid> flow(const Case& c) const {
      return {Sigmoid{}, fractions, a, 1, static_cast<Index>(c["N"]), kind_of(c), weights};
    }
    std::vector<double> reduced(const Case& c, double faster) const {
      const auto f = flow(c);
      const State end = integrated(
          [&](const State& x, State& dx, double t) {
            f(x, dx, t);
            for (double& v : dx) v *= faster;
          },
          state(z), c["t"]);
      const SampleVector q = f.masses(vector(end));
      return {q[0], q[1], q[2], f.b_eff_fraction(vector(end)), f.invariant(vector(end))};
    }
    std::vector<double> full(const Case& c) const {
      const auto n = static_cast<Index>(c["N"]);
      std::vector<Index> of;
      for (Index g = 0; g < 3; ++g)
        for (Index k = 0; k < std::lround(fractions[g] * c["N"]); ++k) of.push_back(g);
      SampleVector align(n), prior(n);
      State begin(static_cast<std::size_t>(n));
      for (Index i = 0; i < n; ++i) {
        const Index g = of[static_cast<std::size_t>(i)];
        align[i] = a[g];
        prior[i] = weights[g];
        begin[static_cast<std::size_t>(i)] = z[g];
      }
      const State end = integrated(
          [&](const State& x, State& dx, double) {
            dx = mean_alignment_gradient(sigmoid, align, prior, x);
            if (c["shared"] == 0) return;
            double sum[3] = {0, 0, 0};
            for (std::size_t i = 0; i < of.size(); ++i) sum[of[i]] += dx[i];
            for (std::size_t i = 0; i < of.size(); ++i) dx[i] = sum[of[i]];
          },
          begin, c["t"]);
      SampleVector p(n), q = SampleVector::Zero(3);
      for (Index i = 0; i < n; ++i) p[i] = prior[i] * sigmoid.psi(end[static_cast<std::size_t>(i)]);
      p /= p.sum();
      for (Index i = 0; i < n; ++i) q[of[static_cast<std::size_t>(i)]] += p[i];
      double invariant = 0;  // counted at the beginning: it stays
      for (Index g = 0; g < 3; ++g)
        invariant += (z[g] + std::exp(z[g])) * (c["shared"] != 0 ? 1 : fractions[g] * c["N"]);
      return {q[0], q[1], q[2], 1 / p.squaredNorm() / c["N"], invariant};
    }
  };
  out.push_back({"L9",
                 "three groups with class weights, sigmoid",
                 "exact",
                 source,
                 several,
                 [](const Case& c) { return Several().reduced(c, 1); },
                 Exact{[](const Case& c) { return Several().full(c); }, 1e-9},
                 {{"a flow 1.1 times as fast", [](const Case& c) { return Several().reduced(c, 1.1); }}}});
  return out;
}

const laws::Register l9("L9", claims);

}  // namespace
