#pragma once
/// \file
/// `Column`: an integer column of a batch (labels, categories) in a device's memory.

#include <algorithm>
#include <span>

#include "mts/cuda/buffer.hpp"

namespace mts::cuda {

/// n integers in a device's memory. Their range is known on the host, so that no evaluation has to look at them again.
template <class E>
class Column {
 public:
  Column() = default;
  Column(SharedQueue<E> queue, std::span<const int> values) { assign(std::move(queue), values); }

  /// Reuses memory where the length is as before.
  void assign(SharedQueue<E> queue, std::span<const int> values) {
    const auto n = static_cast<Index>(values.size());
    if (values_.size() != n || !values_.data()) values_ = Buffer<int, E>(queue, n);
    queue->upload(values_.data(), values.data(), n);
    if (values.empty()) return;
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    least_ = {*least, least - values.begin()};
    greatest_ = {*greatest, greatest - values.begin()};
  }

  Index size() const { return values_.size(); }
  const int* data() const { return values_.data(); }

  /// \throws ValueError that names a sample unless all values are in {0, ..., cardinality - 1}
  void check(std::string_view where, std::string_view what, int cardinality) const {
    if (size() == 0) return;
    const auto check_value_of = [&](const Extreme& x) {
      check_value(x.value >= 0 && x.value < cardinality, where, what, " of sample ", x.place, ": expected 0 to ",
                  cardinality - 1, ", found ", x.value);
    };
    check_value_of(least_);
    check_value_of(greatest_);
  }

 private:
  struct Extreme {
    int value = 0;
    Index place = 0;
  };
  Buffer<int, E> values_;
  Extreme least_, greatest_;
};

}  // namespace mts::cuda
