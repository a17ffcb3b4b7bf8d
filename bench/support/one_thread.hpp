#pragma once
// One thread for the libraries that bring pools of their own. By call, because OpenMP reads its environment before main.

#include <chrono>
#include <thread>

#if defined(MTS_BENCH_ONEDNN)
#include <omp.h>
#endif
#if defined(MTS_BENCH_OPENBLAS)
#include <cblas.h>
#endif

namespace bench {

inline void one_thread_in_other_libraries() {
#if defined(MTS_BENCH_ONEDNN)
  omp_set_num_threads(1);
#endif
#if defined(MTS_BENCH_OPENBLAS)
  openblas_set_num_threads(1);
#endif
  std::this_thread::sleep_for(
      std::chrono::milliseconds(200));  // until the threads made at the start have stopped spinning
}

}  // namespace bench
