#pragma once
/// \file
/// Scores a pool that is given as arrays: a method's weights for its samples, what they rest on, and what they are worth.

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "lab/progress.hpp"
#include "lab/score_problem.hpp"
#include "lab/score_settings.hpp"
#include "lab/study.hpp"

namespace mts::lab {

/// Accuracy on validation samples that were left out, with the method and without selection.
struct CrossValidation {
  std::vector<double> method, uniform;  ///< one each for every part, in [0, 1]
  std::vector<Index> samples;           ///< of each part

  bool done() const { return !samples.empty(); }
  /// The method's less that without selection, of each part.
  std::vector<double> gains() const;
};

struct Score {
  Index classes = 0, width = 0;     ///< C, D
  Index validation = 0;             ///< M
  std::vector<int> labels, groups;  ///< N, as given
  Run run;                          ///< with its weights, of mean 1
  CrossValidation cross_validation;
};

/// Places in the order of their weights, the heaviest first; of equal ones the first in the pool.
std::vector<Index> ranking(const SampleVector& weights);

/// Reads the arrays and carries out the method on all validation samples, then on all but each part of them, beside `uniform`. The result does
/// not depend on the number of threads.
/// \throws DataError as `read_score_problem`; UsageError for a batch that the pool can't fill; Interrupted soon after `stop` is set; an
///         Error that names the run
Score score(const ScoreSettings& settings, Progress& progress, const std::atomic<bool>& stop);

/// In words, for the terminal.
std::string text_of(const ScoreSettings& settings, const Score& score);
/// The page. \param pictures  as for a run's
std::string score_report_html(const ScoreSettings& settings, const Score& score, bool pictures);

/// Writes weights.npy (float32, N), selected.csv, settings.json and report.html, each whole or not at all.
/// \throws DataError if one can't be written, or gnuplot is missing where there are to be pictures
void write_score(const ScoreSettings& settings, const Score& score, const std::filesystem::path& folder, bool pictures);

}  // namespace mts::lab
