#include "mts/nn/classifier.hpp"

#include "mts/nn/mlp.hpp"
#include "support/derivatives.hpp"

using namespace mts;
using namespace mts::nn;
using namespace mts::testing;

namespace {

/// A classifier whose logits are its inputs.
Classifier<double> pass_through(int classes) {
  autodiff::Graph<double> g;
  const auto x = g.input(classes);
  const auto label = g.column(classes, "label");
  const auto loss = g.add(autodiff::SoftmaxCrossEntropy{label}, {x});
  return Classifier<double>(autodiff::Network<double>(std::move(g), {loss, x, x}));
}

}  // namespace

TEST_CASE("classifier: accuracy is the fraction of samples whose largest logit is their label's") {
  const auto model = pass_through(3);
  const auto theta = model.initialize(RandomStream(1, "none"));
  ClassificationBatch<double> b;
  b.inputs.resize(4, 3);
  b.inputs << 1, 2, 0, 5, -1, 5, 0, 0, 0, -3, -2, -1;
  b.labels = {1, 0, 0, 2};  // of equal logits the first counts
  CHECK(b.size() == 4);
  CHECK(accuracy(model, theta, b) == 1);
  b.labels = {1, 2, 0, 2};
  CHECK(accuracy(model, theta, b) == 0.75);
  b.labels = {0, 1, 1, 0};
  CHECK(accuracy(model, theta, b) == 0);
}

TEST_CASE("classifier: plain gradient descent learns a separable set") {
  const auto model = mlp<double>({2, 8, 2}, {.activation = Activation::tanh});
  ClassificationBatch<double> b;
  b.inputs = random_matrix(200, 2, RandomStream(1, "points"));
  for (Index i = 0; i < 200; ++i) b.labels.push_back(b.inputs(i, 0) * b.inputs(i, 1) > 0 ? 1 : 0);
  auto theta = model.initialize(RandomStream(5, "model"));
  auto gradient = theta.zeros_like();
  const double before = model.forward(theta, b).value().mean();
  for (int step = 0; step < 600; ++step) {
    model.linearize(theta, b).pullback(SampleVector::Constant(200, 1.0 / 200), gradient);
    theta.axpy(-2, gradient);
  }
  CHECK(model.forward(theta, b).value().mean() < before / 3);
  CHECK(accuracy(model, theta, b) > 0.93);
}

TEST_CASE("classifier: initial parameters are a function of the stream alone") {
  const auto model = mlp<float>({3, 4, 2});
  const RandomStream stream(1, "model");
  CHECK(model.initialize(stream).values() == mlp<float>({3, 4, 2}).initialize(stream).values());
  CHECK(model.initialize(stream).values() != model.initialize(RandomStream(2, "model")).values());
  CHECK(model.initialize(stream).values() != model.initialize(RandomStream(1, "model", 1)).values());
}

TEST_CASE("classifier: refuses batches that do not fit") {
  const auto model = mlp<double>({2, 3});
  const auto theta = model.initialize(RandomStream(1, "model"));
  ClassificationBatch<double> b;
  b.inputs = RowMatrix<double>::Ones(3, 2);
  b.labels = {0, 1};
  CHECK_THROWS_WITH_AS(model.forward(theta, b), "NetworkInput: length of an integer column: expected 3, found 2",
                       ShapeError);
  b.labels = {0, 1, 3};
  CHECK_THROWS_WITH_AS(model.linearize(theta, b), "Network: label of sample 2: expected 0 to 2, found 3", ValueError);
  b.labels = {0, 1, 2};
  b.inputs.resize(3, 4);
  CHECK_THROWS_WITH_AS(model.forward(theta, b), "Network: dense input 0: expected 3 x 2, found 3 x 4", ShapeError);
  CHECK_THROWS_WITH_AS(model.forward(theta, ClassificationBatch<double>{}),
                       "Network: empty batch: expected at least 1 sample, found 0", ShapeError);
  CHECK_THROWS_AS(accuracy(model, theta, ClassificationBatch<double>{}), ShapeError);
}
