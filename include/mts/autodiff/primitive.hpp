#pragma once
/// \file
/// Primitives: the tensor-level functions of which nets are made, and the rules each of them brings.
///
/// A primitive maps, sample by sample, some inputs (rows) and its parameters w to an output (row): y_i = f(x_i, w). Samples
/// do not mix; that is what makes the per-sample rules possible and what BatchNorm breaks. delta_i denotes the
/// derivative of sample i's loss in y_i.
///
/// Primitive (a plain struct with const member templates; S is the scalar):
///  P1  `width(in_widths)` -> Index: the width of y. Throws ShapeError in words if the inputs do not fit.
///  P2  `forward(tile, out)`: out <- y.
///  P3  `pullback(tile, delta, sinks)`: gives every sink (one per input) delta_i dy_i/dx_i, by `DeltaSink::take`, an entry
///      of an earlier sink before that of a later one: where one node is several inputs, the first assigns and the others add.
///  P4  `pushforward(tile, tangents, w_tangent, out)`: out <- dy_i/dx_i tangent_i + dy_i/dw w_tangent; a tangent
///      without data is zero, and so is w_tangent = nullptr.
/// ParametricPrimitive: one with parameters, also
///  P5  `segments(in_widths)` -> vector of Segment: names and lengths (begin is filled in by the graph).
///  P6  `initialize(w, in_widths, stream)`: writes initial parameters.
///  P7  `tasks(in_widths)` -> Index and `parameter_pullback(tile, delta, u, task, gradient)`: gradient += its part of
///      sum_i u_i delta_i dy_i/dw. Parts of different tasks do not overlap; here the tile is the whole batch.
///  P8  `per_sample_dot(tile, delta, v, out)`: out_i += <delta_i dy_i/dw, v>.
///  P9  `per_sample_squared_norm(tile, delta, out)`: out_i += |delta_i dy_i/dw|^2.
/// A primitive that reads integer columns also has
///  P10 `columns()` -> a range of Column: those it reads. The graph checks that they are its own.
/// One that wants its parameters in another order in memory, once for all tiles, also has
///  P11 `packed_size<S>(in_widths, packing)` and `pack(w, in_widths, packing, to)`: to <- w packed for the rules that `packing`
///      names; the tile then shows it (`packed`, `packed_pullback`; a direction v or w_tangent: `packed_direction`).
/// Two constants save memory; both are false unless said:
///  P12 `in_place`: the output may be written over the only input, and no rule asks for the input's values afterwards.
///  P13 `ignores_output`: no rule but `forward` looks at the output's values, so that the next primitive may overwrite them.
/// All rules are called concurrently on different tiles and must not touch shared state.

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mts/autodiff/view.hpp"
#include "mts/core/parameters.hpp"
#include "mts/core/random.hpp"

namespace mts::autodiff {

using Widths = std::span<const Index>;

/// Which rules packed parameters serve.
enum class Packing { forward, pullback };

template <class P, class S>
concept Primitive = std::copy_constructible<P> &&
                    requires(const P& p, Widths widths, const Tile<S>& tile, View<S> out, ConstView<S> delta,
                             std::span<const DeltaSink<S>> sinks, std::span<const ConstView<S>> tangents, const S* w) {
                      { p.width(widths) } -> std::convertible_to<Index>;
                      p.forward(tile, out);
                      p.pullback(tile, delta, sinks);
                      p.pushforward(tile, tangents, w, out);
                    };

template <class P, class S>
concept ParametricPrimitive =
    Primitive<P, S> && requires(const P& p, Widths widths, const Tile<S>& tile, ConstView<S> delta, const S* u, S* w,
                                double* out, RandomStream& stream, Index task) {
      { p.segments(widths) } -> std::convertible_to<std::vector<Segment>>;
      p.initialize(w, widths, stream);
      { p.tasks(widths) } -> std::convertible_to<Index>;
      p.parameter_pullback(tile, delta, u, task, w);
      p.per_sample_dot(tile, delta, u, out);
      p.per_sample_squared_norm(tile, delta, out);
    };

/// Says in words what a type lacks to be a primitive; `Graph::add` calls it.
template <class P, class S>
consteval void require_primitive() {
  static_assert(std::copy_constructible<P>, "mts: Primitive: the type must be copyable");
  static_assert(
      requires(const P& p, Widths w) {
        { p.width(w) } -> std::convertible_to<Index>;
      }, "mts: Primitive, P1: add  Index width(Widths) const");
  static_assert(
      requires(const P& p, const Tile<S>& t, View<S> y) { p.forward(t, y); },
      "mts: Primitive, P2: add  void forward(const Tile<S>&, View<S> out) const");
  static_assert(
      requires(const P& p, const Tile<S>& t, ConstView<S> d, std::span<const DeltaSink<S>> s) { p.pullback(t, d, s); },
      "mts: Primitive, P3: add  void pullback(const Tile<S>&, ConstView<S> delta, "
      "std::span<const DeltaSink<S>> sinks) const");
  static_assert(
      requires(const P& p, const Tile<S>& t, std::span<const ConstView<S>> v, const S* w, View<S> y) {
        p.pushforward(t, v, w, y);
      },
      "mts: Primitive, P4: add  void pushforward(const Tile<S>&, std::span<const ConstView<S>> tangents, "
      "const S* w_tangent, View<S> out) const");
  // Without this a primitive that misspells one of its rules would silently have no parameters.
  constexpr bool parametric = requires(const P& p, Widths w) { p.segments(w); } || requires(const P& p, Widths w) {
    p.tasks(w);
  } || requires(const P& p, const Tile<S>& t, ConstView<S> d, const S* u, Index k, S* g) {
    p.parameter_pullback(t, d, u, k, g);
  };
  static_assert(
      !parametric || ParametricPrimitive<P, S>,
      "mts: ParametricPrimitive: a primitive with parameters needs every rule of P5 to P9: segments, initialize, "
      "tasks, parameter_pullback, per_sample_dot, per_sample_squared_norm");
}

namespace detail {

using mts::detail::text;

/// A primitive of any type, as the tape holds it.
template <class S>
struct Rules {
  virtual ~Rules() = default;
  virtual Index width(Widths) const = 0;
  virtual void forward(const Tile<S>&, View<S> out) const = 0;
  virtual void pullback(const Tile<S>&, ConstView<S> delta, std::span<const DeltaSink<S>>) const = 0;
  virtual void pushforward(const Tile<S>&, std::span<const ConstView<S>>, const S* w_tangent, View<S> out) const = 0;
  virtual std::vector<Column> columns() const { return {}; }
  virtual std::vector<Segment> segments(Widths) const { return {}; }
  virtual void initialize(S*, Widths, RandomStream&) const {}
  virtual Index packed_size(Widths, Packing) const { return 0; }
  virtual void pack(const S*, Widths, Packing, S*) const {}
  virtual bool in_place() const { return false; }
  virtual bool ignores_output() const { return false; }
  virtual Index tasks(Widths) const { return 0; }
  virtual void parameter_pullback(const Tile<S>&, ConstView<S>, const S*, Index, S*) const {}
  virtual void per_sample_dot(const Tile<S>&, ConstView<S>, const S*, double*) const {}
  virtual void per_sample_squared_norm(const Tile<S>&, ConstView<S>, double*) const {}
};

template <class S, Primitive<S> P>
struct RulesOf final : Rules<S> {
  explicit RulesOf(P primitive) : p(std::move(primitive)) {}
  Index width(Widths w) const override { return p.width(w); }
  void forward(const Tile<S>& t, View<S> out) const override { p.forward(t, out); }
  void pullback(const Tile<S>& t, ConstView<S> delta, std::span<const DeltaSink<S>> sinks) const override {
    p.pullback(t, delta, sinks);
  }
  void pushforward(const Tile<S>& t, std::span<const ConstView<S>> x, const S* w, View<S> out) const override {
    p.pushforward(t, x, w, out);
  }
  std::vector<Column> columns() const override {
    if constexpr (requires { p.columns(); }) {
      const auto& read = p.columns();
      return {std::begin(read), std::end(read)};
    }
    return {};
  }
  std::vector<Segment> segments(Widths widths) const override {
    if constexpr (ParametricPrimitive<P, S>) return p.segments(widths);
    return {};
  }
  void initialize(S* w, Widths widths, RandomStream& stream) const override {
    if constexpr (ParametricPrimitive<P, S>) p.initialize(w, widths, stream);
  }
  Index packed_size(Widths widths, Packing packing) const override {
    if constexpr (packs) return p.template packed_size<S>(widths, packing);
    return 0;
  }
  void pack(const S* w, Widths widths, Packing packing, S* to) const override {
    if constexpr (packs) p.pack(w, widths, packing, to);
  }
  bool in_place() const override {
    if constexpr (requires { P::in_place; }) return P::in_place;
    return false;
  }
  bool ignores_output() const override {
    if constexpr (requires { P::ignores_output; }) return P::ignores_output;
    return false;
  }
  Index tasks(Widths widths) const override {
    if constexpr (ParametricPrimitive<P, S>) return p.tasks(widths);
    return 0;
  }
  void parameter_pullback(const Tile<S>& t, ConstView<S> delta, const S* u, Index task, S* g) const override {
    if constexpr (ParametricPrimitive<P, S>) p.parameter_pullback(t, delta, u, task, g);
  }
  void per_sample_dot(const Tile<S>& t, ConstView<S> delta, const S* v, double* out) const override {
    if constexpr (ParametricPrimitive<P, S>) p.per_sample_dot(t, delta, v, out);
  }
  void per_sample_squared_norm(const Tile<S>& t, ConstView<S> delta, double* out) const override {
    if constexpr (ParametricPrimitive<P, S>) p.per_sample_squared_norm(t, delta, out);
  }
  static constexpr bool packs = requires(const P& q, Widths widths) { q.template packed_size<S>(widths, Packing{}); };
  P p;
};

/// Throws ShapeError unless the primitive called `name` got `expected` inputs.
inline void check_inputs(const char* name, Index expected, Widths widths) {
  if (static_cast<Index>(widths.size()) != expected)
    throw ShapeError(
        text(name, ": expected ", expected, expected == 1 ? " input" : " inputs", ", found ", widths.size()));
}
/// Throws ShapeError unless all inputs have the same width; returns it.
inline Index check_same_width(const char* name, Widths widths) {
  if (widths.empty()) throw ShapeError(text(name, ": expected at least one input, found none"));
  for (std::size_t k = 1; k < widths.size(); ++k)
    if (widths[k] != widths[0])
      throw ShapeError(text(name, ": expected inputs of equal width, found ", widths[0], " and ", widths[k]));
  return widths[0];
}

}  // namespace detail
}  // namespace mts::autodiff
