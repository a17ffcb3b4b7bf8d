#pragma once
/// \file
/// Experiments over several benchmarks: `tune` chooses each method's settings, `study` compares the methods by them.

#include <atomic>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "lab/progress.hpp"
#include "lab/registry.hpp"

namespace mts::lab {

/// What an experiment is told.
struct ExperimentSettings {
  std::vector<std::string> benchmarks;  ///< none: all
  std::vector<std::string> methods;     ///< none: all (tune: all that have something to choose)
  std::vector<std::string> models = {"mlp"};
  Index batch = 128;
  Index seeds = 10;
  std::uint64_t first_seed = 0;
  std::filesystem::path tuned = "docs/tuned.json";
  bool quick = false;
  std::filesystem::path data = default_data();
  Index generator_epochs = default_generator_epochs();
  Session session;
};

/// What differs by default between the two.
ExperimentSettings tune_defaults();   ///< seeds 100 to 104
ExperimentSettings study_defaults();  ///< seeds 0 to 9

template <class S, class Visitor>
void for_each_experiment_option(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("What to run");
  visit(Option{"benchmark", "NAME,...", "learning problems; all if not given"}, s.benchmarks, any());
  visit(Option{"method", "NAME,...", "methods; all if not given"}, s.methods, any());
  visit(Option{"model", "NAME,...",
               "what is trained: mlp (784-128-C, 600 steps), cnn (8 and 16 channels, 64, 300 steps)"},
        s.models, any());
  visit(Option{"batch", "N", "training batch size"}, s.batch, at_least<Index>(1));
  visit(Option{"seeds", "K", "number of seeds"}, s.seeds, at_least<Index>(1));
  visit(Option{"first-seed", "S", "seeds S to S + K - 1"}, s.first_seed, any());
  visit(Option{"tuned", "FILE", "settings of the methods: tune writes it, study reads it"}, s.tuned, any());
  visit(Option{"quick", "", "a sixth of the steps and at most two seeds: to see that it works"}, s.quick, any());
  visit.group("Data");
  visit(Option{"data", "DIR", "folder of the image data set, four idx files, plain or gzipped"}, s.data, any());
  visit(Option{"generator-epochs", "K", "passes in the training of the generative models"}, s.generator_epochs,
        at_least<Index>(0));
  for_each_session_option(s.session, visit);
}

/// Checks what no single option shows. \throws UsageError
void check(const ExperimentSettings& settings);

/// Options by name and value, as `set_option` takes them.
using OptionValues = std::vector<std::pair<std::string, std::string>>;

/// A method's settings by model and method.
class TunedSettings {
 public:
  TunedSettings() = default;
  /// \throws DataError if the file is none, is damaged, or names an unknown model, method, option or value
  static TunedSettings read(const std::filesystem::path& file);
  void save(const std::filesystem::path& file) const;

  /// A method's choices for a model: its own; else those for the MLP; of an ensemble else those of its member; else none.
  OptionValues of(const std::string& model, const std::string& method) const;
  void set(const std::string& model, const std::string& method, OptionValues choices);

 private:
  std::map<std::string, std::map<std::string, OptionValues>> by_model_;
};

/// Tells how a benchmark is opened; a test may say otherwise.
using OpenBenchmark = std::function<std::unique_ptr<ProblemSource>(const std::string& benchmark)>;

/// Every candidate of every method's grid on every benchmark and seed, on the tuning sets; chooses each method's best by the mean over
/// benchmarks and seeds, the same for all benchmarks. Writes tuning.csv and the file of settings. What is in the folder already is not run
/// again.
void tune(const ExperimentSettings& settings, const OpenBenchmark& open, std::ostream& out, Progress& progress,
          const std::atomic<bool>& stop);

/// Every method on every benchmark, model and seed, on the test sets, by the file of settings (and what it does not name by default). Writes
/// results.csv, times.csv and table.md. What is in the folder already is not run again.
void study(const ExperimentSettings& settings, const OpenBenchmark& open, std::ostream& out, Progress& progress,
           const std::atomic<bool>& stop);

}  // namespace mts::lab
