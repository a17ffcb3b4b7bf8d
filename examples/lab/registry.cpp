#include "lab/registry.hpp"

#include "lab/benchmarks.hpp"
#include "lab/methods.hpp"
#include "mts/data/pool.hpp"

namespace mts::lab {

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> entries = {
      spurious_benchmark(),
      attribute_benchmark(),
      texture_benchmark(),
      domain_benchmark(),
  };
  return entries;
}

const std::vector<Method>& methods() {
  static const std::vector<Method> entries = {
      {"uniform", "no selection: every sample of the pool counts the same", false, 3, &start_uniform},
      {"mts", "meta-learned selection: a weight net, trained by the hypergradient of the validation loss", true, 6,
       &start_mts},
  };
  return entries;
}

namespace {

template <class Entries>
const auto& named(const char* what, const Entries& entries, std::string_view name) {
  for (const auto& entry : entries)
    if (entry.name == name) return entry;
  throw unknown(what, name, names_of(entries));
}

}  // namespace

const Benchmark& benchmark_named(std::string_view name) { return named("benchmark", benchmarks(), name); }
const Method& method_named(std::string_view name) { return named("method", methods(), name); }
const FeatureEntry& feature_named(std::string_view name) { return named("feature", features(), name); }

}  // namespace mts::lab
