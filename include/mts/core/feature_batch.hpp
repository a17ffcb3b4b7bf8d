#pragma once
/// \file
/// `FeatureBatch`: what a weight net sees of a batch. N rows of D continuous features, some categorical columns, and
/// the samples' places in the pool.

#include <string>
#include <vector>

#include "mts/core/error.hpp"

namespace mts {

/// A categorical feature's name and the number of its values {0, ..., cardinality-1}.
struct CategoricalColumn {
  std::string name;
  int cardinality = 0;

  friend bool operator==(const CategoricalColumn&, const CategoricalColumn&) = default;
};

/// Columns in words: what a set of extractors produces and what a weight net is built for.
struct FeatureLayout {
  std::vector<std::string> continuous;         ///< names of the D continuous columns
  std::vector<CategoricalColumn> categorical;  ///< names and cardinalities

  friend bool operator==(const FeatureLayout&, const FeatureLayout&) = default;
};

/// Features of N samples in host memory; reused from step to step without allocating.
template <class S>
struct FeatureBatch {
  using Scalar = S;

  RowMatrix<S> continuous;                    ///< N x D
  std::vector<std::vector<int>> categorical;  ///< one column of N values each
  std::vector<int> cardinality;               ///< of each categorical column
  std::vector<Index> ids;                     ///< places in the pool; empty where unknown
  Index samples = 0;                          ///< N

  // Where extractors work before the columns above are final.
  RowMatrix<double> staged_continuous;               ///< N x D
  std::vector<std::vector<int>> staged_categorical;  ///< of a range of samples

  Index size() const { return samples; }
  void resize(Index n, const FeatureLayout& layout) {
    samples = n;
    continuous.resize(n, static_cast<Index>(layout.continuous.size()));
    categorical.resize(layout.categorical.size());
    cardinality.resize(layout.categorical.size());
    for (std::size_t c = 0; c < categorical.size(); ++c) {
      categorical[c].resize(static_cast<std::size_t>(n));
      cardinality[c] = layout.categorical[c].cardinality;
    }
  }
};

}  // namespace mts
