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
    dot += static_cast<double>(a[k]) * static_cast<double>(b[k]);
    aa += static_cast<double>(a[k]) * static_cast<double>(a[k]);
    bb += static_cast<double>(b[k]) * static_cast<double>(b[k]);
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

/// A pool of ten in two dimensions, to be computed by hand. Class 0 real: (2,0) (0,4) (0,0); class 0 synthetic: (3,3) (-5,0);
/// class 1 real: (0,1) (0,2); class 1 synthetic: (3,4) (4,3) (0,-1).
struct ToyPool {
  RowMatrix<double> e{10, 2};
  Samples samples{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 0, 0, 1, 1, 1}};
  ToyPool() { e << 2, 0, 0, 4, 0, 0, 3, 3, -5, 0, 0, 1, 0, 2, 3, 4, 4, 3, 0, -1; }
};

}  // namespace mts_test
