#pragma once
/// \file
/// A claim: a derivation stated as data, so that it can be checked, and so that it could fail. `verify.hpp` judges claims.

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"

namespace mts::theory {

/// One point of a claim's parameter grid: names and values, in the order given.
///     Case c{{"N", 64}, {"r", .3}};  c["N"] == 64;  c.text() == "N 64, r 0.3"
class Case {
 public:
  using Parameter = std::pair<std::string, double>;
  Case(std::initializer_list<Parameter> parameters) : parameters_(parameters) {}
  explicit Case(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {}

  /// \throws ValueError, which names the parameters there are, if there is none of that name
  double operator[](std::string_view name) const {
    for (const auto& [key, value] : parameters_)
      if (key == name) return value;
    throw ValueError(detail::text("Case: no parameter '", name, "' among '", text(), "'"));
  }
  std::span<const Parameter> parameters() const { return parameters_; }
  std::string text() const {
    std::string out;
    for (const auto& [key, value] : parameters_) out += detail::text(out.empty() ? "" : ", ", key, " ", value);
    return out;
  }

 private:
  std::vector<Parameter> parameters_;
};

/// What a derivation predicts at a point: one number, or several that hold together. Pure and thread-safe.
using Prediction = std::function<std::vector<double>(const Case&)>;

/// Checked by computing the same quantity in another way: holds iff max_i |measured_i - predicted_i| <= tolerance * scale, where
/// scale = max_i |predicted_i|, or 1 if `absolute`. The measurement must not share the closed form's code.
struct Exact {
  std::function<std::vector<double>(const Case&)> measured;
  double tolerance = 1e-9;
  bool absolute = false;
};

/// Checked by simulation. For each case `simulator(case)` makes what every replicate shares, and returns the replicate itself:
/// it draws from its own stream and writes `observables` numbers. The measured quantity is `statistic` of their means over all
/// replicates (default: the first mean). The prediction has one component.
struct Simulation {
  using Replicate = std::function<void(RandomStream&, std::span<double> observed)>;
  std::function<Replicate(const Case&)>
      simulator;  ///< called once a case; the replicate is called by many threads at once
  Index observables = 1;
  std::function<double(const Case&, std::span<const double> means)> statistic = {};
  /// A bound on the prediction's own error at the case (the terms that the derivation drops), absolute; 0 by default.
  std::function<double(const Case&)> allowance = {};
};

/// The statistic |E G|^2 / Var G of one number G observed as (G, G^2): `Simulation{..., 2, gsnr_statistic}`.
inline double gsnr_statistic(const Case&, std::span<const double> means) {
  return means[0] * means[0] / (means[1] - means[0] * means[0]);
}

/// A wrong version of the prediction, which the same measurement must refute.
struct Mutant {
  std::string name;  ///< what is wrong with it: "without the next order", "constant times 1.1"
  Prediction prediction;
};

/// A derivation, and how to find out whether it is true.
struct Claim {
  std::string law;     ///< "L11"
  std::string name;    ///< "GSNR, uniform weights, Gaussian pair"
  std::string order;   ///< the stated order of error: "exact", "O(1/N^2) relative"
  std::string source;  ///< where the derivation stands: "docs/theory.md, L11"
  std::vector<Case> grid;
  Prediction prediction;
  std::variant<Exact, Simulation> check;
  /// Besides these, every claim has the mutant "times 1.1" (all components), unless `times_mutant` is false (a prediction of 0,
  /// or of an order of convergence, is not changed enough by a factor); such a claim must list a mutant of its own.
  std::vector<Mutant> mutants = {};
  bool times_mutant = true;
};

}  // namespace mts::theory
