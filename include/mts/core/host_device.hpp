#pragma once
/// \file
/// `MTS_HOST_DEVICE`: before a function that runs on the host and, where a CUDA compiler reads it, on a device too. So an
/// expression is written once, and tests on the host run the very one that a kernel runs.

#if defined(__CUDACC__)
#define MTS_HOST_DEVICE __host__ __device__
#else
#define MTS_HOST_DEVICE
#endif
