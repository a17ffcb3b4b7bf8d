#pragma once
/// \file
/// `Rules`: what a primitive brings to a device. The same rules as on the host (autodiff/primitive.hpp), for all samples of a
/// window at once instead of tile by tile.

#include <concepts>
#include <span>
#include <type_traits>

#include "mts/cuda/buffer.hpp"

namespace mts::cuda {

/// A matrix in a device's memory, one row per sample, without gaps. One without data is absent (a tangent that is zero).
template <class S>
struct Matrix {
  S* data = nullptr;
  Index rows = 0;
  Index cols = 0;

  explicit operator bool() const { return data != nullptr; }
  Index size() const { return rows * cols; }
  template <class T>
    requires(std::same_as<T, const S> && !std::is_const_v<S>)
  operator Matrix<T>() const {
    return {data, rows, cols};
  }
};
template <class S>
using ConstMatrix = Matrix<const S>;

/// Where a pullback leaves the delta of one input: the first consumer of a node assigns, the others add; an input that nobody asks
/// for takes nothing.
template <class S>
struct Sink {
  Matrix<S> to;
  bool accumulate = false;
  explicit operator bool() const { return static_cast<bool>(to); }
};

/// to <- x, or to <- to + x: what a kernel does at an entry of a sink.
template <class S>
MTS_HOST_DEVICE void take(S& to, bool accumulate, S x) {
  to = accumulate ? to + x : x;
}

/// The point at which a primitive has been evaluated, and the queue on which its rules do their work.
template <class S, class E>
struct At {
  const SharedQueue<E>& queue;
  Index rows = 0;                            ///< samples
  std::span<const ConstMatrix<S>> in;        ///< values of the inputs
  ConstMatrix<S> out;                        ///< value of the output (absent in `forward`, which makes it)
  const S* parameters = nullptr;             ///< the primitive's own
  std::span<const int* const> columns = {};  ///< the batch's integer columns, from the window's first sample on

  /// Memory for as long as the rule runs.
  template <class T = S>
  Buffer<T, E> scratch(Index n) const {
    return Buffer<T, E>(queue, n);
  }
};

/// The rules of a primitive, P2 to P4 and P7 to P9 of the host's. delta_i is the derivative of sample i's loss in y_i. No rule waits.
template <class S, class E>
struct Rules {
  virtual ~Rules() = default;
  /// out <- y.
  virtual void forward(const At<S, E>&, Matrix<S> out) const = 0;
  /// Gives every sink delta_i dy_i/dx_i, in the order of the sinks.
  virtual void pullback(const At<S, E>&, ConstMatrix<S> delta, std::span<const Sink<S>>) const = 0;
  /// out <- dy_i/dx_i tangent_i + dy_i/dw w_tangent; absent tangents are zero.
  virtual void pushforward(const At<S, E>&, std::span<const ConstMatrix<S>> tangents, const S* w_tangent,
                           Matrix<S> out) const = 0;
  /// gradient <- gradient + sum_i u_i delta_i dy_i/dw.
  virtual void parameter_pullback(const At<S, E>&, ConstMatrix<S> /*delta*/, const S* /*u*/, S* /*gradient*/) const {}
  /// out_i <- out_i + <delta_i dy_i/dw, v>.
  virtual void per_sample_dot(const At<S, E>&, ConstMatrix<S> /*delta*/, const S* /*v*/, double* /*out*/) const {}
  /// out_i <- out_i + |delta_i dy_i/dw|^2.
  virtual void per_sample_squared_norm(const At<S, E>&, ConstMatrix<S> /*delta*/, double* /*out*/) const {}
};

}  // namespace mts::cuda
