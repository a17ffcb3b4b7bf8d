// The logit gradient of half a batch: what the half alone would give, and halves without weight.
#include "mts/selection/split_half.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"

using namespace mts;

namespace {

SampleVector normal(Index n, RandomStream stream) {
  SampleVector v(n);
  for (Index i = 0; i < n; ++i) v[i] = stream.normal();
  return v;
}
SampleVector every_second(const SampleVector& x, Index first) {
  SampleVector half((x.size() + 1 - first) / 2);
  for (Index i = 0; i < half.size(); ++i) half[i] = x[2 * i + first];
  return half;
}
template <class A>
void check_halves(Index n, double shift) {
  CAPTURE(A::name);
  CAPTURE(n);
  const RandomStream stream(61, "halves", static_cast<std::uint64_t>(n));
  const SampleVector z = normal(n, stream.substream("z")).array() + shift, a = normal(n, stream.substream("a"));
  SampleVector c = normal(n, stream.substream("c")).array().abs() + 0.1;
  if (n > 4) c[2] = 0;
  BatchWeights whole, alone;
  normalize(A{}, z, c, 0, whole);
  for (int half : {0, 1}) {
    SampleVector dz, expected;
    CHECK(half_batch_logit_gradient(whole, a, half, dz));
    normalize(A{}, every_second(z, half), every_second(c, half), 0, alone);
    pullback_to_logits(alone, every_second(a, half), expected);
    CHECK(dz.size() == n);
    CHECK((every_second(dz, half) - expected).norm() <= 1e-14 * std::max(expected.norm(), 1.0));
    CHECK(every_second(dz, 1 - half).isZero(0));
  }
}

}  // namespace

TEST_CASE("a half's logit gradient is that of its samples as a batch of their own, and 0 elsewhere") {
  for (const Index n : {2, 3, 4, 7, 64}) {
    check_halves<SigmoidWeight>(n, 0);
    check_halves<SoftmaxWeight>(n, 0);
    check_halves<SoftplusWeight>(n, 0);
    check_halves<ReluWeight>(n, 3);
  }
}

TEST_CASE("a half without samples or without weight gives zeros and says so") {
  BatchWeights w;
  SampleVector dz = SampleVector::Ones(9), a = SampleVector::Ones(1), c(4);
  normalize(SigmoidWeight{}, SampleVector::Zero(1), SampleVector(), 0, w);
  CHECK(!half_batch_logit_gradient(w, a, 1, dz));
  CHECK(dz == SampleVector::Zero(1));
  CHECK(half_batch_logit_gradient(w, a, 0, dz));

  c << 0, 1, 0, 1;
  a = SampleVector::LinSpaced(4, 0, 1);
  normalize(SigmoidWeight{}, SampleVector::Zero(4), c, 0, w);
  CHECK(!half_batch_logit_gradient(w, a, 0, dz));
  CHECK(dz == SampleVector::Zero(4));
  CHECK(half_batch_logit_gradient(w, a, 1, dz));
  CHECK(dz.norm() > 0);
  CHECK_REFUSED(ShapeError, half_batch_logit_gradient(w, SampleVector::Zero(3), 0, dz), "half_batch_logit_gradient",
                "expected 4", "found 3");
}
