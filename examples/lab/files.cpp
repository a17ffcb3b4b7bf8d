#include "lab/files.hpp"

#include <system_error>

#include "lab/config.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/csv.hpp"
#include "mts/data/npy.hpp"

namespace mts::lab {

namespace {

using data::CsvTable;

void write_results(const Settings& s, const Study& study, const std::filesystem::path& path) {
  CsvTable table({"benchmark", "method", "batch", "seed", "accuracy_last"});
  for (const auto& run : study.runs) table.row(s.benchmark, run.method, run.batch, run.seed, run.accuracy);
  table.save(path);
}

void write_dynamics(const Study& study, const std::filesystem::path& path) {
  CsvTable table({"method", "batch", "seed", "step", "mean_w", "max_p", "var_p", "b_eff", "gsnr", "gamma_norm",
                  "train_loss", "validation_loss"});
  for (const auto& run : study.runs)
    for (const auto& d : run.dynamics)
      table.row(run.method, run.batch, run.seed, d.step, d.mean_w, d.max_p, d.var_p, d.b_eff, d.gsnr, d.gamma_norm,
                d.train_loss, d.validation_loss);
  table.save(path);
}

void write_timings(const Study& study, const std::filesystem::path& path) {
  CsvTable table({"method", "batch", "seed", "phase", "seconds", "times"});
  for (const auto& run : study.runs) {
    const auto row = [&](std::string_view phase, double seconds, Index times) {
      table.row(run.method, run.batch, run.seed, phase, seconds, times);
    };
    for (const auto& phase : run.phases.phases()) row(phase.name, phase.seconds, phase.count);
    row("all steps", run.seconds_steps, static_cast<Index>(run.dynamics.size()));
    row("weights of the pool", run.seconds_weights, run.weights ? 1 : 0);
    row("accuracy", run.seconds_accuracy, 1);
  }
  table.save(path);
}

/// Row r belongs to row r of results.csv.
void write_weights(const Study& study, const std::filesystem::path& path) {
  const auto pool = static_cast<Index>(study.truths.front().kinds.size());
  RowMatrix<float> weights = RowMatrix<float>::Ones(static_cast<Index>(study.runs.size()), pool);
  for (std::size_t r = 0; r < study.runs.size(); ++r)
    if (const auto& w = study.runs[r].weights) {
      check_size("weights.npy", "samples of a pool", pool, w->size());
      weights.row(static_cast<Index>(r)) = w->transpose().cast<float>();
    }
  data::write_npy(path, weights);
}

void write_truth(const Study& study, const std::filesystem::path& path) {
  CsvTable table({"seed", "sample", "kind", "group", "label", "attribute", "origin"});
  for (const auto& t : study.truths)
    for (std::size_t i = 0; i < t.kinds.size(); ++i)
      table.row(t.seed, i, data::name_of(t.kinds[i]), t.groups[i], t.labels[i], t.attributes[i], t.origins[i]);
  table.save(path);
}

}  // namespace

void check_writable(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_directory(folder, error))
    throw DataError(folder.string() + ": results need a folder, and this is none");
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) throw DataError(folder.string() + ": this folder for the results can't be made: " + error.message());
  try {
    const auto probe = folder / ".mts-lab";
    data::write_atomically(probe, "");
    std::filesystem::remove(probe, error);
  } catch (const DataError& e) {
    throw DataError(folder.string() + ": results can't be written here: " + e.what());
  }
  if (made) std::filesystem::remove(folder, error);
}

std::vector<std::string> names_of_results() {
  return {"results.csv",   "dynamics.csv", "timings.csv",  "weights.npy", "truth.csv",
          "settings.json", "dynamics.svg", "dynamics.png", "report.html"};
}

void write_files(const Settings& settings, const Study& study, const std::filesystem::path& folder) {
  write_results(settings, study, folder / "results.csv");
  write_dynamics(study, folder / "dynamics.csv");
  write_timings(study, folder / "timings.csv");
  write_weights(study, folder / "weights.npy");
  write_truth(study, folder / "truth.csv");
  data::write_atomically(folder / "settings.json", settings_text(settings));
}

}  // namespace mts::lab
