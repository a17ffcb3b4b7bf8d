#pragma once
/// \file
/// `ClassValidationCosines`: how well a sample points the way of its class's average validation sample, and of
/// another's.

#include <limits>

#include "mts/features/detail/checks.hpp"
#include "mts/features/detail/cosines.hpp"

namespace mts::features {

/// Columns "own_class_validation_cosine", cos(h_i, mean_v h_v) over those v of the validation batch that have the class
/// c_i, and "other_class_validation_cosine", the largest cos(h_i, mean_v h_v) to another class's mean. Means are of
/// unnormalised penultimate activations h at theta; lengths count as at least 1e-6, so a zero vector has cosine 0.
/// Where the validation batch has no sample of the class, or none of another, that column is 0.
///
/// Means and the first column are in double, the products of the second in the model's scalar. Cost a step: a pass over
/// (N + M) x E and a product N x E x C (C classes in the validation batch); allocates nothing once sizes repeat
/// (scratch slots 8 to 11). The same bits for any number of threads. Thread-safe.
/// \throws ShapeError (no labels of either batch, empty validation batch, widths that differ), NumericalError (an
///   embedding that is not finite)
/// Source: not of the paper, whose CLS_center_cos (`ValidationCentreCosine`) has one centre for all classes.
class ClassValidationCosines {
 public:
  static constexpr double epsilon = 1e-6;

  std::string name() const { return "class_validation_cosines"; }
  std::string cost() const { return "a pass over (N + M) x E and a product N x C x E a step"; }
  FeatureLayout layout() const { return {{"own_class_validation_cosine", "other_class_validation_cosine"}, {}}; }
  static constexpr bool reads_validation() { return true; }
  static constexpr bool by_rows() { return true; }

  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>>) const {
    const std::string_view where = "class_validation_cosines";
    const auto& labels = context.samples.labels;
    const auto& validation_labels = context.validation_samples.labels;
    detail::with_embeddings(where, context, rows.rows(), [&](const auto& a, const auto& b) {
      using S = typename std::remove_cvref_t<decltype(a)>::Scalar;
      check_size(where, "samples.labels", a.rows(), static_cast<Index>(labels.size()));
      check_size(where, "validation_samples.labels", b.rows(), static_cast<Index>(validation_labels.size()));

      thread_local Centres centres_of_this_thread;
      Centres& centres = centres_of_this_thread;  // the parallel loop below is to see this one
      centres.form<S>(b, validation_labels);
      const Index classes = centres.means.rows();
      S* inverse = mts::detail::thread_scratch<S, 8>(a.rows());
      S* inverse_centre = mts::detail::thread_scratch<S, 9>(classes);
      S* rounded = mts::detail::thread_scratch<S, 10>(classes * a.cols());
      Eigen::Map<RowMatrix<S>> means(rounded, classes, a.cols());
      means = centres.means.template cast<S>();
      detail::inverse_lengths<S>(where, "embedding", a, epsilon, inverse);
      detail::inverse_lengths<S>(where, "mean validation embedding", means, epsilon, inverse_centre);

      constexpr double none = -std::numeric_limits<double>::infinity();
      rows.col(1).setConstant(none);
      detail::visit_products<S>(a, detail::RowsRef<S>(means), inverse_centre, [&](Index i, Index j0, const auto& row) {
        double& largest = rows(i, 1);
        for (Index r = 0; r < row.size(); ++r)
          if (centres.labels[static_cast<std::size_t>(j0 + r)] != labels[static_cast<std::size_t>(i)])
            largest = std::max(largest, static_cast<double>(row[r]));
      });
      parallel_tiles(a.rows(), 64, [&](Index, Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          double& largest = rows(i, 1);
          largest = largest == none ? 0 : std::clamp(largest * static_cast<double>(inverse[i]), -1.0, 1.0);
          const Index own = centres.place_of(labels[static_cast<std::size_t>(i)]);
          const auto h = a.row(i).template cast<double>();
          rows(i, 0) =
              own < 0 ? 0
                      : std::clamp(h.dot(centres.means.row(own)) * centres.inverse[own] / std::max(h.norm(), epsilon),
                                   -1.0, 1.0);
        }
      });
    });
  }

 private:
  /// The mean embedding of each class there is, classes ascending.
  struct Centres {
    std::vector<int> labels;
    RowMatrix<double> means;
    Eigen::VectorXd inverse;  ///< 1/length
    std::vector<Index> counts;

    Index place_of(int label) const {
      const auto at = std::lower_bound(labels.begin(), labels.end(), label);
      return at == labels.end() || *at != label ? -1 : static_cast<Index>(at - labels.begin());
    }
    template <class S>
    void form(const detail::RowsRef<S>& rows, const std::vector<int>& of) {
      labels.assign(of.begin(), of.end());
      std::sort(labels.begin(), labels.end());
      labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
      const auto classes = static_cast<Index>(labels.size());
      means.setZero(classes, rows.cols());
      inverse.resize(classes);
      counts.assign(labels.size(), 0);
      for (std::size_t v = 0; v < of.size(); ++v) {
        const Index c = place_of(of[v]);
        means.row(c) += rows.row(static_cast<Index>(v)).template cast<double>();
        ++counts[static_cast<std::size_t>(c)];
      }
      for (Index c = 0; c < classes; ++c) {
        means.row(c) /= static_cast<double>(counts[static_cast<std::size_t>(c)]);
        inverse[c] = 1 / std::max(means.row(c).norm(), epsilon);
      }
    }
  };
};

}  // namespace mts::features
