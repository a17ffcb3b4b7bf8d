// One linearisation against torch's autograd: losses, weighted gradients, pushforward, per-sample dots and squared
// norms; and the batches that this is tried on.
#pragma once

#include <functional>
#include <vector>

#include "libtorch/parity.hpp"

namespace parity {

inline constexpr Index samples = 133;  // more than one tile, and no multiple of one

/// The losses of samples [first, first + count), as torch has them, at parameters given one a segment.
using TorchLosses = std::function<Tensor(const Tensors& parameters, Index first, Index count)>;

/// Weights of a batch: of both signs and very different sizes, some 0.
inline SampleVector hostile_weights(Index n) {
  RandomStream stream(1, "weights");
  return SampleVector::NullaryExpr(
      n, [&](Index i) { return i % 7 == 3 ? 0.0 : std::pow(10, i % 5 - 3) * stream.normal(); });
}

/// Rows of very different sizes; row 5 is zero, row 6 has equal entries.
template <class S>
RowMatrix<S> hostile_inputs(Index n, Index width) {
  RandomStream stream(2, "inputs");
  RowMatrix<S> x(n, width);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < width; ++j)
      x(i, j) = static_cast<S>(i == 5 ? 0 : i == 6 ? 1.5 : std::pow(10, i % 4 - 2) * stream.normal());
  return x;
}

inline std::vector<int> some_labels(Index n, int classes) {
  RandomStream stream(3, "labels");
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (auto& label : labels) label = static_cast<int>(stream.below(static_cast<std::uint64_t>(classes)));
  return labels;
}

/// Everything a linearisation can do, against torch's autograd at the same parameters.
template <class S, class Lin>
void check_parity(const Lin& lin, const DenseParameters<S>& theta, const TorchLosses& losses_of) {
  constexpr double allowed = tolerance<S>;
  const Index n = lin.value().size();
  const auto parameters = leaves(theta);
  const auto losses = losses_of(parameters, 0, n);
  check_close("losses", allowed, lin.value(), flat({losses}));

  const auto u = hostile_weights(n);
  auto gradient_of_u = theta.zeros_like();
  lin.pullback(u, gradient_of_u);
  check_close("weighted gradient", allowed, flat(gradient_of_u),
              flat(derivative((losses * to_tensor<S>(u)).sum(), parameters)));

  const auto v = normals_like(theta, {4, "direction"});
  const auto free = torch::zeros_like(losses).requires_grad_();
  const auto pulled = derivative((losses * free).sum(), parameters, true);
  SampleVector ours;
  lin.pushforward(v, ours);
  check_close("pushforward", allowed, ours, flat(derivative(dot(pulled, leaves(v)), {free})));

  SampleVector dots(n), squares(n);
  for (Index i = 0; i < n; ++i) {
    const auto g = flat(derivative(losses_of(parameters, i, 1).sum(), parameters));
    dots[i] = g.dot(flat(v));
    squares[i] = g.squaredNorm();
  }
  lin.per_sample_dot(v, ours);
  check_close("per-sample dots", allowed, ours, dots);
  lin.per_sample_squared_norm(ours);
  check_close("per-sample squared norms", allowed, ours, squares);
}

}  // namespace parity
