#pragma once
/// \file
/// `FeatureBatch`: what a weight net sees of a batch, in a device's memory.

#include <utility>
#include <vector>

#include "mts/core/feature_batch.hpp"
#include "mts/core/state.hpp"
#include "mts/cuda/column.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

/// N rows of D continuous features and some categorical columns, in a device's memory; reused from step to step.
template <class S, class E>
struct FeatureBatch {
  using Scalar = S;

  Buffer<S, E> continuous;             ///< N x D, without gaps
  std::vector<Column<E>> categorical;  ///< of N values each
  Index samples = 0, dimension = 0;    ///< N, D
  mts::FeatureBatch<S> staged;         ///< on the host, where extractors there work

  Index size() const { return samples; }
  ConstMatrix<S> rows() const { return {continuous.data(), samples, dimension}; }
  /// Room for N rows of the layout's columns.
  void resize(const SharedQueue<E>& queue, Index n, const FeatureLayout& layout) {
    samples = n;
    dimension = static_cast<Index>(layout.continuous.size());
    if (continuous.size() != n * dimension || !continuous.data()) continuous = Buffer<S, E>(queue, n * dimension);
    categorical.resize(layout.categorical.size());
  }
};

/// Features that are extracted on the host, of logits and embeddings that are brought there, and then go to the device. Any features that
/// `features::compose` makes; each step waits for what they look at.
template <class F, class E>
class FromHost {
 public:
  FromHost(F features, SharedQueue<E> queue) : features_(std::move(features)), queue_(std::move(queue)) {}

  const FeatureLayout& layout() const { return features_.layout(); }
  static constexpr bool reads_validation() { return F::reads_validation(); }
  const F& host() const { return features_; }

  template <class Context, class S>
  void extract(const Context& context, FeatureBatch<S, E>& out) const {
    features_.extract(context, out.staged);
    out.resize(queue_, out.staged.size(), layout());
    queue_->upload(out.continuous.data(), out.staged.continuous.data(), out.staged.continuous.size());
    for (std::size_t c = 0; c < out.categorical.size(); ++c)
      out.categorical[c].assign(queue_, out.staged.categorical[c]);
  }
  void save(std::ostream& out) const
    requires Stateful<F>
  {
    features_.save(out);
  }
  void load(std::istream& in)
    requires Stateful<F>
  {
    features_.load(in);
  }

 private:
  F features_;
  SharedQueue<E> queue_;
};

}  // namespace mts::cuda
