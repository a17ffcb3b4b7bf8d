// What experiments are told, and mts-lab study: sections of treatments, compared.
#include "lab/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lab/comparison.hpp"
#include "lab/experiment_plot.hpp"
#include "lab/runs.hpp"
#include "lab/sections.hpp"
#include "mts/data/atomic_file.hpp"
#include "mts/data/csv.hpp"

namespace mts::lab {

ExperimentSettings tune_defaults() {
  ExperimentSettings e;
  e.seeds = 5;
  e.first_seed = 100;
  return e;
}
ExperimentSettings study_defaults() {
  ExperimentSettings e;
  e.models = {"mlp", "cnn"};
  e.sections = section_names();
  return e;
}

void check(const ExperimentSettings& e) {
  for (const auto& name : e.benchmarks) (void)benchmark_named(name);
  for (const auto& name : e.methods) (void)method_named(name);
  for (const auto& name : e.models)
    if (name != "mlp" && name != "cnn") throw unknown("model", name, std::vector<std::string>{"mlp", "cnn"});
  const auto& known = section_names();
  for (const auto& name : e.sections)
    if (std::find(known.begin(), known.end(), name) == known.end()) throw unknown("section", name, known);
  for (const auto& name : e.benchmarks.empty() ? names_of(benchmarks()) : e.benchmarks)
    if (e.batch > benchmark_named(name).pool_size)
      throw UsageError(
          fmt::format("--batch {}: the pool of '{}' has {} samples", e.batch, name, benchmark_named(name).pool_size));
}

namespace {

Planned planned(const ExperimentSettings& e, const Section& section, const Variant& v, const std::string& benchmark,
                const OptionValues& chosen_for_method, const OptionValues& candidate, EvaluationSet set,
                std::uint64_t seed) {
  Settings s = shared_settings(e, section.model, set);
  s.benchmark = benchmark;
  for (const auto* values : {&chosen_for_method, &v.options, &candidate}) choose(s, *values);
  return {benchmark, {std::move(s), v.method, v.batch, seed}};
}

/// A section's variants and what each was run by.
struct Compared {
  Section section;
  std::vector<OptionValues> chosen;  ///< of the candidates, variant by variant
  std::vector<Planned> jobs;         ///< variant by variant, benchmark by benchmark, seed by seed
  std::vector<Kept> results;
  Comparison comparison;
};

/// Makes or finds the runs of a section.
Compared compare(const Section& section, const ExperimentSettings& e, const TunedSettings& tuned,
                 const OpenBenchmark& open, std::ostream& out, Progress& progress, const std::atomic<bool>& stop) {
  out << section.title << ": " << std::flush;
  std::vector<Planned> trials;
  for (const auto& v : section.variants)
    if (v.candidates.size() > 1)
      for (const auto& candidate : v.candidates)
        for (const auto& benchmark : section.benchmarks)
          for (Index k = 0; k < section.tuning_seeds; ++k)
            trials.push_back(planned(e, section, v, benchmark, tuned.of(section.model, v.method), candidate,
                                     EvaluationSet::tuning,
                                     tune_defaults().first_seed + static_cast<std::uint64_t>(k)));
  std::vector<Kept> tried;
  if (!trials.empty()) {
    out << "tuning: " << std::flush;
    tried = results_of(trials, e, open, out, progress, stop);
  }
  std::vector<OptionValues> chosen;
  std::size_t at = 0;
  for (const auto& v : section.variants) {
    chosen.push_back(v.candidates.front());
    if (v.candidates.size() == 1) continue;
    double best = -1;
    for (const auto& candidate : v.candidates) {
      double sum = 0;
      for (std::size_t k = 0; k < section.benchmarks.size() * static_cast<std::size_t>(section.tuning_seeds); ++k)
        sum += tried[at++].accuracy;
      if (sum > best) {
        best = sum;
        chosen.back() = candidate;
      }
    }
  }
  std::vector<Planned> jobs;
  std::vector<std::string> labels;
  for (std::size_t k = 0; k < section.variants.size(); ++k) {
    const Variant& v = section.variants[k];
    labels.push_back(v.label);
    for (const auto& benchmark : section.benchmarks)
      for (Index seed = 0; seed < section.seeds; ++seed)
        jobs.push_back(planned(e, section, v, benchmark, tuned.of(section.model, v.method), chosen[k],
                               EvaluationSet::test, e.first_seed + static_cast<std::uint64_t>(seed)));
  }
  auto results = results_of(jobs, e, open, out, progress, stop);
  Comparison comparison(labels, section.benchmarks, section.seeds);
  const std::size_t of_variant = section.benchmarks.size() * static_cast<std::size_t>(section.seeds);
  for (std::size_t k = 0; k < jobs.size(); ++k) comparison.add(labels[k / of_variant], jobs[k].benchmark, results[k]);
  return {section, std::move(chosen), std::move(jobs), std::move(results), std::move(comparison)};
}

bool is_ours(const std::string& method) { return method == "mts" || method_named(method).member == "mts"; }

/// The strongest method that is neither ours nor the oracle: the largest mean over the benchmarks.
/// \param ensembles  whether they count
std::string strongest(const Comparison& c, bool ensembles) {
  std::string best;
  for (const auto& method : c.labels()) {
    if (is_ours(method) || method == "oracle" || (!ensembles && !method_named(method).member.empty())) continue;
    if (best.empty() || c.accuracy(method).mean > c.accuracy(best).mean) best = method;
  }
  return best;
}

/// What a table of methods says of `mts`, in a sentence.
std::string verdict_of(const Comparison& c) {
  if (!c.has("mts") || !c.has("uniform")) return "";
  std::string out = fmt::format("\n`mts` - no selection: {}", with_interval(c.difference("mts", "uniform")));
  for (const bool ensembles : {false, true})
    if (const std::string best = strongest(c, ensembles); !best.empty()) {
      out += fmt::format("; the strongest {}, `{}`: `mts` - it {}", ensembles ? "with ensembles" : "of one classifier",
                         best, with_interval(c.difference("mts", best)));
      if (ensembles && c.has("mts-ensemble"))
        out += fmt::format(", `mts-ensemble` - it {}", with_interval(c.difference("mts-ensemble", best)));
    }
  if (c.has("oracle")) {
    const double none = c.accuracy("uniform").mean, top = c.accuracy("oracle").mean;
    out += fmt::format("; of the gap to the oracle, {:.2f}, it closes {:.0f} %", top - none,
                       100 * (c.accuracy("mts").mean - none) / (top - none));
  }
  out += ".\n";
  return out;
}

/// Variants of several batch sizes: one row a batch size, one column a series; and the largest batch against the smallest.
std::string series_tables(const Compared& r) {
  const auto series = series_of(r.section);
  std::vector<Index> batches;
  for (const auto& v : r.section.variants)
    if (std::find(batches.begin(), batches.end(), v.batch) == batches.end()) batches.push_back(v.batch);
  const auto place = [&](const std::string& name, Index n) {
    for (std::size_t k = 0; k < r.section.variants.size(); ++k)
      if (r.section.variants[k].series == name && r.section.variants[k].batch == n) return k;
    throw ValueError(mts::detail::text("section ", r.section.name, ": no variant '", name, "' of batch ", n));
  };
  const auto table = [&](const char* title, auto&& cell) {
    std::string out = fmt::format("\n{}:\n\n| N |", title), line = "|---|";
    for (const auto& name : series) out += fmt::format(" {} |", name), line += "---|";
    out += '\n';
    out += line;
    out += '\n';
    for (const Index n : batches) {
      out += fmt::format("| {} |", n);
      for (const auto& name : series) out += fmt::format(" {} |", cell(place(name, n)));
      out += '\n';
    }
    return out;
  };
  const auto& c = r.comparison;
  const auto label = [&](std::size_t k) { return r.section.variants[k].label; };
  std::string out =
      table("Accuracy in %, with its 95 % interval over the seeds, and what was chosen", [&](std::size_t k) {
        const Mean m = c.accuracy(label(k));
        return fmt::format("{:.2f} ± {:.2f}{}", m.mean, m.half_width,
                           r.chosen[k].empty() ? "" : fmt::format(" ({})", in_words(r.chosen[k])));
      });
  out += table("GSNR given Gamma, median over the steps", [&](std::size_t k) { return or_dash(c.gsnr(label(k))); });
  out += table("B_eff/N at the end", [&](std::size_t k) { return or_dash(c.b_eff(label(k))); });
  out += table("Seconds of a run", [&](std::size_t k) { return or_dash(c.seconds(label(k))); });
  const Index least = *std::min_element(batches.begin(), batches.end());
  const Index most = *std::max_element(batches.begin(), batches.end());
  out += fmt::format("\nN = {} above N = {}, paired:", most, least);
  for (const auto& name : series)
    out += fmt::format("{} {} {}", name == series.front() ? "" : ";", name,
                       with_interval(c.difference(label(place(name, most)), label(place(name, least)))));
  out += ".\n";
  return out;
}

std::string text_of(const Compared& r, const ExperimentSettings& e) {
  const Section& s = r.section;
  std::string out = fmt::format(
      "## {}\n\n{} Test accuracy in %, mean ± standard deviation over seeds {} to {}; differences are paired by seed "
      "after averaging over the benchmarks, with 95 % intervals (t distribution); wins over benchmarks and seeds; "
      "median B_eff/N of the last tenth of the steps; median over the steps of the GSNR given Gamma; seconds of a "
      "run.\n\n",
      s.title, s.words, e.first_seed, e.first_seed + static_cast<std::uint64_t>(s.seeds) - 1);
  const bool methods = s.name.starts_with("methods");
  out += r.comparison.table(methods ? "method" : "variant", s.base, s.reference, methods);
  if (methods) out += verdict_of(r.comparison);
  if (!s.variants.front().series.empty()) out += series_tables(r);
  return out;
}

std::string or_nothing(double x) { return std::isfinite(x) ? fmt::format("{}", x) : std::string(); }

}  // namespace

void study(const ExperimentSettings& e, const OpenBenchmark& open, std::ostream& out, Progress& progress,
           const std::atomic<bool>& stop) {
  study(sections_of(e), e, open, out, progress, stop);
}

void study(const std::vector<Section>& sections, const ExperimentSettings& e, const OpenBenchmark& open,
           std::ostream& out, Progress& progress, const std::atomic<bool>& stop) {
  const double begun = Progress::steady_seconds();
  const TunedSettings tuned = TunedSettings::read(e.tuned);
  data::CsvTable results({"benchmark", "method", "model", "batch", "seed", "accuracy_last"});
  data::CsvTable times({"section", "variant", "benchmark", "method", "model", "batch", "seed", "seconds"});
  data::CsvTable variants({"section", "variant", "chosen", "benchmark", "method", "model", "batch", "seed",
                           "accuracy_last", "b_eff_share", "gsnr"});
  std::string table;
  std::size_t runs = 0;
  for (const Section& section : sections) {
    const Compared r = compare(section, e, tuned, open, out, progress, stop);
    const std::size_t of_variant = r.jobs.size() / section.variants.size();
    for (std::size_t k = 0; k < r.jobs.size(); ++k) {
      const auto& [benchmark, cell] = r.jobs[k];
      const Variant& v = section.variants[k / of_variant];
      const Kept& kept = r.results[k];
      if (section.name.starts_with("methods"))
        results.row(benchmark, cell.method, section.model, cell.batch, cell.seed, kept.accuracy);
      else
        variants.row(section.name, v.label, in_words(r.chosen[k / of_variant]), benchmark, cell.method, section.model,
                     cell.batch, cell.seed, kept.accuracy, or_nothing(kept.b_eff), or_nothing(kept.gsnr));
      times.row(section.name, v.label, benchmark, cell.method, section.model, cell.batch, cell.seed, kept.seconds);
    }
    runs += r.jobs.size();
    if (!table.empty()) table += '\n';
    table += text_of(r, e);
    if (!e.session.no_pictures) write_picture(section, r.comparison, e.session.out);
  }
  results.save(e.session.out / "results.csv");
  variants.save(e.session.out / "variants.csv");
  times.save(e.session.out / "times.csv");
  data::write_atomically(e.session.out / "table.md", table);
  out << '\n'
      << table << '\n'
      << fmt::format("{} runs in {}: {}, results.csv, variants.csv, times.csv\n", runs,
                     clock_text(Progress::steady_seconds() - begun), (e.session.out / "table.md").string());
}

}  // namespace mts::lab
