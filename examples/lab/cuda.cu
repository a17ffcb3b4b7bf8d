// The lab's steps on an NVIDIA GPU.
#include "lab/cuda.hpp"

#include <memory>

#include "lab/device_steps.hpp"
#include "mts/cuda/device.hpp"

namespace mts::lab {

void offer_cuda() { offer_device(std::make_unique<StepsOn<cuda::Device>>("cuda")); }

}  // namespace mts::lab
