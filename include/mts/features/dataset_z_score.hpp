#pragma once
/// \file
/// `DatasetZScore`: an offline feature with the mean and variance of the whole pool taken out.

#include "mts/features/batch_z_score.hpp"
#include "mts/features/pool_table.hpp"

namespace mts::features {

/// Which standard deviation of n numbers.
enum class Deviation {
  unbiased,   ///< of the sum of squares over n - 1
  population  ///< over n
};

/// The columns of an offline extractor, all entries x of its pool table (real and synthetic, all columns) by one scalar
/// mean m and one standard deviation s, unbiased unless said otherwise, taken at fit:  (x - m) / s.  Columns
/// "dataset_z(...)". Where the table is constant (s below 1e-12 of its largest magnitude, or a single entry), all
/// values are 0. Cost: fit, two passes over the table; a step, one over N x D. The same bits for any number of threads.
/// Const calls are thread-safe.
/// Source: MTS reference implementation, the z-score of the SD_* features; with Deviation::population that of the pre_*
/// ones, but for the 1e-8 that is there added to s and would make a feature depend on its unit.
template <class E>
class DatasetZScore {
  static_assert(
      requires(const E& e) {
        { e.table() } -> std::convertible_to<const PoolTable&>;
      },
      "mts: DatasetZScore asks for an offline extractor, which has  fit(...)  and  const PoolTable& table() const; "
      "use BatchZScore for one that is computed in each step");

 public:
  explicit DatasetZScore(E inner, Deviation deviation = Deviation::unbiased)
      : inner_(std::move(inner)), layout_(detail::decorated("dataset_z", inner_.layout())), deviation_(deviation) {
    if (inner_.table().fitted()) measure();
  }

  std::string name() const { return mts::detail::text("dataset_z(", detail::name_of(inner_), ")"); }
  std::string cost() const { return detail::cost_of(inner_); }
  const FeatureLayout& layout() const { return layout_; }
  static constexpr bool reads_validation() { return E::reads_validation(); }
  static constexpr bool by_rows() { return detail::by_rows<E>() && !detail::Finishes<E>; }
  const E& inner() const { return inner_; }
  double mean() const { return mean_; }                              ///< m
  double standard_deviation() const { return standard_deviation_; }  ///< s; 0 for a constant table

  /// What the inner extractor's fit takes.
  template <class... Args>
    requires requires(E& e, Args&&... args) { e.fit(std::forward<Args>(args)...); }
  void fit(Args&&... args) {
    inner_.fit(std::forward<Args>(args)...);
    measure();
  }

  /// The inner extractor's table; mean and deviation follow from it.
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
    mean_ = standard_deviation_ = 0;
    if (inner_.table().fitted()) measure();
  }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    inner_.extract(context, rows, columns);
    if (standard_deviation_ == 0)
      rows.setZero();
    else
      rows.array() = (rows.array() - mean_) / standard_deviation_;
  }

 private:
  void measure() {
    const auto& table = inner_.table().values();
    const auto count = static_cast<double>(table.size());
    double sum = 0, squares = 0, largest = 0;
    for (Index k = 0; k < table.size(); ++k) {
      sum += table.data()[k];
      largest = std::max(largest, std::abs(table.data()[k]));
    }
    mean_ = sum / count;
    for (Index k = 0; k < table.size(); ++k) squares += (table.data()[k] - mean_) * (table.data()[k] - mean_);
    standard_deviation_ =
        table.size() > 1 ? std::sqrt(squares / (deviation_ == Deviation::unbiased ? count - 1 : count)) : 0;
    if (standard_deviation_ <= 1e-12 * largest) standard_deviation_ = 0;
  }

  E inner_;
  FeatureLayout layout_;
  Deviation deviation_;
  double mean_ = 0;
  double standard_deviation_ = 0;
};

}  // namespace mts::features
