#pragma once
/// \file
/// Offline features on a device: rows of a table in its memory, looked up by the samples' places in the pool.

#include <concepts>

#include "mts/cuda/features/device_form.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/detail/pool_feature.hpp"

namespace mts::cuda {

namespace kernels {
/// x_i <- row id_i of the table.
struct TableRows {
  const double* table;
  const Index* id;
  FeatureColumns x;
  MTS_HOST_DEVICE void operator()(Index i, Index d) const { x.at(i, d) = table[id[i] * x.cols + d]; }
};
}  // namespace kernels

/// A table, pool size x D in double, uploaded once. A step uploads ids, which all tables share, and launches one
/// gather: the host's bits.
template <class E>
class PoolRows {
 public:
  /// One that was not fitted is refused at the first extraction, as on the host.
  PoolRows() = default;
  PoolRows(const RowMatrix<double>& table, const SharedQueue<E>& queue)
      : table_(queue, std::span<const double>(table.data(), static_cast<std::size_t>(table.size()))) {}

  /// \throws ValueError, ShapeError as PoolTable::look_up
  void look_up(const features::PoolTable& host, const Samples& samples, Extraction<E>& extraction,
               FeatureColumns columns) const {
    host.check_ids(samples, columns.rows);
    extraction.then([&extraction, op = kernels::TableRows{table_.data(), extraction.ids(samples), columns}] {
      extraction.queue()->grid(op.x.rows, op.x.cols, op);
    });
  }

 private:
  Buffer<double, E> table_;
};

/// The extractors that are a pool's table and nothing else.
template <class X>
concept Offline = std::derived_from<X, features::detail::PoolFeature>;

template <Offline X, class E>
class DeviceForm<X, E> {
 public:
  DeviceForm(const X& host, const SharedQueue<E>& queue) {
    if (host.table().fitted()) rows_ = PoolRows<E>(host.table().values(), queue);
  }
  template <class Context>
  void extract(const X& host, const Context& context, Extraction<E>& extraction, FeatureColumns columns,
               std::span<Column<E>>) const {
    rows_.look_up(host.table(), context.samples, extraction, columns);
  }

 private:
  PoolRows<E> rows_;
};

/// The table is normalised before it is uploaded.
template <Offline X, class E>
class DeviceForm<features::DatasetZScore<X>, E> {
 public:
  DeviceForm(const features::DatasetZScore<X>& host, const SharedQueue<E>& queue) {
    if (host.inner().table().fitted()) rows_ = PoolRows<E>(normalised(host), queue);
  }
  template <class Context>
  void extract(const features::DatasetZScore<X>& host, const Context& context, Extraction<E>& extraction,
               FeatureColumns columns, std::span<Column<E>>) const {
    rows_.look_up(host.inner().table(), context.samples, extraction, columns);
  }

 private:
  static RowMatrix<double> normalised(const features::DatasetZScore<X>& host) {
    const auto& table = host.inner().table().values();
    if (host.standard_deviation() == 0) return RowMatrix<double>::Zero(table.rows(), table.cols());
    return (table.array() - host.mean()) / host.standard_deviation();
  }
  PoolRows<E> rows_;
};

}  // namespace mts::cuda
