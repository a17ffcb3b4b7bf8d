#pragma once
/// \file
/// `compose`: extractors side by side, one extractor.
///
///     auto features = compose(BatchZScore{NearestValidationCosine{3}}, DatasetZScore{RealCentreCosine{}}, ClassLabel{10});
///     features.fit(embeddings, pool);         // those that are offline
///     features.extract(context, batch);       // a FeatureBatch<S>; features.layout() says what its columns are

#include <set>
#include <tuple>
#include <utility>

#include "mts/features/batch_z_score.hpp"

namespace mts::features {

/// What one extractor of a composition adds, and at what cost.
struct FeatureSummary {
  std::string name;
  Index continuous = 0;   ///< continuous columns
  Index categorical = 0;  ///< categorical columns
  bool reads_validation = false;
  std::string cost;  ///< in words
};

namespace detail {
template <class E>
concept HasLayout = requires(const E& e) {
  { e.layout() } -> std::convertible_to<FeatureLayout>;
};
template <class E, class Source>
concept FittedOn = requires(E& e, const Source& source) { e.fit(source); };
template <class E>
concept SaysWhatItReads = requires { typename std::bool_constant<E::reads_validation()>; };
}  // namespace detail

/// Extractors side by side: columns in the order of the extractors, continuous and categorical each in an order of their own.
/// Satisfies `FeatureExtractor`, so compositions compose. The layout is that of the extractors when composed and does not change
/// after. Const calls are thread-safe where the extractors' are; the same bits for any number of threads.
template <class... E>
class Composition {
  static_assert((detail::HasLayout<E> && ...), "mts: FeatureExtractor, FE1: add  FeatureLayout layout() const");
  static_assert((detail::SaysWhatItReads<E> && ...),
                "mts: FeatureExtractor, FE3: add  static constexpr bool reads_validation()");

 public:
  /// \throws ValueError if two columns have the same name or a categorical one has no values
  explicit Composition(E... extractors) : extractors_(std::move(extractors)...) {
    std::set<std::string> seen;
    const auto check_name = [&](const std::string& name) {
      check_value(seen.insert(name).second, "compose", "two columns are called '", name, "'");
    };
    const auto add = [&](const FeatureLayout& part) {
      parts_.push_back({dimension(), static_cast<Index>(part.continuous.size()), layout_.categorical.size(),
                        part.categorical.size()});
      for (const auto& name : part.continuous) {
        check_name(name);
        layout_.continuous.push_back(name);
      }
      for (const auto& column : part.categorical) {
        check_name(column.name);
        check_value(column.cardinality >= 1, "compose", "column '", column.name, "' must have at least 1 value, found ",
                    column.cardinality);
        layout_.categorical.push_back(column);
      }
    };
    std::apply([&](const auto&... e) { (add(e.layout()), ...); }, extractors_);
  }

  const FeatureLayout& layout() const { return layout_; }
  /// D, the number of continuous columns; what categorical ones add is the weight net's choice.
  Index dimension() const { return static_cast<Index>(layout_.continuous.size()); }
  static constexpr bool reads_validation() { return (false || ... || E::reads_validation()); }
  static constexpr bool by_rows() { return (true && ... && detail::by_rows<E>()); }

  /// Extractor number I.
  template <std::size_t I>
  auto& part() {
    return std::get<I>(extractors_);
  }
  template <std::size_t I>
  const auto& part() const {
    return std::get<I>(extractors_);
  }

  /// Fits every extractor that can be fitted on embeddings; others (online ones, and those fitted on something else) stay.
  /// \param embeddings  pool size x E    \param pool  its labels and groups
  template <class Derived>
  void fit(const Eigen::MatrixBase<Derived>& embeddings, const Samples& pool) {
    const auto fit_one = [&](auto& e) {
      if constexpr (requires { e.fit(embeddings, pool); }) e.fit(embeddings, pool);
    };
    std::apply([&](auto&... e) { (fit_one(e), ...); }, extractors_);
  }
  /// Fits every extractor that can be fitted on one other thing (a `TrainingDynamics`); there must be one.
  template <class Source>
    requires(false || ... || detail::FittedOn<E, Source>)
  void fit(const Source& source) {
    const auto fit_one = [&](auto& e) {
      if constexpr (detail::FittedOn<std::remove_reference_t<decltype(e)>, Source>) e.fit(source);
    };
    std::apply([&](auto&... e) { (fit_one(e), ...); }, extractors_);
  }

  /// out <- the features of the context's samples, resized to fit; ids too. N is the length of the linearisation's value, or
  /// of `samples` where `context.train` is no Forward. Values are formed in double and rounded to S once. Allocates nothing
  /// once sizes repeat. After an error out holds no meaningful values.
  /// \throws ShapeError where what is known of the samples differs in length; NumericalError that names column and sample
  ///   where a value is not finite in S; whatever the extractors throw
  template <class Context, class S>
  void extract(const Context& context, FeatureBatch<S>& out) const {
    begin(detail::sample_count("features", context), context.samples, out);
    extract_rows(context, 0, out);
    finish(context.samples, out);
  }
  // The same in parts, where `by_rows()`: begin, then ranges that cover the batch, then finish.

  /// out has room for N samples, of whom `samples` says what is known.
  template <class S>
  void begin(Index n, const Samples& samples, FeatureBatch<S>& out) const {
    detail::check_sample_count("features", n, samples);
    out.resize(n, layout_);
    out.ids.assign(samples.ids.begin(), samples.ids.end());
    out.staged_continuous.resize(n, dimension());
  }
  /// The samples of the context, which are those from `first` on of the batch.
  template <class Context, class S>
  void extract_rows(const Context& context, Index first, FeatureBatch<S>& out) const {
    const Index n = detail::sample_count("features", context), d = dimension();
    const Rows<double> rows(out.staged_continuous.data() + first * d, n, d, Eigen::OuterStride<>(d));
    if (n == out.size()) return extract_rows(context, rows, out.categorical);
    out.staged_categorical.resize(out.categorical.size());
    for (auto& column : out.staged_categorical) column.resize(static_cast<std::size_t>(n));
    extract_rows(context, rows, out.staged_categorical);
    for (std::size_t c = 0; c < out.categorical.size(); ++c)
      std::copy(out.staged_categorical[c].begin(), out.staged_categorical[c].end(), out.categorical[c].begin() + first);
  }
  template <class S>
  void finish(const Samples& samples, FeatureBatch<S>& out) const {
    const auto rows = rows_of(out.staged_continuous);
    finish(rows, samples);
    detail::check_columns_finite<S>("features", layout_.continuous, rows, samples);
    out.continuous = rows.template cast<S>();
  }

  /// The same into a view: rows N x D, and one column of N ints for each categorical feature.
  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    extract_rows(context, rows, columns);
    finish(rows, context.samples);
  }
  template <class Context>
  void extract_rows(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    static_assert((FeatureExtractor<E, Context> && ...),
                  "mts: FeatureExtractor, FE2: add  void extract(const Context&, Rows<double> rows, "
                  "std::span<std::vector<int>> columns) const  that takes this step's context");
    check_size("features", "columns", dimension(), rows.cols());
    check_size("features", "categorical columns", static_cast<Index>(layout_.categorical.size()),
               static_cast<Index>(columns.size()));
    for_each_part(rows, [&](const auto& e, const Part& p, Rows<double> own) {
      detail::extract_rows(e, context, own, columns.subspan(p.categorical, p.categoricals));
    });
  }
  void finish(Rows<double> rows, const Samples& samples) const {
    for_each_part(rows, [&](const auto& e, const Part&, Rows<double> own) {
      if constexpr (detail::Finishes<std::remove_cvref_t<decltype(e)>>) e.finish(own, samples);
    });
    detail::check_columns_finite("features", layout_.continuous, rows, samples);
  }

  /// What those of the extractors keep that keep something (are Stateful): tables that were fitted, records of past steps.
  void save(std::ostream& out) const {
    mts::detail::StateWriter(out, "features: save", kind).count(dimension()).count(stateful());
    const auto one = [&](const auto& e) {
      if constexpr (Stateful<std::remove_cvref_t<decltype(e)>>) e.save(out);
    };
    std::apply([&](const auto&... e) { (one(e), ...); }, extractors_);
  }
  /// \throws DataError if the stream ends early, or holds the state of other features; then nothing has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "features: load", kind);
    reader.same("columns", std::int64_t{dimension()});
    reader.same("extractors that keep something", std::int64_t{stateful()});
    const auto kept = [](auto& e) {
      if constexpr (Stateful<std::remove_reference_t<decltype(e)>>)
        return std::tie(e);
      else
        return std::tuple<>();
    };
    std::apply([&](auto&... e) { std::apply([&](auto&... k) { load_all(in, k...); }, std::tuple_cat(kept(e)...)); },
               extractors_);
  }

  /// What each extractor adds, in order; a composition within it counts as its extractors.
  std::vector<FeatureSummary> summary() const {
    std::vector<FeatureSummary> all;
    const auto add = [&](const auto& e) {
      if constexpr (requires { e.summary(); }) {
        for (auto& s : e.summary()) all.push_back(std::move(s));
      } else {
        const FeatureLayout l = e.layout();
        all.push_back({detail::name_of(e), static_cast<Index>(l.continuous.size()),
                       static_cast<Index>(l.categorical.size()), e.reads_validation(), detail::cost_of(e)});
      }
    };
    std::apply([&](const auto&... e) { (add(e), ...); }, extractors_);
    return all;
  }
  /// The same in words, one line an extractor.
  std::string describe() const {
    std::string lines;
    for (const auto& s : summary())
      lines += mts::detail::text(s.name, ": ", s.continuous, " continuous, ", s.categorical, " categorical",
                                 s.reads_validation ? ", reads validation; " : "; ", s.cost, "\n");
    return lines;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'f', 't', 'r', '1'};
  static constexpr Index stateful() { return (Index{0} + ... + (Stateful<E> ? 1 : 0)); }

  struct Part {
    Index column = 0, columns = 0;
    std::size_t categorical = 0, categoricals = 0;
  };
  /// Calls f(extractor, its part, its columns of rows).
  template <class F>
  void for_each_part(Rows<double> rows, F&& f) const {
    std::size_t k = 0;
    const auto one = [&](const auto& e) {
      const Part& p = parts_[k++];
      f(e, p, Rows<double>(rows.data() + p.column, rows.rows(), p.columns, Eigen::OuterStride<>(rows.outerStride())));
    };
    std::apply([&](const auto&... e) { (one(e), ...); }, extractors_);
  }

  std::tuple<E...> extractors_;
  FeatureLayout layout_;
  std::vector<Part> parts_;
};

/// The composition of any number of extractors, none included (0 columns). \throws ValueError as `Composition`
template <class... E>
Composition<E...> compose(E... extractors) {
  return Composition<E...>(std::move(extractors)...);
}

}  // namespace mts::features
