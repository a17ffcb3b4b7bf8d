#pragma once
// A made-up data set whose images tell their own number and class, with a codec that leaves the edit formula nothing
// but its residuals; benchmarks that are made of it, and what their tests ask.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "mts/data/bytes.hpp"
#include "mts/data/construction.hpp"

namespace mts_test {

using mts::Index;
using mts::RowMatrix;
namespace data = mts::data;

inline constexpr Index side = 6, train_size = 18000, test_size = 2400;

/// Image i: pixel 0 tells i, pixel 1 its class, the rest is empty. Both are garment.
inline data::ImageSet numbered(Index n, int classes, std::size_t channels = 1) {
  data::ImageSet::Images images(std::array<std::size_t, 4>{static_cast<std::size_t>(n), side, side, channels});
  images.fill(0.0f);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) {
    labels.push_back(static_cast<int>(i % classes));
    images(static_cast<std::size_t>(i), 0, 0, 0) = 0.1f + 0.8f * static_cast<float>(i) / static_cast<float>(n);
    images(static_cast<std::size_t>(i), 0, 1, 0) =
        0.1f + 0.8f * static_cast<float>(i % classes) / static_cast<float>(classes);
  }
  return data::ImageSet(std::move(images), std::move(labels), classes);
}
inline Index number_of(float pixel, Index n) {
  return static_cast<Index>(std::lround((static_cast<double>(pixel) - 0.1) / 0.8 * static_cast<double>(n)));
}

/// No code at all: an edit is (1 - s) x + s r. Remembers what was encoded: images, then references.
struct Blend {
  mutable std::vector<RowMatrix<float>> encoded;
  RowMatrix<float> encode(const RowMatrix<float>& x) const {
    encoded.push_back(x);
    return RowMatrix<float>::Zero(x.rows(), 1);
  }
  RowMatrix<float> decode(const RowMatrix<float>& z) const { return RowMatrix<float>::Zero(z.rows(), side * side); }
};
/// The embedding: the first three pixels.
struct Corner {
  RowMatrix<float> encode(const RowMatrix<float>& x) const { return x.leftCols(3); }
};

/// The benchmark on classes 0, ..., C - 1, and a data set of these.
template <data::Construction B>
B renumbered() {
  B benchmark;
  std::iota(benchmark.options.classes.begin(), benchmark.options.classes.end(), 0);
  return benchmark;
}
inline const data::ImageData& made_up(std::size_t classes) {
  static const data::ImageData four{numbered(train_size, 4), numbered(test_size, 4)};
  static const data::ImageData ten{numbered(train_size, 10), numbered(test_size, 10)};
  return classes == 4 ? four : ten;
}
template <data::Construction B>
data::Problem made_of(const B& benchmark, std::uint64_t seed = 900) {
  return construct(benchmark, made_up(benchmark.options.classes.size()), Blend{}, Corner{}, seed);
}

/// The benchmark with nothing painted: the same images, which still tell their numbers.
template <data::Construction B>
struct Unpainted : B {
  void paint(std::span<float>, const data::ImageShape&, const typename B::Look&, const mts::RandomStream&) const {}
};

/// The problem of seed 900, without and with its paint, and what was edited.
template <data::Construction B>
struct Built {
  Blend generator{};
  data::Problem plain =
      construct(Unpainted<B>{renumbered<B>()}, made_up(B{}.options.classes.size()), generator, Corner{}, 900);
  data::Problem problem = made_of(renumbered<B>());
};
template <data::Construction B>
const Built<B>& built() {
  static const Built<B> b;
  return b;
}

inline bool same(const data::LabelledSet& a, const data::LabelledSet& b) {
  return a.inputs == b.inputs && a.labels == b.labels && a.embeddings == b.embeddings && a.attributes == b.attributes;
}
inline bool same(const data::Problem& a, const data::Problem& b) {
  return same(static_cast<const data::LabelledSet&>(a.pool), static_cast<const data::LabelledSet&>(b.pool)) &&
         a.pool.kinds == b.pool.kinds && a.pool.groups == b.pool.groups && a.pool.origins == b.pool.origins &&
         same(a.validation, b.validation) && same(a.tuning, b.tuning) && same(a.test, b.test);
}

/// Whether a count of n draws of probability p is within 5 standard deviations.
inline bool plausible(double count, double n, double p) {
  return std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1e-9;
}

/// Truth of every sample, and the pixels of every 50th in sixteen steps, so that no compiler's last bits show.
inline std::uint64_t checksum_of(const data::Problem& p) {
  data::Checksum sum;
  const auto add = [&](const auto& values) {
    for (const auto x : values) sum.add(static_cast<std::uint64_t>(x));
  };
  for (const data::LabelledSet* set :
       {static_cast<const data::LabelledSet*>(&p.pool), &p.validation, &p.tuning, &p.test}) {
    add(set->labels);
    add(set->attributes);
    for (Index i = 0; i < set->size(); i += 50)
      for (Index k = 0; k < set->inputs.cols(); ++k) sum.add(static_cast<std::uint64_t>(16 * set->inputs(i, k)));
  }
  add(p.pool.groups);
  add(p.pool.kinds);
  add(p.pool.origins);
  return sum.value();
}

inline std::array<double, 4> numbers(const data::KindShares& s) {
  return {s.good, s.unchanged, s.content, s.destroyed};
}
inline std::array<double, 2> numbers(const data::Range& r) { return {r.low, r.high}; }

}  // namespace mts_test
