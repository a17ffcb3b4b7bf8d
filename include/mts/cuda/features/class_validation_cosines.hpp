#pragma once
/// \file
/// `ClassValidationCosines` on a device.

#include <algorithm>
#include <limits>
#include <numeric>

#include "mts/cuda/features/centres.hpp"
#include "mts/cuda/features/device_form.hpp"
#include "mts/features/class_validation_cosines.hpp"

namespace mts::cuda {

namespace kernels {
template <class S>
struct RoundTo {
  const double* from;
  S* to;
  MTS_HOST_DEVICE void operator()(Index k) const { to[k] = static_cast<S>(from[k]); }
};
/// out_i <- the largest over j != own_i of  product_ij inverse_b_j  times inverse_a_i; 0 where there is none.
template <class S>
struct LargestOfOthers {
  const S* product;
  Index cols;
  const Index* own;
  const S *inverse_a, *inverse_b;
  S none;  ///< below every number
  FeatureColumns out;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index i) const {
    const S found = lanes.largest<S>(
        cols, none, [&](Index j) { return j == own[i] ? none : product[i * cols + j] * inverse_b[j]; });
    lanes.once([&] {
      out.at(i, 0) = found > none ? clamp_cosine(static_cast<double>(found) * static_cast<double>(inverse_a[i])) : 0;
    });
  }
};
}  // namespace kernels

/// Means and the first column in double, the products of the second in the model's scalar, as on the host. A step
/// uploads 8 bytes for each label.
template <class E>
class DeviceForm<features::ClassValidationCosines, E> {
  using Host = features::ClassValidationCosines;

 public:
  DeviceForm(const Host&, const SharedQueue<E>&) {}

  template <class Context>
  void extract(const Host& host, const Context& context, Extraction<E>& extraction, FeatureColumns x,
               std::span<Column<E>>) const {
    const auto h = device_embeddings(host.name(), context, x.rows, extraction);
    const auto &labels = context.samples.labels, &anchors = context.validation_samples.labels;
    check_size(host.name(), "samples.labels", x.rows, static_cast<Index>(labels.size()));
    check_size(host.name(), "validation_samples.labels", h.validation.rows, static_cast<Index>(anchors.size()));

    // Classes ascending; within one, rows as they come.
    std::vector<Index> order(anchors.size()), begin, own;
    std::iota(order.begin(), order.end(), Index{0});
    const auto label = [&](Index v) { return anchors[static_cast<std::size_t>(v)]; };
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return label(a) < label(b); });
    std::vector<int> classes;
    for (std::size_t k = 0; k < order.size(); ++k)
      if (classes.empty() || label(order[k]) != classes.back()) {
        classes.push_back(label(order[k]));
        begin.push_back(static_cast<Index>(k));
      }
    begin.push_back(static_cast<Index>(order.size()));
    for (const int l : labels) {
      const auto at = std::lower_bound(classes.begin(), classes.end(), l);
      own.push_back(at == classes.end() || *at != l ? Index{-1} : at - classes.begin());
    }
    const auto uploaded = [&](const std::vector<Index>& v) { return extraction.upload(std::span<const Index>(v)); };
    const RowClasses of{uploaded(order), uploaded(begin), static_cast<Index>(classes.size())};
    const Index* places = uploaded(own);

    const auto train = check_lengths(extraction, host.name(), "embedding"),
               centres = check_lengths(extraction, host.name(), "mean validation embedding");
    extraction.then(
        [&extraction, h, of, places, x, train, centres] { launch(extraction, h, of, places, x, train, centres); });
  }

 private:
  template <class S>
  static void launch(Extraction<E>& extraction, const EmbeddingPair<S>& h, RowClasses of, const Index* own,
                     FeatureColumns x, std::size_t train, std::size_t centres) {
    const auto& queue = extraction.queue();
    const Centres<E> centre(queue, h.validation, of, Host::epsilon);
    centre.cosines(h.train, own, x.columns(0, 1));

    const Index c = of.classes, width = h.train.cols, window = rows_at_once(c);
    Buffer<S, E> rounded(queue, c * width);
    queue->each(c * width, kernels::RoundTo<S>{centre.means().data, rounded.data()});
    const RowLengths<S, E> a(queue, h.train, Host::epsilon),
        b(queue, ConstMatrix<S>{rounded.data(), c, width}, Host::epsilon);
    extraction.template find_not_finite<S>(train, a.squares());
    extraction.template find_not_finite<S>(centres, b.squares());
    Buffer<S, E> products(queue, (x.rows < window ? x.rows : window) * c);
    for (Index first = 0; first < x.rows; first += window) {
      const Index n = x.rows - first < window ? x.rows - first : window;
      queue->template multiply<S>({.rows = n,
                                   .cols = c,
                                   .depth = width,
                                   .a = {h.train.data + first * width, width},
                                   .b = {rounded.data(), width, true},
                                   .to = products.data(),
                                   .stride = c});
      queue->rows(
          n, kernels::LargestOfOthers<S>{products.data(), c, own + first, a.inverse() + first, b.inverse(),
                                         -std::numeric_limits<S>::infinity(), x.columns(1, 1).rows_from(first, n)});
    }
  }
};

}  // namespace mts::cuda
