#pragma once
/// \file
/// GLISTER: the part of a batch whose step would help the validation loss most, chosen greedily on the last layer.

#include "mts/selection/rules/best_share.hpp"

namespace mts::rules {

struct GlisterOptions {
  double share = 0.5;  ///< of the batch that is kept, in (0, 1]
  double rate = 1;     ///< of the step that is imagined, > 0
  Index rounds = 5;    ///< >= 1
};

/// w_i = 1 for a share of the batch, chosen greedily in `rounds` equal parts, else 0. With softmax probabilities q, errors
/// r_i = q_i - onehot(c_i) and embeddings h_i, sample i's gradient in the last layer (weights and bias) is r_i (h_i, 1)^T. A round
/// takes the samples of the largest gain
///     <r_i (h_i, 1)^T, G>,   G = (1/M) sum_v r_v (h_v, 1)^T over validation,
/// and moves the validation logits as a step of the last layer along what was taken would:
///     z_v <- z_v - rate sum_taken r_i (<h_i, h_v> + 1)/kept.
///
/// Cost: a forward of the validation batch; N (E + 1) C multiply-adds a round. Same bits for any number of threads.
/// Source: Killamsetty et al., GLISTER: generalization based data subset selection, AAAI 2021, algorithm 2 (Taylor approximation, last
/// layer); there of the whole pool every few epochs, here of each batch.
class Glister {
 public:
  static constexpr const char* name = "glister";
  static constexpr bool shows = true;

  explicit Glister(GlisterOptions options = {}) : options_(options) {
    kept_of(name, 1, options.share);
    check_value(options.rate > 0 && std::isfinite(options.rate), name, "the rate must be positive, found ",
                options.rate);
    check_value(options.rounds >= 1, name, "rounds must be at least 1, found ", options.rounds);
  }

  template <class Context>
  void operator()(const Context& context, SampleVector& w) {
    const auto& [share, rate, rounds] = options_;
    const auto& validation = context.validation();
    const Errors train = errors(context.train().logits().template cast<double>(), context.samples().labels, "training");
    const Matrix h = with_one(context.train().embeddings()), h_v = with_one(validation.embeddings());
    Matrix z_v = validation.logits().template cast<double>();
    const Index n = train.rows(), m = z_v.rows(), kept = kept_of(name, n, share);
    w.setZero(n);
    Index taken = 0;
    for (Index round = 0; round < rounds && taken < kept; ++round) {
      const Matrix gradient =
          errors(z_v, context.validation_samples().labels, "validation").transpose() * h_v / static_cast<double>(m);
      const Matrix image = h * gradient.transpose();  // N x C
      SampleVector loss_of_gain = -(train.cwiseProduct(image)).rowwise().sum();
      for (Index i = 0; i < n; ++i)
        if (w[i] > 0) loss_of_gain[i] = std::numeric_limits<double>::infinity();
      const Index now = kept * (round + 1) / rounds - taken;
      if (now == 0) continue;
      keep_lowest(loss_of_gain, now, order_, chosen_);
      taken += now;
      w += chosen_;
      const Matrix step = (chosen_.asDiagonal() * train).transpose() * h;  // C x (E + 1)
      z_v -= rate / static_cast<double>(kept) * h_v * step.transpose();
    }
  }

 private:
  using Matrix = RowMatrix<double>;
  using Errors = Matrix;

  template <class H>
  static Matrix with_one(const H& h) {
    Matrix out(h.rows(), h.cols() + 1);
    out.leftCols(h.cols()) = h.template cast<double>();
    out.col(h.cols()).setOnes();
    return out;
  }
  /// softmax(z) - onehot(labels).
  static Errors errors(const Matrix& z, const std::vector<int>& labels, const char* which) {
    check_size(name, which, z.rows(), static_cast<Index>(labels.size()));
    Matrix q = (z.colwise() - z.rowwise().maxCoeff()).array().exp();
    for (Index i = 0; i < q.rows(); ++i) {
      q.row(i) /= q.row(i).sum();
      const int label = labels[static_cast<std::size_t>(i)];
      check_value(label >= 0 && label < q.cols(), name, "label of ", which, " sample ", i, ": expected 0 to ",
                  q.cols() - 1, ", found ", label);
      q(i, label) -= 1;
    }
    return q;
  }

  GlisterOptions options_;
  std::vector<Index> order_;
  SampleVector chosen_;
};

}  // namespace mts::rules
