#pragma once
/// \file
/// `AlignmentHistory`: what was measured of each sample's alignment in the steps so far.

#include <memory>

#include "mts/core/state.hpp"
#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// What can be said of a sample's alignments so far.
enum class AlignmentStatistic {
  mean,            ///< m, their mean
  standard_error,  ///< of m
  shrunk_mean,     ///< m n/(n + k)
  count            ///< how often the sample was observed
};

struct AlignmentHistoryOptions {
  /// Weight of the newest alignment, at the least: 0 for a mean of all of them, all counting the same; a > 0 for an
  /// exponential one once 1/a have come, that forgets what theta has left behind.
  double rate = 0;
  /// k: how many alignments a sample must have for its mean to count half. The best k is the variance of one alignment
  /// over that of the true means.
  double prior_count = 10;
  std::vector<AlignmentStatistic> columns = {AlignmentStatistic::shrunk_mean, AlignmentStatistic::standard_error};
};

/// Columns "alignment_mean", "alignment_standard_error", "alignment_shrunk_mean", "alignment_count", those of the
/// options in their order: of the alignments a_i = eta <g_i, Gamma> of each pool sample that were given to `observe` up
/// to now.
///
///     AlignmentHistory history(pool_size);
///     MtsStep step(..., compose(Loss{}, BatchZScore{history}), ...);   // the step's copy shares the record
///     for (...) {
///       const auto& report = step(...);
///       history.observe(samples.ids, alignments);
///     }
///
/// The j-th alignment of a sample enters its mean m and variance v with the weight w = max(rate, 1/j): d = a - m, m +=
/// w d, v = (1 - w)(v + w d^2). So the first is the mean itself, nothing is biased towards the start, and with W the
/// sum of the squared weights of all alignments so far (1/n for a mean of n), the standard error is sqrt(v W/(1 - W))
/// and n = 1/W in the shrunk mean. A sample that was never observed has 0 in all columns; one that was once has the
/// standard error 0, for want of a second.
///
/// A feature with a memory: what it says at a step depends on the steps before. One sample may come several times in a
/// batch. Cost: 4 numbers a pool sample; a step, a pass over N. Allocates nothing. The same bits for any number of
/// threads. Copies share the record; `extract` is thread-safe while nobody observes.
/// Source: not of the paper. Shrinkage: Morris, JASA 1983 (parametric empirical Bayes), with the prior's mean 0 and its
/// k given.
class AlignmentHistory {
 public:
  /// \throws ValueError if pool_size < 1, rate is outside [0, 1), prior_count is negative or not finite, or there are
  ///   no columns
  explicit AlignmentHistory(Index pool_size, AlignmentHistoryOptions options = {}) : options_(std::move(options)) {
    check_value(pool_size >= 1, name_, "the pool must have at least 1 sample, found ", pool_size);
    check_value(options_.rate >= 0 && options_.rate < 1, name_, "rate must be in [0, 1), found ", options_.rate);
    check_value(options_.prior_count >= 0 && std::isfinite(options_.prior_count), name_,
                "prior_count must be finite and not negative, found ", options_.prior_count);
    check_value(!options_.columns.empty(), name_, "expected at least 1 column, found none");
    for (const auto column : options_.columns) layout_.continuous.emplace_back(name_of(column));
    record_ = std::make_shared<std::vector<Sample>>(static_cast<std::size_t>(pool_size));
  }

  std::string name() const { return std::string(name_); }
  std::string cost() const { return "a look-up a step"; }
  const FeatureLayout& layout() const { return layout_; }
  static constexpr bool reads_validation() { return false; }
  static constexpr bool by_rows() { return true; }
  Index size() const { return static_cast<Index>(record_->size()); }

  /// The alignments of a batch. \param ids  N places in the pool    \param alignments  N, any vector
  /// \throws ShapeError, ValueError, NumericalError that name the first bad sample; then nothing has been recorded
  template <class Vector>
  void observe(std::span<const Index> ids, const Vector& alignments) {
    check_size(name_, "observe: alignments", static_cast<Index>(ids.size()), static_cast<Index>(alignments.size()));
    check_ids("observe: id", ids);
    const auto value = [&](std::size_t i) {
      return static_cast<double>(alignments[static_cast<decltype(alignments.size())>(i)]);
    };
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (!std::isfinite(value(i)))
        throw NumericalError(mts::detail::text(name_, ": observe: alignment of sample ", i, " (id ", ids[i],
                                               "): expected a finite number, found ", value(i)));
    for (std::size_t i = 0; i < ids.size(); ++i)
      (*record_)[static_cast<std::size_t>(ids[i])].add(value(i), options_.rate);
  }
  /// Forgets all alignments.
  void clear() { std::fill(record_->begin(), record_->end(), Sample{}); }

  /// Writes the record.
  void save(std::ostream& out) const { mts::detail::StateWriter(out, "AlignmentHistory::save", kind).vector(*record_); }
  /// The record of all copies <- a saved one.
  /// \throws DataError if the stream ends early, or holds something else or the record of a pool of another size; then nothing
  ///         has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "AlignmentHistory::load", kind);
    auto record = reader.vector<Sample>("samples", size());
    for (const Sample& s : record)
      reader.check(s.count >= 0 && std::isfinite(s.mean) && std::isfinite(s.variance) && std::isfinite(s.weights),
                   "a sample's record", "finite numbers and a count of at least 0", "others");
    *record_ = std::move(record);
  }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    const auto& ids = context.samples.ids;
    check_value(!ids.empty() || rows.rows() == 0, name_,
                "needs the samples' places in the pool (samples.ids), found none");
    check_size(name_, "samples.ids", rows.rows(), static_cast<Index>(ids.size()));
    check_size(name_, "columns", static_cast<Index>(options_.columns.size()), rows.cols());
    check_ids("id", ids);
    for (Index i = 0; i < rows.rows(); ++i) {
      const Sample& s = (*record_)[static_cast<std::size_t>(ids[static_cast<std::size_t>(i)])];
      for (Index d = 0; d < rows.cols(); ++d)
        rows(i, d) = s.say(options_.columns[static_cast<std::size_t>(d)], options_.prior_count);
    }
  }

 private:
  static constexpr std::string_view name_ = "alignment_history";
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'a', 'l', 'h', '1'};

  struct Sample {
    double mean = 0, variance = 0, weights = 0;  ///< m, v, W
    Index count = 0;

    void add(double a, double rate) {
      const double w = std::max(rate, 1 / static_cast<double>(++count)), d = a - mean;
      mean += w * d;
      variance = (1 - w) * (variance + w * d * d);
      weights = (1 - w) * (1 - w) * weights + w * w;
    }
    double say(AlignmentStatistic statistic, double prior_count) const {
      if (count == 0) return 0;
      switch (statistic) {
        case AlignmentStatistic::mean:
          return mean;
        case AlignmentStatistic::standard_error:
          return count < 2 ? 0 : std::sqrt(variance * weights / (1 - weights));
        case AlignmentStatistic::shrunk_mean:
          return mean / (1 + prior_count * weights);
        case AlignmentStatistic::count:
          return static_cast<double>(count);
      }
      return 0;
    }
  };

  static std::string_view name_of(AlignmentStatistic statistic) {
    switch (statistic) {
      case AlignmentStatistic::mean:
        return "alignment_mean";
      case AlignmentStatistic::standard_error:
        return "alignment_standard_error";
      case AlignmentStatistic::shrunk_mean:
        return "alignment_shrunk_mean";
      case AlignmentStatistic::count:
        return "alignment_count";
    }
    return "";
  }
  void check_ids(std::string_view what, std::span<const Index> ids) const {
    for (std::size_t i = 0; i < ids.size(); ++i)
      check_value(ids[i] >= 0 && ids[i] < size(), name_, what, " of sample ", i, ": expected 0 to ", size() - 1,
                  ", found ", ids[i]);
  }

  AlignmentHistoryOptions options_;
  FeatureLayout layout_;
  std::shared_ptr<std::vector<Sample>> record_;
};

}  // namespace mts::features
