#pragma once
/// \file
/// Features that are asked for together, by one name.

#include <span>
#include <string>
#include <vector>

namespace mts::lab {

struct FeatureSet {
  std::string name;
  std::string words;  ///< one line
  std::vector<std::string> features;
};
const std::vector<FeatureSet>& feature_sets();

/// The names of features that these names of features and sets stand for, in their order. A set's name is no feature's. Unknown names stay.
std::vector<std::string> features_of(std::span<const std::string> names);

}  // namespace mts::lab
