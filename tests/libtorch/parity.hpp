// What the parity tests share: numbers carried between the two frameworks, and what counts as equal.
#pragma once

#ifdef DOCTEST_LIBRARY_INCLUDED
#error "include this before doctest: torch has a CHECK of its own, and the later one holds"
#endif
#include <torch/torch.h>

#include <doctest/doctest.h>

#include <cmath>
#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include "instances.hpp"
#include "libtorch/torch_model.hpp"
#include "mts/core/concepts.hpp"

namespace parity {

using mts::DenseParameters;
using mts::Index;
using mts::RandomStream;
using mts::RowMatrix;
using mts::SampleVector;
using torch::Tensor;
using torch_adapter::scalar_type;
using torch_adapter::to_tensor;
using Tensors = std::vector<Tensor>;

/// How far two results may be apart, relative to the norm of the whole tensor.
template <class S>
constexpr double tolerance = std::same_as<S, double> ? 1e-10 : 1e-5;

/// Both frameworks on one thread, so that neither waits for the other's idle workers.
inline const bool one_thread = [] {
  torch::set_num_threads(1);
  return true;
}();

/// |ours - theirs| <= tolerance |theirs|; says how far they are apart if they are. Equality where theirs is 0.
inline void check_close(const std::string& what, double allowed, const SampleVector& ours, const SampleVector& theirs) {
  CAPTURE(what);
  REQUIRE(ours.size() == theirs.size());
  REQUIRE(theirs.allFinite());
  const double distance = (ours - theirs).norm(), norm = theirs.norm();
  CAPTURE(norm);
  CHECK(distance <= allowed * norm);
}

/// All entries of some tensors, one after another.
inline SampleVector flat(const Tensors& tensors) {
  SampleVector all;
  for (const auto& t : tensors) {
    SampleVector part;
    torch_adapter::to_samples(t.flatten(), part);
    SampleVector joined(all.size() + part.size());
    joined << all, part;
    all = std::move(joined);
  }
  return all;
}
template <class S>
SampleVector flat(const DenseParameters<S>& x) {
  return x.values().template cast<double>();
}
template <class S>
SampleVector flat(const torch_adapter::TorchParameters<S>& x) {
  return flat(x.tensors());
}

/// One leaf a segment, with the numbers of `x`; shaped by `shapes` where given, else flat.
template <class S>
Tensors leaves(const DenseParameters<S>& x, const std::vector<std::vector<Index>>& shapes = {}) {
  Tensors all;
  for (const auto& s : x.segments()) {
    auto t = torch::from_blob(const_cast<S*>(x.data() + s.begin), {s.length}, scalar_type<S>).clone();
    if (!shapes.empty()) t = t.view(shapes[all.size()]);
    all.push_back(t.requires_grad_());
  }
  return all;
}

/// Numbers from N(0, 1).
inline SampleVector normals(Index n, RandomStream stream) {
  return SampleVector::NullaryExpr(n, [&] { return stream.normal(); });
}
template <class S>
DenseParameters<S> normals_like(const DenseParameters<S>& x, RandomStream stream) {
  auto v = x.zeros_like();
  v.values() = normals(x.size(), stream).template cast<S>();
  return v;
}

/// sum_k <a_k, b_k>
inline Tensor dot(const Tensors& a, const Tensors& b) {
  Tensor sum = torch::zeros({}, a.at(0).options());
  for (std::size_t k = 0; k < a.size(); ++k) sum = sum + (a[k] * b[k]).sum();
  return sum;
}
/// dy/dx, zeros where y does not depend on x.
inline Tensors derivative(const Tensor& y, const Tensors& x, bool differentiable = false) {
  auto g = torch::autograd::grad({y}, x, {}, /*retain_graph=*/true, differentiable, /*allow_unused=*/true);
  for (std::size_t k = 0; k < g.size(); ++k)
    if (!g[k].defined()) g[k] = torch::zeros_like(x[k]);
  return g;
}

inline Tensor cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing = 0) {
  return torch::nn::functional::cross_entropy(
      logits, labels,
      torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone).label_smoothing(smoothing));
}

}  // namespace parity
