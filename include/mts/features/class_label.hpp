#pragma once
/// \file
/// `ClassLabel`: the sample's class, for a learned embedding.

#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// Categorical column "class": c_i from `samples.labels`. What becomes of it (a learned embedding) is the weight net's affair.
/// Cost: a copy of N numbers. Thread-safe.
/// \throws ShapeError where the context has no labels, ValueError for one out of range
class ClassLabel {
 public:
  /// \param classes  C, at least 1. \throws ValueError
  explicit ClassLabel(int classes) : classes_(classes) {
    check_value(classes >= 1, "class", "the number of classes must be at least 1, found ", classes);
  }

  std::string name() const { return "class"; }
  std::string cost() const { return "nothing"; }
  FeatureLayout layout() const { return {{}, {{"class", classes_}}}; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double>, std::span<std::vector<int>> columns) const {
    detail::copy_categorical("class", "samples.labels", context.samples.labels, classes_, columns);
  }

 private:
  int classes_;
};

}  // namespace mts::features
