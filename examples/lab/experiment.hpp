#pragma once
/// \file
/// Experiments over several benchmarks: `tune` chooses each method's settings, `study` compares the methods by them.

#include <atomic>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "lab/progress.hpp"
#include "lab/registry.hpp"
#include "lab/tuned.hpp"

namespace mts::lab {

/// What an experiment is told.
struct ExperimentSettings {
  std::vector<std::string> benchmarks;  ///< none: all
  std::vector<std::string> methods;     ///< none: all (tune: all that have something to choose)
  std::vector<std::string> models = {"mlp"};
  std::vector<std::string> sections;  ///< of a study
  Index batch = 128;
  double clip = 0;  ///< bound on the gradient's length; 0: none
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
  if (!s.sections.empty())  // only a study has them
    visit(Option{"section", "NAME,...",
                 "methods, parts (of mts), features (of weight-net), batches, grid (N by M, spurious)"},
          s.sections, any());
  visit(Option{"batch", "N", "training batch size"}, s.batch, at_least<Index>(1));
  visit(Option{"clip", "X", "longest gradient, of all methods; 0 for no bound"}, s.clip, not_negative());
  visit(Option{"seeds", "K", "number of seeds"}, s.seeds, at_least<Index>(1));
  visit(Option{"first-seed", "S", "seeds S to S + K - 1"}, s.first_seed, any());
  visit(Option{"tuned", "FILE", "settings of the methods: tune writes it, study reads it"}, s.tuned, any());
  visit(Option{"quick", "", "a sixth of the steps and at most two seeds: to see that it works"}, s.quick, any());
  visit.group("Data");
  visit(Option{"data", "DIR", "folder of the image data set, four idx files, plain or gzipped"}, s.data, any());
  visit(Option{"generator-epochs", "K", "passes in the training of the generative models"}, s.generator_epochs,
        at_least<Index>(0));
  for_each_session_option(s.session, visit);
  for_each_checkpoint_option(s.session, visit);
}

/// Checks what no single option shows. \throws UsageError
void check(const ExperimentSettings& settings);

/// Tells how a benchmark is opened, with so many validation samples (0: its own number); a test may say otherwise.
using OpenBenchmark = std::function<std::unique_ptr<ProblemSource>(const std::string& benchmark, Index validation)>;

/// Every candidate of every method's grid on every benchmark and seed, on the tuning sets; chooses each method's best by the mean over
/// benchmarks and seeds, the same for all benchmarks. Writes tuning.csv and the file of settings. What is in the folder already is not run
/// again.
void tune(const ExperimentSettings& settings, const OpenBenchmark& open, std::ostream& out, Progress& progress,
          const std::atomic<bool>& stop);

/// Its sections on the test sets, by the file of settings (and what it does not name by default). Writes results.csv (the methods),
/// variants.csv (the other sections), times.csv, table.md and a picture of each section. What is in the folder already is not run again.
void study(const ExperimentSettings& settings, const OpenBenchmark& open, std::ostream& out, Progress& progress,
           const std::atomic<bool>& stop);

}  // namespace mts::lab
