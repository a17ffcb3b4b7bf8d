#include "libtorch/agreement.hpp"

#include "step/continuity.hpp"
#include "support/problem.hpp"

namespace bench {

namespace {

double difference(const mts::SampleVector& a, const mts::SampleVector& b) {
  return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}
double difference(const Parameters& a, const Parameters& b) {
  return difference(mts::SampleVector(a.values().cast<double>()), mts::SampleVector(b.values().cast<double>()));
}
double checked(const Case& c, const char* what, double found, double tolerance) {
  if (!(found <= tolerance))
    throw mts::NumericalError(mts::detail::text(c.name(), ": ", what,
                                                " here and in LibTorch: expected a difference of at most ", tolerance,
                                                " of the largest, found ", found));
  return found;
}

}  // namespace

Agreement check_agreement(const Case& c, const Images& train, const Images& validation, Trainer& ours, Peer& theirs) {
  ours.select();
  theirs.double_backward();
  const auto p = ours.weights_before();
  const auto v = first_direction(c, train, validation, p);
  const auto exact = exact_alignments(c, train, v);

  mts::SampleVector u = p;
  for (Index i = 0; i < u.size(); ++i)
    if (!exact.continuous[static_cast<std::size_t>(i)]) u[i] = 0;
  const auto model = classifier<float>(c.net);
  const auto theta = initial_theta(c.net);
  auto gradient = theta.zeros_like();
  const auto lin = model.linearize(theta, train.batch);
  lin.pullback(u, gradient);

  constexpr double tolerance = 5e-5;
  Agreement a;
  a.losses = checked(c, "losses", difference(lin.value(), theirs.losses()), tolerance);
  a.weighted_gradient = checked(c, "weighted gradients", difference(gradient, theirs.weighted_gradient(u)), tolerance);
  checked(c, "alignments (ours against double)", exact.error(ours.alignments()), tolerance);
  a.alignments = checked(c, "alignments (LibTorch against double)", exact.error(theirs.alignments(v)), tolerance);
  a.hypergradient = checked(c, "hypergradients", difference(ours.hypergradient(), theirs.hypergradient()), 2e-2);
  return a;
}

const mts::RowMatrix<float>& offline_columns() {
  static const mts::RowMatrix<float> columns = [] {
    const Images pool(pool_samples, "pool");
    const auto model = classifier<float>(Net::mlp);
    const auto theta = initial_theta(Net::mlp);
    const auto forward = model.forward(theta, pool.batch);
    const mts::FeatureContext<decltype(forward), decltype(forward)> context{forward, forward, pool.samples,
                                                                            pool.samples};
    mts::FeatureBatch<float> f;
    features().extract(context, f);
    return mts::RowMatrix<float>(f.continuous.rightCols(13));
  }();
  return columns;
}

}  // namespace bench
