// The MLP as one writes it by hand, with Eigen's products: no tape, no tiles, whole matrices.
#include "adapters/contender.hpp"

namespace bench {

namespace {

using Matrix = mts::RowMatrix<float>;

struct ByHand {
  using Scalar = float;
  using Parameters = bench::Parameters;
  using Batch = bench::Batch;
  static constexpr int layers = 3;
  static constexpr Index widths[layers + 1] = {pixels, 256, 256, classes};

  /// Weights (outputs x inputs) and biases of layer l, from 0.
  static Index begin(int l) {
    Index b = 0;
    for (int k = 0; k < l; ++k) b += widths[k + 1] * (widths[k] + 1);
    return b;
  }
  template <class P>
  static auto weights(P& p, int l) {
    return Eigen::Map<std::conditional_t<std::is_const_v<P>, const Matrix, Matrix>>(p.data() + begin(l), widths[l + 1],
                                                                                    widths[l]);
  }
  template <class P>
  static auto biases(P& p, int l) {
    return Eigen::Map<std::conditional_t<std::is_const_v<P>, const Eigen::RowVectorXf, Eigen::RowVectorXf>>(
        p.data() + begin(l) + widths[l + 1] * widths[l], widths[l + 1]);
  }

  struct Linearization {
    const Matrix* x;
    Matrix h[layers], d[layers];  // after each layer and its ReLU; derivatives of each loss before it
    mts::SampleVector losses;
    const mts::SampleVector& value() const { return losses; }
    const Matrix& logits() const { return h[layers - 1]; }
    const Matrix& embeddings() const { return h[layers - 2]; }
    const Matrix& below(int l) const { return l == 0 ? *x : h[l - 1]; }
    void pullback(const mts::SampleVector& u, Parameters& out) const {
      const Eigen::VectorXf weight = u.cast<float>();
      for (int l = 0; l < layers; ++l) {
        const Matrix weighted = weight.asDiagonal() * d[l];
        weights(out, l).noalias() = weighted.transpose() * below(l);
        biases(out, l) = weighted.colwise().sum();
      }
    }
    void per_sample_dot(const Parameters& v, mts::SampleVector& out) const {
      Eigen::VectorXf sum = Eigen::VectorXf::Zero(x->rows());
      for (int l = 0; l < layers; ++l) {
        Matrix y = below(l) * weights(v, l).transpose();
        y.rowwise() += biases(v, l);
        sum += y.cwiseProduct(d[l]).rowwise().sum();
      }
      out = sum.cast<double>();
    }
  };
  Linearization forward(const Parameters& theta, const Batch& batch) const {
    Linearization f;
    f.x = &batch.inputs;
    for (int l = 0; l < layers; ++l) {
      f.h[l].noalias() = f.below(l) * weights(theta, l).transpose();
      f.h[l].rowwise() += biases(theta, l);
      if (l + 1 < layers) f.h[l] = f.h[l].cwiseMax(0.f);
    }
    const Matrix& z = f.logits();
    const Eigen::VectorXf most = z.rowwise().maxCoeff();
    Matrix& d = f.d[layers - 1];
    d = (z.colwise() - most).array().exp();
    const Eigen::VectorXf sum = d.rowwise().sum();
    d = sum.cwiseInverse().asDiagonal() * d;
    f.losses = (sum.array().log() + most.array()).cast<double>();
    for (Index i = 0; i < z.rows(); ++i) {
      const int label = batch.labels[static_cast<std::size_t>(i)];
      f.losses[i] -= static_cast<double>(z(i, label));
      d(i, label) -= 1;
    }
    return f;
  }
  Linearization linearize(const Parameters& theta, const Batch& batch) const {
    Linearization f = forward(theta, batch);
    for (int l = layers - 1; l > 0; --l) {
      f.d[l - 1].noalias() = f.d[l] * weights(theta, l);
      f.d[l - 1] = (f.h[l - 1].array() > 0).select(f.d[l - 1], 0.f);
    }
    return f;
  }
  Parameters initialize(mts::RandomStream stream) const { return classifier<float>(Net::mlp).initialize(stream); }
};

}  // namespace

std::unique_ptr<Contender> by_hand_in_eigen(const Images& train, const Images& validation) {
  return contender(ByHand{}, ByHand{}.initialize({0, "theta"}), train.batch, validation.batch);
}

}  // namespace bench
