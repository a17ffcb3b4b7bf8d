// expect: mts: cuda::on_device: this extractor has no device form yet; wrap the composition in cuda::FromHost
// An extractor of one's own, which works on the host.
#include "core/minimal_types.hpp"
#include "mts/cuda/emulation.hpp"
#include "mts/cuda/features/on_device.hpp"

auto use(mts::cuda::SharedQueue<mts::cuda::Emulation> queue) {
  return mts::cuda::on_device(mts::features::compose(minimal::Extractor{}), std::move(queue));
}
