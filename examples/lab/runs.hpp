#pragma once
/// \file
/// Runs that an experiment plans, and what is kept of them: each in a file of its own, under a name made from all it depends on, so that no
/// run is made twice; while a run is made, a checkpoint beside it.

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "lab/experiment.hpp"
#include "lab/study.hpp"

namespace mts::lab {

/// A run to be made, or found.
struct Planned {
  std::string benchmark;
  Cell cell;
};

/// What is kept of it; NaN for what it has not.
struct Kept {
  double accuracy = 0;  ///< after the last step, in [0, 1]
  double seconds = 0;
  double auc = 0;
  double b_eff = 0;  ///< median B_eff/N of the last tenth of the steps
  double gsnr = 0;   ///< median over the steps of the live estimate, given Gamma
};

/// The settings that all methods share on a model, but for the benchmark: mlp 600 steps, cnn with 8 and 16 channels, 64
/// hidden, 300 steps.
Settings shared_settings(const ExperimentSettings& experiment, const std::string& model, EvaluationSet set);

/// Sets options chosen for 600 steps; a shorter run has as large a share of them for its warm start.
void choose(Settings& settings, const OptionValues& values);

/// The results of all runs, in their order: found in OUT/runs, or made. \throws as run_cells; DataError if the folder can't be made
std::vector<Kept> results_of(const std::vector<Planned>& jobs, const ExperimentSettings& experiment,
                             const OpenBenchmark& open, std::ostream& out, Progress& progress,
                             const std::atomic<bool>& stop);

}  // namespace mts::lab
