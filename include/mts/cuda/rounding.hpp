#pragma once
/// \file
/// Products that are rounded by themselves.

#include "mts/core/host_device.hpp"

namespace mts::cuda {

/// a b, rounded, and not fused into a sum: where sums of it should cancel, as in the pullback of a norm, a fused one would not.
template <class S>
MTS_HOST_DEVICE S rounded_product(S a, S b) {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(S) == sizeof(float))
    return __fmul_rn(a, b);
  else
    return __dmul_rn(a, b);
#else
  volatile S product = a * b;
  return product;
#endif
}

}  // namespace mts::cuda
