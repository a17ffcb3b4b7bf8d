#pragma once
/// \file
/// `DeviceForm`: what stands on a device for an extractor of the host.

#include <span>
#include <vector>

#include "mts/core/feature_batch.hpp"
#include "mts/cuda/column.hpp"
#include "mts/cuda/features/extraction.hpp"

namespace mts::cuda {

/// The form of extractor X on executor E. The library's extractors have one; one of your own gets it by a
/// specialisation:
/// - DF1  `DeviceForm(const X& host, const SharedQueue<E>&)`: what does not change from step to step goes to the
///   device's memory. Movable.
/// - DF2  `form.extract(host, context, extraction, columns, categorical)` const: checks what the host knows, uploads
///   what only the host knows, and tells the `Extraction` what to launch to fill `columns` (N x as many as X has);
///   fills `categorical`. `context.train` and `context.validation` show `device_logits()`, `device_embeddings()`, and
///   `value()` on the host.
template <class X, class E>
struct DeviceForm {
  static_assert(sizeof(X) == 0,  // never, but known only once X is
                "mts: cuda::on_device: this extractor has no device form yet; wrap the composition in cuda::FromHost");
};

}  // namespace mts::cuda
