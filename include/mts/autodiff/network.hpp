#pragma once
/// \file
/// `Network`: a graph that can be run. Forward, linearise once, then pull back and push forward any number of times.
///
/// Samples are cut into tiles of 128; each tile goes through the whole tape, cache-hot, tiles in parallel. A
/// linearisation keeps the values X of all nodes and the unweighted deltas D (row i: dl_i/dy_i) of all nodes that depend
/// on parameters. After that, for each parametric node,
///   pullback          J^T u       needs only  (diag(u) D)^T X     (half a backward pass, whatever u is),
///   per-sample dot    <g_i, v>    needs only  rowsum(D * (X V^T)) (a forward pass without activations),
///   squared norms     |g_i|^2     needs only  |D_i|^2 |X_i|^2.
/// So features, virtual step, alignments and real step share one forward and one back-propagation.

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "mts/autodiff/graph.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// Samples per tile: part of what fixes a result's bits.
inline constexpr Index tile_samples = 128;

/// A batch as a network reads it: dense inputs and integer columns, in the order the graph declared them. Not owned.
template <class S>
struct NetworkInput {
  Index samples = 0;
  std::array<ConstView<S>, 4> dense{};
  std::array<const int*, 8> columns{};
  int dense_count = 0;
  int column_count = 0;

  explicit NetworkInput(Index n) : samples(n) {}
  NetworkInput& add(ConstView<S> rows) {
    if (dense_count == static_cast<int>(dense.size())) throw ShapeError("NetworkInput: at most 4 dense inputs");
    dense[static_cast<std::size_t>(dense_count++)] = rows;
    return *this;
  }
  NetworkInput& add(const RowMatrix<S>& m) { return add(ConstView<S>{m.data(), m.rows(), m.cols(), m.cols()}); }
  /// A column of n integers. \throws ShapeError if it has another length
  NetworkInput& add(std::span<const int> column) {
    if (column_count == static_cast<int>(columns.size())) throw ShapeError("NetworkInput: at most 8 columns");
    check_size("NetworkInput", "length of an integer column", samples, static_cast<Index>(column.size()));
    columns[static_cast<std::size_t>(column_count++)] = column.data();
    return *this;
  }
};

/// Which nodes a network shows; index -1 for none. `value` must have width 1; a network without one can only be run
/// forward (a decoder).
struct NetworkOutputs {
  Node value{};
  Node logits{};
  Node embeddings{};
};

namespace detail {

/// Memory of one evaluation; reused by later ones.
template <class S>
struct Workspace {
  mts::detail::AlignedBuffer<S> values, deltas;
  std::vector<ConstView<S>> value_of;  // per node
  std::vector<View<S>> delta_of;       // per node; empty where nothing depends on a parameter
  SampleVector value;
};

template <class S>
class WorkspacePool {
 public:
  std::unique_ptr<Workspace<S>> take(Index samples) {
    std::lock_guard lock(mutex_);
    // The smallest that has room for so many samples, else the largest: sizes alternate (train, validation).
    auto best = idle_.end();
    for (auto it = idle_.begin(); it != idle_.end(); ++it) {
      const auto room = [](const auto& w) { return w->value.size(); };
      if (best == idle_.end() || (room(*it) >= samples ? room(*best) < samples || room(*it) < room(*best)
                                                       : room(*best) < samples && room(*it) > room(*best)))
        best = it;
    }
    if (best == idle_.end()) return std::make_unique<Workspace<S>>();
    auto w = std::move(*best);
    idle_.erase(best);
    return w;
  }
  void give_back(std::unique_ptr<Workspace<S>> w) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(w));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace<S>>> idle_;
};

/// A graph with what can be known of it before any batch.
template <class S>
struct Compiled {
  Graph<S> graph;
  NetworkOutputs outputs;
  std::vector<std::vector<Index>> in_widths;
  std::vector<std::pair<int, Index>> tasks;  // (node, task) of the parameter pullback
  std::vector<char> on_path;                 // whether the value depends on the node
  mutable WorkspacePool<S> pool;
};

inline Index round_up(Index n) { return (n + 15) / 16 * 16; }

}  // namespace detail

/// The values of a network at a point. Movable; gives its memory back when it dies. Const calls are thread-safe. theta, the
/// batch and the network must outlive it, unchanged.
template <class S>
class NetworkForward {
 public:
  /// N numbers: the losses of a classifier, the logits z of a weight net.
  const SampleVector& value() const { return workspace_->value; }
  /// N x C. \throws ValueError if the network has no such output
  ConstRows<S> logits() const { return shown(net_->outputs.logits, "logits"); }
  /// N x E, the penultimate activations. \throws ValueError if the network has no such output
  ConstRows<S> embeddings() const { return shown(net_->outputs.embeddings, "embeddings"); }
  /// N x width: the values of any node.
  ConstRows<S> node(Node n) const { return shown(n, "node"); }
  Index samples() const { return input_.samples; }

  NetworkForward(NetworkForward&&) noexcept = default;
  NetworkForward& operator=(NetworkForward&& other) noexcept {
    std::swap(net_, other.net_);
    std::swap(theta_, other.theta_);
    std::swap(input_, other.input_);
    std::swap(workspace_, other.workspace_);
    return *this;
  }
  ~NetworkForward() {
    if (workspace_) net_->pool.give_back(std::move(workspace_));
  }

  NetworkForward(std::shared_ptr<const detail::Compiled<S>> net, const DenseParameters<S>& theta,
                 const NetworkInput<S>& input, bool with_deltas)
      : net_(std::move(net)), theta_(theta.data()), input_(input), workspace_(net_->pool.take(input.samples)) {
    lay_out(with_deltas);
    parallel_tiles(input_.samples, tile_samples, [&](Index, Index begin, Index end) {
      forward(begin, end);
      if (with_deltas) backward(begin, end);
    });
    check_finite("Network", "value per sample", workspace_->value);
  }

 protected:
  using Step = typename Graph<S>::Step;
  static constexpr int max_inputs = 16;

  const std::vector<Step>& steps() const { return net_->graph.steps(); }
  ConstView<S> values(int node, Index begin, Index end) const {
    const auto& v = workspace_->value_of[static_cast<std::size_t>(node)];
    return {v.data + begin * v.stride, end - begin, v.cols, v.stride};
  }
  View<S> deltas(int node, Index begin, Index end) const {
    const auto& v = workspace_->delta_of[static_cast<std::size_t>(node)];
    if (!v) return {};
    return {v.data + begin * v.stride, end - begin, v.cols, v.stride};
  }
  /// Calls f(tile) with the tile of node k over [begin, end).
  template <class F>
  void with_tile(std::size_t k, Index begin, Index end, F&& f) const {
    const Step& step = steps()[k];
    std::array<ConstView<S>, max_inputs> in;
    for (std::size_t j = 0; j < step.inputs.size(); ++j) in[j] = values(step.inputs[j], begin, end);
    std::array<const int*, 8> columns{};
    for (std::size_t c = 0; c < net_->graph.columns().size(); ++c) columns[c] = input_.columns[c] + begin;
    f(Tile<S>{end - begin, std::span<const ConstView<S>>(in.data(), step.inputs.size()),
              values(static_cast<int>(k), begin, end), theta_ + step.parameters_begin, columns});
  }

  std::shared_ptr<const detail::Compiled<S>> net_;
  const S* theta_;
  NetworkInput<S> input_;
  std::unique_ptr<detail::Workspace<S>> workspace_;

 private:
  ConstRows<S> shown(Node n, const char* what) const {
    if (n.index < 0 || n.index >= static_cast<int>(steps().size()))
      throw ValueError(detail::text("Network: this network shows no ", what));
    return values(n.index, 0, input_.samples).matrix();
  }

  void lay_out(bool with_deltas) {
    const auto& nodes = steps();
    const Index n = input_.samples;
    workspace_->value.resize(net_->outputs.value.index < 0 ? 0 : n);
    workspace_->value_of.assign(nodes.size(), {});
    workspace_->delta_of.assign(nodes.size(), {});
    const auto place = [&](auto& buffer, auto wanted, auto set) {
      Index total = 0;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (wanted(k)) total += detail::round_up(n * nodes[k].width);
      S* at = buffer.reserve(total);
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (wanted(k)) {
          set(k, at);
          at += detail::round_up(n * nodes[k].width);
        }
    };
    place(
        workspace_->values, [&](std::size_t k) { return nodes[k].dense_input < 0; },
        [&](std::size_t k, S* at) {
          workspace_->value_of[k] = {at, n, nodes[k].width, nodes[k].width};
        });
    for (std::size_t k = 0; k < nodes.size(); ++k)
      if (nodes[k].dense_input >= 0)
        workspace_->value_of[k] = input_.dense[static_cast<std::size_t>(nodes[k].dense_input)];
    if (with_deltas)
      place(
          workspace_->deltas, [&](std::size_t k) { return nodes[k].depends && net_->on_path[k]; },
          [&](std::size_t k, S* at) {
            workspace_->delta_of[k] = {at, n, nodes[k].width, nodes[k].width};
          });
  }
  void forward(Index begin, Index end) {
    for (std::size_t k = 0; k < steps().size(); ++k) {
      if (steps()[k].dense_input >= 0) continue;
      with_tile(k, begin, end, [&](Tile<S> tile) {
        const ConstView<S> out = std::exchange(tile.out, {});
        steps()[k].rules->forward(tile, View<S>{const_cast<S*>(out.data), out.rows, out.cols, out.stride});
      });
    }
    if (net_->outputs.value.index < 0) return;
    const auto value = values(net_->outputs.value.index, begin, end);
    for (Index i = begin; i < end; ++i) workspace_->value[i] = static_cast<double>(value.row(i - begin)[0]);
  }
  void backward(Index begin, Index end) {
    const auto& nodes = steps();
    std::array<char, 512> has_delta{};
    const auto top = static_cast<std::size_t>(net_->outputs.value.index);
    if (auto seed = deltas(net_->outputs.value.index, begin, end)) {
      seed.matrix().setOnes();
      has_delta[top] = 1;
    }
    for (std::size_t k = top + 1; k-- > 0;) {
      if (!has_delta[k] || nodes[k].inputs.empty()) continue;
      std::array<DeltaSink<S>, max_inputs> sinks;
      for (std::size_t j = 0; j < nodes[k].inputs.size(); ++j) {
        const int in = nodes[k].inputs[j];
        sinks[j] = {deltas(in, begin, end), has_delta[static_cast<std::size_t>(in)] != 0};
        if (sinks[j]) has_delta[static_cast<std::size_t>(in)] = 1;
      }
      with_tile(k, begin, end, [&](const Tile<S>& tile) {
        nodes[k].rules->pullback(tile, deltas(static_cast<int>(k), begin, end),
                                 std::span<const DeltaSink<S>>(sinks.data(), nodes[k].inputs.size()));
      });
    }
  }
};

/// A network linearised at a point: J is the N x P Jacobian of the value. Every rung of the ladder.
template <class S>
class NetworkLinearization : public NetworkForward<S> {
 public:
  NetworkLinearization(std::shared_ptr<const detail::Compiled<S>> net, const DenseParameters<S>& theta,
                       const NetworkInput<S>& input)
      : NetworkForward<S>(std::move(net), theta, input, true) {}

  /// out <- J^T u. Parallel over blocks of parameters; each is summed over the samples in order.
  void pullback(const SampleVector& u, DenseParameters<S>& out) const {
    check_size("Network::pullback", "length of u", this->samples(), u.size());
    check_parameters("Network::pullback", out);
    S* scales = mts::detail::thread_scratch<S, 3>(u.size());
    for (Index i = 0; i < u.size(); ++i) scales[i] = static_cast<S>(u[i]);
    out.values().setZero();
    const auto& tasks = this->net_->tasks;
    parallel_tasks(static_cast<Index>(tasks.size()), [&](Index k) {
      const auto [node, task] = tasks[static_cast<std::size_t>(k)];
      const auto delta = this->deltas(node, 0, this->samples());
      const auto& step = this->steps()[static_cast<std::size_t>(node)];
      this->with_tile(static_cast<std::size_t>(node), 0, this->samples(), [&, task = task](const Tile<S>& tile) {
        step.rules->parameter_pullback(tile, delta, scales, task, out.data() + step.parameters_begin);
      });
    });
  }
  /// out <- J v, by tangents carried forward through the tape.
  void pushforward(const DenseParameters<S>& v, SampleVector& out) const {
    check_parameters("Network::pushforward", v);
    out.resize(this->samples());
    const auto& nodes = this->steps();
    Index width = 0;
    for (const auto& n : nodes) width += n.width;
    parallel_tiles(this->samples(), tile_samples, [&](Index, Index begin, Index end) {
      S* at = mts::detail::thread_scratch<S, 2>(width * tile_samples);
      std::array<ConstView<S>, 512> tangents{};
      for (std::size_t k = 0; k < nodes.size(); ++k) {
        if (!nodes[k].depends || !this->net_->on_path[k]) continue;
        const View<S> tangent{at, end - begin, nodes[k].width, nodes[k].width};
        at += nodes[k].width * (end - begin);
        std::array<ConstView<S>, NetworkForward<S>::max_inputs> in;
        for (std::size_t j = 0; j < nodes[k].inputs.size(); ++j)
          in[j] = tangents[static_cast<std::size_t>(nodes[k].inputs[j])];
        this->with_tile(k, begin, end, [&](const Tile<S>& tile) {
          nodes[k].rules->pushforward(tile, std::span<const ConstView<S>>(in.data(), nodes[k].inputs.size()),
                                      nodes[k].parameters ? v.data() + nodes[k].parameters_begin : nullptr, tangent);
        });
        tangents[k] = tangent;
      }
      const auto& value = tangents[static_cast<std::size_t>(this->net_->outputs.value.index)];
      for (Index i = begin; i < end; ++i) out[i] = value ? static_cast<double>(value.row(i - begin)[0]) : 0.0;
    });
  }
  /// out_i <- <grad l_i, v>, from the kept deltas: one product of forward size.
  void per_sample_dot(const DenseParameters<S>& v, SampleVector& out) const {
    check_parameters("Network::per_sample_dot", v);
    per_sample(out, [&](const auto& step, const Tile<S>& tile, ConstView<S> delta, double* to) {
      step.rules->per_sample_dot(tile, delta, v.data() + step.parameters_begin, to);
    });
  }
  /// out_i <- |grad l_i|^2.
  void per_sample_squared_norm(SampleVector& out) const {
    per_sample(out, [](const auto& step, const Tile<S>& tile, ConstView<S> delta, double* to) {
      step.rules->per_sample_squared_norm(tile, delta, to);
    });
  }

 private:
  void check_parameters(std::string_view where, const DenseParameters<S>& v) const {
    if (v.size() != this->net_->graph.parameter_count())
      check_size(where, "number of parameters", this->net_->graph.parameter_count(), v.size());
  }
  template <class F>
  void per_sample(SampleVector& out, F&& rule) const {
    out.setZero(this->samples());
    const auto& nodes = this->steps();
    parallel_tiles(this->samples(), tile_samples, [&](Index, Index begin, Index end) {
      for (std::size_t k = 0; k < nodes.size(); ++k) {
        const auto delta = this->deltas(static_cast<int>(k), begin, end);
        if (!delta || nodes[k].parameters == 0) continue;
        this->with_tile(k, begin, end, [&](const Tile<S>& tile) { rule(nodes[k], tile, delta, out.data() + begin); });
      }
    });
  }
};

/// A net that can be run: parameters -> one number per sample. Satisfies `DifferentiableMap` over `NetworkInput`. Copies
/// share the graph and the memory pool. Thread-safe.
template <class S>
class Network {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;

  /// \throws ShapeError if the value is not of width 1 or the net is too large for the tape (512 nodes, 16 inputs a node);
  /// ValueError if an output is no node of the graph
  Network(Graph<S> graph, NetworkOutputs outputs) {
    auto net = std::make_shared<detail::Compiled<S>>();
    const auto& nodes = graph.steps();
    if (outputs.value.index >= 0) check_size("Network", "width of the value", 1, graph.width(outputs.value));
    if (outputs.logits.index >= 0) graph.width(outputs.logits);
    if (outputs.embeddings.index >= 0) graph.width(outputs.embeddings);
    if (nodes.size() > 512) throw ShapeError(detail::text("Network: expected at most 512 nodes, found ", nodes.size()));
    if (graph.dense_inputs() > 4 || graph.columns().size() > 8)
      throw ShapeError(detail::text("Network: expected at most 4 dense inputs and 8 columns, found ",
                                    graph.dense_inputs(), " and ", graph.columns().size()));
    net->on_path.assign(nodes.size(), 0);
    if (outputs.value.index >= 0) net->on_path[static_cast<std::size_t>(outputs.value.index)] = 1;
    for (std::size_t k = nodes.size(); k-- > 0;) {
      if (nodes[k].inputs.size() > 16)
        throw ShapeError(detail::text("Network: expected at most 16 inputs a node, found ", nodes[k].inputs.size()));
      for (int j : nodes[k].inputs)
        if (net->on_path[k]) net->on_path[static_cast<std::size_t>(j)] = 1;
    }
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      std::vector<Index> widths;
      for (int j : nodes[k].inputs) widths.push_back(nodes[static_cast<std::size_t>(j)].width);
      if (nodes[k].parameters > 0 && net->on_path[k])
        for (Index t = 0; t < nodes[k].rules->tasks(widths); ++t) net->tasks.emplace_back(static_cast<int>(k), t);
      net->in_widths.push_back(std::move(widths));
    }
    net->graph = std::move(graph);
    net->outputs = outputs;
    segments_ = net->graph.segments();
    net_ = std::move(net);
  }

  const Graph<S>& graph() const { return net_->graph; }
  Index parameter_count() const { return net_->graph.parameter_count(); }

  /// Each primitive's own initialisation, from a substream of its own.
  Parameters initialize(RandomStream stream) const {
    Parameters theta(segments_);
    const auto& nodes = net_->graph.steps();
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (nodes[k].parameters == 0) continue;
      RandomStream own = stream.substream("initialize", k);
      nodes[k].rules->initialize(theta.data() + nodes[k].parameters_begin, net_->in_widths[k], own);
    }
    return theta;
  }
  /// \throws ShapeError, ValueError (integer column out of range), NumericalError (value not finite)
  NetworkForward<S> forward(const Parameters& theta, const NetworkInput<S>& input) const {
    check(theta, input);
    return NetworkForward<S>(net_, theta, input, false);
  }
  /// The same, and one back-propagation.
  NetworkLinearization<S> linearize(const Parameters& theta, const NetworkInput<S>& input) const {
    check_value(net_->outputs.value.index >= 0, "Network::linearize", "this network has no value, only `forward`");
    check(theta, input);
    return NetworkLinearization<S>(net_, theta, input);
  }

 private:
  void check(const Parameters& theta, const NetworkInput<S>& input) const {
    const auto& g = net_->graph;
    check_size("Network", "number of parameters", g.parameter_count(), theta.size());
    if (input.samples < 1) throw ShapeError("Network: empty batch: expected at least 1 sample, found 0");
    check_size("Network", "number of dense inputs", g.dense_inputs(), input.dense_count);
    check_size("Network", "number of integer columns", static_cast<Index>(g.columns().size()), input.column_count);
    for (const auto& step : g.steps()) {
      if (step.dense_input < 0) continue;
      const auto& in = input.dense[static_cast<std::size_t>(step.dense_input)];
      if (in.rows != input.samples || in.cols != step.width)
        throw ShapeError(detail::text("Network: dense input ", step.dense_input, ": expected ", input.samples, " x ",
                                      step.width, ", found ", in.rows, " x ", in.cols));
    }
    for (std::size_t c = 0; c < g.columns().size(); ++c)
      for (Index i = 0; i < input.samples; ++i)
        if (input.columns[c][i] < 0 || input.columns[c][i] >= g.columns()[c].cardinality)
          throw ValueError(detail::text("Network: ", g.columns()[c].name, " of sample ", i, ": expected 0 to ",
                                        g.columns()[c].cardinality - 1, ", found ", input.columns[c][i]));
  }

  std::shared_ptr<const detail::Compiled<S>> net_;
  std::vector<Segment> segments_;
};

}  // namespace mts::autodiff
