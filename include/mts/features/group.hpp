#pragma once
/// \file
/// `Group`: where the sample comes from, for a learned embedding.

#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// Categorical column "group": g_i from `samples.groups`; 0 = real, 1 = synthetic, more are allowed. Cost: a copy of N
/// numbers. Thread-safe.
/// \throws ShapeError where the context has no groups, ValueError for one out of range
class Group {
 public:
  /// \param groups  how many there are, at least 1. \throws ValueError
  explicit Group(int groups = 2) : groups_(groups) {
    check_value(groups >= 1, "group", "the number of groups must be at least 1, found ", groups);
  }

  std::string name() const { return "group"; }
  std::string cost() const { return "nothing"; }
  FeatureLayout layout() const { return {{}, {{"group", groups_}}}; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double>, std::span<std::vector<int>> columns) const {
    detail::copy_categorical("group", "samples.groups", context.samples.groups, groups_, columns);
  }

 private:
  int groups_;
};

}  // namespace mts::features
