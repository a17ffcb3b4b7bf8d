#pragma once
/// \file
/// Rows of numbers that need not be in memory: they are read when a batch asks for them. What a pool larger than memory is trained from.

#include <cmath>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/types.hpp"

namespace mts::data {

namespace detail {
inline void check_places(std::string_view where, std::span<const Index> places, Index size) {
  for (const Index i : places)
    if (i < 0 || i >= size)
      throw ShapeError(mts::detail::text(where, ": expected places in [0, ", size, "), found ", i));
}
}  // namespace detail

/// N rows of D numbers. Const calls are thread-safe, and a row is the same whenever it is read.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual Index rows() const = 0;  ///< N
  virtual Index cols() const = 0;  ///< D
  /// out (1 x D) <- row i, which is one of them. \throws DataError if it can't be read
  virtual void read(Index i, Rows<float> out) const = 0;
};

/// Some rows of another source, in any order.
class SomeRows final : public RowSource {
 public:
  /// \throws ShapeError for a place outside the source
  SomeRows(std::shared_ptr<const RowSource> source, std::vector<Index> places)
      : source_(std::move(source)), places_(std::move(places)) {
    detail::check_places("SomeRows", places_, source_->rows());
  }
  Index rows() const override { return static_cast<Index>(places_.size()); }
  Index cols() const override { return source_->cols(); }
  void read(Index i, Rows<float> out) const override { source_->read(places_[static_cast<std::size_t>(i)], out); }

 private:
  std::shared_ptr<const RowSource> source_;
  std::vector<Index> places_;
};

/// The rows of a source, and those of a matrix behind them.
class ExtendedRows final : public RowSource {
 public:
  /// \throws ShapeError if they differ in length
  ExtendedRows(std::shared_ptr<const RowSource> source, RowMatrix<float> more)
      : source_(std::move(source)), more_(std::move(more)) {
    check_size("ExtendedRows", "length of a row", source_->cols(), more_.cols());
  }
  Index rows() const override { return source_->rows() + more_.rows(); }
  Index cols() const override { return source_->cols(); }
  void read(Index i, Rows<float> out) const override {
    if (i < source_->rows())
      source_->read(i, out);
    else
      out = more_.row(i - source_->rows());
  }

 private:
  std::shared_ptr<const RowSource> source_;
  RowMatrix<float> more_;
};

}  // namespace mts::data
