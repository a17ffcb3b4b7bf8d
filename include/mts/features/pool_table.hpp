#pragma once
/// \file
/// `PoolTable`: what an offline feature knows, one row for each sample of the pool.

#include <string>
#include <utility>

#include "mts/core/state.hpp"
#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// One row of D numbers for each sample of a pool, found by `samples.ids`. Offline extractors hold one: `fit` fills it, once,
/// and `extract` looks up. Const calls are thread-safe.
class PoolTable {
 public:
  /// \param owner  the feature's name, for messages
  explicit PoolTable(std::string owner) : owner_(std::move(owner)) {}

  bool fitted() const { return values_.rows() > 0; }
  /// Pool size x D. \throws ValueError if there is none yet
  const RowMatrix<double>& values() const {
    check_value(fitted(), owner_, "not fitted: call fit on the pool before features are extracted");
    return values_;
  }
  /// Takes the place of what was there. \throws NumericalError that names the first value which is not finite
  void assign(RowMatrix<double> values) {
    for (Index i = 0; i < values.rows(); ++i)
      for (Index d = 0; d < values.cols(); ++d)
        if (!std::isfinite(values(i, d)))
          throw NumericalError(mts::detail::text(owner_, ": fit: value of sample ", i, ", column ", d,
                                                 ": expected a finite number, found ", values(i, d)));
    values_ = std::move(values);
  }
  /// That `samples.ids` are n places of the pool.
  /// \throws ValueError if not fitted, if the ids are absent, or if one is not of the pool; ShapeError
  void check_ids(const Samples& samples, Index n) const {
    const auto& table = values();
    check_value(!samples.ids.empty() || n == 0, owner_,
                "needs the samples' places in the pool (samples.ids), found none");
    check_size(owner_, "samples.ids", n, static_cast<Index>(samples.ids.size()));
    for (std::size_t i = 0; i < samples.ids.size(); ++i)
      check_value(samples.ids[i] >= 0 && samples.ids[i] < table.rows(), owner_, "id of sample ", i, ": expected 0 to ",
                  table.rows() - 1, " (the pool it was fitted on), found ", samples.ids[i]);
  }
  /// rows (N x D) <- the rows of `samples.ids`. \throws as check_ids; ShapeError
  void look_up(const Samples& samples, Rows<double> rows) const {
    check_ids(samples, rows.rows());
    check_size(owner_, "columns", values_.cols(), rows.cols());
    for (Index i = 0; i < rows.rows(); ++i) rows.row(i) = values_.row(samples.ids[static_cast<std::size_t>(i)]);
  }

  /// Writes the table, or that there is none, and whose it is.
  void save(std::ostream& out) const {
    mts::detail::StateWriter(out, owner_ + ": save", kind)
        .words(owner_)
        .count(values_.cols())
        .vector(std::span<const double>(values_.data(), static_cast<std::size_t>(values_.size())));
  }
  /// Takes the place of what was there: where a table is fitted, one of as many rows, or none.
  /// \param columns  D, as many as the table must have where there is one
  /// \throws DataError if the stream ends early, or holds something else, another feature's table or one of another shape; then
  ///         nothing has changed
  void load(std::istream& in, Index columns) {
    mts::detail::StateReader reader(in, owner_ + ": load", kind);
    const std::string owner = reader.words("whose table");
    reader.check(owner == owner_, "whose table", owner_, owner);
    const Index found = reader.count("columns");
    const auto entries = reader.vector<double>("entries of the table");
    const auto n = static_cast<Index>(entries.size());
    if (n > 0) {
      reader.check(found == columns && n % columns == 0, "columns", columns, found);
      reader.check(!fitted() || n / columns == values_.rows(), "samples of the table", values_.rows(), n / columns);
      for (const double x : entries) reader.check(std::isfinite(x), "entry of the table", "a finite number", x);
    }
    values_ = n > 0 ? RowMatrix<double>(Eigen::Map<const RowMatrix<double>>(entries.data(), n / columns, columns))
                    : RowMatrix<double>();
  }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 't', 'b', 'l', '1'};

  std::string owner_;
  RowMatrix<double> values_;
};

}  // namespace mts::features
