#pragma once
/// \file
/// Group-shared weight net: one logit for each value of a categorical feature, z_i = phi[c_i].

#include "mts/selection/tabular_weight_net.hpp"

namespace mts {

/// A logit per group, all beginning at 0. Reads one categorical column of the features.
template <class S>
class GroupWeightNet {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Features = FeatureBatch<S>;

  /// \param layout  the features' layout
  /// \param column  the name of the categorical column to share logits by ("group", "class")
  /// \throws ValueError if the layout has no such column
  GroupWeightNet(const FeatureLayout& layout, std::string column) : name_(std::move(column)) {
    for (std::size_t c = 0; c < layout.categorical.size(); ++c)
      if (layout.categorical[c].name == name_) {
        column_ = c;
        groups_ = layout.categorical[c].cardinality;
      }
    check_value(groups_ > 0, "GroupWeightNet", "the features have no categorical column '", name_, "'");
  }
  Parameters initialize(RandomStream) const { return Parameters({{"logits." + name_, 0, groups_, false}}); }
  LookUpLinearization<S> forward(const Parameters& phi, const Features& f) const { return linearize(phi, f); }
  LookUpLinearization<S> linearize(const Parameters& phi, const Features& f) const {
    check_size("GroupWeightNet", "number of parameters", groups_, phi.size());
    if (column_ >= f.categorical.size())
      throw ShapeError(detail::text("GroupWeightNet: the features have no categorical column ", column_));
    check_size("GroupWeightNet", detail::text("values of '", name_, "'"), f.size(),
               static_cast<Index>(f.categorical[column_].size()));
    std::vector<Index> entries;
    entries.reserve(f.categorical[column_].size());
    for (int c : f.categorical[column_]) {
      check_value(c >= 0 && c < groups_, "GroupWeightNet", name_, " of sample ", entries.size(), ": expected 0 to ",
                  groups_ - 1, ", found ", c);
      entries.push_back(c);
    }
    return {phi, std::move(entries)};
  }

 private:
  std::string name_;
  std::size_t column_ = 0;
  Index groups_ = 0;
};

}  // namespace mts
