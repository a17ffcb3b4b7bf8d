#pragma once
/// \file
/// What a study says, in a few numbers and in a text for people.

#include <optional>
#include <string>
#include <vector>

#include "lab/statistics.hpp"
#include "lab/study.hpp"

namespace mts::lab {

/// One method with one batch size, over the seeds.
struct SummaryRow {
  std::string method;
  Index batch = 0;
  Mean accuracy;                                 ///< in [0, 1]
  std::optional<Mean> auc;                       ///< for methods that learn weights
  std::optional<diagnostics::Separation> alone;  ///< and of the only seed, where there is one only
  double b_eff_fraction = 0;                     ///< median B_eff/N of the last tenth of the steps
  double seconds = 0;                            ///< mean of a run
};

/// Accuracy of a method minus that of `uniform` on the same seeds.
struct Difference {
  std::string method;
  Index batch = 0;  ///< 0: over all batch sizes, averaged within a seed first
  Mean points;      ///< in [-1, 1]
  Index wins = 0;   ///< seeds on which it is above 0
};

/// Whether B_eff rises and max p falls with the batch size, in median over the steps after the warm start and the seeds.
struct Trend {
  std::string method;
  std::vector<Index> batches;  ///< ascending
  std::vector<double> b_eff, max_p;
  bool holds = false;
};

struct Summary {
  std::vector<SummaryRow> rows;
  std::vector<Difference> differences;  ///< empty where `uniform` was not run
  std::vector<Trend> trends;            ///< for methods that learn weights with two batch sizes or more
};

Summary summarize(const Settings& settings, const Study& study);

/// The runs of a method with a batch size, seed by seed.
std::vector<const Run*> runs_of(const Study& study, const std::string& method, Index batch);

/// An accuracy in %, "74.2 ± 1.3" with its standard deviation; without where there is one seed.
std::string accuracy_text(const Mean& accuracy);
/// "0.612 [0.590, 0.634]", an AUC with its interval; "-" where there is none.
std::string auc_text(const SummaryRow& row);

/// The tables printed at the end of a run, lines of at most 100 columns.
std::string text_of(const Settings& settings, const Summary& summary);

}  // namespace mts::lab
