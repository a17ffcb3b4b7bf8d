#pragma once
/// \file
/// What a study compares: sections, each of several treatments on the same benchmarks and seeds.

#include <string>
#include <vector>

#include "lab/experiment.hpp"
#include "lab/tuned.hpp"

namespace mts::lab {

/// A treatment: a method by the settings chosen for it, and what differs from them.
struct Variant {
  std::string label;
  std::string method;
  Index batch = 0;
  OptionValues options = {};
  /// Where there are several, the best on the tuning sets, by the mean over benchmarks and tuning seeds, is taken.
  std::vector<OptionValues> candidates = {{}};
  std::string series = {};  ///< of variants that differ by the batch size: what they have in common
};

struct Section {
  std::string name;   ///< of its files
  std::string title;  ///< of its part of table.md
  std::string words;  ///< what is asked and how
  std::string model = "mlp";
  std::vector<std::string> benchmarks;
  Index seeds = 0;
  Index tuning_seeds = 0;       ///< from 100
  std::string base, reference;  ///< labels that others are compared with, as Comparison::table
  std::vector<Variant> variants;
};

/// Of variants that differ by the batch size: what they have in common, each once, in their order.
std::vector<std::string> series_of(const Section& section);

/// What can be asked for by --section.
const std::vector<std::string>& section_names();

/// Sections of these names, in the order of `section_names`; the methods' once for each model.
std::vector<Section> sections_of(const ExperimentSettings& settings);

/// `study` of these sections.
void study(const std::vector<Section>& sections, const ExperimentSettings& settings, const OpenBenchmark& open,
           std::ostream& out, Progress& progress, const std::atomic<bool>& stop);

}  // namespace mts::lab
