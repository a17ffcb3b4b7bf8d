// Normalised weights and their pullback, for every activation: invariances, priors, tempering, extremes, and what is
// refused.
#include "mts/selection/weights.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "selection/toy.hpp"

using namespace mts;
using toy::Activation;
using toy::difference_gradient;
using toy::relative_error;
using toy::Vector;

namespace {

constexpr Activation all[] = {Activation::sigmoid, Activation::softmax, Activation::softplus, Activation::relu};
constexpr Activation positive[] = {Activation::sigmoid, Activation::softmax, Activation::softplus};

/// Calls f with the activation itself.
template <class F>
auto with(Activation activation, F&& f) {
  switch (activation) {
    case Activation::softmax:
      return f(SoftmaxWeight{});
    case Activation::softplus:
      return f(SoftplusWeight{});
    case Activation::relu:
      return f(ReluWeight{});
    case Activation::sigmoid:
      break;
  }
  return f(SigmoidWeight{});
}

BatchWeights weigh(Activation activation, const Vector& z, const Vector& prior = {}, double floor = 0) {
  BatchWeights out;
  with(activation, [&](auto a) { normalize(a, z, prior, floor, out); });
  return out;
}
Vector pull(const BatchWeights& w, const Vector& a) {
  SampleVector dz;
  pullback_to_logits(w, a, dz);
  return dz;
}

Vector numbers(std::initializer_list<double> x) {
  Vector v(static_cast<Index>(x.size()));
  std::copy(x.begin(), x.end(), v.data());
  return v;
}
Vector normal(Index n, RandomStream stream, double scale = 1, double shift = 0) {
  Vector v(n);
  for (Index i = 0; i < n; ++i) v[i] = shift + scale * stream.normal();
  return v;
}
/// Positive, some of them 0.
Vector priors(Index n, RandomStream stream, double zeros) {
  Vector c(n);
  for (Index i = 0; i < n; ++i) c[i] = stream.chance(zeros) ? 0.0 : stream.uniform(0.1, 3);
  c[n / 2] = 1;
  return c;
}

}  // namespace

TEST_CASE("p meets direct formulas in long double, sums to 1, and b_eff, mean_w belong to it") {
  for (const auto activation : all)
    for (const Index n : {1, 2, 3, 64, 1000})
      for (const double zeros : {0.0, 0.3}) {
        CAPTURE(static_cast<int>(activation));
        CAPTURE(n);
        const RandomStream stream(3, "weights", static_cast<std::uint64_t>(n));
        Vector z = normal(n, stream, 2);
        z[n / 2] = 0.5;
        const Vector c = priors(n, stream.substream("priors"), zeros);
        for (const Vector& prior : {Vector(), c}) {
          const auto w = weigh(activation, z, prior);
          CHECK(w.size() == n);
          CHECK(relative_error(w.p, toy::plain_weights(activation, z, prior, 0)) <= 1e-14);
          CHECK(std::abs(w.p.sum() - 1) <= 1e-14);
          CHECK(w.p.minCoeff() >= 0);
          CHECK(w.b_eff == doctest::Approx(1 / w.p.squaredNorm()).epsilon(1e-13));
          CHECK(w.tau == 1);
          CHECK(!w.tempered);
          const double mean = with(activation, [&](auto a) {
            double sum = 0;
            for (Index i = 0; i < n; ++i)
              if constexpr (PositiveActivation<decltype(a)>)
                sum += std::exp(a.log_value(z[i]));
              else
                sum += a.value(z[i]);
            return sum / static_cast<double>(n);
          });
          CHECK(w.mean_w == doctest::Approx(mean).epsilon(1e-13));
        }
      }
}

TEST_CASE("softmax weights do not change when all logits are shifted; no weights when all priors are scaled") {
  const Vector z = normal(20, {4, "z"}), a = normal(20, {4, "a"}), c = priors(20, {4, "c"}, 0.2);
  const auto w = weigh(Activation::softmax, z, c);
  for (const double shift : {-1e6, -700.0, 3.0, 700.0, 1e6}) {
    const auto shifted = weigh(Activation::softmax, z.array() + shift, c);
    CHECK(relative_error(shifted.p, w.p) <= 1e-15 * std::abs(shift) + 1e-14);
    CHECK(relative_error(pull(shifted, a), pull(w, a)) <= 1e-15 * std::abs(shift) + 1e-13);
  }
  for (const auto activation : all)
    for (const double scale : {1e-200, 0.3, 1e200}) {
      const auto plain = weigh(activation, z, c), scaled = weigh(activation, z, scale * c);
      CHECK(relative_error(scaled.p, plain.p) <= 1e-13);
      CHECK(relative_error(pull(scaled, a), pull(plain, a)) <= 1e-12);
      CHECK(scaled.mean_w == plain.mean_w);  // of the raw weights
    }
}

TEST_CASE("the pullback does not change when a constant is added to a, and is 0 for a constant") {
  const Vector z = normal(15, {5, "z"}), a = normal(15, {5, "a"});
  for (const auto activation : all) {
    const auto w = weigh(activation, z);
    CHECK(relative_error(pull(w, a.array() + 10), pull(w, a)) <= 1e-13);
    CHECK(pull(w, Vector::Constant(15, 7)).norm() <= 1e-15);
  }
}

TEST_CASE("a prior of 0 takes a sample out: p, mobility and dz are 0, the others are as if it were not there") {
  const Vector z = numbers({0.3, 1.2, -0.4, 0.9}), a = numbers({1, -2, 100, 0.5});
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::softplus, Activation::relu})
    for (const double floor : {0.0, 0.74}) {
      if (activation == Activation::relu && floor > 0) continue;
      const auto with_it = weigh(activation, z, numbers({1, 1, 0, 1}), floor),
                 without = weigh(activation, numbers({0.3, 1.2, 0.9}), {}, 4 * floor / 3);
      CHECK(with_it.p[2] == 0);
      CHECK(with_it.mobility[2] == 0);
      const Vector dz = pull(with_it, a), expected = pull(without, numbers({1, -2, 0.5}));
      CHECK(dz[2] == 0);
      CHECK(numbers({dz[0], dz[1], dz[3]}).isApprox(expected, 1e-9));
      CHECK(numbers({with_it.p[0], with_it.p[1], with_it.p[3]}).isApprox(without.p, 1e-10));
    }
}

TEST_CASE("law L1: the pullback is the derivative of -a.p, by central differences") {
  for (const auto activation : all)
    for (const Index n : {1, 2, 3, 16})
      for (const double zeros : {-1.0, 0.0, 0.3}) {
        CAPTURE(static_cast<int>(activation));
        CAPTURE(n);
        CAPTURE(zeros);
        const RandomStream stream(6, "pullback", static_cast<std::uint64_t>(n));
        Vector z = normal(n, stream.substream("z"), 1.5);
        z[n / 2] = 0.4;
        if (n <= 3) z = z.cwiseAbs();  // one positive ReLU alone has p = 1, whatever it is
        const Vector a = normal(n, stream.substream("a"));
        const Vector c = zeros < 0 ? Vector() : priors(n, stream.substream("c"), zeros);
        const Vector dz = pull(weigh(activation, z, c), a);
        const Vector expected =
            difference_gradient([&](const Vector& x) { return -a.dot(weigh(activation, x, c).p); }, z, 1e-4);
        CHECK((dz - expected).norm() <= 1e-9 * std::max(expected.norm(), 1e-2));
        if (n > 1) CHECK(expected.norm() > 1e-3);
      }
}

TEST_CASE("law L1's identity: sum dz/s = 0 where all s > 0, tempered or not") {
  for (const auto activation : positive)
    for (const double floor : {0.0, 0.9})
      for (const Index n : {2, 5, 300}) {
        const RandomStream stream(7, "identity", static_cast<std::uint64_t>(n));
        const Vector z = normal(n, stream.substream("z"), 3), a = normal(n, stream.substream("a"));
        const auto w = weigh(activation, z, priors(n, stream.substream("c"), 0), floor);
        CHECK(w.tempered == (floor > 0));
        const Vector dz = pull(w, a);
        double sum = 0, size = 0;
        for (Index k = 0; k < n; ++k) {
          const double s = with(activation, [&](auto psi) {
            if constexpr (PositiveActivation<decltype(psi)>) return psi.log_slope(z[k]);
            return 0.0;
          });
          sum += dz[k] / s;
          size += std::abs(dz[k] / s);
        }
        CHECK(std::abs(sum) <= 1e-13 * std::max(size, 1e-2));  // tempered, two samples do not move at all
      }
}

TEST_CASE("tempering: the pullback is the exact derivative, through tau") {
  for (const auto activation : positive)
    for (const Index n : {3, 8, 16})
      for (const double floor : {0.5, 0.7, 0.95})
        for (const bool with_priors : {false, true}) {
          CAPTURE(static_cast<int>(activation));
          CAPTURE(n);
          CAPTURE(floor);
          const RandomStream stream(8, "tempering", static_cast<std::uint64_t>(n));
          const Vector z = normal(n, stream.substream("z"), 4), a = normal(n, stream.substream("a"));
          const Vector c = with_priors ? priors(n, stream.substream("c"), 0) : Vector();
          const auto w = weigh(activation, z, c, floor);
          if (!w.tempered) continue;
          const Vector expected = difference_gradient(
              [&](const Vector& x) { return -a.dot(toy::plain_weights(activation, x, c, floor)); }, z, 1e-3);
          CHECK(relative_error(pull(w, a), expected) <= 1e-8);
          CHECK(relative_error(w.p, toy::plain_weights(activation, z, c, floor)) <= 1e-11);
          // tau moved: with tau held, the derivative is another one.
          auto held = w;
          held.tempered = false;
          CHECK(relative_error(pull(held, a), expected) > 1e-3);
        }
}

TEST_CASE("tempering meets B_eff = floor to 1e-9, over many spreads, sizes and floors") {
  int tempered = 0;
  for (std::uint64_t k = 0; k < 4000; ++k) {
    RandomStream stream(9, "many", k);
    const Index n = 2 + static_cast<Index>(stream.below(60));
    const double spread = std::pow(10.0, stream.uniform(-3, 4)), floor = stream.uniform(0.01, 1);
    const Vector z = normal(n, stream.substream("z"), spread);
    const Vector c = stream.chance(0.5) ? priors(n, stream.substream("c"), 0.2) : Vector();
    const auto w = weigh(Activation::softmax, z, c, floor);
    CAPTURE(k);
    CAPTURE(n);
    CAPTURE(spread);
    CAPTURE(floor);
    const double wanted = floor * static_cast<double>(n);
    const auto there = c.size() ? static_cast<double>((c.array() > 0).count()) : static_cast<double>(n);
    CHECK(w.tau >= 0);
    CHECK(w.tau <= 1);
    CHECK(std::abs(w.p.sum() - 1) <= 1e-13);
    CHECK(w.tempered == (w.tau > 0 && w.tau < 1));
    if (w.tempered) {
      CHECK(std::abs(w.b_eff - wanted) <= 1e-9 * wanted);
      ++tempered;
    } else if (w.tau == 0) {
      CHECK(there <= wanted);  // the floor is out of reach, or just reached by uniform weights
      CHECK(w.b_eff == doctest::Approx(there).epsilon(1e-12));
    } else {
      CHECK(w.b_eff >= wanted);
    }
  }
  CHECK(tempered > 2000);
}

TEST_CASE("tempering revives a batch that has collapsed so far that most weights are 0 in double") {
  const Vector z = numbers({1000, 0, -200, 30, 999});
  CHECK((weigh(Activation::softmax, z).p.array() > 0).count() == 2);
  for (const double floor : {0.4, 0.6, 0.9}) {
    const auto w = weigh(Activation::softmax, z, {}, floor);
    CHECK(w.tempered);
    CHECK(w.tau > 0);
    CHECK(w.tau < 1);
    CHECK(std::abs(w.b_eff - 5 * floor) <= 1e-9);
    CHECK(relative_error(w.p, toy::plain_weights(Activation::softmax, z, {}, floor)) <= 1e-9);
    CHECK(pull(w, numbers({1, 2, 3, 4, 5})).norm() > 0);
  }
}

TEST_CASE("tempering that cannot reach its floor: uniform over the samples that have weight, and no derivative") {
  const Vector z = numbers({1, 2, 5, 4}), c = numbers({1, 1, 0, 0}), a = numbers({1, 2, 3, 4});
  for (const double floor : {0.5, 0.75, 1.0}) {  // 2 of 4 is just reached, by tau = 0 alone
    const auto w = weigh(Activation::sigmoid, z, c, floor);
    CHECK(w.tau == 0);
    CHECK(!w.tempered);
    CHECK(w.p == numbers({0.5, 0.5, 0, 0}));
    CHECK(w.b_eff == 2);
    CHECK(pull(w, a).isZero(0));
  }
  CHECK(!weigh(Activation::sigmoid, z, c, 0.49).tempered);  // sigmoid(1), sigmoid(2) are even enough
  const auto one = weigh(Activation::softmax, numbers({3}), {}, 1);
  CHECK(one.p[0] == 1);
}

TEST_CASE("no overflow and nothing lost: logits of +-800 and far beyond") {
  for (const auto activation : positive) {
    const Vector z = numbers({800, -800, 0, 1e5, -1e5, 799});
    const auto w = weigh(activation, z);
    CHECK(w.p.allFinite());
    CHECK(w.mobility.allFinite());
    CHECK(std::abs(w.p.sum() - 1) <= 1e-14);
    const auto low = weigh(activation, Vector(z.array() - 2e5));  // psi = exp z < 1e-80000
    CHECK(low.p.allFinite());
    CHECK(low.p[3] == doctest::Approx(1));
    CHECK(pull(low, Vector::LinSpaced(6, 0, 1)).allFinite());
  }
  const auto huge = weigh(Activation::relu, numbers({1e-300, 1e300, 0}));
  CHECK(huge.p[1] == 1);
  CHECK_REFUSED(NumericalError, weigh(Activation::relu, numbers({1.5e308, 1.5e308})), "normalize",
                "sum of the weights S", "inf");
}

TEST_CASE("one BatchWeights serves batches of any size and kind, one after another") {
  BatchWeights reused;
  for (const Index n : {7, 3, 11, 1})
    for (const auto activation : all)
      for (const double floor : {0.95, 0.0}) {
        if (activation == Activation::relu && floor > 0) continue;
        Vector z = normal(n, {10, "reuse", static_cast<std::uint64_t>(n)}, 3), a = normal(n, {11, "a"});
        z[0] = 1;
        with(activation, [&](auto psi) { normalize(psi, z, Vector(), floor, reused); });
        const auto fresh = weigh(activation, z, {}, floor);
        CHECK(reused.p == fresh.p);
        CHECK(reused.tau == fresh.tau);
        CHECK(reused.tempered == fresh.tempered);
        CHECK(reused.b_eff == fresh.b_eff);
        CHECK(reused.mean_w == fresh.mean_w);
        CHECK(pull(reused, a) == pull(fresh, a));
      }
}

TEST_CASE("S = 0 is an error in words") {
  CHECK_REFUSED(NumericalError, weigh(Activation::relu, numbers({-1, -2, 0})), "normalize", "S = 0",
                "all 3 weights of the batch vanish");
  CHECK_REFUSED(NumericalError, weigh(Activation::relu, numbers({-1, 5}), numbers({1, 0})), "S = 0");
  for (const auto activation : all)
    CHECK_REFUSED(NumericalError, weigh(activation, numbers({1, 2}), numbers({0, 0})), "normalize", "S = 0",
                  "all 2 weights");
}

TEST_CASE("what is not a number, or no prior, or no batch, is refused with its place") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const auto activation : all) {
    CHECK_REFUSED(NumericalError, weigh(activation, numbers({1, 2, nan, 3})), "normalize", "logit z", "nan",
                  "index 2 of 4");
    CHECK_REFUSED(NumericalError, weigh(activation, numbers({infinity, 2})), "logit z", "inf", "index 0 of 2");
    CHECK_REFUSED(ShapeError, weigh(activation, Vector()), "normalize", "empty batch", "found 0");
    CHECK_REFUSED(ShapeError, weigh(activation, numbers({1, 2}), numbers({1, 1, 1})), "prior weights", "expected 2",
                  "found 3");
    CHECK_REFUSED(ValueError, weigh(activation, numbers({1, 2}), numbers({1, -0.5})), "prior weight of sample 1",
                  "-0.5");
    CHECK_REFUSED(ValueError, weigh(activation, numbers({1, 2}), numbers({nan, 1})), "prior weight of sample 0", "nan");
    for (const double floor : {-0.1, 1.1, nan})
      CHECK_REFUSED(ValueError, weigh(activation, numbers({1, 2}), {}, floor), "tempering floor", "[0, 1]");
  }
  CHECK_REFUSED(ValueError, weigh(Activation::relu, numbers({1, 2}), {}, 0.5), "exactly 0 cannot be tempered");
  CHECK_REFUSED(ShapeError, pull(weigh(Activation::sigmoid, numbers({1, 2})), numbers({1, 2, 3})), "pullback_to_logits",
                "expected 2", "found 3");
}
