// expect: mts: PerSampleDot asks for  lin.per_sample_dot(v, out)  (PD1); use Pushforward or CentralDifference where
// expect: mts: Pushforward asks for  lin.pushforward(v, out)  (PL1); use CentralDifference for a model that has neither
#include "core/minimal_types.hpp"
#include "mts/selection/alignment.hpp"

void use(const minimal::Model& model, minimal::Vector& x, const Eigen::MatrixXd& batch, mts::SampleVector& a) {
  const auto lin = model.linearize(x, batch);
  mts::PerSampleDot{}(model, x, batch, lin, x, x, a);
  mts::Pushforward{}(model, x, batch, lin, x, x, a);
}
