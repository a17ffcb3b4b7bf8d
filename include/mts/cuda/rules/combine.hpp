#pragma once
/// \file
/// Combining branches on a device: weighted sum and concatenation.

#include <vector>

#include "mts/autodiff/combine.hpp"
#include "mts/cuda/rules.hpp"

namespace mts::cuda {

namespace kernels {

/// to_k <- or += a x_k.
template <class S>
struct TakeScaled {
  S a;
  const S* x;
  S* to;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index k) const { take(to[k], accumulate, a * x[k]); }
};
/// The columns of one matrix to or from a part of the columns of another: to(i, to_begin + j) <- or += from(i, from_begin + j).
template <class S>
struct CopyColumns {
  const S* from;
  Index from_cols, from_begin;
  S* to;
  Index to_cols, to_begin;
  bool accumulate;
  MTS_HOST_DEVICE void operator()(Index i, Index j) const {
    take(to[i * to_cols + to_begin + j], accumulate, from[i * from_cols + from_begin + j]);
  }
};

}  // namespace kernels

template <class S, class E>
class AddRules final : public Rules<S, E> {
 public:
  AddRules(const autodiff::Add& p, autodiff::Widths in) : coefficients_(in.size(), S{1}) {
    for (std::size_t k = 0; k < p.coefficients.size(); ++k) coefficients_[k] = static_cast<S>(p.coefficients[k]);
  }
  void forward(const At<S, E>& at, Matrix<S> out) const override { combine(at, at.in, out); }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    for (std::size_t k = 0; k < sinks.size(); ++k)
      if (sinks[k])
        at.queue->each(delta.size(),
                       kernels::TakeScaled<S>{coefficients_[k], delta.data, sinks[k].to.data, sinks[k].accumulate});
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    combine(at, tangents, out);
  }

 private:
  void combine(const At<S, E>& at, std::span<const ConstMatrix<S>> x, Matrix<S> out) const {
    bool first = true;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (!x[k]) continue;
      at.queue->each(out.size(), kernels::TakeScaled<S>{coefficients_[k], x[k].data, out.data, !first});
      first = false;
    }
    if (first) at.queue->clear(out.data, out.size());
  }
  std::vector<S> coefficients_;
};

template <class S, class E>
class ConcatenateRules final : public Rules<S, E> {
 public:
  ConcatenateRules(const autodiff::Concatenate&, autodiff::Widths in) : widths_(in.begin(), in.end()) {}

  void forward(const At<S, E>& at, Matrix<S> out) const override {
    for_each_part([&](std::size_t k, Index begin) { copy(at, at.in[k], out, begin); });
  }
  void pullback(const At<S, E>& at, ConstMatrix<S> delta, std::span<const Sink<S>> sinks) const override {
    for_each_part([&](std::size_t k, Index begin) {
      if (sinks[k])
        at.queue->grid(at.rows, widths_[k],
                       kernels::CopyColumns<S>{delta.data, delta.cols, begin, sinks[k].to.data, widths_[k], 0,
                                               sinks[k].accumulate});
    });
  }
  void pushforward(const At<S, E>& at, std::span<const ConstMatrix<S>> tangents, const S*,
                   Matrix<S> out) const override {
    bool all = true;
    for (const auto& t : tangents) all = all && t;
    if (!all) at.queue->clear(out.data, out.size());
    for_each_part([&](std::size_t k, Index begin) {
      if (tangents[k]) copy(at, tangents[k], out, begin);
    });
  }

 private:
  template <class F>
  void for_each_part(F&& f) const {
    Index begin = 0;
    for (std::size_t k = 0; k < widths_.size(); begin += widths_[k++]) f(k, begin);
  }
  static void copy(const At<S, E>& at, ConstMatrix<S> x, Matrix<S> out, Index begin) {
    at.queue->grid(at.rows, x.cols, kernels::CopyColumns<S>{x.data, x.cols, 0, out.data, out.cols, begin, false});
  }
  std::vector<Index> widths_;
};

}  // namespace mts::cuda
