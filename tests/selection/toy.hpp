// Toy problems for the tests of the training step: a pool, a model, features and a weight net, described by data (`Spec`);
// the step under test with its types forgotten (`Step`); and the whole step once more in plain code (`Plain`), which
// shares nothing with it but the model, the weight net and their per-sample gradients.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mts/core/feature_batch.hpp"
#include "mts/core/random.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step.hpp"

namespace toy {

using mts::Index;
using mts::Samples;
using mts::SampleVector;
using mts::StepReport;
using Vector = Eigen::VectorXd;
using Matrix = mts::RowMatrix<double>;
using Dense = mts::DenseParameters<double>;
using Model = mts::nn::Classifier<double>;
using Batch = mts::nn::ClassificationBatch<double>;
using FeatureBatch = mts::FeatureBatch<double>;

/// Labelled inputs with some columns of features that are known beforehand.
struct Pool {
  Matrix inputs;   ///< one row a sample
  Matrix columns;  ///< one row a sample
  std::vector<int> labels, groups;
  int classes = 0;

  Index size() const { return inputs.rows(); }
};
Pool make_pool(Index size, Index inputs, int classes, std::uint64_t seed);

/// Some of the pool's samples.
struct Drawn {
  Batch batch;
  Samples samples;
};
Drawn take(const Pool& pool, const std::vector<Index>& ids);
/// n different samples.
Drawn draw(const Pool& pool, Index n, mts::RandomStream stream);

/// The pool's own columns, the sample's loss, the validation batch's mean loss; class and group.
class Features {
 public:
  explicit Features(std::shared_ptr<const Pool> pool) : pool_(std::move(pool)) {}
  mts::FeatureLayout layout() const;
  static constexpr bool reads_validation() { return true; }
  template <class Context>
  void extract(const Context& context, FeatureBatch& f) const {
    fill(context.samples, context.train.value(), context.validation.value().mean(), f);
  }
  void fill(const Samples& samples, const SampleVector& losses, double validation_loss, FeatureBatch& f) const;

 private:
  std::shared_ptr<const Pool> pool_;
};

enum class Kind { sgd, adam, adamw, frozen };
/// One of the library's optimisers, or one that never moves and pulls by the identity.
struct OptimizerSpec {
  Kind kind = Kind::sgd;
  mts::SgdOptions sgd = {};
  mts::AdamOptions adam = {};
};
inline OptimizerSpec sgd(mts::SgdOptions options) { return {.kind = Kind::sgd, .sgd = std::move(options)}; }
inline OptimizerSpec adam(mts::AdamOptions options) { return {.kind = Kind::adam, .adam = std::move(options)}; }
inline OptimizerSpec adamw(mts::AdamOptions options) { return {.kind = Kind::adamw, .adam = std::move(options)}; }
inline OptimizerSpec frozen() { return {.kind = Kind::frozen}; }

enum class Net { tabular, group, mlp };
enum class Activation { sigmoid, softmax, softplus, relu };
/// The other estimators than the cheapest are there for the sigmoid and the MLP weight net.
enum class Estimator { cheapest, pushforward, central_difference };

/// A whole problem as data.
struct Spec {
  std::string name = "plain";
  Net net = Net::mlp;
  Activation activation = Activation::sigmoid;
  Estimator estimator = Estimator::cheapest;
  OptimizerSpec inner = sgd({.learning_rate = 1});
  OptimizerSpec meta = sgd({.learning_rate = 0.5});
  mts::MtsOptions options = {};
  mts::nn::MlpOptions model = {.activation = mts::nn::Activation::tanh};
  double logit_scale = 1;  ///< phi begins as N(0, scale^2) where the net's own beginning is 0
  double logit_shift = 0;  ///< and at this mean
  Index pool = 40;
  int classes = 3;
  Index train = 12, validation = 9, selector = 10;  ///< samples a batch: all different, so that no N passes for another
  std::uint64_t seed = 1;
  std::function<Model()> make_model = {};  ///< instead of an MLP 4-6-classes
};

/// `MtsStep`, its types forgotten.
class Step {
 public:
  virtual ~Step() = default;
  virtual StepReport joint(const Drawn& train, const Drawn& validation) = 0;
  virtual StepReport crossed(const Drawn& train, const Drawn& validation, const Drawn& selector) = 0;
  virtual Index steps() const = 0;
  virtual const Dense& theta() const = 0;
  virtual const Dense& phi() const = 0;
  virtual const Dense& hypergradient() const = 0;
  virtual const mts::BatchWeights& weights() const = 0;
  virtual const mts::BatchWeights& selector_weights() const = 0;
  virtual const SampleVector& alignments() const = 0;
  virtual const SampleVector& logit_gradient() const = 0;
};

/// A problem made from its description.
struct Toy {
  explicit Toy(Spec described);

  Spec spec;
  std::shared_ptr<const Pool> pool;
  Model model;
  Features features;
  Dense theta, phi;                                                    ///< where they begin
  std::function<SampleVector(const Dense&, const FeatureBatch&)> net;  ///< phi, f -> z
  /// Row i: dz_i/dphi.
  std::function<Matrix(const Dense&, const FeatureBatch&)> net_jacobian;

  std::unique_ptr<Step> step() const;
  Drawn train(std::uint64_t k) const { return draw(*pool, spec.train, {spec.seed, "train", k}); }
  Drawn validation(std::uint64_t k) const { return draw(*pool, spec.validation, {spec.seed, "validation", k}); }
  Drawn selector(std::uint64_t k) const { return draw(*pool, spec.selector, {spec.seed, "selector", k}); }
};

// ---------------------------------------------------------------------------------------------------------- plain code

/// SGD, Adam and AdamW in the words of PyTorch's documentation, with a state of its own.
class PlainOptimizer {
 public:
  PlainOptimizer(const OptimizerSpec& spec, const Dense& shape);
  /// The step at this gradient; the state stays.
  Vector step_of(const Vector& theta, const Vector& gradient) const;
  void step(Vector& theta, const Vector& gradient);

 private:
  struct Next;
  Next next(const Vector& theta, const Vector& gradient) const;
  OptimizerSpec spec_;
  Vector decays_, m_, v_;
  int k_ = 0;
};

/// p_i = (c_i psi(z_i))^tau / sum, tau the largest in [0, 1] with B_eff >= floor N, by bisection; long double throughout.
Vector plain_weights(Activation activation, const Vector& z, const Vector& prior, double floor);

/// The step in plain code, for one state and one set of batches.
class Plain {
 public:
  explicit Plain(const Toy& toy);

  /// What a step sees of a batch at theta, and its per-sample gradients (row i: dl_i/dtheta).
  struct Seen {
    const Drawn* drawn;
    SampleVector losses;
    Matrix gradients;
    FeatureBatch features;
    Vector prior;
  };
  Seen see(const Drawn& drawn, const Drawn& validation) const;

  Vector weights(const Seen& seen, const Vector& phi) const;
  /// L_val(theta - step_of(sum p_i g_i)) + floor's penalty, as a function of phi: what joint mode descends.
  double objective(const Seen& train, const Drawn& validation, const Vector& phi) const;
  /// Gamma, the gradient of the validation loss after the virtual step.
  Vector gamma(const Seen& train, const Drawn& validation, const Vector& phi) const;
  /// pull(Gamma) at phi, from differences of `step_of`: what crossed mode freezes.
  Vector frozen_direction(const Seen& train, const Drawn& validation, const Vector& phi) const;
  /// -sum p_i <g_i, direction> + floor's penalty: what crossed mode descends.
  double crossed_objective(const Seen& selector, const Vector& direction, const Vector& phi) const;

  /// theta after the real step, at the phi that is now in `phi`.
  void move_theta(const Seen& train);

  Vector theta, phi;
  PlainOptimizer inner, meta;

 private:
  Dense dense_theta(const Vector& x) const;
  Dense dense_phi(const Vector& x) const;
  double penalty(const Vector& p) const;
  const Toy& toy_;
};

/// grad f at x by central differences of fourth order: four evaluations an entry.
Vector difference_gradient(const std::function<double(const Vector&)>& f, const Vector& x, double h = 1e-5);

/// |found - expected| / |expected|, 0 where both vanish.
double relative_error(const Vector& found, const Vector& expected);

}  // namespace toy
