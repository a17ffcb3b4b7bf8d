#pragma once
/// \file
/// Integrals of smooth functions over an interval: the Gauss-Legendre rule, halved until it agrees with itself.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "mts/core/error.hpp"

namespace mts::theory::numeric {

/// Nodes in (0, 1) and weights of the n-point Gauss-Legendre rule on [-1, 1], n even: the roots of the Legendre
/// polynomial P_n by Newton's method from Tricomi's guess, weight 2/((1 - x^2) P_n'(x)^2).
template <std::size_t n>
struct LegendreRule {
  static_assert(n % 2 == 0);
  std::array<double, n / 2> node{}, weight{};

  LegendreRule() {
    constexpr int newton_steps = 6;  // quadratic from a guess within 1e-3
    for (std::size_t k = 0; k < n / 2; ++k) {
      double x = std::cos(std::numbers::pi * (static_cast<double>(k) + 0.75) / (static_cast<double>(n) + 0.5));
      double slope = 0;
      for (int step = 0; step < newton_steps; ++step) {
        double p = x, before = 1;
        for (std::size_t m = 2; m <= n; ++m) {
          const auto j = static_cast<double>(m);
          const double next = ((2 * j - 1) * x * p - (j - 1) * before) / j;
          before = p;
          p = next;
        }
        slope = static_cast<double>(n) * (x * p - before) / (x * x - 1);
        x -= p / slope;
      }
      node[k] = x;
      weight[k] = 2 / ((1 - x * x) * slope * slope);
    }
  }
};

/// One application of the rule on [a, b].
template <std::size_t n = 16, class F>
double legendre(const F& f, double a, double b) {
  static const LegendreRule<n> rule;
  const double middle = (a + b) / 2, half = (b - a) / 2;
  double sum = 0;
  for (std::size_t k = 0; k < n / 2; ++k)
    sum += rule.weight[k] * (f(middle - half * rule.node[k]) + f(middle + half * rule.node[k]));
  return sum * half;
}

/// The integral of f from a to b (either way round), to about 1e-13 of the largest part of it met, where f is smooth.
/// \throws NumericalError if the integral is not finite
template <class F>
double integrate(const F& f, double a, double b) {
  constexpr double tolerance = 1e-13;
  constexpr int deepest = 20;  // halvings, so that a jump or a kink ends too
  double scale = 0;
  const auto refine = [&](const auto& self, double l, double r, double whole, int depth) -> double {
    const double m = l + (r - l) / 2;
    const double left = legendre(f, l, m), right = legendre(f, m, r);
    scale = std::max(scale, std::abs(left) + std::abs(right));
    if (depth == deepest || !(std::abs(left + right - whole) > tolerance * scale)) return left + right;
    return self(self, l, m, left, depth + 1) + self(self, m, r, right, depth + 1);
  };
  const double result = a == b ? 0.0 : refine(refine, a, b, legendre(f, a, b), 0);
  check_finite("integrate", "integral", result);
  return result;
}

}  // namespace mts::theory::numeric
