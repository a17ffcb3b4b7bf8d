#include "mts/cuda/parameters.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

#include "mts/core/check_parameters.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/clip_gradient_norm.hpp"
#include "mts/optim/sgd.hpp"
#include "support/derivatives.hpp"
#include "support/emulated.hpp"
#include "support/state.hpp"

using namespace mts;
using cuda::Emulation;
template <class S>
using OnDevice = cuda::Parameters<S, Emulation>;

static_assert(ElementwiseParameterVector<OnDevice<float>> && SerializableParameterVector<OnDevice<double>>);
static_assert(!std::is_copy_constructible_v<OnDevice<float>>, "a copy is asked for by name");

namespace {

cuda::SharedQueue<Emulation> make_queue() { return cuda::make_queue<Emulation>(); }

/// Three segments, of which the middle one does not decay and the last may be empty.
template <class S>
DenseParameters<S> random_parameters(Index size, std::uint64_t seed) {
  const Index a = size / 2, b = size - a;
  DenseParameters<S> x({{"weight", 0, a, true}, {"bias", a, b, false}, {"none", size, 0, true}});
  x.values() = testing::random_vector(size, RandomStream(seed, "parameters")).template cast<S>();
  return x;
}

template <class S>
testing::Vector in_double(const DenseParameters<S>& x) {
  return x.values().template cast<double>();
}

}  // namespace

TEST_CASE_TEMPLATE("cuda::Parameters: is what the library asks of a parameter vector", S, float, double) {
  for (const Index size : {1, 2, 1023, 1024, 1025, 5000})
    CHECK_NOTHROW(check_parameter_vector(OnDevice<S>(make_queue(), random_parameters<S>(size, 1))));
}

TEST_CASE_TEMPLATE("cuda::Parameters: goes to the device and back, bit for bit, with its segments", S, float, double) {
  using Limits = std::numeric_limits<S>;
  auto host = random_parameters<S>(6, 2);
  host.values() << S{1} / S{3}, -S{0}, Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min(), Limits::max();
  OnDevice<S> x(make_queue(), host);
  const auto back = x.to_host();
  CHECK(std::memcmp(back.data(), host.data(), sizeof(S) * 6) == 0);
  CHECK(std::ranges::equal(back.segments(), host.segments()));
  CHECK(std::ranges::equal(x.segments(), host.segments()));
  host.values().setConstant(3);
  x.assign(host);
  CHECK(x.to_host().values() == host.values());
  x.set_zero();
  CHECK(x.to_host().values().isZero(0));
}

TEST_CASE("cuda::Parameters: dot, against double, at the ends of blocks") {
  for (const Index size : {0, 1, 31, 32, 33, 1023, 1024, 1025, 2048, 100000}) {
    CAPTURE(size);
    const auto a = random_parameters<float>(size, 3), b = random_parameters<float>(size, 4);
    const auto queue = make_queue();
    const OnDevice<float> x(queue, a), y(queue, b);
    const double expected = in_double(a).dot(in_double(b)),
                 size_of_terms = in_double(a).cwiseAbs().dot(in_double(b).cwiseAbs());
    // 32 lanes of 32 entries in float, and five halves: at most 38 roundings a term; half of that is ample.
    CHECK(std::abs(x.dot(y) - expected) <= 19 * 6e-8 * size_of_terms);
    CHECK(x.dot(y) == x.dot(y));
    CHECK(x.dot(y) == y.dot(x));
    CHECK((size == 0 || x.dot(x) > 0));

    DenseParameters<double> c(size), d(size);
    c.values() = in_double(a);
    d.values() = in_double(b);
    CHECK(std::abs(OnDevice<double>(queue, c).dot(OnDevice<double>(queue, d)) - expected) <= 1e-14 * size_of_terms);
  }
}

TEST_CASE("cuda::Parameters: a dot of many blocks is summed in double") {
  constexpr Index blocks = 20000, size = blocks * 1024;
  DenseParameters<float> ones(size);
  ones.values().setOnes();
  const OnDevice<float> x(make_queue(), ones);
  CHECK(x.dot(x) == static_cast<double>(size));  // beyond 2^24, where a float no longer counts
}

TEST_CASE("cuda::Parameters: a vector of nothing") {
  OnDevice<float> x(make_queue(), DenseParameters<float>());
  CHECK(x.size() == 0);
  CHECK(x.dot(x) == 0);
  x.axpy(2, x.clone());
  x.scale(3);
  x.set_zero();
  std::stringstream stream;
  x.save(stream);
  CHECK_NOTHROW(x.load(stream));
  CHECK(x.to_host().size() == 0);
}

TEST_CASE("cuda::Parameters: a clone is deep, and moves leave nothing behind") {
  const auto host = random_parameters<double>(100, 5);
  const auto queue = make_queue();
  {
    OnDevice<double> x(queue, host), y = x.clone();
    y.scale(-2);
    CHECK(x.to_host().values() == host.values());
    CHECK(y.to_host().values() == -2 * host.values());
    const double* at = y.data();
    const OnDevice<double> z = std::move(y);
    CHECK(z.data() == at);
    CHECK(z.to_host().values() == -2 * host.values());
  }
  const std::size_t bytes = queue->bytes();
  for (int k = 0; k < 3; ++k) {
    const OnDevice<double> x(queue, host), y = x.clone();
    CHECK(x.dot(y) > 0);
  }
  CHECK(queue->bytes() <= bytes + 256);  // dot's own
}

TEST_CASE("cuda::Parameters: refuses vectors of another size, naming the call") {
  const auto queue = make_queue();
  OnDevice<double> x(queue, random_parameters<double>(5, 6)), y(queue, random_parameters<double>(4, 7));
  const auto op = [](const Segment&) { return detail::AssignEntry{}; };
  CHECK_THROWS_WITH_AS(x.copy_into(y), "cuda::Parameters::copy_into: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.dot(y), "cuda::Parameters::dot: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.axpy(1, y), "cuda::Parameters::axpy: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.transform(op, y), "cuda::Parameters::transform: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.assign(DenseParameters<double>(6)), "cuda::Parameters::assign: length: expected 5, found 6",
                       ShapeError);
}

TEST_CASE_TEMPLATE("cuda::Parameters: a checkpoint is the host's, byte for byte, in both directions", S, float,
                   double) {
  const auto host = random_parameters<S>(33, 8);
  const auto queue = make_queue();
  const OnDevice<S> x(queue, host);
  CHECK(mts_test::saved(x) == mts_test::saved(host));
  auto y = x.zeros_like();
  mts_test::load(y, mts_test::saved(host));
  CHECK(y.to_host().values() == host.values());
  auto z = host.zeros_like();
  mts_test::load(z, mts_test::saved(x));
  CHECK(z.values() == host.values());
}

TEST_CASE("cuda::Parameters: load refuses a truncated stream and another size, and changes nothing") {
  const auto queue = make_queue();
  OnDevice<float> x(queue, random_parameters<float>(5, 9));
  const std::string bytes = mts_test::saved(x);
  x.scale(2);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    mts_test::check_refuses(x, bytes.substr(0, length));
  }
  mts_test::check_refuses(x, mts_test::saved(random_parameters<float>(6, 9)));
}

// ---------------------------------------------------------------------------------------------------------- optimisers

namespace {

/// Six steps on the host and on a device, side by side: virtual step, step, derivative, the real step, and the state.
template <class S, class OnHost, class There>
void check_optimizer(OnHost host, There there, double tolerance) {
  constexpr Index size = 1500;
  const auto queue = make_queue();
  auto theta = random_parameters<S>(size, 10);
  OnDevice<S> x(queue, theta);
  const auto near = [&](const char* what, const OnDevice<S>& found, const DenseParameters<S>& expected) {
    CAPTURE(what);
    const testing::Vector a = in_double(found.to_host()), b = in_double(expected);
    CHECK((a - b).norm() <= tolerance * b.norm());
    CHECK(b.norm() > 0);
  };
  for (std::uint64_t k = 0; k < 6; ++k) {
    CAPTURE(k);
    const auto gradient = random_parameters<S>(size, 20 + k), direction = random_parameters<S>(size, 30 + k);
    const OnDevice<S> g(queue, gradient), d(queue, direction);
    auto expected = theta.zeros_like();
    auto found = x.zeros_like();
    host.virtual_step(theta, gradient, expected);
    there.virtual_step(x, g, found);
    near("virtual step", found, expected);
    host.step_of(theta, gradient, expected);
    there.step_of(x, g, found);
    near("step", found, expected);
    host.pull(direction, theta, gradient, expected);
    there.pull(d, x, g, found);
    near("pull", found, expected);
    if (k == 3) {  // and a state of one is one of the other
      const std::string bytes = mts_test::saved(host);
      CHECK(mts_test::saved(there).size() == bytes.size());
      std::istringstream in(bytes);
      there.load(in, x);
      CHECK(mts_test::saved(there) == bytes);
    }
    host.step(theta, gradient);
    there.step(x, g);
    near("theta", x, theta);
  }
}
template <class S>
void check_optimizers(double tolerance) {
  using H = DenseParameters<S>;
  using D = OnDevice<S>;
  for (const SgdOptions& o : {SgdOptions{.learning_rate = 0.1}, SgdOptions{.learning_rate = 0.1, .weight_decay = 0.1},
                              SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.2, .weight_decay = 0.1},
                              SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}}) {
    check_optimizer<S>(Sgd<H>(o), Sgd<D>(o), tolerance);
    check_optimizer<S>(ClipGradientNorm<Sgd<H>, H>(Sgd<H>(o), 1.0), ClipGradientNorm<Sgd<D>, D>(Sgd<D>(o), 1.0),
                       tolerance);
  }
  const AdamOptions o{.learning_rate = 0.1, .weight_decay = 0.1};
  check_optimizer<S>(Adam<H>(o), Adam<D>(o), tolerance);
  check_optimizer<S>(AdamW<H>(o), AdamW<D>(o), tolerance);
}

}  // namespace

TEST_CASE("cuda::Parameters: optimisers move them as they do the host's") {
  check_optimizers<float>(1e-6);
  check_optimizers<double>(1e-14);
}
