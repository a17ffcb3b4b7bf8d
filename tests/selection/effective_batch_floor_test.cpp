// The B_eff floor: its shift of the alignments is the derivative of its penalty (law L3').
#include "mts/selection/effective_batch_floor.hpp"

#include <doctest/doctest.h>

#include "mts/core/random.hpp"
#include "selection/toy.hpp"

using namespace mts;
using toy::difference_gradient;
using toy::relative_error;
using toy::Vector;

namespace {

template <class A>
BatchWeights weigh(const Vector& z, double tempering = 0) {
  BatchWeights w;
  normalize(A{}, z, Vector(), tempering, w);
  return w;
}
Vector logits(Index n, double scale, double shift = 0) {
  RandomStream stream(21, "logits", static_cast<std::uint64_t>(n));
  Vector z(n);
  for (Index i = 0; i < n; ++i) z[i] = shift + scale * stream.normal();
  return z;
}
template <class A>
void check_derivative(const Vector& z, const EffectiveBatchFloor& floor, double tempering = 0) {
  const auto w = weigh<A>(z, tempering);
  CAPTURE(A::name);
  CAPTURE(w.b_eff);
  REQUIRE(floor.value(w) > 0);
  SampleVector a = SampleVector::Zero(z.size()), dz;
  floor.shift(w, a);
  pullback_to_logits(w, a, dz);
  const Vector expected =
      difference_gradient([&](const Vector& x) { return floor.value(weigh<A>(x, tempering)); }, z, 1e-4);
  CHECK(expected.norm() > 1e-4);
  CHECK(relative_error(dz, expected) <= 1e-8);
}

}  // namespace

TEST_CASE("the penalty by hand") {
  BatchWeights w;
  w.p.resize(4);
  w.p << 0.5, 0.5, 0, 0;
  w.b_eff = 2;
  CHECK(EffectiveBatchFloor{0.75, 3}.value(w) == 3 * 0.25 * 0.25);
  CHECK(EffectiveBatchFloor{0.5, 3}.value(w) == 0);
  CHECK(EffectiveBatchFloor{}.value(w) == 0);
  SampleVector a = SampleVector::Ones(4);
  EffectiveBatchFloor{0.75, 3}.shift(w, a);  // 4 lambda/N . 1/4 . B^2 p = 3 p
  CHECK(a == SampleVector(SampleVector::Ones(4) - 3 * w.p));
}

TEST_CASE("the shift is minus the derivative of the penalty in p, at any N, lambda and f") {
  for (const Index n : {2, 5, 16}) {
    const auto w = weigh<SoftmaxWeight>(logits(n, 2));
    for (const EffectiveBatchFloor floor : {EffectiveBatchFloor{1, 1}, EffectiveBatchFloor{0.95, 0.3}}) {
      const Vector slope = difference_gradient(
          [&](const Vector& p) {
            BatchWeights free = w;
            free.p = p;
            free.b_eff = 1 / p.squaredNorm();
            return floor.value(free);
          },
          w.p, 1e-4);
      SampleVector a = SampleVector::Constant(n, 0.5);
      floor.shift(w, a);
      CHECK(slope.norm() > 1e-4);
      CHECK(relative_error(a.array() - 0.5, -slope) <= 1e-8);
    }
  }
}

TEST_CASE("shift and pullback give the derivative of the penalty in z, for every activation") {
  for (const Index n : {2, 3, 16}) {
    check_derivative<SigmoidWeight>(logits(n, 3), {1, 2});
    check_derivative<SoftmaxWeight>(logits(n, 1), {0.99, 0.5});
    check_derivative<SoftplusWeight>(logits(n, 2), {1, 2});
    check_derivative<ReluWeight>(logits(n, 0.3, 1), {1, 2});
  }
}

TEST_CASE("with weights tempered to a lower floor the penalty is constant in z: no derivative") {
  const auto w = weigh<SoftmaxWeight>(logits(12, 4), 0.6);
  REQUIRE(w.tempered);
  const EffectiveBatchFloor floor{0.9, 2};
  CHECK(floor.value(w) == doctest::Approx(2 * 0.3 * 0.3).epsilon(1e-9));
  SampleVector a = SampleVector::Zero(12), dz;
  floor.shift(w, a);
  CHECK(a.norm() > 0.1);
  pullback_to_logits(w, a, dz);
  CHECK(dz.norm() <= 1e-13);
}

TEST_CASE("above the floor, with no strength, and at full collapse there is nothing to shift") {
  const auto w = weigh<SoftmaxWeight>(logits(8, 1));
  const SampleVector a = logits(8, 1);
  for (const EffectiveBatchFloor floor : {EffectiveBatchFloor{w.b_eff / 8 - 1e-6, 5}, EffectiveBatchFloor{1, 0}}) {
    SampleVector shifted = a;
    floor.shift(w, shifted);
    CHECK(shifted == a);
    CHECK(floor.value(w) == 0);
  }
  // One weight of 1: the shift is a constant where there is weight, so nothing moves. Tempering is what revives it.
  Vector z = Vector::Zero(8);
  z[3] = 1000;
  const auto collapsed = weigh<SoftmaxWeight>(z);
  SampleVector shift = SampleVector::Zero(8), dz;
  EffectiveBatchFloor{0.5, 5}.shift(collapsed, shift);
  pullback_to_logits(collapsed, shift, dz);
  CHECK(dz.isZero(0));
}
