#pragma once
/// \file
/// `Graph`: a net as a list of nodes in topological order, each an input or a primitive applied to earlier nodes. Branches,
/// shared intermediate values and a user's own primitive need nothing special.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mts/autodiff/primitive.hpp"

namespace mts::autodiff {

/// A node's place in its graph.
struct Node {
  int index = -1;
};

/// Describes a net. Build it once, then hand it to `Network`.
///
///     Graph<float> g;
///     auto x = g.input(784);
///     auto y = g.column(10, "label");
///     auto h = g.add(Relu{}, {g.add(Linear{128}, {x})});
///     auto z = g.add(Linear{10}, {h});
///     auto l = g.add(SoftmaxCrossEntropy{y}, {z});
///
/// Parameters are laid out in the order in which the primitives were added.
template <class S>
class Graph {
 public:
  /// A dense input: N x width rows of the batch. Inputs are matched to a batch's by their order.
  Node input(Index width) {
    if (width < 0) throw ShapeError(detail::text("Graph::input: expected a width of at least 0, found ", width));
    nodes_.push_back({nullptr, {}, width, 0, 0, dense_inputs_++, false});
    return {static_cast<int>(nodes_.size()) - 1};
  }
  /// An integer column of the batch with values {0, ..., cardinality-1}.
  Column column(int cardinality, std::string name) {
    if (cardinality < 1)
      throw ShapeError(
          detail::text("Graph::column: '", name, "': expected a cardinality of at least 1, found ", cardinality));
    columns_.push_back({std::move(name), cardinality});
    return {static_cast<int>(columns_.size()) - 1, cardinality};
  }
  /// Applies a primitive to earlier nodes. `name` is put before the names of its segments.
  /// \throws ValueError if an input is no node of this graph or the primitive reads a column that is not its own
  template <class P>
  Node add(P primitive, const std::vector<Node>& inputs, std::string_view name = {}) {
    require_primitive<P, S>();
    return add_rules(std::make_shared<detail::RulesOf<S, P>>(std::move(primitive)), inputs, name);
  }

  /// \throws ValueError if n is no node of this graph
  Index width(Node n) const { return checked("Graph::width", n).width; }
  Index parameter_count() const { return parameters_; }
  const std::vector<Segment>& segments() const { return segments_; }

  /// One node, for whoever runs the graph.
  struct Step {
    std::shared_ptr<const detail::Rules<S>> rules;  ///< empty for an input
    std::vector<int> inputs;
    Index width = 0;
    Index parameters_begin = 0;
    Index parameters = 0;
    int dense_input = -1;  ///< which input of the batch, or -1
    bool depends = false;  ///< whether the value depends on any parameter
  };
  struct NamedColumn {
    std::string name;
    int cardinality;
  };
  const std::vector<Step>& steps() const { return nodes_; }
  const std::vector<NamedColumn>& columns() const { return columns_; }
  int dense_inputs() const { return dense_inputs_; }

 private:
  Node add_rules(std::shared_ptr<const detail::Rules<S>> rules, const std::vector<Node>& inputs,
                 std::string_view name) {
    Step step{std::move(rules), {}, 0, 0, 0, -1, false};
    std::vector<Index> widths;
    for (Node n : inputs) {
      const Step& input = checked("Graph::add", n);
      step.inputs.push_back(n.index);
      widths.push_back(input.width);
      step.depends = step.depends || input.depends;
    }
    step.width = step.rules->width(widths);
    for (const Column& c : step.rules->columns())
      if (c.index < 0 || c.index >= static_cast<int>(columns_.size()) ||
          columns_[static_cast<std::size_t>(c.index)].cardinality != c.cardinality)
        throw ValueError(detail::text("Graph::add: expected a column of this graph, which has ", columns_.size(),
                                      ", found column ", c.index, " of cardinality ", c.cardinality));
    step.parameters_begin = parameters_;
    const std::string prefix = name.empty() ? detail::text("node", nodes_.size()) : std::string(name);
    for (Segment s : step.rules->segments(widths)) {
      s.name = prefix + "." + s.name;
      s.begin = parameters_;
      parameters_ += s.length;
      segments_.push_back(std::move(s));
    }
    step.parameters = parameters_ - step.parameters_begin;
    step.depends = step.depends || step.parameters > 0;
    nodes_.push_back(std::move(step));
    return {static_cast<int>(nodes_.size()) - 1};
  }
  const Step& checked(const char* where, Node n) const {
    if (n.index < 0 || n.index >= static_cast<int>(nodes_.size()))
      throw ValueError(
          detail::text(where, ": expected one of the ", nodes_.size(), " nodes of this graph, found node ", n.index));
    return nodes_[static_cast<std::size_t>(n.index)];
  }

  std::vector<Step> nodes_;
  std::vector<Segment> segments_;
  std::vector<NamedColumn> columns_;
  Index parameters_ = 0;
  int dense_inputs_ = 0;
};

}  // namespace mts::autodiff
