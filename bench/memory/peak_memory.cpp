// The peak memory of a process that takes steps with selection and does nothing else.
//     peak_memory NET SAMPLES kept|recomputed [STEPS]
// writes one line of JSON: the peak resident set, how much of it is the batches (which a user has anyway), and how much
// the process had before its first batch.
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "step/trainer.hpp"

namespace {

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  const std::string_view net = argc > 1 ? argv[1] : "", regime = argc > 3 ? argv[3] : "";
  const long samples = argc > 2 ? std::atol(argv[2]) : 0, steps = argc > 4 ? std::atol(argv[4]) : 5;
  if ((net != "mlp" && net != "cnn") || samples < 1 || (regime != "kept" && regime != "recomputed") || steps < 1) {
    std::cerr << "peak_memory mlp|cnn SAMPLES kept|recomputed [STEPS]\n";
    return 2;
  }
  try {
    const double at_start = peak_mib();
    const Case c{net == "mlp" ? Net::mlp : Net::cnn, samples, regime == "kept"};
    const Images train(samples, "train"), validation(validation_samples, "validation");
    const auto trainer = make_trainer(c, train, validation, Estimator::per_sample_dot);
    for (long k = 0; k < steps; ++k)
      if (std::string_view(trainer->select().activations) != regime)
        throw mts::Error("activations of the other regime");
    const double batches = static_cast<double>((samples + validation_samples) * pixels * 4) / (1 << 20);
    std::cout << "{\"net\": \"" << net << "\", \"samples\": " << samples << ", \"activations\": \"" << regime
              << "\", \"peak_mib\": " << peak_mib() << ", \"batches_mib\": " << batches
              << ", \"at_start_mib\": " << at_start << "}\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
