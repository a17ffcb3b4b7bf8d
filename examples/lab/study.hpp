#pragma once
/// \file
/// All runs of a study: every method with every batch size on every seed, in parallel.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/extremes.hpp"
#include "lab/insight.hpp"
#include "lab/progress.hpp"
#include "lab/registry.hpp"
#include "mts/data/pool.hpp"
#include "mts/diagnostics/phase_timer.hpp"
#include "mts/diagnostics/separation.hpp"

namespace mts::lab {

/// What is kept of a step; NaN where the step did not form it.
struct StepRow {
  Index step = 0;
  double mean_w = 0, max_p = 0, var_p = 0, b_eff = 0;
  double gsnr = 0;  ///< signal over noise, each summed over the last `gsnr_window` updates of the weight net
  double gamma_norm = 0, train_loss = 0, validation_loss = 0;
};
inline constexpr Index gsnr_window = 25;

/// What one run left behind.
struct Run {
  std::string method;
  Index batch = 0;
  std::uint64_t seed = 0;
  double accuracy = 0;  ///< after the last step, in [0, 1]
  std::vector<StepRow> dynamics;
  std::optional<SampleVector> weights;           ///< learned, one per pool sample
  std::optional<diagnostics::Separation> found;  ///< real or good against the rest, by the learned weights
  Insight insight;                               ///< where the cell asks for a last look
  Extremes extremes;                             ///< and, by the weights, for the best and worst samples
  PoolFeatures features;                         ///< and for the features of the pool
  Index warnings = 0;                            ///< steps that warned
  std::string warning;                           ///< what the first of them said
  diagnostics::PhaseTimes phases;                ///< of all steps
  double seconds_steps = 0, seconds_weights = 0, seconds_accuracy = 0;

  double seconds() const { return seconds_steps + seconds_weights + seconds_accuracy; }
};

/// B_eff/N at the end: of each step of the last tenth.
std::vector<double> end_b_eff_fractions(const Run& run);

/// run(), whose errors name it.
template <class F>
auto naming(const std::string& name, F&& run) {
  const auto words = [&](const Error& e) { return name + ": " + e.what(); };
  try {
    return run();
  } catch (const NumericalError& e) {
    throw NumericalError(words(e));
  } catch (const Error& e) {
    throw Error(words(e));
  }
}

/// One run to be made: a method on a batch size and a seed, by settings of its own.
struct Cell {
  Settings settings;
  std::string method;
  Index batch = 0;
  std::uint64_t seed = 0;
  bool look = false;      ///< whether the run is to be looked at when it is done
  bool extremes = false;  ///< and its best and worst samples to be kept
  bool features = false;  ///< and the features of the pool
};

/// Carries out one cell, whose `seed` is that of the training; accuracy is NaN where the set it is asked on is empty. Calls `stop_if_asked`,
/// which may throw, before each step.
Run carry_out(const Cell& cell, const data::Problem& problem, Progress& progress,
              const std::function<void()>& stop_if_asked);
/// What it advances the progress by.
double work_of(const Cell& cell);

/// Where runs are kept while they are made, so that they go on if the program is stopped (data/checkpoint.hpp).
struct Keeping {
  std::function<std::filesystem::path(const Cell&)> path;
  double every = 10;          ///< seconds between two checkpoints of a run; 0: after every preparation and step
  bool keeps_trained = true;  ///< whether a run that is trained stays there, or goes once it was handed to `done`
};

/// Carries out cells of one benchmark in parallel, within the present ThreadLimit, and hands each run to `done` as it is finished, one at a
/// time, with the cell's place and its problem. No run depends on the number of threads or on the other cells (seconds apart), nor
/// on whether it was stopped and went on from where it is kept. A checkpoint that can't be used is named, and the one before it is
/// used if it can be.
/// \throws Interrupted after `stop` is set and the steps that are being taken are done and kept; an Error that names the run; what
///   `done` throws
void run_cells(const std::vector<Cell>& cells, const ProblemSource& source, Progress& progress,
               const std::atomic<bool>& stop, const std::function<void(std::size_t, Run, const data::Problem&)>& done,
               const std::optional<Keeping>& keeping = {});

/// What the pool of a seed really is.
struct PoolTruth {
  std::uint64_t seed = 0;
  std::vector<data::Kind> kinds;
  std::vector<int> groups, labels, attributes;
  std::vector<Index> origins;
};

struct Study {
  std::vector<Run> runs;          ///< method by method, batch by batch, seed by seed, as they were asked for
  std::vector<PoolTruth> truths;  ///< one a seed
};

/// Runs the study within the present ThreadLimit. The result does not depend on the number of threads (seconds apart).
/// \throws UsageError for a batch that the pool can't fill; Interrupted soon after `stop` is set; an Error that names the run
Study run_study(const Settings& settings, const ProblemSource& source, Progress& progress,
                const std::atomic<bool>& stop, const std::optional<Keeping>& keeping = {});

/// Refuses batches that the benchmark's pool or validation set can't fill, before anything is computed. \throws UsageError
void check_batches(const Settings& settings, const Benchmark& benchmark);

}  // namespace mts::lab
