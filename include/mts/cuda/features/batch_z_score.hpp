#pragma once
/// \file
/// `BatchZScore` on a device.

#include <cmath>

#include "mts/cuda/features/device_form.hpp"
#include "mts/features/batch_z_score.hpp"

namespace mts::cuda {

namespace kernels {

/// The entries of a block of columns, 1024 to a warp.
struct BlockOfEntries {
  FeatureColumns x;
  Index size, blocks;
  MTS_HOST_DEVICE Index count(Index b) const {
    const Index rest = size - b * entries_of_warp;
    return rest < entries_of_warp ? rest : entries_of_warp;
  }
  MTS_HOST_DEVICE double& entry(Index b, Index k) const { return x.entry(b * entries_of_warp + k); }
  /// The mean over all entries of what was summed by blocks.
  MTS_HOST_DEVICE double mean(const Lanes& lanes, const double* sums) const {
    return lanes.sum<double>(blocks, [&](Index b) { return sums[b]; }) / static_cast<double>(size);
  }
};
/// sums_b <- sum of x over block b.
struct SumOfBlock {
  BlockOfEntries of;
  double* sums;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index b) const {
    const double sum = lanes.sum<double>(of.count(b), [&](Index k) { return of.entry(b, k); });
    lanes.once([&] { sums[b] = sum; });
  }
};
/// squares_b <- sum of (x - m)^2 over block b.
struct SquaresOfBlock {
  BlockOfEntries of;
  const double* sums;
  double* squares;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index b) const {
    const double m = of.mean(lanes, sums);
    const double sum =
        lanes.sum<double>(of.count(b), [&](Index k) { return (of.entry(b, k) - m) * (of.entry(b, k) - m); });
    lanes.once([&] { squares[b] = sum; });
  }
};
/// x <- (x - m) / sqrt(v + epsilon).
struct StandardiseBlock {
  BlockOfEntries of;
  const double *sums, *squares;
  double epsilon;
  MTS_HOST_DEVICE void operator()(const Lanes& lanes, Index b) const {
    using std::sqrt;
    const double m = of.mean(lanes, sums), s = sqrt(of.mean(lanes, squares) + epsilon);
    lanes.each(of.count(b), [&](Index k) { of.entry(b, k) = (of.entry(b, k) - m) / s; });
  }
};

}  // namespace kernels

/// Mean and population variance of the block, both by sums of 1024 entries and then over these, in double: one order,
/// if another than the host's.
template <class X, class E>
class DeviceForm<features::BatchZScore<X>, E> {
 public:
  DeviceForm(const features::BatchZScore<X>& host, const SharedQueue<E>& queue)
      : inner_(host.inner(), queue), names_(host.inner().layout().continuous) {}

  template <class Context>
  void extract(const features::BatchZScore<X>& host, const Context& context, Extraction<E>& extraction,
               FeatureColumns x, std::span<Column<E>> categorical) const {
    inner_.extract(host.inner(), context, extraction, x, categorical);
    extraction.template check_finite<double>(
        Stage::normalised, x, [this, &samples = context.samples, cols = x.cols](const Finding& f) {
          features::detail::refuse_not_finite("batch_z", names_[static_cast<std::size_t>(f.place % cols)],
                                              f.place / cols, f.value, samples);
        });
    extraction.then([&extraction, of = kernels::BlockOfEntries{x, x.size(), kernels::warps_for(x.size())}] {
      const auto& queue = extraction.queue();
      Buffer<double, E> sums(queue, of.blocks), squares(queue, of.blocks);
      queue->rows(of.blocks, kernels::SumOfBlock{of, sums.data()});
      queue->rows(of.blocks, kernels::SquaresOfBlock{of, sums.data(), squares.data()});
      queue->rows(of.blocks,
                  kernels::StandardiseBlock{of, sums.data(), squares.data(), features::BatchZScore<X>::epsilon});
    });
  }

 private:
  DeviceForm<X, E> inner_;
  std::vector<std::string> names_;
};

}  // namespace mts::cuda
