// The step with the library's own types as a user writes them: float, real optimisers, threads, the tabular net's sparse
// update, the warm start against training without selection, and the smallest types that fit.
#include <doctest/doctest.h>

#include "core/minimal_types.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/tabular_weight_net.hpp"
#include "mts/selection/uniform_step.hpp"
#include "selection/toy.hpp"
#include "support/derivatives.hpp"

using namespace mts;

namespace {

using Float = DenseParameters<float>;
using FloatModel = nn::Classifier<float>;

/// The loss, a constant, the loss squared; class and group.
struct FloatFeatures {
  FeatureLayout layout() const { return {{"loss", "a half", "loss^2"}, {{"class", 4}, {"group", 2}}}; }
  static constexpr bool reads_validation() { return false; }
  template <class Context>
  void extract(const Context& context, FeatureBatch<float>& f) const {
    static_assert(std::same_as<std::remove_cvref_t<decltype(context.validation)>, NoValidation>);
    const auto& losses = context.train.value();
    f.resize(losses.size(), layout());
    for (Index i = 0; i < losses.size(); ++i) {
      const auto loss = static_cast<float>(losses[i]);
      f.continuous.row(i) << loss, 0.5f, loss * loss;
    }
    f.categorical = {context.samples.labels, context.samples.groups};
    f.ids = context.samples.ids;
  }
};

/// The sample's place in the pool, for a tabular net.
template <class S>
struct Places {
  static constexpr bool reads_validation() { return false; }
  void extract(const auto& context, FeatureBatch<S>& f) const {
    f.resize(context.samples.size(), {});
    f.ids = context.samples.ids;
  }
};

/// A one, and the sample's place in the batch.
struct PlacesInBatch {
  static constexpr bool reads_validation() { return false; }
  void extract(const auto& context, FeatureBatch<double>& f) const {
    f.samples = context.train.value().size();
    f.continuous.resize(f.samples, 2);
    for (Index i = 0; i < f.samples; ++i) f.continuous.row(i) << 1, static_cast<double>(i);
  }
};

struct FloatBatch {
  nn::ClassificationBatch<float> batch;
  Samples samples;
};
FloatBatch float_batch(Index n, Index pool, std::uint64_t k) {
  FloatBatch b;
  RandomStream stream(51, "batch", k);
  b.batch.inputs.resize(n, 20);
  for (Index i = 0; i < n; ++i) {
    b.samples.ids.push_back(static_cast<Index>(stream.below(static_cast<std::uint64_t>(pool))));
    b.samples.labels.push_back(static_cast<int>(stream.below(4)));
    b.samples.groups.push_back(static_cast<int>(stream.below(2)));
    for (Index j = 0; j < 20; ++j)
      b.batch.inputs(i, j) = static_cast<float>(stream.normal() + (j == b.samples.labels.back() ? 1.5 : 0.0));
  }
  b.batch.labels = b.samples.labels;
  return b;
}

template <class W>
auto float_step(W net, MtsOptions options = {}) {
  const auto model = nn::mlp<float>({20, 48, 4});
  const RandomStream stream(52, "float");
  auto phi = net.initialize(stream.substream("phi"));
  return MtsStep(model, model.initialize(stream.substream("theta")),
                 Sgd<Float>({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-4}),
                 FloatFeatures{}, std::move(net), std::move(phi),
                 AdamW<Float>({.learning_rate = 1e-2, .weight_decay = 1e-2}), std::move(options));
}

}  // namespace

TEST_CASE("1, 2 and 4 threads: 50 steps in float give theta, phi and the reports the same bits") {
  for (const bool crossed : {false, true}) {
    std::vector<Eigen::VectorXf> thetas, phis;
    std::vector<std::vector<double>> reports;
    for (const int threads : {1, 2, 4, 1}) {
      testing::with_threads(threads, [&] {
        auto step = float_step(MlpWeightNet<float>(FloatFeatures{}.layout()));
        reports.emplace_back();
        for (std::uint64_t k = 0; k < 50; ++k) {
          const auto train = float_batch(300, 1000, 2 * k), validation = float_batch(150, 1000, 2 * k + 1);
          StepReport r;
          if (crossed) {
            const auto selector = float_batch(200, 1000, 10000 + k);
            r = step(train.batch, train.samples, validation.batch, validation.samples, selector.batch,
                     selector.samples);
          } else {
            r = step(train.batch, train.samples, validation.batch, validation.samples);
          }
          for (const double x : {r.mean_w, r.max_p, r.var_p, r.b_eff, r.train_loss, r.validation_loss, r.gamma_norm,
                                 r.hypergradient_norm, r.gradient_norm, r.gsnr_signal, r.gsnr_noise})
            reports.back().push_back(x);
        }
        thetas.push_back(step.theta().values());
        phis.push_back(step.phi().values());
      });
    }
    for (std::size_t k = 1; k < thetas.size(); ++k) {
      CHECK(thetas[k] == thetas[0]);
      CHECK(phis[k] == phis[0]);
      CHECK(reports[k] == reports[0]);
    }
    CHECK(phis[0].allFinite());
  }
}

TEST_CASE("a tabular net's AdamW, with decay and moments, moves only the entries of the batch") {
  auto step = float_step(TabularWeightNet<float>(100));
  std::vector<char> met(100, 0);
  for (std::uint64_t k = 0; k < 5; ++k) {
    const auto train = float_batch(12, 100, k), validation = float_batch(20, 100, 100 + k);
    const Eigen::VectorXf before = step.phi().values();
    step(train.batch, train.samples, validation.batch, validation.samples);
    std::vector<char> active(100, 0);
    for (const Index id : train.samples.ids) active[static_cast<std::size_t>(id)] = 1;
    for (Index i = 0; i < 100; ++i) {
      CAPTURE(i);
      const auto j = static_cast<std::size_t>(i);
      CHECK((step.phi().values()[i] != before[i]) == (active[j] != 0));
      met[j] = static_cast<char>(met[j] | active[j]);
      if (!met[j]) CHECK(step.phi().values()[i] == 0);
    }
  }
  // In crossed mode it is the selector batch's entries.
  const auto train = float_batch(12, 50, 7), validation = float_batch(20, 100, 107);
  auto selector = float_batch(9, 50, 8);
  for (Index& id : selector.samples.ids) id += 50;
  const Eigen::VectorXf before = step.phi().values();
  step(train.batch, train.samples, validation.batch, validation.samples, selector.batch, selector.samples);
  CHECK(step.phi().values().head(50) == before.head(50));
  for (const Index id : selector.samples.ids) CHECK(step.phi().values()[id] != before[id]);
}

TEST_CASE("a sample that comes twice in a batch: its two logits are one entry, moved once by both gradients") {
  const auto model = nn::mlp<float>({20, 8, 4});
  const RandomStream stream(53, "twice");
  const TabularWeightNet<float> net(10);
  MtsStep step(model, model.initialize(stream), Sgd<Float>({.learning_rate = 1}), FloatFeatures{}, net,
               net.initialize(stream), Sgd<Float>({.learning_rate = 1}));
  auto train = float_batch(4, 10, 1);
  train.samples.ids = {3, 7, 3, 1};
  const auto validation = float_batch(6, 10, 2);
  step(train.batch, train.samples, validation.batch, validation.samples);
  const auto& dz = step.logit_gradient();
  CHECK(step.hypergradient().values()[3] == static_cast<float>(dz[0]) + static_cast<float>(dz[2]));
  CHECK(step.phi().values()[3] == -step.hypergradient().values()[3]);
  CHECK(step.phi().values()[7] == -static_cast<float>(dz[1]));
}

TEST_CASE("the warm start is UniformStep, bit for bit; then selection begins") {
  for (const bool with_priors : {false, true}) {
    PriorWeights prior;
    if (with_priors) {
      prior.by_class = {0.5, 1, 2, 1};
      for (int i = 0; i < 100; ++i) prior.by_sample.push_back(1 + i % 3);
    }
    auto selected = float_step(MlpWeightNet<float>(FloatFeatures{}.layout()), {.uniform_steps = 6, .prior = prior});
    UniformStep uniform(selected.model(), selected.theta().clone(), Sgd<Float>(selected.inner()), prior);
    const Eigen::VectorXf phi = selected.phi().values();
    for (std::uint64_t k = 0; k < 6; ++k) {
      const auto train = float_batch(140, 100, k), validation = float_batch(30, 100, 50 + k);
      const auto a = selected(train.batch, train.samples, validation.batch, validation.samples);
      const auto b = uniform(train.batch, train.samples);
      CHECK(selected.theta().values() == uniform.theta().values());
      CHECK(selected.weights().p == uniform.weights().p);
      CHECK(a.train_loss == b.train_loss);
      CHECK(a.gradient_norm == b.gradient_norm);
      CHECK(a.b_eff == b.b_eff);
      CHECK(std::string(a.mode) == "uniform");
      CHECK(!a.phi_moved);
    }
    CHECK(selected.phi().values() == phi);
    const auto train = float_batch(140, 100, 6), validation = float_batch(30, 100, 56);
    const auto report = selected(train.batch, train.samples, validation.batch, validation.samples);
    CHECK(report.phi_moved);
    CHECK(selected.phi().values() != phi);
  }
}

TEST_CASE("float agrees with double to float's precision: one step from the same point") {
  const auto run = [](auto scalar) {
    using S = decltype(scalar);
    using P = DenseParameters<S>;
    const auto model = nn::mlp<S>({20, 48, 4}, {.activation = nn::Activation::tanh});
    const auto single = nn::mlp<float>({20, 48, 4}).initialize({54, "theta"});
    P theta = model.initialize({54, "theta"});
    theta.values() = single.values().template cast<S>();
    const TabularWeightNet<S> net(100);
    MtsStep step(model, std::move(theta), Sgd<P>({.learning_rate = 0.5, .momentum = 0.9, .nesterov = true}),
                 Places<S>{}, net, net.initialize({54, "phi"}), Sgd<P>({.learning_rate = 1}));
    const auto train = float_batch(200, 100, 1), validation = float_batch(150, 100, 2);
    step(nn::ClassificationBatch<S>{train.batch.inputs.cast<S>(), train.batch.labels}, train.samples,
         nn::ClassificationBatch<S>{validation.batch.inputs.cast<S>(), validation.batch.labels}, validation.samples);
    return std::pair(Eigen::VectorXd(step.hypergradient().values().template cast<double>()),
                     Eigen::VectorXd(step.theta().values().template cast<double>()));
  };
  const auto single = run(0.0f), exact = run(0.0);
  CHECK(exact.first.norm() > 1e-4);
  CHECK(toy::relative_error(single.first, exact.first) <= 1e-5);
  CHECK(toy::relative_error(single.second, exact.second) <= 1e-5);
}

TEST_CASE("the smallest types that fit: a vector handled whole, a model of one pullback, a step without options") {
  const minimal::Model model;
  const minimal::WeightNet net;
  MtsStep step(model, model.initialize({55, "theta"}), minimal::UnitStep{}, PlacesInBatch{}, net,
               net.initialize({55, "phi"}), minimal::UnitStep{});
  const Eigen::MatrixXd train = Eigen::MatrixXd::Random(6, 2), validation = Eigen::MatrixXd::Random(4, 2);
  // l = X theta: linear, so that Gamma is the mean row of the validation batch, and a = X Gamma.
  const auto report = step(train, {}, validation, {});
  const Eigen::VectorXd gamma = validation.colwise().mean();
  CHECK(toy::relative_error(step.alignments(), train * gamma) <= 1e-10);
  CHECK(report.gamma_norm == doctest::Approx(gamma.norm()));
  CHECK(std::string(report.alignment) == "cheapest");
}
