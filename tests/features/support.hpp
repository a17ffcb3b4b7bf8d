#pragma once
// A forward made of given matrices, contexts over it, and cosines in plain loops.

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/support.hpp"
#include "mts/core/concepts.hpp"
#include "mts/core/feature_context.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/random.hpp"

namespace mts_test {

using mts::Index;
using mts::RowMatrix;
using mts::Samples;

/// What a classifier's linearisation or forward shows.
template <class S>
struct Shown {
  mts::SampleVector losses;
  RowMatrix<S> h;

  explicit Shown(RowMatrix<S> embeddings)
      : losses(mts::SampleVector::LinSpaced(embeddings.rows(), 0.5, 1.5)), h(std::move(embeddings)) {}
  const mts::SampleVector& value() const { return losses; }
  mts::ConstRows<S> logits() const { return mts::rows_of(h); }
  mts::ConstRows<S> embeddings() const { return mts::rows_of(h); }
};
static_assert(mts::ClassifierForward<Shown<float>>);

/// A model that shows its losses alone.
struct LossesOnly {
  mts::SampleVector losses;
  const mts::SampleVector& value() const { return losses; }
};

/// The context of a batch; `samples` must outlive it.
template <class Train, class Validation = mts::NoValidation>
mts::FeatureContext<Train, Validation> context_of(const Train& train, const Validation& validation,
                                                  const Samples& samples, const Samples& validation_samples) {
  return {train, validation, samples, validation_samples};
}

template <class S>
RowMatrix<S> random_rows(Index n, Index d, std::uint64_t seed) {
  mts::RandomStream random(seed, "rows");
  RowMatrix<S> m(n, d);
  for (Index k = 0; k < m.size(); ++k) m.data()[k] = static_cast<S>(random.normal());
  return m;
}

/// All rows turned by the same angle in each of the planes (0, 1), (1, 2), ...; plain loops compile in no time.
inline RowMatrix<double> turned(RowMatrix<double> x) {
  const double c = std::cos(0.7), s = std::sin(0.7);
  for (Index i = 0; i < x.rows(); ++i)
    for (Index d = 0; d + 1 < x.cols(); ++d) {
      const double a = x(i, d), b = x(i, d + 1);
      x(i, d) = c * a - s * b;
      x(i, d + 1) = s * a + c * b;
    }
  return x;
}

/// cos of two rows, lengths counting as at least epsilon: loops in double.
template <class A, class B>
double plain_cosine(const A& a, const B& b, double epsilon) {
  double dot = 0, aa = 0, bb = 0;
  for (Index k = 0; k < a.size(); ++k) {
    const auto x = static_cast<double>(a[k]), y = static_cast<double>(b[k]);
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / (std::max(std::sqrt(aa), epsilon) * std::max(std::sqrt(bb), epsilon));
}

/// The k largest, descending; the smallest of all fills the rest.
inline std::vector<double> plain_top(std::vector<double> values, Index k) {
  std::sort(values.begin(), values.end(), std::greater<>());
  values.resize(static_cast<std::size_t>(k), values.back());
  if (static_cast<Index>(values.size()) > k) values.resize(static_cast<std::size_t>(k));
  return values;
}

/// What an extractor of continuous columns says of a context.
template <class E, class Context>
RowMatrix<double> extracted(const E& e, const Context& context, Index n) {
  RowMatrix<double> rows(n, static_cast<Index>(e.layout().continuous.size()));
  std::vector<std::vector<int>> columns;
  e.extract(context, mts::rows_of(rows), columns);
  return rows;
}

/// Classes and groups drawn at random; the first samples make sure that each class has two real and two synthetic.
inline Samples random_pool(Index n, int classes, std::uint64_t seed) {
  mts::RandomStream random(seed, "pool");
  Samples pool;
  for (Index i = 0; i < n; ++i) {
    const bool given = i < 4 * classes;
    pool.labels.push_back(given ? static_cast<int>(i) % classes
                                : static_cast<int>(random.below(static_cast<std::uint64_t>(classes))));
    pool.groups.push_back(given ? static_cast<int>(i >= 2 * classes) : static_cast<int>(random.below(3)));
  }
  return pool;
}

/// What an offline feature says of a pool.
template <class F, class E>
RowMatrix<double> fitted_table(F f, const E& embeddings, const Samples& pool) {
  f.fit(embeddings, pool);
  return f.table().values();
}

/// How far an offline feature is from one that is fitted on the same pool in another order.
template <class F>
double change_by_permutation(const F& f, const RowMatrix<double>& x, const Samples& pool) {
  const auto order = mts::RandomStream(5, "order").permutation(x.rows());
  RowMatrix<double> y(x.rows(), x.cols());
  Samples permuted = pool;
  for (std::size_t i = 0; i < order.size(); ++i) {
    y.row(static_cast<Index>(i)) = x.row(order[i]);
    permuted.labels[i] = pool.labels[static_cast<std::size_t>(order[i])];
    permuted.groups[i] = pool.groups[static_cast<std::size_t>(order[i])];
  }
  const auto there = fitted_table(f, x, pool), here = fitted_table(f, y, permuted);
  double worst = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    worst = std::max(worst, (here.row(static_cast<Index>(i)) - there.row(order[i])).cwiseAbs().maxCoeff());
  return worst;
}
/// How far it moves when all embeddings are turned and multiplied by one factor.
template <class F>
double change_by_rotation(const F& f, const RowMatrix<double>& x, const Samples& pool) {
  return (fitted_table<F, RowMatrix<double>>(f, 1e-4 * turned(x), pool) - fitted_table(f, x, pool))
      .cwiseAbs()
      .maxCoeff();
}
/// Whether it has the same bits for 1, 2 and 4 threads, and from matrices that lie otherwise in memory.
template <class F, class S>
bool same_bits(const F& f, const RowMatrix<S>& x, const Samples& pool) {
  const auto at = [&](int threads) {
    const mts::ThreadLimit limit(threads);
    return fitted_table(f, x, pool);
  };
  const RowMatrix<double> one = at(1);
  const Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic> by_columns = x;
  return at(2) == one && at(4) == one && fitted_table(f, mts::rows_of(x), pool) == one &&
         fitted_table(f, by_columns, pool) == one;
}

/// A feature's columns of some pool samples.
template <class E>
RowMatrix<double> looked_up(const E& e, std::vector<Index> ids) {
  const auto n = static_cast<Index>(ids.size());
  const LossesOnly train{mts::SampleVector::Zero(n)};
  const Samples samples{std::move(ids), {}, {}}, none;
  return extracted(e, context_of(train, mts::NoValidation{}, samples, none), n);
}

/// A pool of ten in two dimensions, to be computed by hand. Class 0 real: (2,0) (0,4) (0,0); class 0 synthetic: (3,3)
/// (-5,0); class 1 real: (0,1) (0,2); class 1 synthetic: (3,4) (4,3) (0,-1).
struct ToyPool {
  RowMatrix<double> e{10, 2};
  Samples samples{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 0, 0, 1, 1, 1}};
  ToyPool() { e << 2, 0, 0, 4, 0, 0, 3, 3, -5, 0, 0, 1, 0, 2, 3, 4, 4, 3, 0, -1; }
};

}  // namespace mts_test
