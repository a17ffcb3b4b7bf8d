#pragma once
/// \file
/// Tabular weight net: one logit for each sample of the pool, z_i = phi[id_i]. J is a selection matrix, K = J J^T = I.

#include "mts/core/concepts.hpp"

namespace mts {

/// Logits by look-up in phi, without a copy of it: sample i reads entry `entries[i]`.
template <class S>
class LookUpLinearization {
 public:
  LookUpLinearization(const DenseParameters<S>& phi, std::vector<Index> entries)
      : entries_(std::move(entries)), z_(static_cast<Index>(entries_.size())) {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      z_[static_cast<Index>(i)] = static_cast<double>(phi.values()[entries_[i]]);
  }
  const SampleVector& value() const { return z_; }
  /// out <- J^T u, summed in the order of the samples.
  void pullback(const SampleVector& u, DenseParameters<S>& out) const {
    check_size("LookUpLinearization::pullback", "length of u", z_.size(), u.size());
    out.values().setZero();
    for (std::size_t i = 0; i < entries_.size(); ++i)
      out.values()[entries_[i]] += static_cast<S>(u[static_cast<Index>(i)]);
  }
  void pushforward(const DenseParameters<S>& v, SampleVector& out) const {
    out.resize(z_.size());
    for (std::size_t i = 0; i < entries_.size(); ++i)
      out[static_cast<Index>(i)] = static_cast<double>(v.values()[entries_[i]]);
  }
  void per_sample_dot(const DenseParameters<S>& v, SampleVector& out) const { pushforward(v, out); }
  void per_sample_squared_norm(SampleVector& out) const { out.setOnes(z_.size()); }

 private:
  std::vector<Index> entries_;
  SampleVector z_;
};

/// A logit per pool sample, all beginning at 0. Reads `FeatureBatch::ids`. A batch moves only its own entries: `active`
/// names them, and the training step hands them to an optimiser that can step sparsely.
template <class S>
class TabularWeightNet {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Features = FeatureBatch<S>;

  /// \throws ShapeError if the pool is empty
  explicit TabularWeightNet(Index pool_size) : pool_size_(pool_size) {
    if (pool_size < 1)
      throw ShapeError(detail::text("TabularWeightNet: expected a pool, found ", pool_size, " samples"));
  }
  Parameters initialize(RandomStream) const { return Parameters({{"logits", 0, pool_size_, false}}); }
  LookUpLinearization<S> forward(const Parameters& phi, const Features& f) const { return linearize(phi, f); }
  /// \throws ShapeError, ValueError if ids are missing or outside the pool
  LookUpLinearization<S> linearize(const Parameters& phi, const Features& f) const {
    check_size("TabularWeightNet", "number of parameters", pool_size_, phi.size());
    check_size("TabularWeightNet", "sample ids", f.size(), static_cast<Index>(f.ids.size()));
    for (std::size_t i = 0; i < f.ids.size(); ++i)
      check_value(f.ids[i] >= 0 && f.ids[i] < pool_size_, "TabularWeightNet", "id of sample ", i, ": expected 0 to ",
                  pool_size_ - 1, ", found ", f.ids[i]);
    return {phi, f.ids};
  }
  std::span<const Index> active(const Features& f) const { return f.ids; }

 private:
  Index pool_size_;
};

}  // namespace mts
