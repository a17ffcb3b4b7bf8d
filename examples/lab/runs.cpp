#include "lab/runs.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "lab/cli.hpp"
#include "lab/statistics.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/selection/step_report.hpp"
#include "mts/version.hpp"

namespace mts::lab {

using json = nlohmann::ordered_json;

Settings shared_settings(const ExperimentSettings& e, const std::string& model, EvaluationSet set) {
  Settings s;
  s.model = choice_named<ModelKind>("--model", model);
  if (s.model == ModelKind::cnn) {
    s.channels = {8, 16};
    s.hidden = {64};
    s.steps = 300;
    s.uniform_steps = 50;
  }
  if (e.quick) {
    s.steps /= 6;
    s.uniform_steps /= 6;
  }
  s.clip = e.clip;
  s.data = e.data;
  s.generator_epochs = e.generator_epochs;
  s.evaluate_on = set;
  return s;
}

void choose(Settings& s, const OptionValues& values) {
  const Index usual = Settings().steps;
  for (const auto& [name, value] : values) {
    set_option(s, name, value);
    if (name == "uniform-steps") s.uniform_steps = s.uniform_steps * s.steps / usual;
  }
}

namespace {

/// Results by what they depend on, each a file.
class Store {
 public:
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  static json key_of(const Planned& job) {
    json options = json::object();
    Settings s = job.cell.settings;
    const Settings preset;
    s.methods = preset.methods;
    s.batches = preset.batches;
    s.seeds = preset.seeds;
    s.first_seed = preset.first_seed;
    s.data = preset.data;
    for (const auto& [name, value] : changed_options(s)) options[name] = value;
    return {{"version", MTS_VERSION},  {"benchmark", job.benchmark}, {"method", job.cell.method},
            {"batch", job.cell.batch}, {"seed", job.cell.seed},      {"data", job.cell.settings.data.string()},
            {"options", options}};
  }

  /// Nothing where there is no such file, or a damaged one, or that of another key.
  std::optional<Kept> find(const Planned& job) const {
    const json key = key_of(job);
    std::ifstream in(path_of(key));
    if (!in) return std::nullopt;
    const json file = json::parse(in, nullptr, false);
    if (file.is_discarded() || !file.is_object() || file.value("key", json()) != key) return std::nullopt;
    const auto number = [&](const char* name) {
      const auto at = file.find(name);
      return at != file.end() && at->is_number() ? at->get<double>() : StepReport::none;
    };
    const Kept kept{number("accuracy"), number("seconds"), number("auc"), number("b_eff"), number("gsnr")};
    if (!(kept.accuracy >= 0 && kept.accuracy <= 1)) return std::nullopt;
    return kept;
  }
  void keep(const Planned& job, const Kept& kept) const {
    const json key = key_of(job);
    json file = {{"key", key}, {"accuracy", kept.accuracy}, {"seconds", kept.seconds}};
    for (const auto& [name, value] : {std::pair{"auc", kept.auc}, {"b_eff", kept.b_eff}, {"gsnr", kept.gsnr}})
      if (std::isfinite(value)) file[name] = value;
    data::write_atomically(path_of(key), file.dump(2) + "\n");
  }
  /// Where it is kept while it is made.
  std::filesystem::path checkpoint_of(const Planned& job) const {
    return path_of(key_of(job)).replace_extension(".checkpoint");
  }

 private:
  std::filesystem::path path_of(const json& key) const {
    return folder_ / fmt::format("{:016x}.json", mts::detail::fnv1a(key.dump()));
  }
  std::filesystem::path folder_;
};

Kept kept_of(const Run& run) {
  std::vector<double> gsnr;
  for (const auto& row : run.dynamics) gsnr.push_back(row.gsnr);
  return {run.accuracy, run.seconds(), run.found ? run.found->auc : StepReport::none, median(end_b_eff_fractions(run)),
          median(gsnr)};
}

}  // namespace

std::vector<Kept> results_of(const std::vector<Planned>& jobs, const ExperimentSettings& e, const OpenBenchmark& open,
                             std::ostream& out, Progress& progress, const std::atomic<bool>& stop) {
  const auto folder = e.session.out / "runs";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw DataError(folder.string() + ": this folder for the runs can't be made: " + error.message());
  const Store store(folder);
  std::vector<Kept> results(jobs.size());
  using Problems = std::pair<std::string, Index>;  // of a benchmark, with so many validation samples
  std::map<Problems, std::vector<std::size_t>> missing;
  std::vector<Problems> order;
  std::size_t found = 0;
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    if (const auto kept = store.find(jobs[k])) {
      results[k] = *kept;
      ++found;
    } else {
      const Problems problems{jobs[k].benchmark, jobs[k].cell.settings.validation};
      if (missing[problems].empty()) order.push_back(problems);
      missing[problems].push_back(k);
    }
  }
  out << fmt::format("{} runs, {} of them done before\n", jobs.size(), found) << std::flush;
  for (const auto& problems : order) {
    const auto& places = missing[problems];
    const auto source = open(problems.first, problems.second);
    progress.note(fmt::format("{}: {} runs", problems.first, places.size()));
    std::vector<Cell> cells;
    for (const std::size_t k : places) cells.push_back(jobs[k].cell);
    const auto checkpoint_of = [&](const Cell& cell) { return store.checkpoint_of({problems.first, cell}); };
    run_cells(
        cells, *source, progress, stop,
        [&](std::size_t place, Run run, const data::Problem&) {
          const std::size_t k = places[place];
          results[k] = kept_of(run);
          store.keep(jobs[k], results[k]);
        },
        Keeping{checkpoint_of, e.session.checkpoint_every, false});
  }
  return results;
}

}  // namespace mts::lab
