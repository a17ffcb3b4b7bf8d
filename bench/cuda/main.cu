// The training step with selection against the plain one on the first GPU, by turns, both against what the device can do.
//
//     cuda_bench [--quick] [--json FILE]
//
// Exit status 0; 1 if something failed, 2 for an option that is not known, 77 if there is no device.
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "cuda/steps.hpp"
#include "mts/cuda/device.hpp"

namespace {

using namespace bench;

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

std::vector<std::pair<std::string, std::string>> describe(const mts::cuda::Device& device) {
  using mts::cuda::detail::check;
  int driver = 0, runtime = 0, major = 0, minor = 0, patch = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  check(cublasGetProperty(MAJOR_VERSION, &major), "cublasGetProperty");
  check(cublasGetProperty(MINOR_VERSION, &minor), "cublasGetProperty");
  check(cublasGetProperty(PATCH_LEVEL, &patch), "cublasGetProperty");
  const cudaDeviceProp& p = device.properties();
  return {{"device", p.name},
          {"compute capability", std::to_string(p.major) + "." + std::to_string(p.minor)},
          {"multiprocessors", std::to_string(p.multiProcessorCount)},
          {"memory", std::to_string(p.totalGlobalMem >> 20) + " MiB"},
          {"driver", "CUDA " + version(driver)},
          {"runtime", "CUDA " + version(runtime)},
          {"cuBLAS", std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch)},
          {"date", date()}};
}

int run(bool quick, const std::string& json) {
  const auto queue = mts::cuda::make_queue<mts::cuda::Device>();
  if (!json.empty() && !std::ofstream(json)) throw mts::Error("cannot write " + json);
  Results results{.where = describe(queue->executor())};
  results.where.emplace_back("rounds", quick ? "quick" : "full");
  results.ceilings = measure_ceilings(queue);
  measure_cases(queue, device_cases(), validation_samples,
                quick ? RoundLimits{.seconds = 0.5, .turn = 0.02, .rounds = 3} : RoundLimits{}, results);
  write_table(results, std::cout);
  if (!json.empty()) write_json(results, json);
  return results.failed() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string json;
  for (int k = 1; k < argc; ++k) {
    const std::string_view option = argv[k];
    if (option == "--quick") {
      quick = true;
    } else if (option == "--json" && k + 1 < argc) {
      json = argv[++k];
    } else {
      std::cerr << "cuda_bench: expected [--quick] [--json FILE], found '" << option << "'\n";
      return 2;
    }
  }
  try {
    return run(quick, json);
  } catch (const mts::cuda::NoDevice& error) {
    std::cerr << error.what() << '\n';
    return 77;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
