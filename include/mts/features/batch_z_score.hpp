#pragma once
/// \file
/// `BatchZScore`: a feature with the mean and variance of its batch taken out.

#include <algorithm>
#include <utility>

#include "mts/core/state.hpp"
#include "mts/features/detail/checks.hpp"

namespace mts::features {

namespace detail {

/// Names of normalised columns: "NORMALISER(NAME)". \throws ValueError if there is none to normalise
inline FeatureLayout decorated(std::string_view normaliser, FeatureLayout layout) {
  check_value(!layout.continuous.empty(), normaliser, "the feature has no continuous column to normalise");
  for (auto& name : layout.continuous) name = mts::detail::text(normaliser, "(", name, ")");
  return layout;
}

/// What an extractor is called in listings: what it says itself, or its first column's name.
template <class E>
std::string name_of(const E& e) {
  if constexpr (requires { e.name(); }) {
    return e.name();
  } else {
    const FeatureLayout l = e.layout();
    return !l.continuous.empty() ? l.continuous[0] : !l.categorical.empty() ? l.categorical[0].name : "no column";
  }
}
template <class E>
std::string cost_of(const E& e) {
  if constexpr (requires { e.cost(); })
    return e.cost();
  else
    return "cost not stated";
}

}  // namespace detail

/// The continuous columns of another extractor, all entries x of the N x D block by one scalar mean m and one population
/// variance v of that block:  (x - m) / sqrt(v + 1e-8).  Columns "batch_z(...)". Nothing is carried from batch to batch, so a
/// sample's value depends on its batch mates. A constant block gives zeros. Cost: three passes over N x D. The same bits
/// for any number of threads. Thread-safe where the inner extractor is.
/// \throws NumericalError that names column and sample where the inner feature is not finite
/// Source: MTS reference implementation, feature_norm = batch_norm.
template <class E>
class BatchZScore {
 public:
  static constexpr double epsilon = 1e-8;

  explicit BatchZScore(E inner)
      : inner_(std::move(inner)),
        names_(inner_.layout().continuous),
        layout_(detail::decorated("batch_z", inner_.layout())) {}

  std::string name() const { return mts::detail::text("batch_z(", detail::name_of(inner_), ")"); }
  std::string cost() const { return detail::cost_of(inner_); }
  const FeatureLayout& layout() const { return layout_; }
  static constexpr bool reads_validation() { return E::reads_validation(); }
  static constexpr bool by_rows() { return detail::by_rows<E>(); }
  const E& inner() const { return inner_; }

  /// What the inner extractor's fit takes.
  template <class... Args>
    requires requires(E& e, Args&&... args) { e.fit(std::forward<Args>(args)...); }
  void fit(Args&&... args) {
    inner_.fit(std::forward<Args>(args)...);
  }

  /// What the inner extractor keeps; nothing is carried from batch to batch here.
  void save(std::ostream& out) const
    requires Stateful<E>
  {
    inner_.save(out);
  }
  /// \throws DataError as the inner extractor's load
  void load(std::istream& in)
    requires Stateful<E>
  {
    inner_.load(in);
  }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    extract_rows(context, rows, columns);
    finish(rows, context.samples);
  }
  /// The inner extractor's columns of a range of the batch.
  template <class Context>
  void extract_rows(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    detail::extract_rows(inner_, context, rows, columns);
  }
  /// Those of the whole batch, normalised.
  void finish(Rows<double> rows, const Samples& samples) const {
    if constexpr (detail::Finishes<E>) inner_.finish(rows, samples);
    detail::check_columns_finite("batch_z", names_, rows, samples);
    if (rows.size() == 0) return;
    const auto count = static_cast<double>(rows.size());
    double mean = 0, variance = 0;
    for (Index i = 0; i < rows.rows(); ++i)
      for (Index d = 0; d < rows.cols(); ++d) mean += rows(i, d);
    mean /= count;
    for (Index i = 0; i < rows.rows(); ++i)
      for (Index d = 0; d < rows.cols(); ++d) variance += (rows(i, d) - mean) * (rows(i, d) - mean);
    variance /= count;
    rows.array() = (rows.array() - mean) / std::sqrt(variance + epsilon);
  }

 private:
  E inner_;
  std::vector<std::string> names_;
  FeatureLayout layout_;
};

}  // namespace mts::features
