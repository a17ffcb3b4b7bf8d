#pragma once
/// \file
/// The concepts: a ladder, of which each algorithm asks for the weakest rung that suffices.
///
/// A model is a differentiable map from parameters to one number per sample, theta -> l in R^N (losses). A weight net is
/// a differentiable map from parameters to one number per sample, phi -> z in R^N (logits). Selection needs three
/// things of such a map, linearised once at a point: its value, its pullback u -> J^T u and its pushforward v -> J v.
/// Vectors of length N are `SampleVector`s on the host. Vectors of length P are opaque: they live where the model
/// lives. That is the whole contract with a foreign framework.
///
/// `require_*<T>()` states the same as the concept of that name, with one sentence for each requirement that
/// fails; every public door calls it, so that a type which does not fit is refused in words.

#include <concepts>
#include <cstddef>
#include <istream>
#include <ostream>
#include <span>

#include "mts/core/feature_batch.hpp"
#include "mts/core/feature_context.hpp"
#include "mts/core/parameters.hpp"
#include "mts/core/random.hpp"
#include "mts/core/types.hpp"

namespace mts {

// ---------------------------------------------------------------------------------------------- parameter vectors

/// ParameterVector: a vector of P numbers that is only ever handled whole.
/// - PV1  movable.
/// - PV2  `x.clone()` -> P: a deep copy. Changing the clone must not change the original (a wrapper of shared handles,
///   like torch tensors, must copy what they point to).
/// - PV3  `x.zeros_like()` -> P: zeros of the same shape and place.
/// - PV4  `x.copy_into(y)`: y <- x.
/// - PV5  `x.dot(y)` -> double: <x, y>, the same bits at every call.
/// - PV6  `x.axpy(a, y)`: x <- x + a y;  `x.scale(a)`: x <- a x.
/// - PV7  `x.size()` -> Index: P.
///
/// Const calls are thread-safe.
template <class P>
concept ParameterVector = std::movable<P> && requires(P& x, const P& c, double a) {
  { c.clone() } -> std::same_as<P>;
  { c.zeros_like() } -> std::same_as<P>;
  c.copy_into(x);
  { c.dot(c) } -> std::convertible_to<double>;
  x.axpy(a, c);
  x.scale(a);
  { c.size() } -> std::convertible_to<Index>;
};

namespace detail {
/// An elementwise operation of any arity, to ask for `transform` with.
struct AnyElementwise {
  auto operator()(const Segment&) const {
    return [](auto&...) {};
  }
};
}  // namespace detail

/// ElementwiseParameterVector: one whose entries an optimiser may visit (AdamW does).
/// - EP1  a ParameterVector with `P::Scalar`.
/// - EP2  `x.segments()` -> span of Segment: names, lengths and which of them decay.
/// - EP3  `x.transform(make, y...)`: op = make(segment), then op(x_k, y_k...) at every entry of the segment.
template <class P>
concept ElementwiseParameterVector = ParameterVector<P> && requires(P& x, P& y, const P& c) {
  typename P::Scalar;
  { c.segments() } -> std::convertible_to<std::span<const Segment>>;
  x.transform(detail::AnyElementwise{}, y, c);
};

/// SparseParameterVector: one of which chosen entries can be visited (a tabular weight net's step does).
/// - SP1  an ElementwiseParameterVector with `x.transform_at(entries, make, y...)`.
template <class P>
concept SparseParameterVector =
    ElementwiseParameterVector<P> && requires(P& x, P& y, const P& c, std::span<const Index> entries) {
      x.transform_at(entries, detail::AnyElementwise{}, y, c);
    };

/// SerializableParameterVector: one that can be written and read back, bit for bit (checkpoints).
/// - SR1  a ParameterVector with `x.save(ostream)` and `x.load(istream)`; load refuses what does not fit.
template <class P>
concept SerializableParameterVector =
    ParameterVector<P> && requires(P& x, const P& c, std::istream& i, std::ostream& o) {
      c.save(o);
      x.load(i);
    };

// -------------------------------------------------------------------------------------- values and linearisations

/// Forward: the values of a map at a point.
/// - F1  `f.value()` -> const SampleVector&: N numbers, valid while f lives and its batch is unchanged.
template <class F>
concept Forward = std::movable<F> && requires(const F& f) {
  { f.value() } -> std::convertible_to<const SampleVector&>;
};

/// ClassifierForward: one that also shows what features are made of, in the model's memory.
/// - CF1  `f.logits()`: N x C, `f.embeddings()`: N x E (the penultimate activations), as Eigen expressions.
template <class F>
concept ClassifierForward = Forward<F> && requires(const F& f) {
  { f.logits().rows() } -> std::convertible_to<Index>;
  { f.logits().cols() } -> std::convertible_to<Index>;
  { f.embeddings().rows() } -> std::convertible_to<Index>;
  { f.embeddings().cols() } -> std::convertible_to<Index>;
};

/// Linearization: a map near a point, J its N x P Jacobian there.
/// - L1  a Forward.
/// - L2  `lin.pullback(u, out)`: out <- J^T u. Any number of times, with any u of length N.
template <class L, class P>
concept Linearization = Forward<L> && requires(const L& lin, const SampleVector& u, P& out) { lin.pullback(u, out); };

/// PushforwardLinearization: one with forward mode.
/// - PL1  a Linearization with `lin.pushforward(v, out)`: out <- J v.
template <class L, class P>
concept PushforwardLinearization =
    Linearization<L, P> && requires(const L& lin, const P& v, SampleVector& out) { lin.pushforward(v, out); };

/// PerSampleDotLinearization: one whose samples do not mix, so that row i of J is the gradient of sample i alone.
/// - PD1  a Linearization with `lin.per_sample_dot(v, out)`: out_i <- <grad l_i, v>, from the kept deltas.
template <class L, class P>
concept PerSampleDotLinearization =
    Linearization<L, P> && requires(const L& lin, const P& v, SampleVector& out) { lin.per_sample_dot(v, out); };

/// ObservableModel: a Model that shows its samples while it evaluates them, so that it need not keep what it shows.
/// - OM1  `M::Rows`, a ClassifierForward of a range of samples: `begin()`, `samples()`, and of how many, `batch_samples()` (N).
/// - OM2  `m.linearize(theta, batch, observer)`: calls observer(rows) for ranges that cover the batch, in order, from the calling
///   thread; rows are valid in that call only.
template <class M>
concept ObservableModel = requires { typename M::Rows; } && ClassifierForward<typename M::Rows> &&
                          requires(const M& m, const typename M::Parameters& theta, const typename M::Batch& batch,
                                   const typename M::Rows& rows) {
                            m.linearize(theta, batch, [](const typename M::Rows&) {});
                            { rows.begin() } -> std::convertible_to<Index>;
                            { rows.samples() } -> std::convertible_to<Index>;
                            { rows.batch_samples() } -> std::convertible_to<Index>;
                          };

/// PerSampleNormLinearization: one that knows the length of each sample's gradient.
/// - PN1  a Linearization with `lin.per_sample_squared_norm(out)`: out_i <- |grad l_i|^2.
template <class L, class P>
concept PerSampleNormLinearization =
    Linearization<L, P> && requires(const L& lin, SampleVector& out) { lin.per_sample_squared_norm(out); };

// ------------------------------------------------------------------------------------------------------------ maps

/// DifferentiableMap: parameters -> one number per sample of an input.
/// - DM1  `M::Scalar`, and `M::Parameters` a ParameterVector.
/// - DM2  `m.initialize(stream)` -> Parameters, a function of the stream alone.
/// - DM3  `m.forward(theta, input)` -> a Forward. theta and input must outlive it, unchanged.
/// - DM4  `m.linearize(theta, input)` -> a Linearization. theta and input must outlive it, unchanged.
///
/// Const calls are thread-safe.
template <class M, class Input>
concept DifferentiableMap =
    requires {
      typename M::Scalar;
      typename M::Parameters;
    } && ParameterVector<typename M::Parameters> &&
    requires(const M& m, const typename M::Parameters& theta, const Input& input, RandomStream stream) {
      { m.initialize(stream) } -> std::same_as<typename M::Parameters>;
      { m.forward(theta, input) } -> Forward;
      { m.linearize(theta, input) } -> Linearization<typename M::Parameters>;
    };

/// Model: a DifferentiableMap from parameters to per-sample losses over batches of its own kind.
/// - M1  `M::Batch`; N is the length of the value.
/// - M2  a DifferentiableMap over it.
template <class M>
concept Model = requires { typename M::Batch; } && DifferentiableMap<M, typename M::Batch>;

/// WeightNet: a DifferentiableMap from parameters to per-sample logits z over feature batches.
/// - W1  `W::Features` (the FeatureBatch it takes).
/// - W2  a DifferentiableMap over it.
///
/// A weight net of whose parameters a batch moves only a few may add `active(features)` -> span of Index.
template <class W>
concept WeightNet = requires { typename W::Features; } && DifferentiableMap<W, typename W::Features>;

template <class M>
using LinearizationOf = decltype(std::declval<const M&>().linearize(std::declval<const typename M::Parameters&>(),
                                                                    std::declval<const typename M::Batch&>()));
template <class M>
using ForwardOf = decltype(std::declval<const M&>().forward(std::declval<const typename M::Parameters&>(),
                                                            std::declval<const typename M::Batch&>()));

// ------------------------------------------------------------------------------------------------------ optimisers

/// Optimizer: moves parameters along a gradient.
/// - O1  `o.step(theta, gradient)`: theta <- theta - step_of(gradient); advances the optimiser's state.
template <class O, class P>
concept Optimizer = requires(O& o, P& theta, const P& gradient) { o.step(theta, gradient); };

/// InnerOptimizer: one that a hypergradient can pass through.
/// - IO1  an Optimizer.
/// - IO2  `o.virtual_step(theta, gradient, out)` const: out <- theta - step_of(gradient); the state stays.
/// - IO3  `o.pull(direction, theta, gradient, out)` const: out <- (d step_of(gradient) / d gradient)^T direction, at the
///   state before the step.
template <class O, class P>
concept InnerOptimizer = Optimizer<O, P> && requires(const O& o, const P& theta, const P& gradient, P& out) {
  o.virtual_step(theta, gradient, out);
  o.pull(gradient, theta, gradient, out);
};

// -------------------------------------------------------------------------------------------------------- features

/// FeatureExtractor: turns what is known of a batch into columns.
/// - FE1  `e.layout()` -> FeatureLayout: its continuous and categorical columns, by name.
/// - FE2  `e.extract(context, rows, columns)`: fills rows (N x its continuous columns, an Eigen view) and columns (a span of
///   one vector of N ints for each of its categorical columns). The context has `train`, `validation` (what the
///   model's linearisation and forward show), `samples` and `validation_samples`.
/// - FE3  `E::reads_validation()` -> bool, static constexpr: whether it looks at `context.validation`; where nothing does, the
///   training step spares the forward and `context.validation` is a `NoValidation`.
/// - FE4  `E::by_rows()` -> bool, static constexpr, optional: that row i depends on sample i (and the validation batch) alone, so that
///   the context may be one of a range of the batch. So large batches need not keep their activations. What then remains
///   to do with all rows of the batch: `e.extract_rows(context, rows, columns)` for a range, `e.finish(rows, samples)` once.
template <class E, class Context>
concept FeatureExtractor =
    requires(const E& e, const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) {
      { e.layout() } -> std::convertible_to<FeatureLayout>;
      requires std::convertible_to<std::bool_constant<E::reads_validation()>, bool>;
      e.extract(context, rows, columns);
    };

// -------------------------------------------------------------------------------------------------- words for errors

template <class P>
consteval void require_parameter_vector() {
  static_assert(std::movable<P>, "mts: ParameterVector, PV1: the type must be movable");
  static_assert(
      requires(const P& c) {
        { c.clone() } -> std::same_as<P>;
      }, "mts: ParameterVector, PV2: add  P clone() const  (a deep copy)");
  static_assert(
      requires(const P& c) {
        { c.zeros_like() } -> std::same_as<P>;
      }, "mts: ParameterVector, PV3: add  P zeros_like() const");
  static_assert(
      requires(const P& c, P& x) { c.copy_into(x); }, "mts: ParameterVector, PV4: add  void copy_into(P& other) const");
  static_assert(
      requires(const P& c) {
        { c.dot(c) } -> std::convertible_to<double>;
      }, "mts: ParameterVector, PV5: add  double dot(const P&) const");
  static_assert(
      requires(P& x, const P& c) {
        x.axpy(1.0, c);
        x.scale(1.0);
      }, "mts: ParameterVector, PV6: add  void axpy(double, const P&)  and  void scale(double)");
  static_assert(
      requires(const P& c) {
        { c.size() } -> std::convertible_to<Index>;
      }, "mts: ParameterVector, PV7: add  Index size() const");
}

template <class P>
consteval void require_elementwise() {
  require_parameter_vector<P>();
  static_assert(ElementwiseParameterVector<P>,
                "mts: this optimiser works entry by entry and asks for an ElementwiseParameterVector (EP1-EP3): add "
                "Scalar, segments() and transform(make, others...), or use Sgd");
}

template <class M, class Input>
consteval void require_differentiable_map() {
  static_assert(
      requires {
        typename M::Scalar;
        typename M::Parameters;
      }, "mts: DM1: add the types Scalar and Parameters");
  if constexpr (requires { typename M::Parameters; }) {
    using P = typename M::Parameters;
    require_parameter_vector<P>();
    static_assert(
        requires(const M& m, RandomStream s) {
          { m.initialize(s) } -> std::same_as<P>;
        }, "mts: DM2: add  Parameters initialize(RandomStream) const");
    static_assert(
        requires(const M& m, const P& t, const Input& x) {
          { m.forward(t, x) } -> Forward;
        },
        "mts: DM3: add  forward(const Parameters&, const Input&) const, whose result has "
        "const SampleVector& value() const");
    static_assert(
        requires(const M& m, const P& t, const Input& x) {
          { m.linearize(t, x) } -> Linearization<P>;
        },
        "mts: DM4: add  linearize(const Parameters&, const Input&) const, whose result has  value()  and "
        "pullback(const SampleVector& u, Parameters& out)  for out = J^T u");
  }
}

template <class M>
consteval void require_model() {
  static_assert(
      requires { typename M::Batch; }, "mts: Model, M1: add the type Batch");
  if constexpr (requires { typename M::Batch; }) require_differentiable_map<M, typename M::Batch>();
}

template <class W>
consteval void require_weight_net() {
  static_assert(
      requires { typename W::Features; }, "mts: WeightNet, W1: add the type Features (a FeatureBatch)");
  if constexpr (requires { typename W::Features; }) require_differentiable_map<W, typename W::Features>();
}

template <class O, class P>
consteval void require_inner_optimizer() {
  static_assert(Optimizer<O, P>, "mts: Optimizer, O1: add  void step(P& theta, const P& gradient)");
  static_assert(
      InnerOptimizer<O, P>,
      "mts: InnerOptimizer, IO2 and IO3: add  void virtual_step(const P& theta, const P& gradient, P& out) const"
      "  and  void pull(const P& direction, const P& theta, const P& gradient, P& out) const");
}

}  // namespace mts
