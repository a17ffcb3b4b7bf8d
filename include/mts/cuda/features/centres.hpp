#pragma once
/// \file
/// Means of rows on a device, of all of them or by class, and cosines to them, in double.

#include "mts/cuda/features/embeddings.hpp"

namespace mts::cuda {

/// Which rows belong to which of C classes, in a device's memory: rows order_k with begin_c <= k < begin_(c+1). Without
/// `order` there is one class, of all rows.
struct RowClasses {
  const Index *order = nullptr, *begin = nullptr;
  Index classes = 1;
};

namespace kernels {
/// mean_ce <- mean of x_ie over the rows i of class c; entry k = c cols + e.
template <class S>
struct MeanOfClass {
  ConstMatrix<S> x;
  RowClasses of;
  double* mean;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index k) const {
    const Index c = k / x.cols, e = k % x.cols;
    const Index begin = of.order ? of.begin[c] : Index{0}, count = of.order ? of.begin[c + 1] - begin : x.rows;
    const double sum = lanes.sum<double>(count, [&](Index r) {
      const Index i = of.order ? of.order[begin + r] : r;
      return static_cast<double>(x.data[i * x.cols + e]);
    });
    lanes.once([&] { mean[k] = sum / static_cast<double>(count); });
  }
};
/// out_i <- cos(x_i, mean of its class); 0 where that has no place (below 0). Without places all have place 0.
template <class S>
struct CosineToMean {
  ConstMatrix<S> x;
  const Index* place;
  const double *mean, *inverse;
  double epsilon;
  FeatureColumns out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    using std::sqrt;
    const Index c = place ? place[i] : Index{0};
    const S* row = x.data + i * x.cols;
    const double* m = mean + (c < 0 ? Index{0} : c) * x.cols;
    const double dot = lanes.sum<double>(x.cols, [&](Index e) { return static_cast<double>(row[e]) * m[e]; });
    const double length = sqrt(
        lanes.sum<double>(x.cols, [&](Index e) { return static_cast<double>(row[e]) * static_cast<double>(row[e]); }));
    lanes.once(
        [&] { out.at(i, 0) = c < 0 ? 0 : clamp_cosine(dot * inverse[c] / (length > epsilon ? length : epsilon)); });
  }
};
}  // namespace kernels

/// The means of the classes, C x E, and their lengths; for as long as a launch needs them.
template <class E>
class Centres {
 public:
  template <class S>
  Centres(const SharedQueue<E>& queue, ConstMatrix<S> rows, RowClasses of, double epsilon)
      : queue_(queue),
        classes_(of.classes),
        cols_(rows.cols),
        epsilon_(epsilon),
        means_(formed(queue, rows, of)),
        lengths_(queue, means(), epsilon) {}

  ConstMatrix<double> means() const { return {means_.data(), classes_, cols_}; }
  /// out_i <- cos(x_i, mean place_i); 0 where place_i < 0. \param place  or null: all 0
  template <class S>
  void cosines(ConstMatrix<S> x, const Index* place, FeatureColumns out) const {
    queue_->rows(x.rows, kernels::CosineToMean<S>{x, place, means_.data(), lengths_.inverse(), epsilon_, out});
  }

 private:
  template <class S>
  static Buffer<double, E> formed(const SharedQueue<E>& queue, ConstMatrix<S> rows, RowClasses of) {
    Buffer<double, E> means(queue, of.classes * rows.cols);
    queue->rows(means.size(), kernels::MeanOfClass<S>{rows, of, means.data()});
    return means;
  }
  SharedQueue<E> queue_;
  Index classes_, cols_;
  double epsilon_;
  Buffer<double, E> means_;
  RowLengths<double, E> lengths_;
};

}  // namespace mts::cuda
