#include "mts/autodiff/embedding.hpp"

#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

TEST_CASE("Embedding: derivatives") {
  for (Index n : awkward_samples) {
    const auto c = make_case("Embedding", {}, {labels(n, 4)});
    check_primitive(Embedding{{0, 4}, 3}, c);
  }
  check_primitive(Embedding{{0, 1}, 1}, make_case("Embedding, one value, one dimension", {}, {labels(5, 1)}));
  check_primitive(Embedding{{0, 3}, 2},
                  make_case("Embedding, all the same, some never", {}, {{3, std::vector<int>(130, 1)}}));
  check_primitive(Embedding{{1, 5}, 2}, make_case("Embedding of the second column", {}, {labels(6, 2), labels(6, 5)}));
}

TEST_CASE("Embedding: looks up rows of its table") {
  Vector table(6);
  table << 1, 2, 3, 4, 5, 6;
  RowMatrix<double> expected(4, 2);
  expected << 5, 6, 1, 2, 5, 6, 3, 4;
  CHECK(output_of(Embedding{{0, 3}, 2}, make_case("", {}, {{3, {2, 0, 2, 1}}}), &table) == expected);
}

TEST_CASE("Embedding: begins as N(0, scale^2)") {
  Graph<double> g;
  const auto a = g.add(Embedding{g.column(100, "a"), 50}, {}, "a");
  g.add(Embedding{.column = g.column(100, "b"), .dimension = 50, .decays = false, .scale = 0.25}, {}, "b");
  g.add(Embedding{.column = g.column(100, "c"), .dimension = 50, .scale = 0}, {}, "c");
  const Network<double> net(std::move(g), {.logits = a});
  auto theta = net.initialize(RandomStream(5, "embedding"));
  for (const auto& expected : {std::pair{"a.table", 1.0}, {"b.table", 0.25}}) {
    const char* name = expected.first;
    const double scale = expected.second;
    CAPTURE(name);
    const Vector e = theta.segment(name);
    REQUIRE(e.size() == 5000);
    // Five standard errors: of the mean s/sqrt(n), of the variance s^2 sqrt(2/n).
    CHECK(std::abs(e.mean()) < 5 * scale / std::sqrt(5000.0));
    CHECK(std::abs(e.squaredNorm() / 5000 - scale * scale) < 5 * scale * scale * std::sqrt(2.0 / 5000));
  }
  CHECK(theta.segment("c.table") == Vector::Zero(5000));
  CHECK(theta.segments()[0].decays);
  CHECK_FALSE(theta.segments()[1].decays);
  // Different tables begin differently.
  CHECK((theta.segment("a.table") * 0.25 - theta.segment("b.table")).norm() > 1);
}

TEST_CASE("Embedding: refuses what it cannot look up") {
  Graph<double> g;
  const auto c = g.column(3, "kind");
  const auto x = g.input(1);
  CHECK_THROWS_WITH_AS(g.add(Embedding{c, 2}, {x}), "Embedding: expected 0 inputs, found 1", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Embedding{c, 0}, {}),
                       "Embedding: expected dimension and cardinality of at least 1, found 0 and 3", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Embedding{Column{}, 2}, {}),
                       "Embedding: expected dimension and cardinality of at least 1, found 2 and 0", ShapeError);
  CHECK_THROWS_WITH_AS(g.add(Embedding{Column{1, 3}, 2}, {}),
                       "Graph::add: expected a column of this graph, which has 1, found column 1 of cardinality 3",
                       ValueError);
  CHECK_THROWS_WITH_AS(g.add(Embedding{Column{0, 4}, 2}, {}),
                       "Graph::add: expected a column of this graph, which has 1, found column 0 of cardinality 4",
                       ValueError);
}
