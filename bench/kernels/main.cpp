// Kernels against their ceilings: --benchmark_filter='product/.*' and the other options of Google Benchmark.
#include "kernels/kernels.hpp"
#include "support/one_thread.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  bench::one_thread_in_openmp();
  bench::one_thread_in_openblas();
  return bench::run(argc, argv, [] {
    bench::register_ceilings();
    bench::register_products();
    bench::register_convolutions();
    bench::register_primitives();
  });
}
