#pragma once
/// \file
/// What a selection method is given: a pool of real and synthetic samples, a small validation set, and the sets it is judged
/// on; and how a batch of them is put together.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mts/autodiff/image.hpp"
#include "mts/core/error.hpp"
#include "mts/core/types.hpp"
#include "mts/data/row_source.hpp"

namespace mts::data {

/// What a sample of a pool is, the truth that no method sees.
enum class Kind : std::uint8_t {
  real,       ///< a real image
  good,       ///< an edit that changes the attribute and keeps the content
  unchanged,  ///< an edit that keeps both: a near duplicate
  content,    ///< an edit that changes the content although the label stays
  destroyed   ///< an edit of which nothing is left
};
inline constexpr std::array<Kind, 5> all_kinds{Kind::real, Kind::good, Kind::unchanged, Kind::content, Kind::destroyed};

inline std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 5> names{"real", "good", "unchanged", "content", "destroyed"};
  return names[static_cast<std::size_t>(kind)];
}
/// Whether samples of this kind help by construction; the oracle trains on these alone.
constexpr bool helps(Kind kind) { return kind == Kind::real || kind == Kind::good; }

inline constexpr int real_group = 0;       ///< `Samples::groups` of real samples
inline constexpr int synthetic_group = 1;  ///< and of edits

/// Labelled samples, N of them.
struct LabelledSet {
  RowMatrix<float> inputs;      ///< N x D; N x 0 where they are not in memory but in `source`
  std::vector<int> labels;      ///< N, in {0, ..., C-1}
  RowMatrix<float> embeddings;  ///< N x E, generative embeddings; N x 0 where there are none
  std::vector<int> attributes;  ///< N, the truth: the spurious attribute of each; not for methods to see
  std::shared_ptr<const RowSource> source = {};  ///< of the inputs, N x D, where they are not in memory

  Index size() const { return inputs.rows(); }
  /// D
  Index width() const { return source ? source->cols() : inputs.cols(); }
};

/// The samples at these places, in that order; inputs that are not in memory stay where they are.
/// \throws ShapeError for a place outside the set
inline LabelledSet subset(const LabelledSet& set, std::span<const Index> places) {
  detail::check_places("subset", places, set.size());
  const std::vector<Index> rows(places.begin(), places.end());
  LabelledSet some;
  if (set.source) {
    some.inputs.resize(static_cast<Index>(rows.size()), 0);
    some.source = std::make_shared<SomeRows>(set.source, rows);
  } else {
    some.inputs = set.inputs(rows, Eigen::all);
  }
  some.embeddings = set.embeddings(rows, Eigen::all);
  for (const Index i : rows) {
    some.labels.push_back(set.labels[static_cast<std::size_t>(i)]);
    some.attributes.push_back(set.attributes[static_cast<std::size_t>(i)]);
  }
  return some;
}

/// Real and synthetic samples to select from.
struct Pool : LabelledSet {
  std::vector<int> groups;     ///< N, real_group or synthetic_group
  std::vector<Kind> kinds;     ///< N, the truth; not for methods to see
  std::vector<Index> origins;  ///< N, the real sample that each was edited from, itself where real
};

/// One learning problem: methods see `pool` (but for its truth) and `validation`; settings are chosen on `tuning`; `test` is
/// for the report.
struct Problem {
  std::string name;
  int classes = 0;                              ///< C
  std::optional<autodiff::ImageShape> image{};  ///< of every input, where inputs are images as rows; else nothing
  Pool pool;
  LabelledSet validation;
  LabelledSet tuning;
  LabelledSet test;
};

/// Checks that a set is one: sizes that agree, finite inputs and embeddings, labels in range.
/// \param where  what the set is called in messages
/// \throws ShapeError, NumericalError, ValueError that name the set, the part, and the first bad sample
inline void check(const LabelledSet& set, int classes, std::string_view where) {
  const Index n = set.size();
  if (set.source) check_size(where, "rows of the source", n, set.source->rows());
  check_size(where, "labels", n, static_cast<Index>(set.labels.size()));
  check_size(where, "attributes", n, static_cast<Index>(set.attributes.size()));
  if (set.embeddings.cols() != 0) check_size(where, "rows of embeddings", n, set.embeddings.rows());
  for (Index i = 0; i < n; ++i) {
    const int label = set.labels[static_cast<std::size_t>(i)];
    check_value(label >= 0 && label < classes, where, "the label of sample ", i, ": expected 0 to ", classes - 1,
                ", found ", label);
  }
  const auto finite = [&](const auto& m, std::string_view what, Index first = 0) {
    for (Index i = 0; i < m.rows(); ++i)
      for (Index j = 0; j < m.cols(); ++j)
        if (!std::isfinite(m(i, j)))
          throw NumericalError(mts::detail::text(where, ": ", what, " of sample ", first + i,
                                                 ": expected finite numbers, found ", m(i, j), " at ", j));
  };
  RowMatrix<float> row(1, set.source ? set.width() : 0);
  for (Index i = 0; set.source && i < n; ++i) {
    set.source->read(i, rows_of(row));
    finite(row, "the input", i);
  }
  finite(set.inputs, "the input");
  finite(set.embeddings, "the embedding");
}

/// Checks a pool: as a set, and that groups, kinds and origins are there and agree with one another.
/// \throws as above
inline void check(const Pool& pool, int classes, std::string_view where) {
  check(static_cast<const LabelledSet&>(pool), classes, where);
  check_size(where, "groups", pool.size(), static_cast<Index>(pool.groups.size()));
  check_size(where, "kinds", pool.size(), static_cast<Index>(pool.kinds.size()));
  check_size(where, "origins", pool.size(), static_cast<Index>(pool.origins.size()));
  for (std::size_t i = 0; i < pool.groups.size(); ++i) {
    const bool real = pool.kinds[i] == Kind::real;
    const int group = real ? real_group : synthetic_group;
    check_value(pool.groups[i] == group, where, "the group of sample ", i, ", which is ", name_of(pool.kinds[i]),
                ": expected ", group, ", found ", pool.groups[i]);
    const Index origin = pool.origins[i];
    check_value(origin >= 0 && origin < pool.size() && (!real || origin == static_cast<Index>(i)) &&
                    pool.kinds[static_cast<std::size_t>(origin)] == Kind::real,
                where, "the origin of sample ", i, ": expected the place of a real sample", real ? " (itself)" : "",
                ", found ", origin);
  }
}

/// Checks all parts of a problem. \throws as above; ShapeError if inputs or embeddings differ in length, or inputs are
/// no images of the shape they are said to have
inline void check(const Problem& problem) {
  check_value(problem.classes >= 2, problem.name, "expected at least 2 classes, found ", problem.classes);
  check(problem.pool, problem.classes, problem.name + ": pool");
  if (problem.image)
    check_size(problem.name + ": pool", mts::detail::text("length of an input, an image of ", in_words(*problem.image)),
               problem.image->size(), problem.pool.width());
  const auto check_part = [&](const LabelledSet& part, std::string_view name) {
    const std::string where = mts::detail::text(problem.name, ": ", name);
    check(part, problem.classes, where);
    check_size(where, "length of an input", problem.pool.width(), part.width());
    if (part.embeddings.cols() != 0)
      check_size(where, "length of an embedding", problem.pool.embeddings.cols(), part.embeddings.cols());
  };
  check_part(problem.validation, "validation");
  check_part(problem.tuning, "tuning");
  check_part(problem.test, "test");
}

/// A batch to fill: `inputs`, a row-major matrix of any scalar, and `labels`.
template <class B>
concept LabelledBatch = requires(B& b, Index n) {
  b.inputs.resize(n, n);
  b.labels.resize(std::size_t{1});
  typename std::remove_cvref_t<decltype(b.inputs)>::Scalar;
};

/// batch <- the samples `ids` of the set, in that order. Allocates nothing once the batch has had this size, where inputs are in memory.
/// \throws ShapeError if a place is outside the set; then nothing has changed; what the set's source throws
template <LabelledBatch Batch>
void gather(const LabelledSet& set, std::span<const Index> ids, Batch& batch) {
  using S = typename std::remove_cvref_t<decltype(batch.inputs)>::Scalar;
  detail::check_places("gather", ids, set.size());
  batch.inputs.resize(static_cast<Index>(ids.size()), set.width());
  batch.labels.resize(ids.size());
  RowMatrix<float> row(1, set.source ? set.width() : 0);
  for (std::size_t k = 0; k < ids.size(); ++k) {
    if (set.source) {
      set.source->read(ids[k], rows_of(row));
      batch.inputs.row(static_cast<Index>(k)) = row.template cast<S>();
    } else {
      batch.inputs.row(static_cast<Index>(k)) = set.inputs.row(ids[k]).template cast<S>();
    }
    batch.labels[k] = set.labels[static_cast<std::size_t>(ids[k])];
  }
}
/// The same from a pool, with what selection may know of the samples.
template <LabelledBatch Batch>
void gather(const Pool& pool, std::span<const Index> ids, Batch& batch, Samples& samples) {
  gather(pool, ids, batch);
  samples.ids.assign(ids.begin(), ids.end());
  samples.labels.resize(ids.size());
  samples.groups.resize(ids.size());
  for (std::size_t k = 0; k < ids.size(); ++k) {
    samples.labels[k] = pool.labels[static_cast<std::size_t>(ids[k])];
    samples.groups[k] = pool.groups[static_cast<std::size_t>(ids[k])];
  }
}
/// batch <- samples [begin, end) of the set.
template <LabelledBatch Batch>
void gather_range(const LabelledSet& set, Index begin, Index end, Batch& batch) {
  std::vector<Index> ids(static_cast<std::size_t>(std::max<Index>(0, end - begin)));
  std::iota(ids.begin(), ids.end(), begin);
  gather(set, ids, batch);
}
/// batch <- the whole set.
template <LabelledBatch Batch>
void gather_all(const LabelledSet& set, Batch& batch) {
  using S = typename std::remove_cvref_t<decltype(batch.inputs)>::Scalar;
  if (set.source) return gather_range(set, 0, set.size(), batch);
  batch.inputs = set.inputs.template cast<S>();
  batch.labels.assign(set.labels.begin(), set.labels.end());
}

}  // namespace mts::data
