#pragma once
/// \file
/// The two primitives of a Gaussian latent variable (Kingma and Welling 2014): reparametrised sampling and the divergence
/// from the standard normal.

#include <cmath>

#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// z = mu + exp(v/2) noise. Inputs: mu, v (log-variance), noise (standard normal numbers drawn by the caller, so
/// that a result depends on its stream alone); all of one width.
struct GaussianReparametrisation {
  Index width(Widths in) const {
    detail::check_inputs("GaussianReparametrisation", 3, in);
    return detail::check_same_width("GaussianReparametrisation", in);
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < out.cols; ++j) out.row(i)[j] = t.in[0].row(i)[j] + deviation(t, i, j) * t.in[2].row(i)[j];
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    sinks[0].take(delta.matrix());
    sinks[1].take_each(
        [&](Index i, Index j) { return delta.row(i)[j] * deviation(t, i, j) * t.in[2].row(i)[j] / S{2}; });
    sinks[2].take_each([&](Index i, Index j) { return delta.row(i)[j] * deviation(t, i, j); });
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i)
      for (Index j = 0; j < out.cols; ++j) {
        S y = 0;
        if (tangents[0]) y += tangents[0].row(i)[j];
        if (tangents[1]) y += deviation(t, i, j) * t.in[2].row(i)[j] / S{2} * tangents[1].row(i)[j];
        if (tangents[2]) y += deviation(t, i, j) * tangents[2].row(i)[j];
        out.row(i)[j] = y;
      }
  }

 private:
  template <class S>
  static S deviation(const Tile<S>& t, Index i, Index j) {
    using std::exp;
    return exp(t.in[1].row(i)[j] / S{2});
  }
};

/// KL( N(mu, exp v) | N(0, 1) ) = sum_j (mu_j^2 + exp v_j - v_j - 1)/2. Inputs: mu, v. Output width 1.
struct GaussianDivergence {
  Index width(Widths in) const {
    detail::check_inputs("GaussianDivergence", 2, in);
    detail::check_same_width("GaussianDivergence", in);
    return 1;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    using std::exp;
    for (Index i = 0; i < t.rows; ++i) {
      S sum = 0;
      for (Index j = 0; j < t.in[0].cols; ++j) {
        const S mu = t.in[0].row(i)[j], v = t.in[1].row(i)[j];
        sum += mu * mu + exp(v) - v - S{1};
      }
      out.row(i)[0] = sum / S{2};
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    sinks[0].take_each([&](Index i, Index j) { return delta.row(i)[0] * t.in[0].row(i)[j]; });
    sinks[1].take_each([&](Index i, Index j) { return delta.row(i)[0] * variance_slope(t, i, j); });
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    for (Index i = 0; i < t.rows; ++i) {
      S sum = 0;
      for (Index j = 0; j < t.in[0].cols; ++j) {
        if (tangents[0]) sum += t.in[0].row(i)[j] * tangents[0].row(i)[j];
        if (tangents[1]) sum += variance_slope(t, i, j) * tangents[1].row(i)[j];
      }
      out.row(i)[0] = sum;
    }
  }

 private:
  template <class S>
  static S variance_slope(const Tile<S>& t, Index i, Index j) {
    using std::exp;
    return (exp(t.in[1].row(i)[j]) - S{1}) / S{2};
  }
};

}  // namespace mts::autodiff
