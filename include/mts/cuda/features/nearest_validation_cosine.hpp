#pragma once
/// \file
/// `NearestValidationCosine` on a device: one product, and the k largest of each row by a warp.

#include <limits>

#include "mts/cuda/features/device_form.hpp"
#include "mts/cuda/features/embeddings.hpp"
#include "mts/features/nearest_validation_cosine.hpp"

namespace mts::cuda {

namespace kernels {
/// out_ir <- the r-th largest over j of  product_ij inverse_b_j  times inverse_a_i; the smallest fills up. Each round
/// finds the largest number below the last and how often it comes, so that equal ones take as many places as there are
/// of them.
template <class S>
struct LargestOfRow {
  const S* product;
  Index cols;
  const S *inverse_a, *inverse_b;
  S none;  ///< below every number
  FeatureColumns out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S* row = product + i * cols;
    const auto value = [&](Index j) { return row[j] * inverse_b[j]; };
    S found = lanes.largest<S>(cols, none, value);
    for (Index r = 0; r < out.cols;) {
      const S bound = found;
      found = lanes.largest<S>(cols, none, [&](Index j) { return value(j) < bound ? value(j) : none; });
      const Index equal = lanes.sum<Index>(cols, [&](Index j) { return value(j) == bound ? Index{1} : Index{0}; });
      const Index end = found > none && r + equal < out.cols ? r + equal : out.cols;
      const double cosine = clamp_cosine(static_cast<double>(bound) * static_cast<double>(inverse_a[i]));
      lanes.once([&] {
        for (Index q = r; q < end; ++q) out.at(i, q) = cosine;
      });
      r = end;
    }
  }
};
}  // namespace kernels

/// Products are in the model's scalar, as on the host; in windows of rows, so that never more than 2^22 of them are
/// kept.
template <class E>
class DeviceForm<features::NearestValidationCosine, E> {
  using Host = features::NearestValidationCosine;

 public:
  DeviceForm(const Host&, const SharedQueue<E>&) {}

  template <class Context>
  void extract(const Host& host, const Context& context, Extraction<E>& extraction, FeatureColumns x,
               std::span<Column<E>>) const {
    const auto h = device_embeddings(host.name(), context, x.rows, extraction);
    const auto train = check_lengths(extraction, host.name(), "embedding"),
               validation = check_lengths(extraction, host.name(), "validation embedding");
    extraction.then([&extraction, h, x, train, validation] { launch(extraction, h, x, train, validation); });
  }

 private:
  template <class S>
  static void launch(Extraction<E>& extraction, const EmbeddingPair<S>& h, FeatureColumns x, std::size_t train,
                     std::size_t validation) {
    const auto& queue = extraction.queue();
    const RowLengths<S, E> a(queue, h.train, Host::epsilon), b(queue, h.validation, Host::epsilon);
    extraction.template find_not_finite<S>(train, a.squares());
    extraction.template find_not_finite<S>(validation, b.squares());
    const Index m = h.validation.rows, width = h.train.cols, window = rows_at_once(m);
    Buffer<S, E> products(queue, (x.rows < window ? x.rows : window) * m);
    for (Index begin = 0; begin < x.rows; begin += window) {
      const Index n = x.rows - begin < window ? x.rows - begin : window;
      queue->template multiply<S>({.rows = n,
                                   .cols = m,
                                   .depth = width,
                                   .a = {h.train.data + begin * width, width},
                                   .b = {h.validation.data, width, true},
                                   .to = products.data(),
                                   .stride = m});
      queue->rows(n, kernels::LargestOfRow<S>{products.data(), m, a.inverse() + begin, b.inverse(),
                                              -std::numeric_limits<S>::infinity(), x.rows_from(begin, n)});
    }
  }
};

}  // namespace mts::cuda
