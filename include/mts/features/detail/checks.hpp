#pragma once
/// \file
/// What every extractor checks, and how it says so.

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mts/core/concepts.hpp"
#include "mts/core/feature_context.hpp"

namespace mts::features::detail {

/// Refuses, in words, a forward that shows no embeddings.
template <class F>
consteval void require_classifier_forward() {
  static_assert(
      ClassifierForward<F>,
      "mts: ClassifierForward, CF1: this feature is made of embeddings and asks for a linearisation and a forward "
      "that show them: add  logits() (N x C)  and  embeddings() (N x E)  to both, or leave the feature out");
}

/// Whether a range of samples can be extracted by itself (FE4).
template <class E>
constexpr bool by_rows() {
  if constexpr (requires { typename std::bool_constant<E::by_rows()>; }) return E::by_rows();
  return false;
}
/// Whether something remains to be done when all rows are there.
template <class E>
concept Finishes = requires(const E& e, Rows<double> rows, const Samples& samples) { e.finish(rows, samples); };
template <class E, class Context>
void extract_rows(const E& e, const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) {
  if constexpr (Finishes<E>)
    e.extract_rows(context, rows, columns);
  else
    e.extract(context, rows, columns);
}

/// That what is known of the samples is known of N of them. \throws ShapeError
inline void check_sample_count(std::string_view where, Index n, const Samples& s) {
  const auto check = [&](std::string_view what, std::size_t found) {
    if (found != 0) check_size(where, what, n, static_cast<Index>(found));
  };
  check("samples.ids", s.ids.size());
  check("samples.labels", s.labels.size());
  check("samples.groups", s.groups.size());
}

/// The number N of samples that a context is about, and that everything which is said of them has N entries.
/// \throws ShapeError
template <class Context>
Index sample_count(std::string_view where, const Context& context) {
  Index n = context.samples.size();
  if constexpr (Forward<std::remove_cvref_t<decltype(context.train)>>) n = context.train.value().size();
  check_sample_count(where, n, context.samples);
  return n;
}

/// Throws NumericalError that names the column and the sample i.
[[noreturn]] inline void refuse_not_finite(std::string_view where, const std::string& column, Index i, double found,
                                           const Samples& samples) {
  const auto k = static_cast<std::size_t>(i);
  throw NumericalError(
      mts::detail::text(where, ": feature ", column, " of sample ", i,
                        k < samples.ids.size() ? mts::detail::text(" (id ", samples.ids[k], ")") : std::string(),
                        ": expected a finite number, found ", found));
}
/// Throws NumericalError that names the first sample with a value that is not finite, and the column.
/// \param scalar  the type whose range counts
template <class Scalar = double>
void check_columns_finite(std::string_view where, const std::vector<std::string>& names, const Rows<double>& rows,
                          const Samples& samples) {
  for (Index i = 0; i < rows.rows(); ++i)
    for (Index d = 0; d < rows.cols(); ++d)
      if (!std::isfinite(static_cast<Scalar>(rows(i, d))))
        refuse_not_finite(where, names[static_cast<std::size_t>(d)], i, rows(i, d), samples);
}

/// column <- values, of which each must be in {0, ..., cardinality-1}. \throws ShapeError, ValueError
inline void copy_categorical(std::string_view where, std::string_view what, const std::vector<int>& values,
                             int cardinality, std::span<std::vector<int>> columns) {
  check_size(where, "number of columns", 1, static_cast<Index>(columns.size()));
  check_size(where, what, static_cast<Index>(columns[0].size()), static_cast<Index>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    check_value(values[i] >= 0 && values[i] < cardinality, where, what, " of sample ", i, ": expected 0 to ",
                cardinality - 1, ", found ", values[i]);
    columns[0][i] = values[i];
  }
}

}  // namespace mts::features::detail
