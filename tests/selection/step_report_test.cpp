// What a step tells of its weights.
#include "mts/selection/step_report.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"

using namespace mts;

namespace {

BatchWeights weights(std::initializer_list<double> p) {
  BatchWeights w;
  w.p.resize(static_cast<Index>(p.size()));
  std::copy(p.begin(), p.end(), w.p.data());
  w.mean_w = 0.7;
  w.tau = 0.9;
  return w;
}

}  // namespace

TEST_CASE("a fresh report holds no number") {
  const StepReport r;
  for (const double x : {r.mean_w, r.max_p, r.var_p, r.b_eff, r.tau, r.train_loss, r.validation_loss, r.gamma_norm,
                         r.hypergradient_norm, r.gradient_norm, r.gsnr, r.gsnr_signal, r.gsnr_noise})
    CHECK(std::isnan(x));
  CHECK(r.warning.empty());
  CHECK(r.seconds.phases().empty());
  CHECK(!r.phi_moved);
}

TEST_CASE("the weights' numbers by hand") {
  StepReport r;
  describe(weights({0.5, 0.25, 0.25, 0}), 0, r);
  CHECK(r.mean_w == 0.7);
  CHECK(r.tau == 0.9);
  CHECK(r.max_p == 0.5);
  CHECK(r.b_eff == doctest::Approx(8.0 / 3).epsilon(1e-15));
  CHECK(r.var_p == doctest::Approx(0.125 / 4).epsilon(1e-15));
  CHECK(r.warning.empty());
}

TEST_CASE("the warning names step, fraction and bound, and what to do; at the bound there is none") {
  StepReport r;
  r.step = 17;
  describe(weights({0.5, 0.5, 0, 0}), 0.5, r);
  CHECK(r.warning.empty());
  describe(weights({1, 0, 0, 0}), 0.5, r);
  for (const char* words : {"step 17", "collapse", "B_eff/N = 0.25", "below 0.5", "learning rate", "b_eff_floor"})
    CHECK(r.warning.find(words) != std::string::npos);
}

TEST_CASE("weights that are no weights are refused") {
  StepReport r;
  CHECK_REFUSED(ValueError, describe(weights({0.5, 0.2}), 0, r), "sum to 1");
  CHECK_REFUSED(NumericalError, describe(weights({std::nan(""), 1}), 0, r), "index 0");
  CHECK_REFUSED(ShapeError, describe(weights({}), 0, r), "at least 1");
}
