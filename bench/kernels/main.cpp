// Kernels against their ceilings: --benchmark_filter='product/.*' and the other options of Google Benchmark. Exit status 1
// if a kernel's result was wrong.
#include <benchmark/benchmark.h>

#include "kernels/kernels.hpp"
#include "kernels/measure.hpp"
#include "support/one_thread.hpp"

int main(int argc, char** argv) {
  bench::one_thread_in_other_libraries();
  bench::register_ceilings();
  bench::register_products();
  bench::register_convolutions();
  bench::register_primitives();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return bench::failed_kernels() == 0 ? 0 : 1;
}
