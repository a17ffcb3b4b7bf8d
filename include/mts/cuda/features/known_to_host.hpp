#pragma once
/// \file
/// Features of what the host knows anyway: losses, labels, groups, and records of past steps.

#include "mts/cuda/features/device_form.hpp"
#include "mts/features/alignment_history.hpp"
#include "mts/features/class_label.hpp"
#include "mts/features/group.hpp"
#include "mts/features/loss.hpp"
#include "mts/features/loss_quantile.hpp"

namespace mts::cuda {

/// The extractors that look at `train.value()` and `samples` alone. A step has both on the host, so that nothing is
/// brought there for them. Specialise for one of your own.
template <class X>
inline constexpr bool known_to_host = false;
template <>
inline constexpr bool known_to_host<features::Loss> = true;
template <>
inline constexpr bool known_to_host<features::LossQuantile> = true;
template <>
inline constexpr bool known_to_host<features::AlignmentHistory> = true;
template <>
inline constexpr bool known_to_host<features::ClassLabel> = true;
template <>
inline constexpr bool known_to_host<features::Group> = true;

namespace kernels {
/// x <- given, which lies without gaps.
struct PutColumns {
  const double* given;
  FeatureColumns x;
  MTS_HOST_DEVICE void operator()(Index i, Index d) const { x.at(i, d) = given[i * x.cols + d]; }
};
}  // namespace kernels

/// The host's extractor does the work, and its N numbers or integers a column are uploaded: the host's bits, and its
/// errors.
template <class X, class E>
  requires known_to_host<X>
class DeviceForm<X, E> {
 public:
  DeviceForm(const X&, const SharedQueue<E>&) {}

  template <class Context>
  void extract(const X& host, const Context& context, Extraction<E>& extraction, FeatureColumns columns,
               std::span<Column<E>> categorical) const {
    RowMatrix<double> rows(columns.rows, columns.cols);
    std::vector<std::vector<int>> values(categorical.size(), std::vector<int>(static_cast<std::size_t>(columns.rows)));
    host.extract(context, rows_of(rows), values);
    for (std::size_t c = 0; c < categorical.size(); ++c) categorical[c].assign(extraction.queue(), values[c]);
    if (rows.size() == 0) return;
    const double* given =
        extraction.upload(std::span<const double>(rows.data(), static_cast<std::size_t>(rows.size())));
    extraction.then([&extraction, op = kernels::PutColumns{given, columns}] {
      extraction.queue()->grid(op.x.rows, op.x.cols, op);
    });
  }
};

}  // namespace mts::cuda
