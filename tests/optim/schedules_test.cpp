#include "mts/optim/schedules.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace mts;

namespace {

const double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::vector<double> factors(const Schedule& f, Index steps) {
  std::vector<double> all;
  for (Index k = 0; k < steps; ++k) all.push_back(f(k));
  return all;
}

using List = std::vector<double>;

}  // namespace

TEST_CASE("the default schedule is constant 1") {
  CHECK(factors(Schedule(), 3) == List{1, 1, 1});
  CHECK(factors(constant(), 3) == List{1, 1, 1});
  CHECK(factors(constant(0.25), 3) == List{0.25, 0.25, 0.25});
}

TEST_CASE("linear_warmup is (k + 1) / K, then 1") {
  CHECK(factors(linear_warmup(4), 6) == List{0.25, 0.5, 0.75, 1, 1, 1});
  CHECK(factors(linear_warmup(1), 2) == List{1, 1});
  CHECK(factors(linear_warmup(0), 2) == List{1, 1});
}

TEST_CASE("linear interpolates from start to end and stays there") {
  // torch.optim.lr_scheduler.LinearLR(start_factor=0.5, end_factor=1.0, total_iters=4)
  CHECK(factors(linear(0.5, 1, 4), 6) == List{0.5, 0.625, 0.75, 0.875, 1, 1});
  CHECK(factors(linear(1, 0, 2), 4) == List{1, 0.5, 0, 0});
}

TEST_CASE("cosine is floor + (1 - floor) (1 + cos(pi k / K)) / 2, then the floor") {
  const auto f = cosine(6, 0.1);
  CHECK(f(0) == 1);
  CHECK(f(2) == doctest::Approx(0.1 + 0.9 * 0.75).epsilon(1e-15));  // cos(pi / 3) = 1 / 2
  CHECK(f(3) == doctest::Approx(0.55).epsilon(1e-15));
  CHECK(f(4) == doctest::Approx(0.1 + 0.9 * 0.25).epsilon(1e-15));
  CHECK(f(6) == 0.1);
  CHECK(f(9) == 0.1);
  CHECK(cosine(1)(0) == 1);
  CHECK(cosine(1)(1) == 0);
}

TEST_CASE("cosine follows the recursion of PyTorch's CosineAnnealingLR") {
  // eta_k = (1 + cos(pi k / T)) / (1 + cos(pi (k - 1) / T)) (eta_{k-1} - eta_min) + eta_min
  const double floor = 0.02;
  const Index steps = 37;
  const auto f = cosine(steps, floor);
  double eta = 1;
  for (Index k = 1; k < steps; ++k) {
    const double a = std::numbers::pi / static_cast<double>(steps);
    eta = (1 + std::cos(a * static_cast<double>(k))) / (1 + std::cos(a * static_cast<double>(k - 1))) * (eta - floor) +
          floor;
    CHECK(f(k) == doctest::Approx(eta).epsilon(1e-12));
  }
}

TEST_CASE("multi_step multiplies by gamma at every milestone") {
  CHECK(factors(multi_step({2, 3, 5}, 0.5), 7) == List{1, 1, 0.5, 0.25, 0.25, 0.125, 0.125});
  CHECK(factors(multi_step({}, 0.5), 2) == List{1, 1});
  CHECK(multi_step({1})(1) == 0.1);
}

TEST_CASE("then starts the next schedule from its own step 0") {
  CHECK(factors(linear_warmup(2).then(2, multi_step({1, 2}, 0.5)), 6) == List{0.5, 1, 1, 0.5, 0.25, 0.25});
  CHECK(factors(constant(2).then(1, constant(3)).then(2, constant(4)), 4) == List{2, 3, 4, 4});
  CHECK(factors(constant(2).then(0, constant(3)), 2) == List{3, 3});
}

TEST_CASE("schedules multiply, step per epoch, and may be any callable") {
  CHECK(factors(linear_warmup(2) * multi_step({2}, 0.5), 4) == List{0.5, 1, 0.5, 0.5});
  CHECK(factors(per_epoch(linear_warmup(2), 3), 7) == List{0.5, 0.5, 0.5, 1, 1, 1, 1});
  CHECK(factors([](Index k) { return 1.0 / static_cast<double>(k + 1); }, 3) == List{1, 1.0 / 2, 1.0 / 3});
}

TEST_CASE("the reference's warm-up, plateau and drop: (e+1)/w, 1, 0.1 from epoch d") {
  const auto f = linear_warmup(5) * multi_step({9}, 0.1);
  CHECK(factors(f, 11) == List{1.0 / 5, 2.0 / 5, 3.0 / 5, 4.0 / 5, 1, 1, 1, 1, 1, 0.1, 0.1});
}

TEST_CASE("schedules refuse what is outside their domain, in words") {
  CHECK_THROWS_WITH_AS(constant(-1), "constant: the factor must be finite and not negative, found -1", ValueError);
  CHECK_THROWS_AS(constant(not_a_number), ValueError);
  CHECK_THROWS_WITH_AS(linear_warmup(-1), "linear_warmup: the number of steps must not be negative, found -1",
                       ValueError);
  CHECK_THROWS_WITH_AS(linear(0, 1, 0), "linear: the number of steps must be at least 1, found 0", ValueError);
  CHECK_THROWS_AS(linear(-0.5, 1, 2), ValueError);
  CHECK_THROWS_AS(linear(0, infinity, 2), ValueError);
  CHECK_THROWS_WITH_AS(cosine(0), "cosine: the number of steps must be at least 1, found 0", ValueError);
  CHECK_THROWS_WITH_AS(cosine(3, 1.5), "cosine: the floor must be in [0, 1], found 1.5", ValueError);
  CHECK_THROWS_AS(cosine(3, -0.1), ValueError);
  CHECK_THROWS_AS(cosine(3, not_a_number), ValueError);
  CHECK_THROWS_WITH_AS(multi_step({3, 3}),
                       "multi_step: the milestones must be at least 1 and increase, found 3 after 3", ValueError);
  CHECK_THROWS_AS(multi_step({0, 3}), ValueError);
  CHECK_THROWS_AS(multi_step({3}, -1), ValueError);
  CHECK_THROWS_WITH_AS(per_epoch(constant(), 0), "per_epoch: the number of steps per epoch must be at least 1, found 0",
                       ValueError);
  CHECK_THROWS_AS(constant().then(-1, constant()), ValueError);
  CHECK_THROWS_WITH_AS(constant()(-1), "Schedule: the step must not be negative, found -1", ValueError);
  CHECK_THROWS_WITH_AS(Schedule([](Index k) { return 1.0 - static_cast<double>(k); })(3),
                       "Schedule: the factor at step 3 must be finite and not negative, found -2", ValueError);
}
