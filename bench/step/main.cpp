// The training step with selection against the plain one.
#include "step/step.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  return bench::run(argc, argv, [] {
    bench::register_errors();
    bench::register_cases();
    bench::register_threads();
    bench::register_sweep();
  });
}
