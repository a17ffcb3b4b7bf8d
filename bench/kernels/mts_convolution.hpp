#pragma once
// This library's convolutions under the names that the benchmarks use; weights are packed in each call.

#include "kernels/convolution.hpp"
#include "mts/autodiff/conv2d.hpp"

namespace bench {

class MtsConvolution {
  using View = mts::autodiff::View<float>;
  using ConstView = mts::autodiff::ConstView<float>;
  using Tile = mts::autodiff::Tile<float>;
  using Packing = mts::autodiff::Packing;

 public:
  static constexpr const char* name = "mts";
  explicit MtsConvolution(const Convolution& c)
      : p_{.in = {c.side, c.side, c.in}, .channels = c.out, .window = {.padding = {1, 1}}, .bias = false},
        width_{c.pixels() * c.in} {}

  void forward(const Matrix& x, const Matrix& w, Matrix& y) {
    pack(w, Packing::forward);
    const Tile t = tile(x.rows(), view(x), w.data());
    p_.forward<float>(t, view(y));
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) {
    pack(w, Packing::pullback);
    const mts::autodiff::DeltaSink<float> sink{view(x), false};
    p_.pullback<float>(tile(d.rows(), {}, w.data()), view(d), {&sink, 1});
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) {
    g.setZero();
    const Tile t = tile(d.rows(), view(x), nullptr);
    for (Index task = 0; task < p_.tasks({&width_, 1}); ++task)
      p_.parameter_pullback<float>(t, view(d), nullptr, task, g.data());
  }

 private:
  static ConstView view(const Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  static View view(Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  Tile tile(Index rows, ConstView in, const float* w) {
    in_ = in;
    Tile t;
    t.rows = rows;
    t.in = {&in_, 1};
    t.parameters = w;
    t.packed = t.packed_pullback = packed_.data();
    return t;
  }
  void pack(const Matrix& w, Packing packing) {
    packed_.resize(p_.packed_size<float>({&width_, 1}, packing));
    p_.pack<float>(w.data(), {&width_, 1}, packing, packed_.data());
  }

  mts::autodiff::Conv2d p_;
  Index width_;
  ConstView in_;
  Eigen::VectorXf packed_;
};

}  // namespace bench
