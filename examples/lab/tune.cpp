// mts-lab tune: every method's settings, chosen on the tuning sets.
#include <fmt/format.h>

#include <algorithm>

#include "lab/experiment.hpp"
#include "lab/runs.hpp"
#include "mts/data/csv.hpp"

namespace mts::lab {

namespace {

/// Every combination of a method's values for a model, in the grid's order.
std::vector<OptionValues> candidates_of(const Method& method, const std::string& model) {
  auto grid = method.grid;
  if (!method.proxies.empty() && model != "mlp") grid.push_back({"proxy", method.proxies});
  std::vector<OptionValues> all{{}};
  for (const auto& [name, values] : grid) {
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

}  // namespace

void tune(const ExperimentSettings& e, const OpenBenchmark& open, std::ostream& out, Progress& progress,
          const std::atomic<bool>& stop) {
  const double begun = Progress::steady_seconds();
  TunedSettings tuned;
  if (std::filesystem::exists(e.tuned)) tuned = TunedSettings::read(e.tuned);
  const auto names = e.benchmarks.empty() ? names_of(benchmarks()) : e.benchmarks;
  const Index seeds = e.quick ? std::min<Index>(2, e.seeds) : e.seeds;
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
        for (auto& values : candidates_of(method, model)) candidates.push_back({model, method.name, std::move(values)});
  std::vector<Planned> jobs;
  for (const auto& c : candidates)
    for (const auto& benchmark : names)
      for (Index k = 0; k < seeds; ++k) {
        Settings s = shared_settings(e, c.model, EvaluationSet::tuning);
        s.benchmark = benchmark;
        choose(s, c.values);
        jobs.push_back({benchmark, {std::move(s), c.method, e.batch, e.first_seed + static_cast<std::uint64_t>(k)}});
      }
  const auto results = results_of(jobs, e, open, out, progress, stop);

  std::size_t at = 0;
  for (auto& c : candidates) {
    for (std::size_t b = 0; b < names.size(); ++b) {
      double sum = 0;
      for (Index k = 0; k < seeds; ++k) sum += results[at++].accuracy;
      c.accuracy.push_back(100 * sum / static_cast<double>(seeds));
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

}  // namespace mts::lab
