#pragma once
// This library's matrix products under the names that the benchmarks use: the one place that knows their signatures.

#include "kernels/product.hpp"
#include "mts/autodiff/products.hpp"

namespace bench {

struct MtsProduct {
  static constexpr const char* name = "mts";
  static mts::autodiff::ConstView<float> view(const Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  static mts::autodiff::View<float> view(Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }

  void forward(const Matrix& x, const Matrix& w, Matrix& y) const {
    mts::autodiff::products::times_transposed(view(x), w.data(), view(y));
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) const {
    mts::autodiff::products::times(view(d), w.data(), view(x), false);
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) const {
    mts::autodiff::products::transposed_times(view(d), view(x), view(g));
  }
};

}  // namespace bench
