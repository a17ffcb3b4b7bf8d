#include "lab/feature_sets.hpp"

#include <algorithm>

namespace mts::lab {

namespace {

using Names = std::vector<std::string>;

Names joined(std::initializer_list<Names> parts) {
  Names all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

const std::vector<FeatureSet>& feature_sets() {
  static const Names online_position = {"nearest-validation-cosine", "validation-centre-cosine"},
                     offline_position = {"real-centre-cosine",       "synthetic-centre-cosine", "nearest-real-cosine",
                                         "nearest-synthetic-cosine", "neighbour-agreement",     "median-distance-rank"},
                     dynamics = {"gradient-norm", "error-norm", "forgetting"}, labels = {"class", "group"};
  static const std::vector<FeatureSet> sets = {
      {"paper", "the 13 features of the MTS paper, in its order: position, dynamics, class and group",
       joined({online_position, offline_position, dynamics, labels})},
      {"position", "those of them that say where a sample lies, with class and group",
       joined({online_position, offline_position, labels})},
      {"dynamics", "those of them that a run without selection shows, with class and group",
       joined({dynamics, labels})},
      {"labels", "class and group alone", labels},
  };
  return sets;
}

std::vector<std::string> features_of(std::span<const std::string> names) {
  Names all;
  for (const auto& name : names) {
    const auto set = std::find_if(feature_sets().begin(), feature_sets().end(),
                                  [&](const FeatureSet& candidate) { return candidate.name == name; });
    if (set == feature_sets().end())
      all.push_back(name);
    else
      all.insert(all.end(), set->features.begin(), set->features.end());
  }
  return all;
}

}  // namespace mts::lab
