// Kept and recomputed activations: the same bits, for any number of threads; what is shown, and to whom.
#include "mts/autodiff/network.hpp"
#include "mts/nn/cnn.hpp"
#include "mts/nn/mlp.hpp"
#include "support/derivatives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

static_assert(ObservableModel<nn::Classifier<float>> && ObservableModel<nn::Classifier<double>>);

namespace {

using Batch = nn::ClassificationBatch<float>;

Batch batch_of(Index n, Index inputs) {
  Batch b;
  b.inputs = random_matrix(n, inputs, RandomStream(1, "x")).cast<float>();
  for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>(i % 3));
  return b;
}

/// Everything an evaluation can be asked, and how it went about it.
struct Answers {
  bool kept = false;
  SampleVector value, forward, pushed, dots, squares;
  DenseParameters<float>::Values gradient;
  RowMatrix<float> logits, embeddings;
};
Answers answers(const nn::Classifier<float>& model, const Batch& b) {
  const auto theta = model.initialize(RandomStream(2, "theta"));
  const auto lin = model.linearize(theta, b);
  Answers a;
  a.kept = lin.kept();
  a.value = lin.value();
  a.forward = model.forward(theta, b).value();
  auto out = theta.zeros_like();
  lin.pullback(random_vector(b.size(), RandomStream(3, "u")), out);
  a.gradient = out.values();
  lin.pushforward(out, a.pushed);
  lin.per_sample_dot(out, a.dots);
  lin.per_sample_squared_norm(a.squares);
  a.logits = lin.logits();
  a.embeddings = lin.embeddings();
  return a;
}
void check_same(const Answers& a, const Answers& b) {
  CHECK(a.value == b.value);
  CHECK(a.forward == b.forward);
  CHECK(a.gradient == b.gradient);
  CHECK(a.pushed == b.pushed);
  CHECK(a.dots == b.dots);
  CHECK(a.squares == b.squares);
  CHECK(a.logits == b.logits);
  CHECK(a.embeddings == b.embeddings);
}

constexpr Index all = Index{1} << 30;

nn::Classifier<float> mlp_with(Index budget) {
  return nn::mlp<float>({6, 17, 9, 3}, {.layer_norm = true, .workspace_budget = budget});
}
nn::Classifier<float> cnn_with(Index budget) {
  return nn::cnn<float>({16, 16, 1},
                        {.classes = 3, .channels = {16, 16}, .hidden = {12}, .groups = 4, .workspace_budget = budget});
}

}  // namespace

TEST_CASE("kept and recomputed activations give the same bits, for 1, 2 and 4 threads") {
  // Windows are 4096 samples of this MLP and 256 of this CNN (32 MiB), so there are several and the last is a part.
  const Batch rows = batch_of(9001, 6), images = batch_of(601, 256);
  const Answers mlp = answers(mlp_with(all), rows), cnn = answers(cnn_with(all), images);
  CHECK(mlp.kept);
  CHECK(cnn.kept);
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    with_threads(threads, [&] {
      for (const Index budget : {Index{0}, all}) {
        CAPTURE(budget);
        const Answers a = answers(mlp_with(budget), rows), b = answers(cnn_with(budget), images);
        CHECK(a.kept == (budget == all));
        CHECK(b.kept == (budget == all));
        check_same(a, mlp);
        check_same(b, cnn);
      }
    });
  }
}

TEST_CASE("the budget decides to the byte") {
  const Batch b = batch_of(100, 6);
  const Index bytes = mlp_with(all).network().linearization_bytes() * 100;
  const auto kept = [&](Index budget) {
    const auto model = mlp_with(budget);
    return model.linearize(model.initialize(RandomStream(2, "theta")), b).kept();
  };
  CHECK(kept(bytes));
  CHECK(!kept(bytes - 1));
  CHECK_THROWS_WITH_AS(mlp_with(-1), "Network: the workspace budget must not be negative, found -1", ValueError);
}

TEST_CASE("an observer is shown every sample once, in order, with what it will be told later") {
  const Batch rows = batch_of(9001, 6);
  for (const Index budget : {Index{0}, all}) {
    CAPTURE(budget);
    const auto model = mlp_with(budget);
    const auto theta = model.initialize(RandomStream(2, "theta"));
    const Answers expected = answers(model, rows);
    Index next = 0, calls = 0;
    const auto lin = model.linearize(theta, rows, [&](const nn::Classifier<float>::Rows& shown) {
      REQUIRE(shown.begin() == next);
      REQUIRE(shown.batch_samples() == 9001);
      CHECK(shown.value() == expected.value.segment(next, shown.samples()));
      CHECK(shown.logits() == expected.logits.middleRows(next, shown.samples()));
      CHECK(shown.embeddings() == expected.embeddings.middleRows(next, shown.samples()));
      next += shown.samples();
      ++calls;
    });
    CHECK(next == 9001);
    CHECK(calls == (budget == 0 ? 3 : 1));
    CHECK(lin.value() == expected.value);
    if (budget == 0)
      CHECK_THROWS_WITH_AS(
          lin.embeddings(),
          "Network: the embeddings were shown to an observer and not kept: N = 9001 samples exceed the "
          "workspace budget",
          ValueError);
    else
      CHECK(lin.embeddings() == expected.embeddings);
  }
}

TEST_CASE("a recomputed loss that is not finite is named by its place in the batch") {
  Batch rows = batch_of(9001, 6);
  rows.inputs(8500, 2) = std::numeric_limits<float>::infinity();
  const auto model = mlp_with(0);
  CHECK_THROWS_WITH_AS(model.forward(model.initialize(RandomStream(2, "theta")), rows),
                       doctest::Contains("at index 8500 of 9001"), NumericalError);
}
