#pragma once
/// \file
/// The lab's steps on an NVIDIA GPU, in builds that have MTS_CUDA.

namespace mts::lab {

/// Makes `--device cuda` known: the first GPU, which is looked for when it is first used.
void offer_cuda();

}  // namespace mts::lab
