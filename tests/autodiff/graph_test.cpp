#include "mts/autodiff/graph.hpp"

#include "mts/autodiff/combine.hpp"
#include "mts/autodiff/elementwise.hpp"
#include "mts/autodiff/embedding.hpp"
#include "mts/autodiff/linear.hpp"

using namespace mts;
using namespace mts::autodiff;

TEST_CASE("Graph: lays parameters out in the order of its primitives and names them") {
  Graph<float> g;
  const auto x = g.input(3);
  const auto a = g.add(Linear{4}, {x}, "first");
  const auto b = g.add(Tanh{}, {a});
  const auto c = g.add(Embedding{g.column(5, "kind"), 4}, {});
  const auto d = g.add(Add{}, {b, c});
  const auto e = g.add(Linear{.outputs = 2, .bias = false}, {d});
  const std::vector<Segment> expected{{"first.weight", 0, 12, true},
                                      {"first.bias", 12, 4, true},
                                      {"node3.table", 16, 20, true},
                                      {"node5.weight", 36, 8, true}};
  CHECK(g.segments() == expected);
  CHECK(g.parameter_count() == 44);
  CHECK(g.width(x) == 3);
  CHECK(g.width(d) == 4);
  CHECK(g.width(e) == 2);
  CHECK(g.dense_inputs() == 1);
  REQUIRE(g.columns().size() == 1);
  CHECK(g.columns()[0].name == "kind");
  CHECK(g.columns()[0].cardinality == 5);
}

TEST_CASE("Graph: knows which nodes depend on a parameter") {
  Graph<float> g;
  const auto x = g.input(2);
  g.add(Tanh{}, {x});
  const auto b = g.add(Linear{2}, {x});
  const auto c = g.add(Add{}, {x, b});
  g.add(Add{}, {x, x});
  g.add(Relu{}, {c});
  const std::vector<bool> expected{false, false, true, true, false, true};
  for (std::size_t k = 0; k < expected.size(); ++k) {
    CAPTURE(k);
    CHECK(g.steps()[k].depends == expected[k]);
  }
}

TEST_CASE("Graph: refuses nodes that are not its own, and sizes that are none") {
  Graph<float> g, other;
  CHECK_THROWS_WITH_AS(g.add(Relu{}, {Node{}}), "Graph::add: expected one of the 0 nodes of this graph, found node -1",
                       ValueError);
  const auto x = g.input(2);
  other.input(2);
  const auto foreign = other.input(2);
  CHECK_THROWS_WITH_AS(g.add(Relu{}, {foreign}), "Graph::add: expected one of the 1 nodes of this graph, found node 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(g.add(Add{}, {x, Node{}}),
                       "Graph::add: expected one of the 1 nodes of this graph, found node -1", ValueError);
  CHECK_THROWS_WITH_AS(g.width(foreign), "Graph::width: expected one of the 1 nodes of this graph, found node 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(g.input(-1), "Graph::input: expected a width of at least 0, found -1", ShapeError);
  CHECK_THROWS_WITH_AS(g.column(0, "kind"), "Graph::column: 'kind': expected a cardinality of at least 1, found 0",
                       ShapeError);
  // What was refused left nothing behind.
  CHECK(g.steps().size() == 1);
  CHECK(g.parameter_count() == 0);
  CHECK_THROWS_AS(g.add(Linear{0}, {x}), ShapeError);
  CHECK(g.steps().size() == 1);
  CHECK(g.segments().empty());
}
