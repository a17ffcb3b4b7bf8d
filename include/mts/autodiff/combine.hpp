#pragma once
/// \file
/// Combining branches: weighted sum (a residual add is one with weights 1) and concatenation.

#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// y = sum_k c_k x_k over any number of inputs of one width. Without coefficients all c_k = 1 (residual add).
struct Add {
  static constexpr bool ignores_output = true;

  std::vector<double> coefficients = {};

  Index width(Widths in) const {
    const Index w = detail::check_same_width("Add", in);
    if (!coefficients.empty() && coefficients.size() != in.size())
      throw ShapeError(detail::text("Add: expected ", in.size(), " coefficients, found ", coefficients.size()));
    return w;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    combine(t.in, out);
  }
  template <class S>
  void pullback(const Tile<S>&, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    for (std::size_t k = 0; k < sinks.size(); ++k) sinks[k].take(coefficient<S>(k) * delta.matrix());
  }
  template <class S>
  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    combine(tangents, out);
  }

 private:
  template <class S>
  S coefficient(std::size_t k) const {
    return coefficients.empty() ? S{1} : static_cast<S>(coefficients[k]);
  }
  template <class S>
  void combine(std::span<const ConstView<S>> x, View<S> out) const {
    bool first = true;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (!x[k]) continue;
      if (first)
        out.matrix() = coefficient<S>(k) * x[k].matrix();
      else
        out.matrix() += coefficient<S>(k) * x[k].matrix();
      first = false;
    }
    if (first) out.matrix().setZero();
  }
};

/// y = [x_1 | x_2 | ...]: the inputs side by side.
struct Concatenate {
  static constexpr bool ignores_output = true;

  Index width(Widths in) const {
    Index w = 0;
    for (Index k : in) w += k;
    return w;
  }
  template <class S>
  void forward(const Tile<S>& t, View<S> out) const {
    Index at = 0;
    for (const auto& x : t.in) {
      out.matrix().middleCols(at, x.cols) = x.matrix();
      at += x.cols;
    }
  }
  template <class S>
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const {
    Index at = 0;
    for (std::size_t k = 0; k < sinks.size(); ++k) {
      sinks[k].take(delta.matrix().middleCols(at, t.in[k].cols));
      at += t.in[k].cols;
    }
  }
  template <class S>
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> tangents, const S*, View<S> out) const {
    Index at = 0;
    for (std::size_t k = 0; k < tangents.size(); ++k) {
      auto block = out.matrix().middleCols(at, t.in[k].cols);
      if (tangents[k])
        block = tangents[k].matrix();
      else
        block.setZero();
      at += t.in[k].cols;
    }
  }
};

}  // namespace mts::autodiff
