#pragma once
/// \file
/// `WeightNetMethod`: what sets one published method with a weight net apart from another, and the step made of it.
///
///     auto method = methods::data_rater({.width = 64, .classes = 10});
///     method.features.fit(embeddings, pool);          // only where some are offline
///     auto step = methods::make_step(method, model, theta, Sgd<P>({...}), AdamW<P>({...}), stream, {.uniform_steps = 100});
///     step(train, samples, validation, validation_samples);

#include <type_traits>
#include <utility>

#include "mts/core/parameters.hpp"
#include "mts/core/random.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/step.hpp"

namespace mts::methods {

/// p_i = psi(z_i)/sum_j psi(z_j), z = MLP(features): three choices, all that such methods differ in. A method of one's own is
/// one more value; a variant of a published one is that value changed (`method.weight_net.hidden = {64}`).
template <class F, WeightActivation A>
struct WeightNetMethod {
  F features;                      ///< what it sees; those that are offline are to be fitted before the first step
  MlpWeightNetOptions weight_net;  ///< of what shape it is
  A activation = {};               ///< psi
};
template <class F, class A>
WeightNetMethod(F, MlpWeightNetOptions, A) -> WeightNetMethod<F, A>;

/// What is the same for all of them: `MtsStep` with the method's features, an MLP weight net of their layout that begins at
/// the stream's draw, and its activation. Every argument is the step's own.
///
/// The weight net has the scalar of the parameters that `meta` moves. Alignments are by the estimator E; joint or crossed is
/// decided by each call of the step. Optimisers, rates, warm start and floors are not of the method: papers differ, and so do
/// problems. Takes the method by value: move one whose fitted tables are large. A function of its arguments.
///
/// \throws ShapeError for a width below 1 or features without columns; ValueError for an option outside its domain. Offline
///   features that were not fitted are a ValueError of the first step that selects.
template <class F, WeightActivation A, class M, class Inner, class Meta, class E = CheapestAlignment>
auto make_step(WeightNetMethod<F, A> method, M model, typename M::Parameters theta, Inner inner, Meta meta,
               RandomStream stream, MtsOptions options = {}, E estimator = {}) {
  using S = std::conditional_t<Optimizer<Meta, DenseParameters<float>>, float, double>;
  MlpWeightNet<S> net(method.features.layout(), method.weight_net);
  auto phi = net.initialize(stream);
  return MtsStep(std::move(model), std::move(theta), std::move(inner), std::move(method.features), std::move(net),
                 std::move(phi), std::move(meta), std::move(options), std::move(method.activation),
                 std::move(estimator));
}

}  // namespace mts::methods
