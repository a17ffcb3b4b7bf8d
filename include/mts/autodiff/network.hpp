#pragma once
/// \file
/// `Network`: a graph that can be run. Forward, linearise once, then pull back and push forward any number of times.
///
/// A linearisation has the values X of all nodes and the unweighted deltas D (row i: dl_i/dy_i) of all nodes that depend on
/// parameters. Given them, for each parametric node,
///   pullback          J^T u       needs only  (diag(u) D)^T X     (half a backward pass, whatever u is),
///   per-sample dot    <g_i, v>    needs only  rowsum(D * (X V^T)) (a forward pass without activations),
///   squared norms     |g_i|^2     needs only  |D_i|^2 |X_i|^2.
/// So features, virtual step, alignments and real step share one forward and one back-propagation.
///
/// Memory, two regimes. **Kept**: X and D of the whole batch, if they fit `NetworkOptions::workspace_budget`. **Recomputed**: else only
/// the values (8 bytes a sample) are kept, and every rule forms X and D anew, window by window, in memory that does not grow
/// with N. Both give the same bits.

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "mts/autodiff/products.hpp"
#include "mts/autodiff/tape.hpp"
#include "mts/core/function_ref.hpp"

namespace mts::autodiff {

struct NetworkOptions {
  /// Bytes for the activations and deltas of one evaluation; a batch that needs more is recomputed window by window.
  Index workspace_budget = Index{1} << 30;
};

/// What an evaluation shows of a range of samples: a ClassifierForward of those alone. Valid while the evaluation lives and,
/// where it was handed to an observer, until that returns.
template <class S>
class NetworkRows {
 public:
  NetworkRows(const detail::Compiled<S>& net, const detail::TapeWindow<S>& window, Index batch_samples)
      : net_(&net), window_(&window), batch_samples_(batch_samples) {}

  Index begin() const { return window_->begin; }  ///< the first sample's place in the batch
  Index samples() const { return window_->end - window_->begin; }
  Index batch_samples() const { return batch_samples_; }  ///< N
  const SampleVector& value() const { return window_->value(); }
  ConstRows<S> logits() const { return shown(net_->outputs.logits, "logits"); }
  ConstRows<S> embeddings() const { return shown(net_->outputs.embeddings, "embeddings"); }
  /// \throws ValueError if there is no such node, or a later one works in its place
  ConstRows<S> shown(Node n, const char* what) const {
    const auto& nodes = net_->graph.steps();
    if (n.index < 0 || n.index >= static_cast<int>(nodes.size()))
      throw ValueError(detail::text("Network: this network shows no ", what));
    for (std::size_t k = static_cast<std::size_t>(n.index) + 1; k < nodes.size(); ++k)
      if (net_->storage[k] == net_->storage[static_cast<std::size_t>(n.index)])
        throw ValueError(detail::text("Network: the values of node ", n.index, " are not kept: node ", k,
                                      " works in their place; make it an output, or look at node ", k));
    return window_->values[static_cast<std::size_t>(n.index)].matrix();
  }

 private:
  const detail::Compiled<S>* net_;
  const detail::TapeWindow<S>* window_;
  Index batch_samples_;
};

/// Is told of the samples of a batch, range by range in order, while they are evaluated.
template <class S>
using RowsObserver = mts::detail::FunctionRef<void(const NetworkRows<S>&)>;

/// The values of a network at a point. Movable; gives its memory back when it dies. Const calls are thread-safe. theta, the
/// batch and the network must outlive it, unchanged.
template <class S>
class NetworkForward {
 public:
  /// N numbers: the losses of a classifier, the logits z of a weight net.
  const SampleVector& value() const { return kept() ? window_->value() : evaluation_->value; }
  /// N x C. \throws ValueError if the network has no such output, or it was only shown to an observer
  ConstRows<S> logits() const { return whole(net_->outputs.logits, "logits", 0); }
  /// N x E, the penultimate activations. \throws ValueError likewise
  ConstRows<S> embeddings() const { return whole(net_->outputs.embeddings, "embeddings", 1); }
  /// N x width: the values of any node. \throws ValueError if there is no such node, a later one works in its place, or X is not kept
  ConstRows<S> node(Node n) const {
    check_value(kept(), "Network::node", "values are not kept: N = ", input_.samples,
                " samples exceed the workspace budget");
    return NetworkRows<S>(*net_, *window_, input_.samples).shown(n, "node");
  }
  Index samples() const { return input_.samples; }
  /// Whether activations (and deltas) are kept; else every rule recomputes them.
  bool kept() const { return window_ != nullptr; }
  const char* activations() const { return kept() ? "kept" : "recomputed"; }

  NetworkForward(NetworkForward&&) noexcept = default;
  NetworkForward& operator=(NetworkForward&& other) noexcept {
    std::swap(net_, other.net_);
    std::swap(theta_, other.theta_);
    std::swap(input_, other.input_);
    std::swap(evaluation_, other.evaluation_);
    std::swap(window_, other.window_);
    return *this;
  }
  ~NetworkForward() {
    if (window_) net_->windows.give_back(std::move(window_));
    if (evaluation_) net_->evaluations.give_back(std::move(evaluation_));
  }

  /// \param observer  told of every sample once, in order; null for none. In the recomputed regime logits and embeddings of the
  ///   whole batch are kept only where there is none
  NetworkForward(std::shared_ptr<const detail::Compiled<S>> net, const DenseParameters<S>& theta,
                 const NetworkInput<S>& input, bool with_deltas, RowsObserver<S> observer)
      : net_(std::move(net)), theta_(theta.data()), input_(input) {
    pack(with_deltas);
    const Index row = net_->footprint.values + (with_deltas ? net_->footprint.deltas : 0);
    if (input_.samples * row * static_cast<Index>(sizeof(S)) <= net_->workspace_budget) {
      window_ = net_->windows.take(input_.samples * row, input_.samples);
      detail::Tape<S>::lay_out(*net_, input_, 0, input_.samples, with_deltas, *window_);
      tape().evaluate(*window_, with_deltas);
      if (observer) observer(NetworkRows<S>(*net_, *window_, input_.samples));
      return;
    }
    SampleVector& value = evaluation_->value;
    value.resize(net_->outputs.value.index < 0 ? 0 : input_.samples);
    for_each_window(false, [&](const detail::TapeWindow<S>& w) {
      if (value.size() > 0) value.segment(w.begin, w.end - w.begin) = w.value();
      const NetworkRows<S> rows(*net_, w, input_.samples);
      if (observer) return observer(rows);
      keep(net_->outputs.logits, rows, evaluation_->shown[0]);
      keep(net_->outputs.embeddings, rows, evaluation_->shown[1]);
    });
  }

 protected:
  detail::Tape<S> tape() const { return {*net_, theta_, input_, *evaluation_}; }
  /// Calls f(window) with windows that cover the batch, in order; one if everything is kept.
  template <class F>
  void for_each_window(bool with_deltas, F&& f) const {
    if (kept()) return f(*window_);
    const Index row = net_->footprint.values + (with_deltas ? net_->footprint.deltas : 0);
    for (Index begin = 0; begin < input_.samples; begin += net_->chunk) {
      const Index end = std::min(input_.samples, begin + net_->chunk);
      Lease<detail::TapeWindow<S>> lease(net_->windows, (end - begin) * row, end - begin);
      detail::Tape<S>::lay_out(*net_, input_, begin, end, with_deltas, *lease);
      tape().evaluate(*lease, with_deltas);
      f(*lease);
    }
  }

  template <class T>
  class Lease {
   public:
    Lease(detail::Pool<T>& pool, Index size, Index samples) : pool_(pool), piece_(pool.take(size, samples)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(piece_)); }
    T& operator*() const { return *piece_; }
    T* operator->() const { return piece_.get(); }

   private:
    detail::Pool<T>& pool_;
    std::unique_ptr<T> piece_;
  };

  std::shared_ptr<const detail::Compiled<S>> net_;
  const S* theta_;
  NetworkInput<S> input_;

 private:
  void pack(bool with_deltas) {
    const Index forward = net_->packed_forward_size, pullback = with_deltas ? net_->packed_pullback_size : 0;
    evaluation_ = net_->evaluations.take(forward + pullback, input_.samples);
    S* at = evaluation_->memory.reserve(forward + pullback);
    evaluation_->packed = at;
    evaluation_->packed_pullback = at + forward;
    detail::Tape<S>::pack(*net_, theta_, Packing::forward, at);
    if (with_deltas) detail::Tape<S>::pack(*net_, theta_, Packing::pullback, at + forward);
    evaluation_->shows = false;
  }
  void keep(Node n, const NetworkRows<S>& rows, RowMatrix<S>& all) const {
    if (n.index < 0) return;
    all.resize(input_.samples, net_->graph.width(n));
    all.middleRows(rows.begin(), rows.samples()) = rows.shown(n, "output");
    evaluation_->shows = true;
  }
  ConstRows<S> whole(Node n, const char* what, std::size_t k) const {
    if (kept()) return NetworkRows<S>(*net_, *window_, input_.samples).shown(n, what);
    if (n.index < 0) throw ValueError(detail::text("Network: this network shows no ", what));
    const RowMatrix<S>& shown = evaluation_->shown[k];
    check_value(evaluation_->shows, "Network", "the ", what,
                " were shown to an observer and not kept: N = ", input_.samples,
                " samples exceed the workspace budget");
    return rows_of(shown);
  }

  std::unique_ptr<detail::Evaluation<S>> evaluation_;
  std::unique_ptr<detail::TapeWindow<S>> window_;  ///< null where X and D are recomputed
};

/// A network linearised at a point: J is the N x P Jacobian of the value. Every rung of the ladder.
template <class S>
class NetworkLinearization : public NetworkForward<S> {
 public:
  NetworkLinearization(std::shared_ptr<const detail::Compiled<S>> net, const DenseParameters<S>& theta,
                       const NetworkInput<S>& input, RowsObserver<S> observer)
      : NetworkForward<S>(std::move(net), theta, input, true, observer) {}

  /// out <- J^T u.
  void pullback(const SampleVector& u, DenseParameters<S>& out) const {
    check_size("Network::pullback", "length of u", this->samples(), u.size());
    check_parameters("Network::pullback", out);
    S* weights = mts::detail::thread_scratch<S, 3>(u.size());
    for (Index i = 0; i < u.size(); ++i) weights[i] = static_cast<S>(u[i]);
    out.values().setZero();
    this->for_each_window(true, [&](const auto& w) { this->tape().parameter_pullback(w, weights, out.data()); });
  }
  /// out <- J v, by tangents carried forward through the tape.
  void pushforward(const DenseParameters<S>& v, SampleVector& out) const {
    check_parameters("Network::pushforward", v);
    out.resize(this->samples());
    with_packed(v, [&](const S* packed) {
      this->for_each_window(true, [&](const auto& w) { this->tape().pushforward(w, v.data(), packed, out.data()); });
    });
  }
  /// out_i <- <grad l_i, v>, from the deltas: one product of forward size.
  void per_sample_dot(const DenseParameters<S>& v, SampleVector& out) const {
    check_parameters("Network::per_sample_dot", v);
    out.setZero(this->samples());
    with_packed(v, [&](const S* packed) {
      per_sample(packed, out, [&](const auto& step, const Tile<S>& tile, ConstView<S> delta, double* to) {
        step.rules->per_sample_dot(tile, delta, v.data() + step.parameters_begin, to);
      });
    });
  }
  /// out_i <- |grad l_i|^2.
  void per_sample_squared_norm(SampleVector& out) const {
    out.setZero(this->samples());
    per_sample(nullptr, out, [](const auto& step, const Tile<S>& tile, ConstView<S> delta, double* to) {
      step.rules->per_sample_squared_norm(tile, delta, to);
    });
  }

 private:
  void check_parameters(std::string_view where, const DenseParameters<S>& v) const {
    if (v.size() != this->net_->graph.parameter_count())
      check_size(where, "number of parameters", this->net_->graph.parameter_count(), v.size());
  }
  /// Calls f(v packed for `forward`).
  template <class F>
  void with_packed(const DenseParameters<S>& v, F&& f) const {
    typename NetworkForward<S>::template Lease<detail::Evaluation<S>> lease(this->net_->evaluations,
                                                                            this->net_->packed_forward_size, 0);
    S* packed = lease->memory.reserve(this->net_->packed_forward_size);
    detail::Tape<S>::pack(*this->net_, v.data(), Packing::forward, packed);
    f(packed);
  }
  template <class F>
  void per_sample(const S* packed, SampleVector& out, F&& rule) const {
    this->for_each_window(true, [&](const auto& w) { this->tape().per_sample(w, packed, out.data(), rule); });
  }
};

/// A net that can be run: parameters -> one number per sample. Satisfies `DifferentiableMap` over `NetworkInput`. Copies
/// share the graph and the memory pools. Thread-safe.
template <class S>
class Network {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;

  /// \throws ShapeError if the value is not of width 1 or the net is too large for the tape (512 nodes, 16 inputs a node);
  /// ValueError if an output is no node of the graph or the budget is negative
  Network(Graph<S> graph, NetworkOutputs outputs, NetworkOptions options = {}) {
    auto net = std::make_shared<detail::Compiled<S>>();
    const auto& nodes = graph.steps();
    if (outputs.value.index >= 0) check_size("Network", "width of the value", 1, graph.width(outputs.value));
    if (outputs.logits.index >= 0) graph.width(outputs.logits);
    if (outputs.embeddings.index >= 0) graph.width(outputs.embeddings);
    check_value(options.workspace_budget >= 0, "Network", "the workspace budget must not be negative, found ",
                options.workspace_budget);
    if (nodes.size() > detail::max_nodes)
      throw ShapeError(detail::text("Network: expected at most 512 nodes, found ", nodes.size()));
    if (graph.dense_inputs() > 4 || graph.columns().size() > 8)
      throw ShapeError(detail::text("Network: expected at most 4 dense inputs and 8 columns, found ",
                                    graph.dense_inputs(), " and ", graph.columns().size()));
    net->on_path.assign(nodes.size(), 0);
    if (outputs.value.index >= 0) net->on_path[static_cast<std::size_t>(outputs.value.index)] = 1;
    for (std::size_t k = nodes.size(); k-- > 0;) {
      if (nodes[k].inputs.size() > detail::max_inputs)
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
    net->workspace_budget = options.workspace_budget;
    share_storage(*net);
    place_packed(*net);
    size_windows(*net);
    segments_ = net->graph.segments();
    net_ = std::move(net);
  }

  const Graph<S>& graph() const { return net_->graph; }
  /// The graph with all that is known of it before any batch, for another backend that runs it.
  const detail::Compiled<S>& compiled() const { return *net_; }
  Index parameter_count() const { return net_->graph.parameter_count(); }
  /// Bytes of activations, and of activations and deltas, that a sample takes where they are kept.
  Index forward_bytes() const { return net_->footprint.values * static_cast<Index>(sizeof(S)); }
  Index linearization_bytes() const {
    return (net_->footprint.values + net_->footprint.deltas) * static_cast<Index>(sizeof(S));
  }

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
  NetworkForward<S> forward(const Parameters& theta, const NetworkInput<S>& input,
                            RowsObserver<S> observer = {}) const {
    check(theta, input);
    return NetworkForward<S>(net_, theta, input, false, observer);
  }
  /// The same, and one back-propagation.
  NetworkLinearization<S> linearize(const Parameters& theta, const NetworkInput<S>& input,
                                    RowsObserver<S> observer = {}) const {
    check_value(net_->outputs.value.index >= 0, "Network::linearize", "this network has no value, only `forward`");
    check(theta, input);
    return NetworkLinearization<S>(net_, theta, input, observer);
  }

 private:
  /// A node that can work in place does, where nobody but itself looks at its input.
  static void share_storage(detail::Compiled<S>& net) {
    const auto& nodes = net.graph.steps();
    std::vector<int> consumers(nodes.size(), 0);
    for (const auto& node : nodes)
      for (int j : node.inputs) ++consumers[static_cast<std::size_t>(j)];
    for (const Node n : std::array<Node, 3>{net.outputs.value, net.outputs.logits,
                                            net.outputs.embeddings})  // nvcc misreads a list here
      if (n.index >= 0) ++consumers[static_cast<std::size_t>(n.index)];
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      net.storage.push_back(static_cast<int>(k));
      if (nodes[k].inputs.size() != 1 || !nodes[k].rules->in_place()) continue;
      const auto in = static_cast<std::size_t>(nodes[k].inputs[0]);
      if (nodes[in].dense_input < 0 && consumers[in] == 1 && nodes[in].rules->ignores_output() &&
          net.has_delta(in) == net.has_delta(k))
        net.storage[k] = net.storage[in];
    }
  }
  static void place_packed(detail::Compiled<S>& net) {
    const auto& nodes = net.graph.steps();
    const auto place = [&](std::vector<Index>& begins, Index& total, Packing packing, auto&& wanted) {
      for (std::size_t k = 0; k < nodes.size(); ++k) {
        const Index size =
            nodes[k].parameters > 0 && wanted(k) ? nodes[k].rules->packed_size(net.in_widths[k], packing) : 0;
        begins.push_back(size > 0 ? total : Index{-1});
        total += detail::round_up(size);
      }
    };
    place(net.packed_forward, net.packed_forward_size, Packing::forward, [](std::size_t) { return true; });
    place(net.packed_pullback, net.packed_pullback_size, Packing::pullback, [&](std::size_t k) {
      return net.on_path[k] && std::any_of(nodes[k].inputs.begin(), nodes[k].inputs.end(),
                                           [&](int j) { return net.has_delta(static_cast<std::size_t>(j)); });
    });
  }
  /// A tile's values and deltas should stay within 1 MiB; a recomputed window within 32 MiB, in whole slices of the sums over samples.
  static void size_windows(detail::Compiled<S>& net) {
    constexpr Index tile_bytes = Index{1} << 20, window_bytes = Index{32} << 20;
    const auto& nodes = net.graph.steps();
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (nodes[k].dense_input >= 0 || net.storage[k] != static_cast<int>(k)) continue;
      net.footprint.values += nodes[k].width;
      if (net.has_delta(k)) net.footprint.deltas += nodes[k].width;
    }
    const Index row = std::max<Index>(1, (net.footprint.values + net.footprint.deltas) * static_cast<Index>(sizeof(S)));
    while (net.tile > 16 && net.tile * row > tile_bytes) net.tile /= 2;
    constexpr Index slice = products::sum_depth;
    net.chunk = std::clamp<Index>(window_bytes / row / slice, 1, 16) * slice;
  }
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
