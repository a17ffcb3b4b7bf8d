#include "lab/score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "lab/cli.hpp"
#include "lab/config.hpp"
#include "lab/interrupt.hpp"
#include "lab/registry.hpp"
#include "lab/statistics.hpp"
#include "mts/data/csv.hpp"
#include "mts/data/npy.hpp"

namespace mts::lab {

Settings run_settings(const ScoreSettings& s) {
  Settings run = s.training;
  run.benchmark = s.features.filename().string();
  run.methods = {s.method};
  run.batches = {s.batch};
  run.seeds = 1;
  run.first_seed = s.seed;
  return run;
}

std::vector<std::string> scoring_methods() {
  std::vector<std::string> names;
  for (const auto& method : methods())
    if (method.name != "uniform" && method.name != "plus-validation" && method.name != "oracle")
      names.push_back(method.name);
  return names;
}

void check(const ScoreSettings& s) {
  const auto needed = [](const std::filesystem::path& path, const char* option) {
    if (path.empty()) throw UsageError(fmt::format("mts-lab score: --{} FILE is required", option));
  };
  needed(s.features, "features");
  needed(s.labels, "labels");
  needed(s.validation_features, "validation-features");
  needed(s.validation_labels, "validation-labels");
  if (s.embeddings.empty() != s.validation_embeddings.empty())
    throw UsageError("--generative-features and --validation-generative-features: expected both or neither");
  if (s.cross_validation == 1) throw UsageError("--cross-validation 1: expected at least 2 parts, or 0 for none");
  const auto known = scoring_methods();
  if (std::find(known.begin(), known.end(), s.method) == known.end())
    throw unknown("method that weighs samples", s.method, known);
  Settings run = run_settings(s);
  run.benchmark = Settings().benchmark;  // a known one
  check(run);
}

std::vector<double> CrossValidation::gains() const {
  std::vector<double> gains;
  for (std::size_t k = 0; k < samples.size(); ++k) gains.push_back(method[k] - uniform[k]);
  return gains;
}

std::vector<Index> ranking(const SampleVector& weights) {
  std::vector<Index> order(static_cast<std::size_t>(weights.size()));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return weights[a] > weights[b]; });
  return order;
}

Score score(const ScoreSettings& s, Progress& progress, const std::atomic<bool>& stop) {
  progress.note("reading " + s.features.string());
  ScoreProblem read = read_score_problem(s);
  data::Problem& problem = read.problem;
  const Index n = problem.pool.size();
  const Index share = method_named(s.method).weighs && s.training.disjoint ? 2 : 1;
  if (s.batch > n / share)
    throw UsageError(fmt::format("--batch {}: {} has {} rows{}: expected at most {}", s.batch, problem.name, n,
                                 share == 2 ? ", of which --disjoint takes two batches a step" : "", n / share));
  if (s.training.validation_batch > problem.validation.size())
    throw UsageError(fmt::format("--validation-batch {}: {} has {} rows: expected at most that",
                                 s.training.validation_batch, s.validation_features.string(),
                                 problem.validation.size()));

  const Settings settings = run_settings(s);
  const auto parts = validation_parts(problem, s.cross_validation, s.seed);
  const Cell whole{settings, s.method, s.batch, s.seed, true, true, true};
  double work = work_of(whole);
  std::vector<Cell> cells;
  for (std::size_t k = 0; k < parts.size(); ++k)
    for (const std::string& method : {s.method, std::string("uniform")}) {
      cells.push_back({settings, method, s.batch, RandomStream(s.seed, "lab: part of validation", k)()});
      work += work_of(cells.back());
    }
  progress.begin(cells.empty() ? "1 run" : fmt::format("{} runs", 1 + cells.size()), work);
  const auto carry = [&](const Cell& cell, const std::string& name) {
    const auto stop_if_asked = [&] {
      if (stop.load()) throw Interrupted();
    };
    return naming(name, [&] { return carry_out(cell, problem, progress, stop_if_asked); });
  };
  Score out;
  out.run = carry(whole, s.method);
  const data::LabelledSet validation = problem.validation;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    HeldOut cut = held_out(validation, parts[k]);
    problem.validation = std::move(cut.rest);
    problem.test = std::move(cut.part);
    out.cross_validation.samples.push_back(problem.test.size());
    for (const bool selected : {true, false}) {
      const Cell& cell = cells[2 * k + (selected ? 0 : 1)];
      const Run run = carry(cell, fmt::format("{}, without part {} of the validation samples", cell.method, k + 1));
      (selected ? out.cross_validation.method : out.cross_validation.uniform).push_back(run.accuracy);
    }
    progress.detail(fmt::format("part {} of {}: accuracy {:.1f} %, without selection {:.1f} %", k + 1, parts.size(),
                                100 * out.cross_validation.method.back(), 100 * out.cross_validation.uniform.back()));
  }
  progress.end();
  if (!out.run.weights) throw Error(s.method + ": this method gave no weights");
  SampleVector& weights = *out.run.weights;
  check_value(weights.minCoeff() >= 0 && weights.mean() > 0, s.method,
              "expected weights that are not all 0, found a mean of ", weights.mean());
  weights /= weights.mean();
  out.classes = problem.classes;
  out.width = problem.pool.width();
  out.validation = validation.size();
  out.labels = problem.pool.labels;
  out.groups = std::move(read.groups);
  return out;
}

namespace {

/// The columns of the features that the weights rest on most, at most 8.
std::vector<Index> main_columns(const Score& score) {
  FeatureLayout layout;
  layout.continuous = score.run.features.names;
  auto features = score.run.insight.features;
  std::stable_sort(features.begin(), features.end(), [](const auto& a, const auto& b) { return a.moved > b.moved; });
  const auto columns = columns_by_feature(layout);
  std::vector<Index> chosen;
  for (const auto& feature : features)
    for (const auto& own : columns)
      if (own.feature == feature.feature)
        for (const Index c : own.continuous)
          if (chosen.size() < 8) chosen.push_back(c);
  return chosen;
}

void write_selected(const ScoreSettings& s, const Score& score, const std::filesystem::path& path) {
  const auto columns = main_columns(score);
  std::vector<std::string> names = {"index", "weight", "group", "label", "rank"};
  for (const Index c : columns) names.push_back(score.run.features.names[static_cast<std::size_t>(c)]);
  data::CsvTable table(names);
  const auto order = ranking(*score.run.weights);
  const auto kept = static_cast<std::size_t>(std::max(1.0, std::round(s.select * static_cast<double>(order.size()))));
  std::vector<float> values(columns.size());
  for (std::size_t r = 0; r < kept; ++r) {
    const Index i = order[r];
    for (std::size_t k = 0; k < columns.size(); ++k) values[k] = score.run.features.values(i, columns[k]);
    table.row_with(values, i, static_cast<float>((*score.run.weights)[i]), score.groups[static_cast<std::size_t>(i)],
                   score.labels[static_cast<std::size_t>(i)], r + 1);
  }
  table.save(path);
}

}  // namespace

std::string text_of(const ScoreSettings& s, const Score& score) {
  const SampleVector& w = *score.run.weights;
  std::string out = fmt::format("\n{}: {} samples of {} numbers, {} classes; {} validation samples\n",
                                s.features.string(), w.size(), score.width, score.classes, score.validation);
  for (const bool real : {true, false}) {
    double sum = 0;
    Index n = 0;
    for (Index i = 0; i < w.size(); ++i)
      if ((score.groups[static_cast<std::size_t>(i)] == data::real_group) == real) {
        sum += w[i];
        ++n;
      }
    if (n > 0)
      out += fmt::format("  {:<9} {:>8} samples, mean weight {:.3f}\n", real ? "real" : "synthetic", n,
                         sum / static_cast<double>(n));
  }
  const auto& cv = score.cross_validation;
  if (!cv.done())
    return out + "No accuracy: no validation samples were held out (--cross-validation), and there is no test set.\n";
  const Mean gain = mean_of(cv.gains());
  return out + fmt::format(
                   "Accuracy on validation samples held out in {} parts: {:.1f} %, without selection {:.1f} %\n"
                   "  difference {:+.1f} [{:+.1f}, {:+.1f}] points\n",
                   cv.samples.size(), 100 * mean_of(cv.method).mean, 100 * mean_of(cv.uniform).mean, 100 * gain.mean,
                   100 * gain.low(), 100 * gain.high());
}

void write_score(const ScoreSettings& s, const Score& score, const std::filesystem::path& folder, bool pictures) {
  const SampleVector& w = *score.run.weights;
  data::write_npy(folder / "weights.npy", [&] {
    std::vector<float> weights;
    for (const double x : w) weights.push_back(static_cast<float>(x));
    return weights;
  }());
  write_selected(s, score, folder / "selected.csv");
  data::write_atomically(folder / "settings.json", settings_text(s));
  data::write_atomically(folder / "report.html", score_report_html(s, score, pictures));
}

}  // namespace mts::lab
