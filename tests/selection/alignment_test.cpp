// Law L3: the alignment estimators agree, central differences up to O(h^2); the cheapest exact one is found for models that
// offer less.
#include "mts/selection/alignment.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "selection/toy.hpp"

using namespace mts;
using toy::Batch;
using toy::Dense;
using toy::relative_error;
using toy::Vector;

namespace {

struct Calls {
  int dot = 0, pushforward = 0, forward = 0;
};

/// The toy classifier, offering only a part of what it can do, and counting what is asked of it.
template <bool has_dot, bool has_pushforward>
struct Partly {
  using Scalar = double;
  using Parameters = Dense;
  using Batch = toy::Batch;

  class Linearization {
   public:
    Linearization(autodiff::NetworkLinearization<double> whole, Calls* calls)
        : whole_(std::move(whole)), calls_(calls) {}
    const SampleVector& value() const { return whole_.value(); }
    void pullback(const SampleVector& u, Dense& out) const { whole_.pullback(u, out); }
    void per_sample_dot(const Dense& v, SampleVector& out) const
      requires has_dot
    {
      ++calls_->dot;
      whole_.per_sample_dot(v, out);
    }
    void pushforward(const Dense& v, SampleVector& out) const
      requires has_pushforward
    {
      ++calls_->pushforward;
      whole_.pushforward(v, out);
    }

   private:
    autodiff::NetworkLinearization<double> whole_;
    Calls* calls_;
  };

  Dense initialize(RandomStream stream) const { return model.initialize(stream); }
  auto forward(const Dense& theta, const Batch& batch) const {
    ++calls->forward;
    return model.forward(theta, batch);
  }
  Linearization linearize(const Dense& theta, const Batch& batch) const {
    return {model.linearize(theta, batch), calls};
  }

  toy::Model model;
  Calls* calls;
};

static_assert(Model<Partly<true, true>> && Model<Partly<false, false>>);
static_assert(PerSampleDot::fits<Partly<true, false>, LinearizationOf<Partly<true, false>>>);
static_assert(!PerSampleDot::fits<Partly<false, true>, LinearizationOf<Partly<false, true>>>);
static_assert(Pushforward::fits<Partly<false, true>, LinearizationOf<Partly<false, true>>>);
static_assert(!Pushforward::fits<Partly<true, false>, LinearizationOf<Partly<true, false>>>);
static_assert(CentralDifference::fits<Partly<false, false>, LinearizationOf<Partly<false, false>>>);

/// A classifier at a point, a batch, and a direction.
struct Place {
  explicit Place(const toy::Spec& spec)
      : toy(spec), drawn(toy.train(0)), direction(toy.theta.zeros_like()), shifted(toy.theta.zeros_like()) {
    RandomStream stream(31, "direction");
    for (Index k = 0; k < direction.size(); ++k) direction.values()[k] = stream.normal();
  }
  template <class Estimator, class M>
  SampleVector alignments(const M& model, const Estimator& estimator) {
    const auto lin = model.linearize(toy.theta, drawn.batch);
    SampleVector out;
    estimator(model, toy.theta, drawn.batch, lin, direction, shifted, out);
    return out;
  }
  /// <g_i, v> with g_i = J^T e_i.
  SampleVector by_hand() {
    const auto lin = toy.model.linearize(toy.theta, drawn.batch);
    SampleVector out(lin.value().size());
    Dense g = toy.theta.zeros_like();
    for (Index i = 0; i < out.size(); ++i) {
      lin.pullback(Vector::Unit(out.size(), i), g);
      out[i] = g.dot(direction);
    }
    return out;
  }

  toy::Toy toy;
  toy::Drawn drawn;
  Dense direction, shifted;
};

toy::Spec deep(nn::MlpOptions options, Index n) {
  toy::Spec spec;
  spec.train = n;
  spec.pool = std::max<Index>(n, 40);
  spec.make_model = [options] { return nn::mlp<double>({4, 6, 6, 3}, options); };
  return spec;
}

}  // namespace

TEST_CASE("exact estimators agree to 1e-12: MLPs with residual branches and layer norm, batches of 1 to 300") {
  for (const auto& options : std::vector<nn::MlpOptions>{
           {.activation = nn::Activation::relu},
           {.activation = nn::Activation::tanh, .residual = true},
           {.activation = nn::Activation::gelu, .layer_norm = true},
           {.activation = nn::Activation::gelu, .layer_norm = true, .residual = true, .label_smoothing = 0.1},
       })
    for (const Index n : {1, 2, 12, 300}) {
      CAPTURE(n);
      Place place(deep(options, n));
      const auto expected = place.by_hand();
      CHECK(expected.norm() > 0.1);
      CHECK(relative_error(place.alignments(place.toy.model, PerSampleDot{}), expected) <= 1e-12);
      CHECK(relative_error(place.alignments(place.toy.model, Pushforward{}), expected) <= 1e-12);
      CHECK(relative_error(place.alignments(place.toy.model, CheapestAlignment{}), expected) <= 1e-12);
    }
}

TEST_CASE("central differences: the error falls as h^2, whatever the length of the direction") {
  for (const double length : {1e-6, 1.0, 1e6}) {
    Place place(deep({.activation = nn::Activation::tanh, .layer_norm = true, .residual = true}, 12));
    place.direction.scale(length / std::sqrt(place.direction.dot(place.direction)));
    const auto exact = place.alignments(place.toy.model, Pushforward{});
    std::vector<double> errors;
    for (const double h : {0.08, 0.04, 0.02, 0.01})
      errors.push_back(relative_error(place.alignments(place.toy.model, CentralDifference{.step = h}), exact));
    for (std::size_t k = 1; k < errors.size(); ++k) {
      const double order = std::log2(errors[k - 1] / errors[k]);
      CAPTURE(length);
      CAPTURE(errors[k]);
      CHECK(std::abs(order - 2) <= 0.1);
    }
    CHECK(errors.back() <= 1e-3);
  }
}

TEST_CASE("central differences along the zero direction: zeros, and no evaluation") {
  Calls calls;
  Place place(deep({}, 12));
  const Partly<false, false> model{place.toy.model, &calls};
  place.direction.scale(0);
  CHECK(place.alignments(model, CentralDifference{}) == SampleVector::Zero(12));
  CHECK(place.alignments(model, CheapestAlignment{}) == SampleVector::Zero(12));
  CHECK(calls.forward == 0);
  CHECK(place.alignments(place.toy.model, CheapestAlignment{}).isZero(0));
}

TEST_CASE("central differences leave theta alone, and overwrite what out held") {
  Place place(deep({}, 12));
  const Vector before = place.toy.theta.values();
  const auto lin = place.toy.model.linearize(place.toy.theta, place.drawn.batch);
  SampleVector out = SampleVector::Constant(3, std::nan(""));
  CentralDifference{.step = 1e-3}(place.toy.model, place.toy.theta, place.drawn.batch, lin, place.direction,
                                  place.shifted, out);
  CHECK(out.size() == 12);
  CHECK(out.allFinite());
  CHECK(place.toy.theta.values() == before);
  for (const double step : {0.0, -1.0, std::nan("")})
    CHECK_REFUSED(ValueError, place.alignments(place.toy.model, CentralDifference{.step = step}), "CentralDifference",
                  "step must be positive");
}

TEST_CASE("the cheapest estimator: dots where there are any, else the pushforward, else two forwards") {
  Calls calls;
  Place place(deep({.activation = nn::Activation::tanh}, 12));
  const auto exact = place.by_hand();
  const auto cheapest = [&]<bool dot, bool pushforward>() {
    calls = {};
    return place.alignments(Partly<dot, pushforward>{place.toy.model, &calls}, CheapestAlignment{});
  };
  CHECK(relative_error(cheapest.operator()<true, true>(), exact) <= 1e-12);
  CHECK(calls.dot == 1);
  CHECK(calls.pushforward + calls.forward == 0);
  CHECK(relative_error(cheapest.operator()<true, false>(), exact) <= 1e-12);
  CHECK(calls.dot == 1);
  CHECK(relative_error(cheapest.operator()<false, true>(), exact) <= 1e-12);
  CHECK(calls.pushforward == 1);
  CHECK(calls.forward == 0);
  const double error = relative_error(cheapest.operator()<false, false>(), exact);
  CHECK(error <= 1e-4);
  CHECK(error > 1e-12);
  CHECK(calls.forward == 2);
}
