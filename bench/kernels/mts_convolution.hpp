#pragma once
// This library's convolutions under the names that the benchmarks use; weights are packed in each call.

#include "kernels/convolution.hpp"
#include "mts/autodiff/convolution.hpp"

namespace bench {

class MtsConvolution {
  using ConstView = mts::autodiff::ConstView<float>;
  using View = mts::autodiff::View<float>;

 public:
  static constexpr const char* name = "mts";
  explicit MtsConvolution(const Convolution& c)
      : c_{{c.side, c.side, c.in}, {c.side, c.side, c.out}, {.kernel = {3, 3}, .padding = {1, 1}}, 1} {
    using namespace mts::autodiff::convolution;
    packed_.resize(packed_size<float>(c_));
    packed_delta_.resize(packed_delta_size<float>(c_));
  }

  void forward(const Matrix& x, const Matrix& w, Matrix& y) {
    mts::autodiff::convolution::pack(c_, w.data(), packed_.data());
    mts::autodiff::convolution::forward<float>(c_, view(x), w.data(), packed_.data(), nullptr, view(y), false);
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) {
    mts::autodiff::convolution::pack_delta(c_, w.data(), packed_delta_.data());
    mts::autodiff::convolution::input_delta<float>(c_, view(d), w.data(), packed_delta_.data(), view(x), false);
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) {
    g.setZero();
    for (Index task = 0; task < mts::autodiff::convolution::tasks_per_group(c_); ++task)
      mts::autodiff::convolution::weight_gradient<float>(c_, view(x), view(d), nullptr, task, g.data());
  }

 private:
  static ConstView view(const Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  static View view(Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }

  mts::autodiff::Convolution c_;
  Eigen::VectorXf packed_, packed_delta_;
};

}  // namespace bench
