#include "lab/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/cli.hpp"
#include "lab/statistics.hpp"
#include "lab/study.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/csv.hpp"
#include "mts/selection/step_report.hpp"

namespace mts::lab {

namespace {

using json = nlohmann::ordered_json;

// -------------------------------------------------------------------------------------------------------- what to run

std::vector<std::string> or_all(const std::vector<std::string>& chosen, std::vector<std::string> all) {
  return chosen.empty() ? all : chosen;
}

/// The settings that all methods share on a model, but for the benchmark.
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
  s.data = e.data;
  s.generator_epochs = e.generator_epochs;
  s.evaluate_on = set;
  return s;
}
Index seeds_of(const ExperimentSettings& e) { return e.quick ? std::min<Index>(2, e.seeds) : e.seeds; }

/// Steps of a warm start are chosen for 600 steps; a shorter run has as large a share of them.
void choose(Settings& s, const OptionValues& values) {
  const Index usual = Settings().steps;
  for (const auto& [name, value] : values) {
    set_option(s, name, value);
    if (name == "uniform-steps") s.uniform_steps = s.uniform_steps * s.steps / usual;
  }
}

/// A run to be made, or found.
struct Planned {
  std::string benchmark, model;
  Cell cell;
};

/// What is kept of it.
struct Kept {
  double accuracy = 0, seconds = 0, auc = StepReport::none;
};

// ------------------------------------------------------------------------------------------------- what has been run

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
    const Kept kept{number("accuracy"), number("seconds"), number("auc")};
    if (!(kept.accuracy >= 0 && kept.accuracy <= 1)) return std::nullopt;
    return kept;
  }
  void keep(const Planned& job, const Kept& kept) const {
    const json key = key_of(job);
    json file = {{"key", key}, {"accuracy", kept.accuracy}, {"seconds", kept.seconds}};
    if (std::isfinite(kept.auc)) file["auc"] = kept.auc;
    data::write_atomically(path_of(key), file.dump(2) + "\n");
  }

 private:
  std::filesystem::path path_of(const json& key) const {
    return folder_ / fmt::format("{:016x}.json", mts::detail::fnv1a(key.dump()));
  }
  std::filesystem::path folder_;
};

/// The results of all jobs, in their order: found or run.
std::vector<Kept> results_of(const std::vector<Planned>& jobs, const ExperimentSettings& e, const OpenBenchmark& open,
                             std::ostream& out, Progress& progress, const std::atomic<bool>& stop) {
  const auto folder = e.session.out / "runs";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw DataError(folder.string() + ": this folder for the runs can't be made: " + error.message());
  const Store store(folder);
  std::vector<Kept> results(jobs.size());
  std::map<std::string, std::vector<std::size_t>> missing;  // by benchmark
  std::vector<std::string> order;
  std::size_t found = 0;
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    if (const auto kept = store.find(jobs[k])) {
      results[k] = *kept;
      ++found;
    } else {
      if (missing[jobs[k].benchmark].empty()) order.push_back(jobs[k].benchmark);
      missing[jobs[k].benchmark].push_back(k);
    }
  }
  out << fmt::format("{} runs, {} of them done before\n", jobs.size(), found) << std::flush;
  for (const auto& benchmark : order) {
    const auto source = open(benchmark);
    progress.note(fmt::format("{}: {} runs", benchmark, missing[benchmark].size()));
    std::vector<Cell> cells;
    for (const std::size_t k : missing[benchmark]) cells.push_back(jobs[k].cell);
    run_cells(cells, *source, progress, stop, [&](std::size_t place, Run run, const data::Problem&) {
      const std::size_t k = missing[benchmark][place];
      results[k] = {run.accuracy, run.seconds(), run.found ? run.found->auc : StepReport::none};
      store.keep(jobs[k], results[k]);
    });
  }
  return results;
}

// ----------------------------------------------------------------------------------------------------------- the grids

/// Every combination of a grid's values, in its order; one empty choice for an empty grid.
std::vector<OptionValues> candidates_of(const Method& method) {
  std::vector<OptionValues> all{{}};
  for (const auto& [name, values] : method.grid) {
    std::vector<OptionValues> longer;
    for (const auto& before : all)
      for (const auto& value : values) {
        longer.push_back(before);
        longer.back().emplace_back(name, value);
      }
    all = std::move(longer);
  }
  return all;
}
std::string in_words(const OptionValues& values) {
  std::string words;
  for (const auto& [name, value] : values) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, value);
  return words.empty() ? "-" : words;
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------ settings

ExperimentSettings tune_defaults() {
  ExperimentSettings e;
  e.seeds = 5;
  e.first_seed = 100;
  return e;
}
ExperimentSettings study_defaults() {
  ExperimentSettings e;
  e.models = {"mlp", "cnn"};
  return e;
}

void check(const ExperimentSettings& e) {
  for (const auto& name : e.benchmarks) (void)benchmark_named(name);
  for (const auto& name : e.methods) (void)method_named(name);
  for (const auto& name : e.models)
    if (name != "mlp" && name != "cnn") throw unknown("model", name, std::vector<std::string>{"mlp", "cnn"});
  for (const auto& name : or_all(e.benchmarks, names_of(benchmarks())))
    if (e.batch > benchmark_named(name).pool_size)
      throw UsageError(
          fmt::format("--batch {}: the pool of '{}' has {} samples", e.batch, name, benchmark_named(name).pool_size));
}

TunedSettings TunedSettings::read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in)
    throw DataError(file.string() +
                    ": settings of the methods can't be read: is there such a file? (mts-lab tune writes it)");
  const json all = json::parse(in, nullptr, false);
  if (all.is_discarded() || !all.is_object())
    throw DataError(file.string() + ": expected settings of methods as a JSON object, found something else");
  TunedSettings tuned;
  for (const auto& [model, methods] : all.items()) {
    if (model != "mlp" && model != "cnn")
      throw DataError(fmt::format("{}: expected models mlp and cnn, found '{}'", file.string(), model));
    if (!methods.is_object())
      throw DataError(fmt::format("{}: {}: expected an object of methods", file.string(), model));
    for (const auto& [method, options] : methods.items()) {
      const std::string where = fmt::format("{}: {}: {}: ", file.string(), model, method);
      OptionValues values;
      Settings tried;
      try {
        (void)method_named(method);
        if (!options.is_object()) throw UsageError("expected an object of options");
        for (const auto& [name, value] : options.items()) {
          if (!value.is_string()) throw UsageError(fmt::format("--{}: expected its value as a string", name));
          set_option(tried, name, value.get<std::string>());
          values.emplace_back(name, value.get<std::string>());
        }
      } catch (const UsageError& error) {
        throw DataError(where + error.what());
      }
      tuned.set(model, method, std::move(values));
    }
  }
  return tuned;
}

void TunedSettings::save(const std::filesystem::path& file) const {
  json all = json::object();
  for (const auto& [model, methods] : by_model_)
    for (const auto& [method, values] : methods) {
      json& options = all[model][method] = json::object();
      for (const auto& [name, value] : values) options[name] = value;
    }
  if (!file.parent_path().empty()) {
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
  }
  data::write_atomically(file, all.dump(2) + "\n");
}

OptionValues TunedSettings::of(const std::string& model, const std::string& method) const {
  for (const auto& m : {model, std::string("mlp")})
    for (const auto& name : {method, method_named(method).member}) {
      const auto of_model = by_model_.find(m);
      if (name.empty() || of_model == by_model_.end()) continue;
      const auto at = of_model->second.find(name);
      if (at != of_model->second.end()) return at->second;
    }
  return {};
}
void TunedSettings::set(const std::string& model, const std::string& method, OptionValues values) {
  by_model_[model][method] = std::move(values);
}

// ------------------------------------------------------------------------------------------------------------ tuning

void tune(const ExperimentSettings& e, const OpenBenchmark& open, std::ostream& out, Progress& progress,
          const std::atomic<bool>& stop) {
  const double begun = Progress::steady_seconds();
  TunedSettings tuned;
  if (std::filesystem::exists(e.tuned)) tuned = TunedSettings::read(e.tuned);
  const auto names = or_all(e.benchmarks, names_of(benchmarks()));
  struct Candidate {
    std::string model, method;
    OptionValues values;
    std::vector<double> accuracy = {};  // of each benchmark, in %
    double mean = 0;
  };
  std::vector<Candidate> candidates;
  for (const auto& model : e.models)
    for (const auto& method : methods())
      if (!method.grid.empty() && (e.methods.empty() || std::count(e.methods.begin(), e.methods.end(), method.name)))
        for (auto& values : candidates_of(method)) candidates.push_back({model, method.name, std::move(values)});
  std::vector<Planned> jobs;
  for (const auto& c : candidates)
    for (const auto& benchmark : names)
      for (Index k = 0; k < seeds_of(e); ++k) {
        Settings s = shared_settings(e, c.model, EvaluationSet::tuning);
        s.benchmark = benchmark;
        choose(s, c.values);
        jobs.push_back(
            {benchmark, c.model, {std::move(s), c.method, e.batch, e.first_seed + static_cast<std::uint64_t>(k)}});
      }
  const auto results = results_of(jobs, e, open, out, progress, stop);

  std::size_t at = 0;
  for (auto& c : candidates) {
    for (std::size_t b = 0; b < names.size(); ++b) {
      double sum = 0;
      for (Index k = 0; k < seeds_of(e); ++k) sum += results[at++].accuracy;
      c.accuracy.push_back(100 * sum / static_cast<double>(seeds_of(e)));
      c.mean += c.accuracy.back() / static_cast<double>(names.size());
    }
  }
  data::CsvTable csv({"model", "method", "options", "benchmark", "accuracy"});
  for (const auto& c : candidates)
    for (std::size_t b = 0; b < names.size(); ++b)
      csv.row(c.model, c.method, in_words(c.values), names[b], c.accuracy[b]);
  csv.save(e.session.out / "tuning.csv");

  out << fmt::format("\n{:<6}{:<20}{:>6}  {}\n", "model", "method", "mean", "chosen");
  for (std::size_t k = 0; k < candidates.size();) {
    std::size_t best = k, end = k;
    for (; end < candidates.size() && candidates[end].method == candidates[k].method &&
           candidates[end].model == candidates[k].model;
         ++end)
      if (candidates[end].mean > candidates[best].mean) best = end;
    const Candidate& c = candidates[best];
    tuned.set(c.model, c.method, c.values);
    out << fmt::format("{:<6}{:<20}{:>6.2f}  {} (of {})\n", c.model, c.method, c.mean, in_words(c.values), end - k);
    k = end;
  }
  tuned.save(e.tuned);
  out << fmt::format("\n{} candidates in {}; all of them: {}; settings: {}\n", candidates.size(),
                     clock_text(Progress::steady_seconds() - begun), (e.session.out / "tuning.csv").string(),
                     e.tuned.string());
}

// -------------------------------------------------------------------------------------------------------------- study

namespace {

/// The results of one model: accuracy in % by method, benchmark and seed.
class Comparison {
 public:
  Comparison(std::vector<std::string> methods, std::vector<std::string> benchmarks, Index seeds)
      : methods_(std::move(methods)), benchmarks_(std::move(benchmarks)), seeds_(static_cast<std::size_t>(seeds)) {}
  void add(const std::string& method, const std::string& benchmark, const Kept& kept) {
    accuracy_[method][benchmark].push_back(100 * kept.accuracy);
    seconds_[method] += kept.seconds / static_cast<double>(benchmarks_.size() * seeds_);
  }

  /// Each seed's mean over the benchmarks.
  std::vector<double> by_seed(const std::string& method) const {
    std::vector<double> means(seeds_, 0.0);
    for (const auto& benchmark : benchmarks_)
      for (std::size_t k = 0; k < seeds_; ++k)
        means[k] += accuracy_.at(method).at(benchmark)[k] / static_cast<double>(benchmarks_.size());
    return means;
  }
  /// a - b, paired by seed.
  Mean difference(const std::string& a, const std::string& b) const {
    auto x = by_seed(a);
    const auto y = by_seed(b);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] -= y[k];
    return mean_of(x);
  }
  Index wins(const std::string& a, const std::string& b) const {
    Index n = 0;
    for (const auto& benchmark : benchmarks_)
      for (std::size_t k = 0; k < seeds_; ++k) n += accuracy_.at(a).at(benchmark)[k] > accuracy_.at(b).at(benchmark)[k];
    return n;
  }
  bool has(const std::string& method) const { return accuracy_.count(method) > 0; }

  /// The strongest method that is neither ours nor the oracle: the largest mean over benchmarks. \param ensembles  whether they count
  std::string strongest(bool ensembles) const {
    std::string best;
    for (const auto& method : methods_) {
      if (method == "mts" || method == "oracle" || (!ensembles && !method_named(method).member.empty())) continue;
      if (best.empty() || mean_of(by_seed(method)).mean > mean_of(by_seed(best)).mean) best = method;
    }
    return best;
  }

  std::string table() const {
    const bool compared = has("mts"), from_uniform = has("uniform");
    std::string out = "| method |";
    std::string line = "|---|";
    for (const auto& benchmark : benchmarks_) out += fmt::format(" {} |", benchmark), line += "---|";
    out += " average | above no selection | mts above it | mts wins | seconds |\n" + line + "---|---|---|---|---|\n";
    std::vector<std::string> order = methods_;
    std::stable_sort(order.begin(), order.end(),
                     [&](const auto& a, const auto& b) { return mean_of(by_seed(a)).mean > mean_of(by_seed(b)).mean; });
    for (const auto& method : order) {
      out += fmt::format("| {} |", method);
      for (const auto& benchmark : benchmarks_) {
        const Mean m = mean_of(accuracy_.at(method).at(benchmark));
        out += fmt::format(" {:.1f} +- {:.1f} |", m.mean, m.deviation);
      }
      const auto interval = [&](bool known, const std::string& a, const std::string& b) {
        if (!known || a == b) return std::string(" - |");
        const Mean d = difference(a, b);
        return fmt::format(" {:+.2f} [{:+.2f}, {:+.2f}] |", d.mean, d.low(), d.high());
      };
      out += fmt::format(" {:.2f} |", mean_of(by_seed(method)).mean);
      out += interval(from_uniform, method, "uniform") + interval(compared, "mts", method);
      out += compared && method != "mts" ? fmt::format(" {} of {} |", wins("mts", method), benchmarks_.size() * seeds_)
                                         : " - |";
      out += fmt::format(" {:.1f} |\n", seconds_.at(method));
    }
    if (compared && from_uniform) {
      out += fmt::format("\n`mts` - no selection: {}", in_words_of(difference("mts", "uniform")));
      for (const bool ensembles : {false, true})
        if (const std::string best = strongest(ensembles); !best.empty())
          out +=
              fmt::format("; the strongest {}, `{}`: `mts` - it {}", ensembles ? "with ensembles" : "of one classifier",
                          best, in_words_of(difference("mts", best)));
      if (has("oracle")) {
        const double none = mean_of(by_seed("uniform")).mean, top = mean_of(by_seed("oracle")).mean;
        out += fmt::format("; of the gap to the oracle, {:.2f}, it closes {:.0f} %", top - none,
                           100 * (mean_of(by_seed("mts")).mean - none) / (top - none));
      }
      out += ".\n";
    }
    return out;
  }

 private:
  static std::string in_words_of(const Mean& d) {
    return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", d.mean, d.low(), d.high());
  }
  std::vector<std::string> methods_, benchmarks_;
  std::size_t seeds_;
  std::map<std::string, std::map<std::string, std::vector<double>>> accuracy_;
  std::map<std::string, double> seconds_;
};

}  // namespace

void study(const ExperimentSettings& e, const OpenBenchmark& open, std::ostream& out, Progress& progress,
           const std::atomic<bool>& stop) {
  const double begun = Progress::steady_seconds();
  const TunedSettings tuned = TunedSettings::read(e.tuned);
  const auto problems = or_all(e.benchmarks, names_of(benchmarks())), compared = or_all(e.methods, names_of(methods()));
  std::vector<Planned> jobs;
  for (const auto& model : e.models)
    for (const auto& method : compared)
      for (const auto& benchmark : problems)
        for (Index k = 0; k < seeds_of(e); ++k) {
          Settings s = shared_settings(e, model, EvaluationSet::test);
          s.benchmark = benchmark;
          choose(s, tuned.of(model, method));
          jobs.push_back(
              {benchmark, model, {std::move(s), method, e.batch, e.first_seed + static_cast<std::uint64_t>(k)}});
        }
  const auto results = results_of(jobs, e, open, out, progress, stop);

  data::CsvTable csv({"benchmark", "method", "model", "batch", "seed", "accuracy_last"});
  data::CsvTable times({"benchmark", "method", "model", "batch", "seed", "seconds"});
  std::map<std::string, Comparison> by_model;
  for (const auto& model : e.models) by_model.emplace(model, Comparison(compared, problems, seeds_of(e)));
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    const auto& [benchmark, model, cell] = jobs[k];
    csv.row(benchmark, cell.method, model, cell.batch, cell.seed, results[k].accuracy);
    times.row(benchmark, cell.method, model, cell.batch, cell.seed, results[k].seconds);
    by_model.at(model).add(cell.method, benchmark, results[k]);
  }
  csv.save(e.session.out / "results.csv");
  times.save(e.session.out / "times.csv");
  std::string table;
  for (const auto& model : e.models)
    table += fmt::format(
        "{}## {}\n\nTest accuracy in %, mean +- standard deviation over seeds {} to {}; differences are paired by seed "
        "after averaging over the "
        "benchmarks, with 95 % intervals (t distribution); wins over benchmarks and seeds; seconds of a run.\n\n{}",
        table.empty() ? "" : "\n", model, e.first_seed, e.first_seed + static_cast<std::uint64_t>(seeds_of(e)) - 1,
        by_model.at(model).table());
  data::write_atomically(e.session.out / "table.md", table);
  out << '\n'
      << table << '\n'
      << fmt::format("{} runs in {}: {}, results.csv, times.csv\n", jobs.size(),
                     clock_text(Progress::steady_seconds() - begun), (e.session.out / "table.md").string());
}

}  // namespace mts::lab
