#include "lab/sections.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lab/feature_sets.hpp"

namespace mts::lab {

namespace {

std::vector<std::string> or_all(const std::vector<std::string>& chosen, std::vector<std::string> all) {
  return chosen.empty() ? all : chosen;
}

/// A section on all benchmarks (that were chosen) and seeds.
Section section_of(const ExperimentSettings& e, std::string name, std::string title, std::string words) {
  Section s;
  s.name = std::move(name);
  s.title = std::move(title);
  s.words = std::move(words);
  s.benchmarks = or_all(e.benchmarks, names_of(benchmarks()));
  s.seeds = e.seeds;
  return s;
}

Section methods_section(const ExperimentSettings& e, const std::string& model) {
  Section s = section_of(e, "methods-" + model, "Methods, " + model, "All methods by the settings chosen for them.");
  s.model = model;
  s.base = "uniform";
  s.reference = "mts";
  for (const auto& method : or_all(e.methods, names_of(methods()))) {
    s.variants.push_back({method, method, e.batch});
    // so many that no ensemble costs less than mts
    if (!method_named(method).member.empty()) s.variants.back().options = {{"members", model == "cnn" ? "2" : "3"}};
  }
  return s;
}

Section parts_section(const ExperimentSettings& e) {
  Section s = section_of(
      e, "parts", "What the parts of mts give",
      "mts with one part left out; with one fold, every sample is judged by a model that was trained on it.");
  s.base = "uniform";
  s.reference = "mts";
  s.variants.push_back({"mts", "mts", e.batch});
  for (const char* part : {"evidence", "position", "ratio", "balance"})
    s.variants.push_back({fmt::format("without {}", part), "mts", e.batch, {{"without", part}}});
  s.variants.push_back({"one fold", "mts", e.batch, {{"folds", "1"}}});
  s.variants.push_back({"rho-loss", "rho-loss", e.batch});
  s.variants.push_back({"uniform", "uniform", e.batch});
  return s;
}

Section features_section(const ExperimentSettings& e) {
  Section s = section_of(e, "features", "What the features give to a weight net",
                         "weight-net by what it sees: the paper's features, sets of them, and each feature alone.");
  s.seeds = std::min<Index>(3, e.seeds);
  s.base = "uniform";
  s.reference = "paper";
  const auto add = [&](const std::string& label, const std::string& names) {
    s.variants.push_back({label, "weight-net", e.batch, {{"features", names}}});
  };
  for (const auto& set : feature_sets()) add(set.name, set.name);
  for (const auto& feature : features()) add(feature.name + " alone", feature.name);
  s.variants.push_back({"uniform", "uniform", e.batch});
  return s;
}

const std::vector<OptionValues> meta_rates = {{{"meta-lr", "0.0003"}}, {{"meta-lr", "0.001"}}, {{"meta-lr", "0.003"}}};

Section batches_section(const ExperimentSettings& e) {
  Section s = section_of(
      e, "batches", "Batch size",
      "Equal steps; the meta rate of weight-net is chosen anew for each batch size, the other two have none.");
  s.seeds = std::min<Index>(5, e.seeds);
  s.tuning_seeds = e.quick ? 1 : 2;
  for (const char* method : {"weight-net", "rho-loss", "mts"})
    for (const Index n : {64, 256, 1024})
      s.variants.push_back({fmt::format("{}, N = {}", method, n),
                            method,
                            n,
                            {},
                            std::string(method) == "weight-net" ? meta_rates : std::vector<OptionValues>{{}},
                            method});
  return s;
}

Section grid_section(const ExperimentSettings& e) {
  Section s =
      section_of(e, "grid", "Batch size and validation size",
                 "weight-net on spurious, batches of N, M validation samples, the meta rate chosen for each point.");
  s.benchmarks = {"spurious"};
  s.seeds = std::min<Index>(3, e.seeds);
  s.tuning_seeds = 1;
  const std::vector<Index> n = e.quick ? std::vector<Index>{64, 1024} : std::vector<Index>{64, 256, 1024, 4096};
  const std::vector<Index> m = e.quick ? std::vector<Index>{48, 400} : std::vector<Index>{32, 48, 96, 208, 400};
  for (const Index validation : m)
    for (const Index batch : n)
      s.variants.push_back({fmt::format("M = {}, N = {}", validation, batch),
                            "weight-net",
                            batch,
                            {{"validation", fmt::format("{}", validation)}},
                            meta_rates,
                            fmt::format("M = {}", validation)});
  return s;
}

}  // namespace

std::vector<std::string> series_of(const Section& section) {
  std::vector<std::string> series;
  for (const auto& v : section.variants)
    if (std::find(series.begin(), series.end(), v.series) == series.end()) series.push_back(v.series);
  return series;
}

const std::vector<std::string>& section_names() {
  static const std::vector<std::string> names = {"methods", "parts", "features", "batches", "grid"};
  return names;
}

std::vector<Section> sections_of(const ExperimentSettings& e) {
  std::vector<Section> all;
  for (const auto& name : section_names()) {
    if (std::find(e.sections.begin(), e.sections.end(), name) == e.sections.end()) continue;
    if (name == "methods")
      for (const auto& model : e.models) all.push_back(methods_section(e, model));
    if (name == "parts") all.push_back(parts_section(e));
    if (name == "features") all.push_back(features_section(e));
    if (name == "batches") all.push_back(batches_section(e));
    if (name == "grid") all.push_back(grid_section(e));
  }
  if (e.quick)
    for (auto& section : all) section.seeds = std::min<Index>(2, section.seeds);
  return all;
}

}  // namespace mts::lab
