#pragma once
/// \file
/// `Loss`: the sample's loss at theta, the one input of MW-Net.

#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// Column "loss": l_i(theta), as the linearisation has it. Any model will do. Cost: a copy of N numbers. Thread-safe.
/// Source: Shu et al., Meta-Weight-Net, NeurIPS 2019.
class Loss {
 public:
  std::string name() const { return "loss"; }
  std::string cost() const { return "nothing: the step has it"; }
  FeatureLayout layout() const { return {{"loss"}, {}}; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    check_size("loss", "number of samples", context.train.value().size(), rows.rows());
    rows.col(0) = context.train.value();
  }
};

}  // namespace mts::features
