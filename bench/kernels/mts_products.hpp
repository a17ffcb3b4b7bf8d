#pragma once
// This library's matrix products under the names that the benchmarks use: the one place that knows their signatures.
// Weights are packed in each call here, as other libraries do inside theirs; the tape packs once for all tiles of a
// batch.

#include "kernels/product.hpp"
#include "mts/autodiff/products.hpp"

namespace bench {

template <bool packed_before = false>
class MtsProduct {
  using ConstView = mts::autodiff::ConstView<float>;
  using View = mts::autodiff::View<float>;

 public:
  static constexpr const char* name = packed_before ? "mts, packed before" : "mts";

  void forward(const Matrix& x, const Matrix& w, Matrix& y) {
    using namespace mts::autodiff::products;
    if (make_room(packed_transposed_size<float>(w.rows(), w.cols())))
      pack_transposed(w.data(), w.rows(), w.cols(), packed_.data());
    times_transposed<float>(view(x), w.data(), packed_.data(), view(y), false, nullptr);
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) {
    using namespace mts::autodiff::products;
    if (make_room(packed_size<float>(w.rows(), w.cols()))) pack(w.data(), w.rows(), w.cols(), packed_.data());
    times<float>(view(d), w.data(), packed_.data(), view(x), false);
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) {
    mts::autodiff::products::weighted_transposed_times<float>(view(d), nullptr, view(x), view(g), nullptr);
  }

 private:
  static ConstView view(const Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  static View view(Matrix& m) { return {m.data(), m.rows(), m.cols(), m.cols()}; }
  /// Whether the weights are to be packed now.
  bool make_room(Index size) {
    const bool first = packed_.size() != size;
    if (first) packed_.resize(size);
    return first || !packed_before;
  }
  Eigen::VectorXf packed_;
};

}  // namespace bench
