#pragma once
// A primitive alone on N samples, run in tiles as the tape runs it, on one thread.

#include <algorithm>
#include <vector>

#include "kernels/measure.hpp"
#include "mts/autodiff/network.hpp"

namespace bench {

template <class P>
class OnePrimitive {
  using Tile = mts::autodiff::Tile<float>;
  using View = mts::autodiff::View<float>;
  using ConstView = mts::autodiff::ConstView<float>;

 public:
  /// One dense input of `width`; labels in {0, ..., classes - 1}.
  OnePrimitive(P primitive, Index samples, Index width, int classes = 10)
      : p_(std::move(primitive)),
        widths_{width},
        x_(random_matrix(samples, width, "x")),
        delta_(random_matrix(samples, p_.width(widths_), "delta")),
        y_(samples, delta_.cols()),
        input_delta_(samples, width),
        per_sample_(mts::SampleVector::Zero(samples)),
        u_(static_cast<std::size_t>(samples), 1.0f) {
    if constexpr (mts::autodiff::ParametricPrimitive<P, float>) {
      Index count = 0;
      for (const auto& s : p_.segments(widths_)) count += s.length;
      parameters_ = random_matrix(1, count, "parameters");
      direction_ = random_matrix(1, count, "direction");
      gradient_ = Matrix::Zero(1, count);
    }
    using mts::autodiff::Packing;
    if constexpr (requires { p_.template packed_size<float>(widths_, Packing::forward); }) {
      const auto pack = [&](Packing packing, const Matrix& from, Matrix& to) {
        to.resize(1, p_.template packed_size<float>(widths_, packing));
        p_.template pack<float>(from.data(), widths_, packing, to.data());
      };
      pack(Packing::forward, parameters_, packed_);
      pack(Packing::pullback, parameters_, packed_pullback_);
      pack(Packing::forward, direction_, packed_direction_);
    }
    for (Index i = 0; i < samples; ++i) labels_.push_back(static_cast<int>(i) % classes);
    forward();
  }

  void forward() {
    tiles([&](const Tile& t, Index begin) { p_.template forward<float>(t, rows(y_, begin, t.rows)); });
  }
  void pullback() {
    tiles([&](const Tile& t, Index begin) {
      const mts::autodiff::DeltaSink<float> sink{rows(input_delta_, begin, t.rows), false};
      p_.template pullback<float>(t, rows(delta_, begin, t.rows), {&sink, 1});
    });
  }
  void parameter_pullback() {
    gradient_.setZero();
    const auto all = tile(0, x_.rows());
    for (Index task = 0; task < p_.tasks(widths_); ++task)
      p_.template parameter_pullback<float>(all, rows(delta_, 0, x_.rows()), u_.data(), task, gradient_.data());
  }
  void per_sample_dot() {
    tiles([&](const Tile& t, Index begin) {
      p_.template per_sample_dot<float>(t, rows(delta_, begin, t.rows), direction_.data(), per_sample_.data() + begin);
    });
  }
  void per_sample_squared_norm() {
    tiles([&](const Tile& t, Index begin) {
      p_.template per_sample_squared_norm<float>(t, rows(delta_, begin, t.rows), per_sample_.data() + begin);
    });
  }

 private:
  static View rows(Matrix& m, Index begin, Index n) { return {m.data() + begin * m.cols(), n, m.cols(), m.cols()}; }
  Tile tile(Index begin, Index n) {
    in_ = rows(x_, begin, n);
    column_ = labels_.data() + begin;
    Tile t;
    t.rows = n;
    t.in = {&in_, 1};
    t.out = rows(y_, begin, n);
    t.parameters = parameters_.data();
    t.packed = packed_.data();
    t.packed_pullback = packed_pullback_.data();
    t.packed_direction = packed_direction_.data();
    t.columns = {&column_, 1};
    return t;
  }
  template <class F>
  void tiles(F&& f) {
    for (Index begin = 0; begin < x_.rows(); begin += mts::autodiff::tile_samples)
      f(tile(begin, std::min(mts::autodiff::tile_samples, x_.rows() - begin)), begin);
  }

  P p_;
  std::vector<Index> widths_;
  Matrix x_, delta_, y_, input_delta_, parameters_, direction_, gradient_, packed_, packed_pullback_, packed_direction_;
  mts::SampleVector per_sample_;
  std::vector<float> u_;
  std::vector<int> labels_;
  ConstView in_;
  const int* column_ = nullptr;
};

}  // namespace bench
