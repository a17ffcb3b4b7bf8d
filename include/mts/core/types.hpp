#pragma once
/// \file
/// The few types every room shares: indices, N-vectors, row-major matrices, views of rows, and what is known of
/// the samples of a batch besides their inputs.
///
/// Convention: a quantity with one number per sample of a batch (loss, logit, weight, alignment) is a
/// `SampleVector`: double, on the host, whatever the model's scalar or device. Such vectors are small, and the
/// sums over a batch that selection forms (normalisation, weighted means) cancel, so double costs nothing and
/// is worth having. A quantity with one row per sample (inputs, features, activations) is row-major.

#include <Eigen/Core>
#include <algorithm>
#include <span>
#include <vector>

namespace mts {

using Index = Eigen::Index;

/// One number per sample, N of them.
using SampleVector = Eigen::VectorXd;

/// One row per sample, contiguous rows.
template <class S>
using RowMatrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A mutable view of rows: N x d, row stride >= d.
template <class S>
using Rows = Eigen::Map<RowMatrix<S>, Eigen::Unaligned, Eigen::OuterStride<>>;

/// A read-only view of rows.
template <class S>
using ConstRows = Eigen::Map<const RowMatrix<S>, Eigen::Unaligned, Eigen::OuterStride<>>;

template <class S>
Rows<S> rows_of(RowMatrix<S>& m) {
  return Rows<S>(m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols()));
}
template <class S>
ConstRows<S> rows_of(const RowMatrix<S>& m) {
  return ConstRows<S>(m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols()));
}

/// What selection may know of the samples of a batch: their places in the pool, labels and groups
/// (group 0 = real, 1 = synthetic; more groups are allowed). Any of the three may be empty where no
/// feature and no weight net in use asks for it; one that is filled has one entry per sample.
struct Samples {
  std::vector<Index> ids;
  std::vector<int> labels;
  std::vector<int> groups;

  Index size() const { return static_cast<Index>(std::max({ids.size(), labels.size(), groups.size()})); }
  /// out <- what is known of the samples [begin, begin + count). Allocates nothing once sizes repeat.
  void slice_into(Index begin, Index count, Samples& out) const {
    const auto cut = [&](const auto& from, auto& to) {
      to.clear();
      if (!from.empty()) to.assign(from.begin() + begin, from.begin() + begin + count);
    };
    cut(ids, out.ids);
    cut(labels, out.labels);
    cut(groups, out.groups);
  }
};

}  // namespace mts
