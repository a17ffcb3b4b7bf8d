#pragma once
/// \file
/// Losses of two inputs on a device, and the divergence of a Gaussian: sums over a row of what two entries give.

#include <cmath>

#include "mts/autodiff/gaussian.hpp"
#include "mts/autodiff/losses.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

/// A term l(a, b) of a sum over the width of two inputs, with its derivatives in both. The same mathematics as the primitive of that
/// name, entry by entry.
struct SquaredErrorTerm {
  template <class S>
  MTS_HOST_DEVICE static S value(S y, S t) {
    return (y - t) * (y - t) / S{2};
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_first(S y, S t) {
    return y - t;
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_second(S y, S t) {
    return t - y;
  }
};
struct BernoulliCrossEntropyTerm {
  template <class S>
  MTS_HOST_DEVICE static S value(S x, S t) {
    using std::exp, std::log;
    return (x > S{0} ? x : S{0}) - x * t + log(exp(x < S{0} ? x : -x) + S{1});
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_first(S x, S t) {
    using std::exp;
    return S{1} / (exp(-x) + S{1}) - t;
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_second(S x, S) {
    return -x;
  }
};
/// KL( N(mu, exp v) | N(0, 1) ) of one entry.
struct GaussianDivergenceTerm {
  template <class S>
  MTS_HOST_DEVICE static S value(S mu, S v) {
    using std::exp;
    return (mu * mu + exp(v) - v - S{1}) / S{2};
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_first(S mu, S) {
    return mu;
  }
  template <class S>
  MTS_HOST_DEVICE static S slope_of_second(S, S v) {
    using std::exp;
    return (exp(v) - S{1}) / S{2};
  }
};

namespace kernels {

/// out_i <- sum_j l(a_ij, b_ij).
template <class Term, class S>
struct SumOfTerms {
  const S *a, *b;
  S* out;
  Index cols;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S *ai = a + i * cols, *bi = b + i * cols;
    const S sum = lanes.sum<S>(cols, [&](Index j) { return Term::value(ai[j], bi[j]); });
    lanes.once([&] { out[i] = sum; });
  }
};
/// to_ij <- or += delta_i dl/da_ij, or dl/db_ij.
template <class Term, bool second, class S>
struct TermPullback {
  const S *a, *b, *delta;
  S* to;
  Index cols;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    const Index k = i * cols + j;
    const S slope = second ? Term::slope_of_second(a[k], b[k]) : Term::slope_of_first(a[k], b[k]);
    take(to[k], accumulate, delta[i] * slope);
  }
};
/// out_i <- sum_j dl/da da_ij + dl/db db_ij; a tangent that is null is zero.
template <class Term, class S>
struct TermPushforward {
  const S *a, *b, *da, *db;
  S* out;
  Index cols;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S sum = lanes.sum<S>(cols, [&](Index j) {
      const Index k = i * cols + j;
      S x = 0;
      if (da) x += Term::slope_of_first(a[k], b[k]) * da[k];
      if (db) x += Term::slope_of_second(a[k], b[k]) * db[k];
      return x;
    });
    lanes.once([&] { out[i] = sum; });
  }
};

}  // namespace kernels

template <class Term, class S, class E>
class TwoInputLossRules final : public Rules<S, E> {
 public:
  template <class P>
  TwoInputLossRules(const P&, autodiff::Widths in) : cols_(in[0]) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    at.queue->rows(at.rows, kernels::SumOfTerms<Term, S>{at.in[0].data, at.in[1].data, out.data, cols_});
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    give<false>(at, delta, sinks[0]);
    give<true>(at, delta, sinks[1]);
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    at.queue->rows(at.rows, kernels::TermPushforward<Term, S>{at.in[0].data, at.in[1].data, tangents[0].data,
                                                              tangents[1].data, out.data, cols_});
  }

 private:
  template <bool second>
  void give(const At<S, E>& at, ConstMatrix<S> delta, const Sink<S>& sink) const {
    if (sink)
      at.queue->grid(at.rows, cols_,
                     kernels::TermPullback<Term, second, S>{at.in[0].data, at.in[1].data, delta.data, sink.to.data,
                                                            cols_, sink.accumulate});
  }
  Index cols_;
};

}  // namespace mts::cuda
