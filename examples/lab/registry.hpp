#pragma once
/// \file
/// What the lab knows by name: benchmarks, methods, features. To add one, write its file and a line in registry.cpp.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/settings.hpp"

namespace mts::data {
struct Problem;
struct GeneratorProgress;
}  // namespace mts::data

namespace mts::lab {

struct Task;       // training.hpp
class Training;    // training.hpp
class AnyFeature;  // features.hpp

/// Makes the problems of one benchmark: its data are read and its generative models trained, once for all seeds.
class ProblemSource {
 public:
  virtual ~ProblemSource() = default;
  /// The problem of a seed; a function of the seed alone. Thread-safe.
  virtual data::Problem make(std::uint64_t seed) const = 0;
};

/// Whom to tell while data are prepared.
struct Preparation {
  std::function<void(const data::GeneratorProgress&)> progress;  ///< may throw to stop
  std::function<void(std::string_view)> note;
};

struct Benchmark {
  std::string name;
  std::string words;      ///< one line
  Index pool_size;        ///< samples to select from
  Index validation_size;  ///< validation samples
  std::unique_ptr<ProblemSource> (*open)(const Settings&, const Session&, const Preparation&);
};

struct Method {
  std::string name;
  std::string words;
  bool weighs;  ///< whether it weighs the samples of a batch unlike
  double cost;  ///< of a run, in forwards over a training batch for each of its steps, for the time left
  std::unique_ptr<Training> (*start)(const Task&);
  /// What is tuned: options and the values that are tried, at most 12 combinations; each with every one of `proxies`, where the
  /// classifier is none itself.
  std::vector<std::pair<std::string, std::vector<std::string>>> grid = {};
  std::string member = {};                ///< of an ensemble: the method of its members
  std::vector<std::string> proxies = {};  ///< where a model of its own judges the samples for it: which are tried
};

/// Whether `mts` may train its folds by it: one classifier, no folds of its own, nothing that no method can know.
inline bool can_train_folds(const Method& method) {
  return method.member.empty() && method.name != "mts" && method.name != "oracle";
}

struct FeatureEntry {
  std::string name;
  std::string words;
  /// Fitted on the task's pool where it is offline; what it remembers is that of one run.
  std::shared_ptr<AnyFeature> (*make)(const Task&);
};

const std::vector<Benchmark>& benchmarks();
const std::vector<Method>& methods();
const std::vector<FeatureEntry>& features();

/// \throws UsageError for an unknown name
const Benchmark& benchmark_named(std::string_view name);
const Method& method_named(std::string_view name);
const FeatureEntry& feature_named(std::string_view name);

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

}  // namespace mts::lab
