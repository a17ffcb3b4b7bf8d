#pragma once
/// \file
/// Theory meets networks: the GSNR of the hypergradient of a real network, measured over fresh batches, beside what the laws
/// forecast from one pool. `gsnr_population.cpp` makes the populations, `gsnr_study.cpp` forecasts and measures,
/// `gsnr_report.cpp` writes.

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "lab/progress.hpp"
#include "lab/registry.hpp"
#include "lab/settings.hpp"
#include "mts/data/pool.hpp"

namespace mts::lab {

/// The population that only this study knows: labels corrupted at random.
inline constexpr const char* noisy_labels = "noisy-labels";

/// What `mts-lab gsnr` is told.
struct GsnrSettings {
  std::string benchmark = noisy_labels;
  bool quick = false;
  double precision = 0.05;
  std::uint64_t seed = 0;
  std::filesystem::path data = default_data();
  Index generator_epochs = default_generator_epochs();
  Session session;
};

/// Calls `visit.group(title)` and `visit(option, value, domain)` for every option, in the order of the help.
template <class S, class Visitor>
void for_each_gsnr_option(S& s, Visitor&& visit) {
  using namespace domains;
  visit.group("What to measure");
  visit(Option{"benchmark", "NAME", "populations of training and validation samples: noisy-labels or a benchmark"},
        s.benchmark, any());
  visit(Option{"quick", "", "smaller batches and pools, fewer replicates"}, s.quick, any());
  visit(Option{"precision", "P", "standard error of a measured GSNR, relative to its forecast"}, s.precision,
        positive());
  visit(Option{"seed", "S", "seed of populations, initial weights and batches"}, s.seed, any());
  visit.group("Data");
  visit(Option{"data", "DIR", "folder of the image data set, four idx files, plain or gzipped"}, s.data, any());
  visit(Option{"generator-epochs", "K", "passes in the training of a benchmark's generative models"},
        s.generator_epochs, at_least<Index>(0));
  for_each_session_option(s.session, visit);
}

/// Refuses unknown benchmarks and a missing folder for the results. \throws UsageError
void check(const GsnrSettings& settings);

/// Samples to train on and samples to validate on, each batch fresh from its own; and samples for features to refer to.
struct GsnrPopulation {
  std::string name;
  int classes = 0;
  data::LabelledSet train;       ///< batches of N come from here
  std::vector<char> good;        ///< of each training sample the truth: whether it helps by construction
  data::LabelledSet validation;  ///< batches of M
  data::LabelledSet reference;   ///< clean; in no batch
};

/// noisy-labels: the first two thirds of the training images (40000 of Fashion-MNIST), of which `noise` get another label at random;
/// validation: the last third, clean; reference: the test images. A benchmark: its pool, tuning set and test set.
/// \throws UsageError, DataError
GsnrPopulation gsnr_population(const GsnrSettings& settings, const Preparation& preparation);

/// Sizes of the study.
struct GsnrDesign {
  Index hidden = 128;
  Index training_steps = 100, training_batch = 256;

  // (a) at fixed Gamma(theta): all N at some M, all M at some N. The forecast sees `pool` training samples and `groups` times
  // `group` validation samples; a group is one validation sample of L14, of mean gradient and size `group`.
  std::vector<Index> batches = {32, 64, 128, 256, 512, 1024, 2048, 4096};
  std::vector<Index> batches_for_all = {128, 1024};
  std::vector<Index> validations = {32, 64, 128, 256, 512, 1024};
  std::vector<Index> validations_for_all = {128, 512};
  Index small_batch = 256;  ///< up to it replicates are cheap, and more of them are drawn
  Index pool = 8192, groups = 512, group = 8;

  // (a) in the real step: Gamma at the virtual step of the same batch
  std::vector<double> rates = {0.05, 0.2, 0.5};
  std::vector<Index> real_batches = {32, 64, 128, 256, 512};
  Index real_validation = 256;
  Index curvature_pool = 1024, curvature_validation = 256;

  // (b), (c) at the Gamma of the whole validation population
  std::vector<Index> informative_batches = {64, 512};
  std::vector<double> informativeness = {0, 0.2, 0.4, 0.6, 0.8, 1};
  Index tilted_batch = 512;
  double tilted_informativeness = 0.7;
  std::vector<double> tilts = {0, 0.25, 0.5, 0.75, 1, 1.25, 1.5};

  Index blocks = 32;                                                                ///< of the jackknives
  Index most_small = 4096, most_large = 768, most_real = 1024, most_cheap = 16384;  ///< replicates
};
GsnrDesign default_design();
GsnrDesign quick_design();

enum class GsnrPanel { fixed, real_step, real_step_without, informativeness, concentration, concentration_leading };
const char* name_of(GsnrPanel panel);

/// A forecast beside a measurement; NaN for what does not apply.
struct GsnrPoint {
  GsnrPanel panel = GsnrPanel::fixed;
  Index n = 0;
  Index m = 0;  ///< 0: the whole validation population
  double r = 0, beta = 0, eta = 0;
  double b_eff = 0;  ///< B_eff/N to leading order, over the training population
  double forecast = 0, forecast_error = 0;
  double measured = 0, measured_error = 0;
  double forecast_noise = 0, measured_noise = 0;  ///< tr Var[G] at eta = 1; NaN where nothing forecasts it
  Index replicates = 0;
  double z = 0;
  bool agrees = false;
};

struct GsnrStudy {
  std::string benchmark;
  std::vector<GsnrPoint> points;
  std::vector<std::pair<GsnrPanel, double>> critical;  ///< |z| that a point may have, of each panel
  Index train_size = 0, validation_size = 0;
  Index pool = 0, pool_validation = 0, curvature_pool = 0;  ///< what the forecasts saw
  double theta_accuracy = 0;                                ///< of the frozen network, on the reference samples
  double effect = 0;  ///< correlation of truth and alignment in the training population
  /// The forecast for all N of panel `fixed`, a curve for each M.
  std::vector<GsnrPoint> curves;

  double critical_of(GsnrPanel panel) const;
  bool agrees(GsnrPanel panel) const;
};

/// Trains, freezes, forecasts and measures, within the present ThreadLimit; the same bits for any.
/// \throws Interrupted soon after `stop` is set
GsnrStudy gsnr_study(const GsnrPopulation& population, const GsnrDesign& design, std::uint64_t seed, double precision,
                     Progress& progress, const std::atomic<bool>& stop);

/// A table for people, and what it amounts to.
std::string table_of(const GsnrStudy& study);
/// gsnr.csv: a row for each point.
std::string csv_of(const GsnrStudy& study);
/// The gnuplot script of gsnr.svg.
std::string gsnr_script(const GsnrStudy& study, const std::string& terminal);

/// All of it: prints the table to `out`, writes the files. Returns whether the points at fixed Gamma agree.
/// \throws UsageError, Interrupted, DataError
bool run_gsnr(const GsnrSettings& settings, const Preparation& preparation, std::ostream& out, Progress& progress,
              const std::atomic<bool>& stop);

}  // namespace mts::lab
