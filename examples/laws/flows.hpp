#pragma once
// The flows of normalised weights in plain code, for the laws' measurements: dL/dz from the definition of the weights,
// the flow integrated by Boost.odeint.

#include <algorithm>
#include <cmath>
#include <functional>
#include <mts/core/random.hpp>
#include <mts/core/types.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace laws::flows {

using mts::Index;
using mts::SampleVector;
using State = std::vector<double>;
using RightHandSide = std::function<void(const State&, State&, double)>;

/// The state at `time`, by Boost.odeint's Runge-Kutta-Fehlberg pair of order 7(8), each step's error held to 1e-12 of
/// the state. Compiled once, in flows.cpp.
State integrated(const RightHandSide& f, State x, double time);

/// psi and psi' by their textbook forms.
struct PlainActivation {
  double (*psi)(double);
  double (*slope)(double);
};
inline double logistic(double z) { return 1 / (1 + std::exp(-z)); }
inline const PlainActivation softmax{[](double z) { return std::exp(z); }, [](double z) { return std::exp(z); }};
inline const PlainActivation sigmoid{logistic, [](double z) { return logistic(z) * (1 - logistic(z)); }};
inline const PlainActivation softplus{[](double z) { return std::log1p(std::exp(z)); }, logistic};
inline const PlainActivation linear{[](double z) { return z; }, [](double) { return 1.0; }};

/// d abar/dz_k with a fixed, from abar = sum c w a/sum c w by the quotient rule.
inline State mean_alignment_gradient(const PlainActivation& activation, const SampleVector& a, const SampleVector& c,
                                     const State& z) {
  double sum = 0, mixed = 0;
  const auto n = static_cast<std::size_t>(a.size());
  for (std::size_t i = 0; i < n; ++i) {
    const double w = c[static_cast<Index>(i)] * activation.psi(z[i]);
    sum += w;
    mixed += w * a[static_cast<Index>(i)];
  }
  State g(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto k = static_cast<Index>(i);
    g[i] = c[k] * activation.slope(z[i]) * (a[k] * sum - mixed) / (sum * sum);
  }
  return g;
}

inline SampleVector draw(Index n, std::string_view what, double scale = 1, double shift = 0) {
  mts::RandomStream random(23, what, static_cast<std::uint64_t>(n));
  return SampleVector::NullaryExpr(n, [&] { return shift + scale * random.normal(); });
}
inline State state(const SampleVector& x) {
  State s(static_cast<std::size_t>(x.size()));
  std::copy(x.begin(), x.end(), s.begin());
  return s;
}
inline SampleVector vector(const State& x) {
  return Eigen::Map<const SampleVector>(x.data(), static_cast<Index>(x.size()));
}

}  // namespace laws::flows
