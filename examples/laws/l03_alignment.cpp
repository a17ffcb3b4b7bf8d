// L3: the alignments a = J Gamma three ways, forward mode, products of per-sample gradients, and central differences
// with their error of second order; each of them the library's own estimator.
// SPDX-License-Identifier: Apache-2.0
#include "laws/registry.hpp"
#include "laws/toy_step.hpp"

namespace {

using namespace laws::toy;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L3";

struct Point {
  Problem problem;
  Dense theta, direction;
  explicit Point(const Case& c)
      : problem(Kind::sigmoid, Case{{"N", c["N"]}, {"prior", 0}, {"step", 0}}), theta(dimension), direction(dimension) {
    theta.values() = problem.theta;
    direction.values() = problem.gamma();
  }
  template <class Estimator>
  SampleVector by(const Estimator& estimator) const {
    const Logistic model;
    const auto lin = model.linearize(theta, problem.train);
    Dense shifted(dimension);
    SampleVector a;
    estimator(model, theta, problem.train, lin, direction, shifted, a);
    return a;
  }
};

SampleVector by_hand(const Point& at) {
  SampleVector a(at.problem.size());
  for (Index i = 0; i < a.size(); ++i)
    a[i] = gradient(at.problem.train, i, at.problem.theta).dot(at.direction.values());
  return a;
}
/// Leading error of central differences: with m = <x, theta> and w = sigmoid(-m), D^3 l [u]^3 = w (1 - w) (2 w - 1) <x,
/// u>^3.
SampleVector leading_error(const Point& at, double h) {
  const double length = at.direction.values().norm();
  SampleVector e(at.problem.size());
  for (Index i = 0; i < e.size(); ++i) {
    const double along = at.problem.train.row(i).dot(at.direction.values()) / length;
    const double w = 1 / (1 + std::exp(at.problem.train.row(i) * at.problem.theta));
    e[i] = central_difference_error(length, h, w * (1 - w) * (2 * w - 1) * std::pow(along, 3));
  }
  return e;
}

std::vector<Claim> claims() {
  const std::vector<Case> sizes = {{{"N", 6}}, {{"N", 8}}, {{"N", 12}}};
  const auto dots = [](const Case& c) { return numbers(by_hand(Point(c))); };
  const auto claim = [&](std::string name, auto estimator, double tolerance) {
    return Claim{"L3",
                 std::move(name),
                 "exact",
                 source,
                 sizes,
                 dots,
                 Exact{[estimator](const Case& c) { return numbers(Point(c).by(estimator)); }, tolerance}};
  };
  // h = 0.1, 0.05, ...: the error is h^2 and a further O(h^4), so relative to it O(h^2): a tolerance of h^2.
  std::vector<Claim> out = {
      claim("forward mode is the product of gradients", mts::Pushforward{}, 1e-13),
      claim("the kept deltas give the product of gradients", mts::PerSampleDot{}, 1e-13),
      claim("central differences at the best step, O(h^2) + round-off/h", mts::CentralDifference{1e-5}, 1e-9)};
  out.push_back(
      {"L3",
       "the error of central differences is |v| h^2/6 D^3 l",
       "O(h^2) relative",
       source,
       {{{"N", 8}, {"h", 0.02}}, {{"N", 12}, {"h", 0.01}}},
       [](const Case& c) { return numbers(leading_error(Point(c), c["h"])); },
       Exact{[](const Case& c) {
               const Point at(c);
               return numbers(at.by(mts::CentralDifference{c["h"]}) - by_hand(at));
             },
             1e-3},
       {{"error |v| h^2/3 D^3 l", [](const Case& c) { return numbers(2 * leading_error(Point(c), c["h"])); }}}});
  const auto order = [](double value) { return [value](const Case&) { return std::vector<double>{value}; }; };
  out.push_back({"L3",
                 "central differences converge at order 2",
                 "0.1 in the order",
                 source,
                 {{{"N", 8}, {"h", 0.1}}, {{"N", 12}, {"h", 0.05}}},
                 order(2),
                 Exact{[](const Case& c) {
                         const Point at(c);
                         const SampleVector a = by_hand(at);
                         const auto error = [&](double h) { return (at.by(mts::CentralDifference{h}) - a).norm(); };
                         return std::vector<double>{std::log2(error(c["h"]) / error(c["h"] / 2))};
                       },
                       0.1, true},
                 {{"order 1", order(1)}, {"order 3", order(3)}},
                 false});
  return out;
}

const laws::Register l3("L3", claims);

}  // namespace
