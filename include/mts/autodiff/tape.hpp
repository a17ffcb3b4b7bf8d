#pragma once
/// \file
/// The tape: how a graph is run over windows of samples. `Network` is what users see of it.
///
/// A window holds the values X and the unweighted deltas D (row i: dl_i/dy_i) of a range of samples for all nodes. Samples are cut
/// into tiles; each tile goes through the whole graph, cache-hot, tiles in parallel. A node that works in place shares its
/// input's memory.

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "mts/autodiff/graph.hpp"
#include "mts/core/parallel.hpp"
#include "mts/core/scratch.hpp"

namespace mts::autodiff {

/// Samples per tile at most; nets whose tile would outgrow the caches take 64, 32 or 16. Part of what fixes a result's bits.
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

inline constexpr int max_nodes = 512, max_inputs = 16;

/// Reused memory. `take` gives a piece that was last asked for by the same request (a size, and a number of samples), so that in a
/// steady loop each use gets the one that fits it to the byte; else the smallest that has room, else the largest.
template <class T>
class Pool {
 public:
  std::unique_ptr<T> take(Index size, Index samples) {
    std::lock_guard lock(mutex_);
    const std::pair<Index, Index> request(size, samples);
    const auto better = [size, &request](const T& a, const T& b) {
      if ((a.request == request) != (b.request == request)) return a.request == request;
      const Index x = a.memory.capacity(), y = b.memory.capacity();
      return x >= size ? y < size || x < y : y < size && x > y;
    };
    auto best = idle_.begin();
    for (auto it = idle_.begin(); it != idle_.end(); ++it)
      if (better(**it, **best)) best = it;
    if (best == idle_.end()) {
      auto piece = std::make_unique<T>();
      piece->request = request;
      return piece;
    }
    auto piece = std::move(*best);
    idle_.erase(best);
    piece->request = request;
    return piece;
  }
  void give_back(std::unique_ptr<T> piece) {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(piece));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

/// Values and deltas of the samples [begin, end).
template <class S>
struct TapeWindow {
  Index begin = 0;
  Index end = 0;
  mts::detail::AlignedBuffer<S> memory;
  std::vector<ConstView<S>> values;  ///< per node
  std::vector<View<S>> deltas;       ///< per node; empty where nothing depends on a parameter
  std::pair<Index, Index> request{};

  /// Of the samples, if the network has one.
  const SampleVector& value() const { return by_size_.front(); }
  SampleVector& value() { return by_size_.front(); }
  /// Makes `value` n numbers. One window serves batches of several sizes in turn, and an Eigen vector reallocates whenever its size
  /// changes: so there is one for each of the last few sizes.
  void resize_value(Index n) {
    auto it = std::find_if(by_size_.begin(), by_size_.end(), [n](const SampleVector& v) { return v.size() == n; });
    if (it == by_size_.end()) (--it)->resize(n);
    std::rotate(by_size_.begin(), it, it + 1);
  }

 private:
  std::array<SampleVector, 4> by_size_;  ///< the last used first
};

/// What an evaluation holds besides a window.
template <class S>
struct Evaluation {
  mts::detail::AlignedBuffer<S> memory;
  const S* packed = nullptr;           ///< theta, for the rules that want it packed; `forward`
  const S* packed_pullback = nullptr;  ///< and `pullback`
  // Where nothing else is kept:
  SampleVector value;
  std::array<RowMatrix<S>, 2> shown;  ///< logits, embeddings
  bool shows = false;                 ///< whether those are of this evaluation
  std::pair<Index, Index> request{};
};

/// Numbers in one window's row and memory, for values alone and with deltas.
struct Footprint {
  Index values = 0;
  Index deltas = 0;
};

/// A graph with what can be known of it before any batch.
template <class S>
struct Compiled {
  Graph<S> graph;
  NetworkOutputs outputs;
  std::vector<std::vector<Index>> in_widths;
  std::vector<std::pair<int, Index>> tasks;  ///< (node, task) of the parameter pullback
  std::vector<char> on_path;                 ///< whether the value depends on the node
  std::vector<int> storage;                  ///< the node whose memory a node uses; not its own where it works in place
  std::vector<Index> packed_forward;         ///< where a node's packed parameters begin
  std::vector<Index> packed_pullback;
  Index packed_forward_size = 0;
  Index packed_pullback_size = 0;
  Footprint footprint;  ///< of a sample
  Index tile = tile_samples;
  Index chunk = 0;             ///< samples of a recomputed window
  Index workspace_budget = 0;  ///< bytes
  mutable Pool<TapeWindow<S>> windows;
  mutable Pool<Evaluation<S>> evaluations;

  bool has_delta(std::size_t k) const { return graph.steps()[k].depends && on_path[k]; }
};

inline Index round_up(Index n) { return (n + 15) / 16 * 16; }

/// One graph at one point over one batch.
template <class S>
class Tape {
 public:
  using Step = typename Graph<S>::Step;

  Tape(const Compiled<S>& net, const S* theta, const NetworkInput<S>& input, const Evaluation<S>& evaluation)
      : net_(net), theta_(theta), input_(input), evaluation_(evaluation) {}

  /// Points the window at samples [begin, end), with memory for them.
  static void lay_out(const Compiled<S>& net, const NetworkInput<S>& input, Index begin, Index end, bool with_deltas,
                      TapeWindow<S>& w) {
    const auto& nodes = net.graph.steps();
    const Index n = end - begin;
    const auto owns = [&](std::size_t k) { return nodes[k].dense_input < 0 && net.storage[k] == static_cast<int>(k); };
    Index total = 0;
    for (std::size_t k = 0; k < nodes.size(); ++k)
      if (owns(k)) total += round_up(n * nodes[k].width) * (with_deltas && net.has_delta(k) ? 2 : 1);
    S* at = w.memory.reserve(total);
    w.begin = begin;
    w.end = end;
    w.resize_value(net.outputs.value.index < 0 ? 0 : n);
    w.values.assign(nodes.size(), {});
    w.deltas.assign(nodes.size(), {});
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      const auto root = static_cast<std::size_t>(net.storage[k]);
      if (nodes[k].dense_input >= 0) {
        const auto& rows = input.dense[static_cast<std::size_t>(nodes[k].dense_input)];
        w.values[k] = {rows.row(begin), n, rows.cols, rows.stride};
      } else if (owns(k)) {
        const auto take = [&] {
          return View<S>{std::exchange(at, at + round_up(n * nodes[k].width)), n, nodes[k].width, nodes[k].width};
        };
        w.values[k] = take();
        if (with_deltas && net.has_delta(k)) w.deltas[k] = take();
      } else {
        w.values[k] = w.values[root];
        if (net.has_delta(k)) w.deltas[k] = w.deltas[root];
      }
    }
  }

  /// Evaluates the window, and its deltas where it has memory for them; tiles in parallel.
  void evaluate(TapeWindow<S>& w, bool with_deltas) const {
    parallel_tiles(w.end - w.begin, net_.tile, [&](Index, Index begin, Index end) {
      forward(w, begin, end);
      if (with_deltas) backward(w, begin, end);
    });
    check_finite("Network", "value per sample", w.value(), w.begin, input_.samples);
  }

  /// gradient += sum over the window of u_i delta_i dy_i/dw. Parallel over blocks of parameters; each is summed over the samples in
  /// order, so that the bits do not depend on where one window ends and the next begins (windows begin at multiples of
  /// `sum_depth` samples). \param u  N weights, of the whole batch
  void parameter_pullback(const TapeWindow<S>& w, const S* u, S* gradient) const {
    parallel_tasks(static_cast<Index>(net_.tasks.size()), [&](Index k) {
      const auto [node, task] = net_.tasks[static_cast<std::size_t>(k)];
      const auto n = static_cast<std::size_t>(node);
      const Step& step = steps()[n];
      with_tile(w, n, 0, w.end - w.begin, nullptr, [&, n, task = task](const Tile<S>& tile) {
        step.rules->parameter_pullback(tile, ConstView<S>(w.deltas[n]), u + w.begin, task,
                                       gradient + step.parameters_begin);
      });
    });
  }
  /// out_i <- (J v)_i for the samples of the window. \param v_packed  v packed for `forward`
  void pushforward(const TapeWindow<S>& w, const S* v, const S* v_packed, double* out) const {
    const auto& nodes = steps();
    Index width = 0;
    for (const auto& n : nodes) width += n.width;
    parallel_tiles(w.end - w.begin, net_.tile, [&](Index, Index begin, Index end) {
      S* at = mts::detail::thread_scratch<S, 2>(width * net_.tile);
      std::array<ConstView<S>, max_nodes> tangents{};
      for (std::size_t k = 0; k < nodes.size(); ++k) {
        if (!net_.has_delta(k)) continue;
        const View<S> tangent{at, end - begin, nodes[k].width, nodes[k].width};
        at += nodes[k].width * (end - begin);
        std::array<ConstView<S>, max_inputs> in;
        for (std::size_t j = 0; j < nodes[k].inputs.size(); ++j)
          in[j] = tangents[static_cast<std::size_t>(nodes[k].inputs[j])];
        with_tile(w, k, begin, end, v_packed, [&](const Tile<S>& tile) {
          nodes[k].rules->pushforward(tile, std::span<const ConstView<S>>(in.data(), nodes[k].inputs.size()),
                                      nodes[k].parameters ? v + nodes[k].parameters_begin : nullptr, tangent);
        });
        tangents[k] = tangent;
      }
      const auto& value = tangents[static_cast<std::size_t>(net_.outputs.value.index)];
      for (Index i = begin; i < end; ++i) out[w.begin + i] = value ? static_cast<double>(value.row(i - begin)[0]) : 0.0;
    });
  }
  /// out_i += rule(i) of every parametric node, for the samples of the window. \param rule  rule(step, tile, delta, out)
  template <class F>
  void per_sample(const TapeWindow<S>& w, const S* v_packed, double* out, F&& rule) const {
    parallel_tiles(w.end - w.begin, net_.tile, [&](Index, Index begin, Index end) {
      for (std::size_t k = 0; k < steps().size(); ++k) {
        const auto delta = cut(w.deltas[k], begin, end);
        if (!delta || steps()[k].parameters == 0) continue;
        with_tile(w, k, begin, end, v_packed,
                  [&](const Tile<S>& tile) { rule(steps()[k], tile, ConstView<S>(delta), out + w.begin + begin); });
      }
    });
  }

  /// to <- theta, or any direction, packed for the rules `packing` names.
  static void pack(const Compiled<S>& net, const S* theta, Packing packing, S* to) {
    const auto& nodes = net.graph.steps();
    const auto& begins = packing == Packing::forward ? net.packed_forward : net.packed_pullback;
    parallel_tasks(static_cast<Index>(nodes.size()), [&](Index task) {
      const auto k = static_cast<std::size_t>(task);
      if (begins[k] >= 0)
        nodes[k].rules->pack(theta + nodes[k].parameters_begin, net.in_widths[k], packing, to + begins[k]);
    });
  }

 private:
  const std::vector<Step>& steps() const { return net_.graph.steps(); }

  /// Rows [begin, end); nothing of what is absent. A node of width 0 has rows all the same.
  template <class V>
  static V cut(const V& v, Index begin, Index end) {
    if (!v) return {nullptr, v.rows == 0 ? 0 : end - begin, 0, 0};
    return {v.data + begin * v.stride, end - begin, v.cols, v.stride};
  }
  /// Calls f(tile) with the tile of node k over rows [begin, end) of the window.
  template <class F>
  void with_tile(const TapeWindow<S>& w, std::size_t k, Index begin, Index end, const S* direction, F&& f) const {
    const Step& step = steps()[k];
    std::array<ConstView<S>, max_inputs> in;
    for (std::size_t j = 0; j < step.inputs.size(); ++j)
      in[j] = cut(w.values[static_cast<std::size_t>(step.inputs[j])], begin, end);
    std::array<const int*, 8> columns{};
    for (std::size_t c = 0; c < net_.graph.columns().size(); ++c) columns[c] = input_.columns[c] + w.begin + begin;
    const auto at = [](const S* packed, Index offset) { return packed && offset >= 0 ? packed + offset : nullptr; };
    f(Tile<S>{end - begin, std::span<const ConstView<S>>(in.data(), step.inputs.size()), cut(w.values[k], begin, end),
              theta_ + step.parameters_begin, columns, at(evaluation_.packed, net_.packed_forward[k]),
              at(evaluation_.packed_pullback, net_.packed_pullback[k]), at(direction, net_.packed_forward[k])});
  }
  void forward(TapeWindow<S>& w, Index begin, Index end) const {
    for (std::size_t k = 0; k < steps().size(); ++k) {
      if (steps()[k].dense_input >= 0) continue;
      with_tile(w, k, begin, end, nullptr, [&](Tile<S> tile) {
        const ConstView<S> out = std::exchange(tile.out, {});
        steps()[k].rules->forward(tile, View<S>{const_cast<S*>(out.data), out.rows, out.cols, out.stride});
      });
    }
    if (net_.outputs.value.index < 0) return;
    const auto& value = w.values[static_cast<std::size_t>(net_.outputs.value.index)];
    for (Index i = begin; i < end; ++i) w.value()[i] = static_cast<double>(value.row(i)[0]);
  }
  void backward(const TapeWindow<S>& w, Index begin, Index end) const {
    const auto& nodes = steps();
    std::array<char, max_nodes> has_delta{};
    const auto top = static_cast<std::size_t>(net_.outputs.value.index);
    if (auto seed = cut(w.deltas[top], begin, end)) {
      seed.matrix().setOnes();
      has_delta[top] = 1;
    }
    for (std::size_t k = top + 1; k-- > 0;) {
      if (!has_delta[k] || nodes[k].inputs.empty()) continue;
      std::array<DeltaSink<S>, max_inputs> sinks;
      for (std::size_t j = 0; j < nodes[k].inputs.size(); ++j) {
        const auto in = static_cast<std::size_t>(nodes[k].inputs[j]);
        sinks[j] = {cut(w.deltas[in], begin, end), has_delta[in] != 0};
        if (sinks[j]) has_delta[in] = 1;
      }
      with_tile(w, k, begin, end, nullptr, [&](const Tile<S>& tile) {
        nodes[k].rules->pullback(tile, ConstView<S>(cut(w.deltas[k], begin, end)),
                                 std::span<const DeltaSink<S>>(sinks.data(), nodes[k].inputs.size()));
      });
    }
  }

  const Compiled<S>& net_;
  const S* theta_;
  const NetworkInput<S>& input_;
  const Evaluation<S>& evaluation_;
};

}  // namespace detail
}  // namespace mts::autodiff
