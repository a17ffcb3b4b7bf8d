// A pool for examples: three clouds of points in eight dimensions. A quarter of the samples is real; of the others, made by
// a careless generator, two fifths of cloud 0 carry the label of cloud 1. A few clean samples validate.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mts/core/random.hpp>
#include <mts/core/types.hpp>
#include <mts/nn/classifier.hpp>
#include <span>
#include <vector>

namespace made_up {

using Batch = mts::nn::ClassificationBatch<float>;

constexpr int classes = 3;
constexpr mts::Index dimension = 8;

struct Pool {
  Batch data;
  mts::Samples samples;     // ids, labels as they are given, groups: 0 real, 1 synthetic
  std::vector<bool> wrong;  // what no method can know
};

/// n samples, the first `real` of which are real.
inline Pool draw(mts::Index n, mts::Index real, mts::RandomStream stream) {
  Pool pool;
  pool.data.inputs.resize(n, dimension);
  for (mts::Index i = 0; i < n; ++i) {
    const int cloud = static_cast<int>(i % classes);
    for (mts::Index k = 0; k < dimension; ++k)
      pool.data.inputs(i, k) = static_cast<float>(stream.normal() + (k % classes == cloud ? 1 : 0));
    pool.wrong.push_back(i >= real && cloud == 0 && stream.chance(0.4));
    pool.data.labels.push_back(pool.wrong.back() ? 1 : cloud);
    pool.samples.ids.push_back(i);
    pool.samples.groups.push_back(i < real ? 0 : 1);
  }
  pool.samples.labels = pool.data.labels;
  return pool;
}
inline Pool training() { return draw(1200, 300, {1, "training"}); }
inline Pool validation() { return draw(60, 60, {1, "validation"}); }
inline Pool test() { return draw(3000, 3000, {1, "test"}); }

/// Copies the samples `ids` of the pool into a batch.
inline void gather(const Pool& pool, std::span<const mts::Index> ids, Batch& batch, mts::Samples& samples) {
  batch.inputs.resize(static_cast<mts::Index>(ids.size()), dimension);
  samples = {};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto k = static_cast<std::size_t>(ids[i]);
    batch.inputs.row(static_cast<mts::Index>(i)) = pool.data.inputs.row(ids[i]);
    samples.ids.push_back(ids[i]);
    samples.labels.push_back(pool.data.labels[k]);
    samples.groups.push_back(pool.samples.groups[k]);
  }
  batch.labels = samples.labels;
}

/// Batch number k: 128 samples at random.
inline std::vector<mts::Index> batch_ids(const Pool& pool, int k) {
  mts::RandomStream stream(1, "batches", static_cast<std::uint64_t>(k));
  std::vector<mts::Index> ids(128);
  for (auto& i : ids) i = static_cast<mts::Index>(stream.below(pool.wrong.size()));
  return ids;
}

/// The mean weight of right and of wrong labels over batches; 1 is that of the average sample.
class MeanWeights {
 public:
  void add(const Pool& pool, const mts::Samples& batch, const mts::SampleVector& p) {
    for (mts::Index i = 0; i < p.size(); ++i) {
      const bool wrong = pool.wrong[static_cast<std::size_t>(batch.ids[static_cast<std::size_t>(i)])];
      sum_[wrong] += p[i] * static_cast<double>(p.size());
      ++count_[wrong];
    }
  }
  double right() const { return sum_[0] / count_[0]; }
  double wrong() const { return sum_[1] / count_[1]; }

 private:
  double sum_[2] = {0, 0};
  int count_[2] = {0, 0};
};

}  // namespace made_up
