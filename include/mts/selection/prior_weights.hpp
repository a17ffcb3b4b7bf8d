#pragma once
/// \file
/// Prior weights c_i of the samples of a batch, from tables by class and by place in the pool.

#include <vector>

#include "mts/core/error.hpp"

namespace mts {

/// c_i = by_class[label_i] by_sample[id_i]; an empty table counts as ones.
struct PriorWeights {
  std::vector<double> by_class = {};   ///< one number >= 0 a class
  std::vector<double> by_sample = {};  ///< one number >= 0 a pool sample

  /// out <- c (N), or empty where both tables are.
  /// \throws ShapeError, ValueError if labels or ids are missing or have no weight
  void fill(Index n, const Samples& samples, SampleVector& out) const {
    out.setOnes(by_class.empty() && by_sample.empty() ? 0 : n);
    multiply(by_class, samples.labels, "label", "number of labels", out);
    multiply(by_sample, samples.ids, "id", "number of ids", out);
  }

 private:
  template <class Keys>
  static void multiply(const std::vector<double>& table, const Keys& keys, const char* what, const char* number,
                       SampleVector& out) {
    if (table.empty()) return;
    check_size("PriorWeights", number, out.size(), static_cast<Index>(keys.size()));
    for (Index i = 0; i < out.size(); ++i) {
      const auto key = static_cast<Index>(keys[static_cast<std::size_t>(i)]);
      check_value(key >= 0 && key < static_cast<Index>(table.size()), "PriorWeights", what, " of sample ", i,
                  ": expected 0 to ", table.size() - 1, ", found ", key);
      out[i] *= table[static_cast<std::size_t>(key)];
    }
  }
};

}  // namespace mts
