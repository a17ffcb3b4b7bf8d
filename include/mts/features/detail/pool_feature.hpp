#pragma once
/// \file
/// What offline extractors share: their columns by name, the table that `fit` fills, and the look-up by id.

#include <string>
#include <utility>
#include <vector>

#include "mts/features/pool_table.hpp"

namespace mts::features::detail {

/// "NAME_1" ... "NAME_k".
inline std::vector<std::string> numbered(std::string_view name, Index k) {
  std::vector<std::string> names;
  for (Index r = 1; r <= k; ++r) names.push_back(mts::detail::text(name, "_", r));
  return names;
}

/// An offline extractor but for its `fit`. Const calls are thread-safe.
class PoolFeature {
 public:
  const std::string& name() const { return name_; }
  const std::string& cost() const { return cost_; }
  const FeatureLayout& layout() const { return layout_; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }
  const PoolTable& table() const { return table_; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    table_.look_up(context.samples, rows);
  }

  /// What `fit` made, so that a run that goes on need not fit again.
  void save(std::ostream& out) const { table_.save(out); }
  /// \throws DataError as `PoolTable::load`
  void load(std::istream& in) { table_.load(in, static_cast<Index>(layout_.continuous.size())); }

 protected:
  PoolFeature(std::string name, std::vector<std::string> columns, std::string cost_of_fit)
      : name_(std::move(name)),
        cost_("a look-up a step; fit: " + std::move(cost_of_fit)),
        layout_{std::move(columns), {}},
        table_(name_) {}

  void assign(RowMatrix<double> values) { table_.assign(std::move(values)); }

 private:
  std::string name_, cost_;
  FeatureLayout layout_;
  PoolTable table_;
};

}  // namespace mts::features::detail
