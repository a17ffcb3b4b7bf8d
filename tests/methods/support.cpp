#include "methods/support.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <string>

#include "mts/selection/uniform_step.hpp"

namespace mts_test {

namespace {

constexpr std::uint64_t validation_draws = 1'000'000;

Matrix inputs_of(const std::vector<int>& classes, mts::RandomStream stream) {
  Matrix x(static_cast<Index>(classes.size()), 6);
  for (Index i = 0; i < x.rows(); ++i)
    for (Index j = 0; j < x.cols(); ++j)
      x(i, j) = 0.6 * stream.normal() + (j % 3 == classes[static_cast<std::size_t>(i)] ? 1.0 : 0.0);
  return x;
}

double difference(const mts::SampleVector& found, const mts::SampleVector& expected) {
  return (found - expected).norm() / expected.norm();
}

}  // namespace

Planted::Planted(std::uint64_t s) : seed(s), theta(model.initialize({s, "theta"})) {
  std::vector<int> truth;
  for (Index i = 0; i < pool_size; ++i) {
    truth.push_back(static_cast<int>(i / 3 % classes));
    pool.labels.push_back(wrong(i) ? (truth.back() + 1) % classes : truth.back());
    pool.groups.push_back(static_cast<int>(i / 9 % 2));
  }
  inputs = inputs_of(truth, {seed, "pool"});
  embeddings.resize(pool_size, embedding_width);
  for (Index i = 0; i < pool_size; ++i)
    for (Index j = 0; j < embedding_width; ++j)
      embeddings(i, j) = 0.8 * inputs(i, j) - 0.6 * inputs(i, (j + 1) % inputs.cols());
  for (int i = 0; i < 60; ++i) validation.batch.labels.push_back(i % classes);
  validation.batch.inputs = inputs_of(validation.batch.labels, {seed, "validation"});
  validation.samples.labels = validation.batch.labels;
}

Drawn Planted::take(std::vector<Index> ids) const {
  Drawn d;
  d.batch.inputs.resize(static_cast<Index>(ids.size()), inputs.cols());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    d.batch.inputs.row(static_cast<Index>(i)) = inputs.row(ids[i]);
    d.batch.labels.push_back(pool.labels[static_cast<std::size_t>(ids[i])]);
    d.samples.groups.push_back(pool.groups[static_cast<std::size_t>(ids[i])]);
  }
  d.samples.labels = d.batch.labels;
  d.samples.ids = std::move(ids);
  return d;
}
Drawn Planted::train(std::uint64_t k, Index n) const {
  auto ids = mts::RandomStream(seed, "train", k).permutation(pool_size);
  ids.resize(static_cast<std::size_t>(n));
  return take(std::move(ids));
}
Drawn Planted::some_validation(std::uint64_t k, Index n) const {
  const auto ids =
      mts::RandomStream(seed, "validation draw", validation_draws + k).permutation(validation.batch.size());
  Drawn d;
  d.batch.inputs.resize(n, inputs.cols());
  for (Index i = 0; i < n; ++i) {
    const Index id = ids[static_cast<std::size_t>(i)];
    d.batch.inputs.row(i) = validation.batch.inputs.row(id);
    d.batch.labels.push_back(validation.batch.labels[static_cast<std::size_t>(id)]);
  }
  d.samples.labels = d.batch.labels;
  return d;
}

mts::features::TrainingDynamics Planted::dynamics() const {
  mts::features::TrainingDynamics dynamics(pool_size);
  mts::UniformStep step(model, theta, mts::Sgd<Dense>({.learning_rate = 0.2, .momentum = 0.9}));
  for (std::uint64_t k = 0; k < 60; ++k) {
    const auto t = train(k);
    dynamics.observe(t.samples.ids, model.forward(step.theta(), t.batch).logits(), t.samples.labels);
    step(t.batch, t.samples);
  }
  std::vector<Index> all(static_cast<std::size_t>(pool_size));
  std::iota(all.begin(), all.end(), Index{0});
  const auto whole = take(std::move(all));
  dynamics.score(model, step.theta(), whole.batch, whole.samples);
  return dynamics;
}

void check_equations(const Model& model, const Taken& t, const Said& said, double eta, double meta_eta) {
  const Index n = t.train.batch.size();
  // l_i and g_i, each sample alone
  SampleVector losses(n);
  Matrix gradients(n, t.theta.size());
  Dense g = t.theta.zeros_like();
  for (Index i = 0; i < n; ++i) {
    const Batch one{t.train.batch.inputs.row(i), {t.train.batch.labels[static_cast<std::size_t>(i)]}};
    const auto lin = model.linearize(t.theta, one);
    losses[i] = lin.value()[0];
    lin.pullback(SampleVector(SampleVector::Ones(1)), g);
    gradients.row(i) = g.values().transpose();
  }
  const Matrix x = said.inputs(t, losses);
  REQUIRE(x.rows() == n);

  const auto weights = [&](const Eigen::VectorXd& values) {
    Dense phi = t.phi;
    phi.values() = values;
    Index used = 0;
    const auto part = [&](const std::string& name) {
      const auto s = phi.segment(name);
      used += s.size();
      return s;
    };
    const auto embed = [&](const std::string& name, int value, Index dimension, std::vector<double>& h) {
      const auto table = part(name);
      for (Index d = 0; d < dimension; ++d) h.push_back(table[value * dimension + d]);
    };
    SampleVector p(n);
    for (Index i = 0; i < n; ++i) {
      used = 0;
      std::vector<double> h(static_cast<std::size_t>(x.cols()));
      for (Index d = 0; d < x.cols(); ++d) h[static_cast<std::size_t>(d)] = x(i, d);
      if (said.sees_class) embed("embedding.class.table", t.train.samples.labels[static_cast<std::size_t>(i)], 4, h);
      if (said.sees_group) embed("embedding.group.table", t.train.samples.groups[static_cast<std::size_t>(i)], 1, h);
      for (std::size_t layer = 0; layer <= said.hidden.size(); ++layer) {
        const bool last = layer == said.hidden.size();
        const std::string name = last ? "logit" : "layer" + std::to_string(layer + 1);
        const auto w = part(name + ".weight"), b = part(name + ".bias");
        const auto in = static_cast<Index>(h.size()), out = last ? 1 : said.hidden[layer];
        REQUIRE(w.size() == in * out);
        REQUIRE(b.size() == out);
        std::vector<double> next(static_cast<std::size_t>(out));
        for (Index o = 0; o < out; ++o) {
          double sum = b[o];
          for (Index k = 0; k < in; ++k) sum += w[o * in + k] * h[static_cast<std::size_t>(k)];
          next[static_cast<std::size_t>(o)] = last || sum > 0 ? sum : 0;
        }
        h = std::move(next);
      }
      p[i] = said.psi(h[0]);
    }
    CHECK(used == phi.size());  // there is nothing else in it
    return SampleVector(p / p.sum());
  };
  const auto objective = [&](const Eigen::VectorXd& phi) {
    Dense ahead = t.theta;
    ahead.values() -= eta * gradients.transpose() * weights(phi);
    return model.forward(ahead, t.validation.batch).value().mean();
  };

  const Eigen::VectorXd& phi = t.phi.values();
  CHECK(difference(t.p, weights(phi)) <= 1e-12);
  for (std::uint64_t k = 0; k < 3; ++k) {
    mts::RandomStream stream(k, "direction");
    Eigen::VectorXd d(phi.size());
    for (Index j = 0; j < d.size(); ++j) d[j] = stream.normal();
    constexpr double h = 1e-6;
    const double slope = (objective(phi + h * d) - objective(phi - h * d)) / (2 * h);
    CHECK(t.hypergradient.values().dot(d) ==
          doctest::Approx(slope).epsilon(1e-4).scale(0.01 * t.hypergradient.values().norm()));
  }
  CHECK(t.hypergradient.values().norm() > 0);
  CHECK(difference(t.new_phi.values(), phi - meta_eta * t.hypergradient.values()) <= 1e-14);
  CHECK(difference(t.new_p, weights(t.new_phi.values())) <= 1e-12);
  CHECK(difference(t.new_theta.values(),
                   t.theta.values() - eta * gradients.transpose() * weights(t.new_phi.values())) <= 1e-12);
}

}  // namespace mts_test
