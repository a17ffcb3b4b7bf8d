#pragma once
/// \file
/// `Network`: a net of the autodiff room, run on a device. The same graph, the same parameters, the same rules.
///
/// Values X and unweighted deltas D of all nodes lie in the device's memory; only N-vectors cross to the host. Whatever a
/// linearisation is asked for again in a steady loop (the same batch memory, the same parameters) is replayed as one
/// sequence. Memory in two regimes, as on the host: X and D of the whole batch are kept if they fit the budget; else only the
/// values are, and every rule forms X and D anew, window by window.

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/autodiff/network.hpp"
#include "mts/cuda/column.hpp"
#include "mts/cuda/parameters.hpp"
#include "mts/cuda/translation.hpp"

namespace mts::cuda {

/// A batch as a network reads it: dense inputs and integer columns in a device's memory, in the order the graph declared them. Not
/// owned.
template <class S, class E>
struct NetworkInput {
  Index samples = 0;
  std::vector<ConstMatrix<S>> dense = {};
  std::vector<const Column<E>*> columns = {};
};

struct NetworkOptions {
  /// Bytes for the activations and deltas of one evaluation; a batch that needs more is recomputed window by window.
  Index workspace_budget = Index{8} << 30;
};

namespace detail {

namespace kernels {
template <class S>
struct SetOnes {
  S* to;
  MTS_HOST_DEVICE void operator()(Index k) const { to[k] = S{1}; }
};
template <class S>
struct Widen {
  const S* from;
  double* to;
  MTS_HOST_DEVICE void operator()(Index k) const { to[k] = static_cast<double>(from[k]); }
};
}  // namespace kernels

/// 1, 2, ...: none twice.
inline Index fresh_number() {
  static std::atomic<Index> last = 0;
  return ++last;
}

/// A graph with its rules on a device.
template <class S, class E>
struct Compiled {
  Compiled(autodiff::Network<S> network, SharedQueue<E> q, const NetworkOptions& options,
           const Translation<S, E>& translation)
      : host(std::move(network)), queue(std::move(q)), workspace_budget(options.workspace_budget) {
    const auto& nodes = net().graph.steps();
    Index widest = 1;
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      rules.push_back(nodes[k].rules ? translation(*nodes[k].rules, net().in_widths[k]) : nullptr);
      widest = std::max(widest, nodes[k].width);
      if (owns(k)) {
        values_row += nodes[k].width;
        if (net().has_delta(k)) deltas_row += nodes[k].width;
      }
    }
    check_value(workspace_budget >= 0, "cuda::Network", "the workspace budget must not be negative, found ",
                workspace_budget);
    const Index row = std::max<Index>(1, (values_row + deltas_row) * static_cast<Index>(sizeof(S)));
    // No launch and no matrix of 2^31 entries or more.
    at_once = std::max<Index>(1, std::min((Index{1} << 30) / std::max<Index>(widest, Lanes::count), Index{1} << 25));
    window = std::clamp<Index>(workspace_budget / row, std::min<Index>(at_once, 256), at_once);
  }
  const autodiff::detail::Compiled<S>& net() const { return host.compiled(); }
  bool owns(std::size_t k) const {
    return net().graph.steps()[k].dense_input < 0 && net().storage[k] == static_cast<int>(k);
  }

  const Index number =
      fresh_number();  ///< for keys: its address may become another's while its sequences are still kept
  autodiff::Network<S> host;
  SharedQueue<E> queue;
  Index workspace_budget;
  std::vector<std::unique_ptr<const Rules<S, E>>> rules;  ///< per node
  Index values_row = 0, deltas_row = 0;                   ///< numbers of a sample
  Index at_once = 0;                                      ///< samples that any window may have
  Index window = 0;                                       ///< samples of a recomputed one
};

/// Values and deltas of the samples [begin, end).
template <class S, class E>
struct Window {
  Index begin = 0, end = 0;
  Buffer<S, E> memory;
  std::vector<ConstMatrix<S>> values;  ///< per node
  std::vector<Matrix<S>> deltas;       ///< per node; absent where nothing depends on a parameter

  Index samples() const { return end - begin; }
};

/// What sequences are told apart by.
enum class Sequence : std::uint64_t { forward, linearize, pullback, pushforward, per_sample_dot, squared_norm };

/// One graph at one point over one batch.
template <class S, class E>
class Tape {
 public:
  Tape(const Compiled<S, E>& net, const S* theta, const NetworkInput<S, E>& input)
      : net_(net), theta_(theta), input_(input) {}

  Window<S, E> lay_out(Index begin, Index end, bool with_deltas) const {
    const auto& nodes = steps();
    const Index n = end - begin;
    const auto rounded = [](Index size) { return (size + 63) / 64 * 64; };
    Index total = 0;
    for (std::size_t k = 0; k < nodes.size(); ++k)
      if (net_.owns(k)) total += rounded(n * nodes[k].width) * (with_deltas && host().has_delta(k) ? 2 : 1);
    Window<S, E> w{begin, end, Buffer<S, E>(net_.queue, total), {}, {}};
    w.values.resize(nodes.size());
    w.deltas.resize(nodes.size());
    S* at = w.memory.data();
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      const auto take = [&] {
        return Matrix<S>{std::exchange(at, at + rounded(n * nodes[k].width)), n, nodes[k].width};
      };
      if (nodes[k].dense_input >= 0) {
        const auto& rows = input_.dense[static_cast<std::size_t>(nodes[k].dense_input)];
        w.values[k] = {rows.data + begin * rows.cols, n, rows.cols};
      } else if (net_.owns(k)) {
        w.values[k] = take();
        if (with_deltas && host().has_delta(k)) w.deltas[k] = take();
      } else {
        const auto root = static_cast<std::size_t>(host().storage[k]);
        w.values[k] = w.values[root];
        w.deltas[k] = w.deltas[root];
      }
    }
    return w;
  }

  void forward(const Window<S, E>& w) const {
    for (std::size_t k = 0; k < steps().size(); ++k)
      if (steps()[k].dense_input < 0)
        with_node(w, k, [&](At<S, E> at) {
          const ConstMatrix<S> out = std::exchange(at.out, {});
          if (w.samples() * out.cols > 0) net_.rules[k]->forward(at, writable(out));
        });
  }
  void backward(const Window<S, E>& w) const {
    const auto& nodes = steps();
    std::vector<char> has_delta(nodes.size(), 0);
    const auto top = static_cast<std::size_t>(host().outputs.value.index);
    if (const auto seed = w.deltas[top]) {
      net_.queue->each(seed.size(), kernels::SetOnes<S>{seed.data});
      has_delta[top] = 1;
    }
    std::vector<Sink<S>> sinks;
    for (std::size_t k = top + 1; k-- > 0;) {
      if (!has_delta[k] || nodes[k].inputs.empty()) continue;
      sinks.clear();
      for (const int j : nodes[k].inputs) {
        const auto in = static_cast<std::size_t>(j);
        sinks.push_back({w.deltas[in], has_delta[in] != 0});
        if (sinks.back()) has_delta[in] = 1;
      }
      with_node(w, k, [&](const At<S, E>& at) { net_.rules[k]->pullback(at, w.deltas[k], sinks); });
    }
  }
  /// gradient += sum over the window of u_i delta_i dy_i/dw. \param u  of the whole batch
  void parameter_pullback(const Window<S, E>& w, const S* u, S* gradient) const {
    each_parametric(w, [&](std::size_t k, const At<S, E>& at) {
      net_.rules[k]->parameter_pullback(at, w.deltas[k], u + w.begin, gradient + steps()[k].parameters_begin);
    });
  }
  /// out_i <- (J v)_i for the samples of the window.
  void pushforward(const Window<S, E>& w, const S* v, double* out) const {
    const auto& nodes = steps();
    std::vector<Buffer<S, E>> memory;
    std::vector<ConstMatrix<S>> tangents(nodes.size()), in;
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (!host().has_delta(k)) continue;
      memory.emplace_back(net_.queue, w.samples() * nodes[k].width);
      const Matrix<S> tangent{memory.back().data(), w.samples(), nodes[k].width};
      in.clear();
      for (const int j : nodes[k].inputs) in.push_back(tangents[static_cast<std::size_t>(j)]);
      with_node(w, k, [&](const At<S, E>& at) {
        net_.rules[k]->pushforward(at, in, nodes[k].parameters ? v + nodes[k].parameters_begin : nullptr, tangent);
      });
      tangents[k] = tangent;
    }
    const auto& value = tangents[static_cast<std::size_t>(host().outputs.value.index)];
    if (value)
      net_.queue->each(w.samples(), kernels::Widen<S>{value.data, out + w.begin});
    else
      net_.queue->clear(out + w.begin, w.samples());
  }
  /// out_i += <delta_i dy_i/dw, v> over all parametric nodes; and |.|^2.
  void per_sample_dot(const Window<S, E>& w, const S* v, double* out) const {
    each_parametric(w, [&](std::size_t k, const At<S, E>& at) {
      net_.rules[k]->per_sample_dot(at, w.deltas[k], v + steps()[k].parameters_begin, out + w.begin);
    });
  }
  void per_sample_squared_norm(const Window<S, E>& w, double* out) const {
    each_parametric(w, [&](std::size_t k, const At<S, E>& at) {
      net_.rules[k]->per_sample_squared_norm(at, w.deltas[k], out + w.begin);
    });
  }
  /// What all operations on this window depend on.
  Key key(const Window<S, E>& w, Sequence what) const {
    Key key(static_cast<std::uint64_t>(what));
    key.add(net_.number).add(theta_).add(w.memory.data()).add(w.begin).add(w.samples());
    for (const auto& rows : input_.dense) key.add(rows.data);
    for (const auto* column : input_.columns) key.add(column->data());
    return key;
  }

 private:
  const autodiff::detail::Compiled<S>& host() const { return net_.net(); }
  const auto& steps() const { return host().graph.steps(); }
  static Matrix<S> writable(ConstMatrix<S> m) { return {const_cast<S*>(m.data), m.rows, m.cols}; }

  /// f(At) with what node k's rules see of the window.
  template <class F>
  void with_node(const Window<S, E>& w, std::size_t k, F&& f) const {
    const auto& step = steps()[k];
    std::array<ConstMatrix<S>, autodiff::detail::max_inputs> in;
    for (std::size_t j = 0; j < step.inputs.size(); ++j) in[j] = w.values[static_cast<std::size_t>(step.inputs[j])];
    std::array<const int*, 8> columns{};
    for (std::size_t c = 0; c < input_.columns.size(); ++c) columns[c] = input_.columns[c]->data() + w.begin;
    f(At<S, E>{net_.queue, w.samples(), std::span<const ConstMatrix<S>>(in.data(), step.inputs.size()), w.values[k],
               theta_ + step.parameters_begin, columns});
  }
  template <class F>
  void each_parametric(const Window<S, E>& w, F&& f) const {
    for (std::size_t k = 0; k < steps().size(); ++k)
      if (w.deltas[k] && steps()[k].parameters > 0) with_node(w, k, [&](const At<S, E>& at) { f(k, at); });
  }

  const Compiled<S, E>& net_;
  const S* theta_;
  const NetworkInput<S, E>& input_;
};

}  // namespace detail

/// The values of a network at a point. Movable. Const calls are thread-safe, but for the first look at logits or embeddings. theta
/// and the batch must outlive it, unchanged.
template <class S, class E>
class NetworkForward {
 public:
  NetworkForward(std::shared_ptr<const detail::Compiled<S, E>> net, const Parameters<S, E>& theta,
                 NetworkInput<S, E> input, bool with_deltas)
      : net_(std::move(net)), theta_(theta.data()), input_(std::move(input)) {
    const Index row = net_->values_row + (with_deltas ? net_->deltas_row : 0);
    const bool fits = samples() * row * static_cast<Index>(sizeof(S)) <= net_->workspace_budget;
    const auto evaluate = [&](const detail::Window<S, E>& w) {
      tape().forward(w);
      if (with_deltas) tape().backward(w);
    };
    if (fits && samples() <= net_->at_once) {
      window_.emplace(tape().lay_out(0, samples(), with_deltas));
      queue()->replay(tape().key(*window_, with_deltas ? detail::Sequence::linearize : detail::Sequence::forward),
                      [&] { evaluate(*window_); });
      keep_value(*window_);
    } else {
      for_each_window(false, [&](const detail::Window<S, E>& w) {
        keep_value(w);
        keep(w, outputs().logits, logits_);
        keep(w, outputs().embeddings, embeddings_);
      });
    }
    check_finite("cuda::Network", "value per sample", value_);
  }
  NetworkForward(NetworkForward&&) noexcept = default;
  NetworkForward& operator=(NetworkForward&&) noexcept = default;

  Index samples() const { return input_.samples; }
  /// N numbers, on the host.
  const SampleVector& value() const { return value_; }
  /// N x C and N x E, on the host: brought over when first asked for. \throws ValueError if the network has no such output
  const RowMatrix<S>& logits() const { return on_host(device_logits(), host_logits_); }
  const RowMatrix<S>& embeddings() const { return on_host(device_embeddings(), host_embeddings_); }
  /// The same in the device's memory, valid while this lives.
  ConstMatrix<S> device_logits() const { return shown(outputs().logits, logits_, "logits"); }
  ConstMatrix<S> device_embeddings() const { return shown(outputs().embeddings, embeddings_, "embeddings"); }
  /// Whether activations (and deltas) are kept; else every rule recomputes them.
  bool kept() const { return window_.has_value(); }
  const char* activations() const { return kept() ? "kept" : "recomputed"; }
  const SharedQueue<E>& queue() const { return net_->queue; }

 protected:
  detail::Tape<S, E> tape() const { return {*net_, theta_, input_}; }
  const autodiff::NetworkOutputs& outputs() const { return net_->net().outputs; }
  /// Calls f(window) with windows that cover the batch, in order; one if everything is kept.
  template <class F>
  void for_each_window(bool with_deltas, F&& f) const {
    if (window_) return f(*window_);
    for (Index begin = 0; begin < samples(); begin += net_->window) {
      const auto w = tape().lay_out(begin, std::min(samples(), begin + net_->window), with_deltas);
      tape().forward(w);
      if (with_deltas) tape().backward(w);
      f(w);
    }
  }
  /// The same; where everything is kept, as a sequence that can be replayed. \param complete  adds to the key what else it depends on
  template <class Complete, class F>
  void for_each_window(detail::Sequence what, Complete&& complete, F&& f) const {
    if (!window_) return for_each_window(true, f);
    Key key = tape().key(*window_, what);
    complete(key);
    queue()->replay(key, [&] { f(*window_); });
  }

  std::shared_ptr<const detail::Compiled<S, E>> net_;
  const S* theta_;
  NetworkInput<S, E> input_;

 private:
  void keep_value(const detail::Window<S, E>& w) {
    if (outputs().value.index < 0) return;
    value_.resize(samples());
    const auto& value = w.values[static_cast<std::size_t>(outputs().value.index)];
    narrow_.resize(w.samples());
    queue()->download(narrow_.data(), value.data, w.samples());
    value_.segment(w.begin, w.samples()) = narrow_.template cast<double>();
  }
  void keep(const detail::Window<S, E>& w, autodiff::Node n, Buffer<S, E>& rows) {
    if (n.index < 0) return;
    const auto& part = w.values[static_cast<std::size_t>(n.index)];
    if (w.begin == 0) rows = Buffer<S, E>(queue(), samples() * part.cols);
    queue()->copy(rows.data() + w.begin * part.cols, part.data, part.size());
  }
  ConstMatrix<S> shown(autodiff::Node n, const Buffer<S, E>& kept_rows, const char* what) const {
    if (n.index < 0) throw ValueError(mts::detail::text("cuda::Network: this network shows no ", what));
    if (window_) return window_->values[static_cast<std::size_t>(n.index)];
    return {kept_rows.data(), samples(), net_->net().graph.steps()[static_cast<std::size_t>(n.index)].width};
  }
  const RowMatrix<S>& on_host(ConstMatrix<S> m, std::optional<RowMatrix<S>>& host) const {
    if (!host) {
      host.emplace(m.rows, m.cols);
      queue()->download(host->data(), m.data, m.size());
    }
    return *host;
  }

  std::optional<detail::Window<S, E>> window_;  ///< empty where X and D are recomputed
  SampleVector value_;
  Eigen::Matrix<S, Eigen::Dynamic, 1> narrow_;
  Buffer<S, E> logits_, embeddings_;  ///< where nothing else is kept
  mutable std::optional<RowMatrix<S>> host_logits_, host_embeddings_;
};

/// A network linearised at a point: J is the N x P Jacobian of the value. Every rung of the ladder.
template <class S, class E>
class NetworkLinearization : public NetworkForward<S, E> {
  using Sequence = detail::Sequence;
  using Window = detail::Window<S, E>;

 public:
  NetworkLinearization(std::shared_ptr<const detail::Compiled<S, E>> net, const Parameters<S, E>& theta,
                       NetworkInput<S, E> input)
      : NetworkForward<S, E>(std::move(net), theta, std::move(input), true) {}

  /// out <- J^T u.
  void pullback(const SampleVector& u, Parameters<S, E>& out) const {
    check_size("cuda::Network::pullback", "length of u", this->samples(), u.size());
    check_parameters("cuda::Network::pullback", out);
    const Eigen::Matrix<S, Eigen::Dynamic, 1> narrow = u.template cast<S>();
    Buffer<S, E> weights(this->queue(), this->samples());
    this->queue()->upload(weights.data(), narrow.data(), narrow.size());
    out.set_zero();
    this->for_each_window(
        Sequence::pullback, [&](Key& key) { key.add(weights.data()).add(out.data()); },
        [&](const Window& w) { this->tape().parameter_pullback(w, weights.data(), out.data()); });
  }
  /// out <- J v, by tangents carried forward.
  void pushforward(const Parameters<S, E>& v, SampleVector& out) const {
    check_parameters("cuda::Network::pushforward", v);
    per_sample(Sequence::pushforward, v.data(), out,
               [&](const Window& w, double* to) { this->tape().pushforward(w, v.data(), to); });
  }
  /// out_i <- <grad l_i, v>, from the deltas: one product of forward size.
  void per_sample_dot(const Parameters<S, E>& v, SampleVector& out) const {
    check_parameters("cuda::Network::per_sample_dot", v);
    per_sample(Sequence::per_sample_dot, v.data(), out,
               [&](const Window& w, double* to) { this->tape().per_sample_dot(w, v.data(), to); });
  }
  /// out_i <- |grad l_i|^2.
  void per_sample_squared_norm(SampleVector& out) const {
    per_sample(Sequence::squared_norm, nullptr, out,
               [&](const Window& w, double* to) { this->tape().per_sample_squared_norm(w, to); });
  }

 private:
  void check_parameters(std::string_view where, const Parameters<S, E>& v) const {
    check_size(where, "number of parameters", this->net_->host.parameter_count(), v.size());
  }
  template <class F>
  void per_sample(Sequence what, const S* v, SampleVector& out, F&& rule) const {
    Buffer<double, E> found(this->queue(), this->samples());
    this->queue()->clear(found.data(), found.size());
    this->for_each_window(
        what, [&](Key& key) { key.add(v).add(found.data()); }, [&](const Window& w) { rule(w, found.data()); });
    out.resize(this->samples());
    this->queue()->download(out.data(), found.data(), found.size());
  }
};

/// A net that is run on a device. Satisfies `DifferentiableMap` over `NetworkInput`. Copies share the graph and the queue.
/// Const calls are thread-safe. On one device the same bits at every call; against the host's network a sum may be formed in
/// another order, so the last digits differ.
template <class S, class E>
class Network {
 public:
  using Scalar = S;
  using Parameters = cuda::Parameters<S, E>;

  /// \throws ValueError if a primitive of the net has no rules on a device or the budget is negative
  Network(autodiff::Network<S> network, SharedQueue<E> queue, const NetworkOptions& options = {},
          const Translation<S, E>& translation = {})
      : net_(std::make_shared<const detail::Compiled<S, E>>(std::move(network), std::move(queue), options,
                                                            translation)) {}

  const autodiff::Network<S>& host() const { return net_->host; }
  const SharedQueue<E>& queue() const { return net_->queue; }
  Index parameter_count() const { return host().parameter_count(); }

  /// The host network's own, number for number.
  Parameters initialize(RandomStream stream) const { return Parameters(queue(), host().initialize(stream)); }
  /// \throws ShapeError, ValueError (integer column out of range), NumericalError (value not finite)
  NetworkForward<S, E> forward(const Parameters& theta, const NetworkInput<S, E>& input) const {
    check(theta, input);
    return NetworkForward<S, E>(net_, theta, input, false);
  }
  /// The same, and one back-propagation.
  NetworkLinearization<S, E> linearize(const Parameters& theta, const NetworkInput<S, E>& input) const {
    check_value(net_->net().outputs.value.index >= 0, "cuda::Network::linearize",
                "this network has no value, only `forward`");
    check(theta, input);
    return NetworkLinearization<S, E>(net_, theta, input);
  }

 private:
  void check(const Parameters& theta, const NetworkInput<S, E>& input) const {
    const auto& g = host().graph();
    check_size("cuda::Network", "number of parameters", g.parameter_count(), theta.size());
    if (input.samples < 1) throw ShapeError("cuda::Network: empty batch: expected at least 1 sample, found 0");
    check_size("cuda::Network", "number of dense inputs", g.dense_inputs(), static_cast<Index>(input.dense.size()));
    check_size("cuda::Network", "number of integer columns", static_cast<Index>(g.columns().size()),
               static_cast<Index>(input.columns.size()));
    for (const auto& step : g.steps()) {
      if (step.dense_input < 0) continue;
      const auto& in = input.dense[static_cast<std::size_t>(step.dense_input)];
      if (in.rows != input.samples || in.cols != step.width)
        throw ShapeError(mts::detail::text("cuda::Network: dense input ", step.dense_input, ": expected ",
                                           input.samples, " x ", step.width, ", found ", in.rows, " x ", in.cols));
    }
    for (std::size_t c = 0; c < g.columns().size(); ++c) {
      check_size("cuda::Network", g.columns()[c].name, input.samples, input.columns[c]->size());
      input.columns[c]->check("cuda::Network", g.columns()[c].name, g.columns()[c].cardinality);
    }
  }

  std::shared_ptr<const detail::Compiled<S, E>> net_;
};

}  // namespace mts::cuda
