#pragma once
/// \file
/// `ValidationCentreCosine` on a device.

#include "mts/cuda/features/centres.hpp"
#include "mts/cuda/features/device_form.hpp"
#include "mts/cuda/features/embeddings.hpp"
#include "mts/features/validation_centre_cosine.hpp"

namespace mts::cuda {

/// In double, as on the host: the mean of the validation embeddings by a warp for each of its entries, then a warp a
/// sample.
template <class E>
class DeviceForm<features::ValidationCentreCosine, E> {
  using Host = features::ValidationCentreCosine;

 public:
  DeviceForm(const Host&, const SharedQueue<E>&) {}

  template <class Context>
  void extract(const Host& host, const Context& context, Extraction<E>& extraction, FeatureColumns x,
               std::span<Column<E>>) const {
    const auto h = device_embeddings(host.name(), context, x.rows, extraction);
    extraction.then([&extraction, h, x] {
      const Centres<E> centre(extraction.queue(), h.validation, RowClasses{}, Host::epsilon);
      centre.cosines(h.train, nullptr, x);
    });
  }
};

}  // namespace mts::cuda
