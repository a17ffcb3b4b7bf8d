// What the training step does beside its derivative: schedules of phi, warm start, zero gradients, numbers that are not
// finite, the laws that hold at every step, and its options.
#include "mts/selection/step.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "selection/toy.hpp"

using namespace mts;
using toy::Activation;
using toy::Dense;
using toy::Drawn;
using toy::Net;
using toy::Plain;
using toy::Spec;
using toy::Toy;
using toy::Vector;

namespace {

StepReport take_step(const Toy& problem, toy::Step& step, std::uint64_t k) {
  return step.joint(problem.train(k), problem.validation(k));
}
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("phi moves at every k-th step after the warm start, theta at every step") {
  for (const Index every : {1, 2, 3})
    for (const Index uniform : {0, 4}) {
      Spec spec;
      spec.options.update_every = every;
      spec.options.uniform_steps = uniform;
      const Toy problem(spec);
      const auto step = problem.step();
      for (Index k = 0; k < 12; ++k) {
        CAPTURE(every);
        CAPTURE(uniform);
        CAPTURE(k);
        const Vector phi = step->phi().values(), theta = step->theta().values();
        const auto report = take_step(problem, *step, static_cast<std::uint64_t>(k));
        const bool moves = k >= uniform && (k - uniform) % every == 0;
        CHECK(report.phi_moved == moves);
        CHECK((step->phi().values() != phi) == moves);
        CHECK(step->theta().values() != theta);
        CHECK(report.step == k);
        CHECK(step->steps() == k + 1);
        CHECK(std::string(report.mode) == (k < uniform ? "uniform" : "joint"));
        CHECK(std::isnan(report.hypergradient_norm) == !moves);
        CHECK(std::isnan(report.gamma_norm) == !moves);
        CHECK(std::isnan(report.validation_loss) == !moves);
        CHECK(std::isnan(report.gsnr_signal) == !moves);
        CHECK(std::isfinite(report.train_loss));
        CHECK(std::isfinite(report.gradient_norm));
      }
    }
}

TEST_CASE("between two updates the weights are those of the last phi, for the features of now") {
  Spec spec;
  spec.options.update_every = 3;
  const Toy problem(spec);
  const auto step = problem.step();
  Plain plain(problem);
  for (std::uint64_t k = 0; k < 6; ++k) {
    plain.theta = step->theta().values();
    const Drawn train = problem.train(k), validation = problem.validation(k);
    const auto seen = plain.see(train, validation);
    if (k % 2)
      step->joint(train, validation);
    else
      step->crossed(train, validation, problem.selector(k));
    CHECK(toy::relative_error(step->weights().p, plain.weights(seen, step->phi().values())) <= 1e-13);
  }
}

TEST_CASE("law L5: tabular softmax logits under plain SGD conserve their sum, to 1e-12 over 100 steps") {
  Spec spec;
  spec.net = Net::tabular;
  spec.activation = Activation::softmax;
  spec.inner = toy::sgd({.learning_rate = 0.3});
  spec.meta = toy::sgd({.learning_rate = 20});
  const Toy problem(spec);
  const auto step = problem.step();
  const double before = problem.phi.values().sum();
  for (std::uint64_t k = 0; k < 100; ++k) {
    take_step(problem, *step, k);
    CHECK(std::abs(step->phi().values().sum() - before) <= 1e-12);
  }
  CHECK((step->phi().values() - problem.phi.values()).norm() > 1);  // it did move
}

TEST_CASE("at every step of 50: sum p = 1, law L7, and law L1's identity sum dz/s = 0") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::softplus})
    for (const auto net : {Net::tabular, Net::mlp}) {
      Spec spec;
      spec.net = net;
      spec.activation = activation;
      spec.inner = toy::sgd({.learning_rate = 0.2, .momentum = 0.9, .nesterov = true});
      spec.meta = toy::adamw({.learning_rate = 0.05});
      spec.options.prior.by_class = {0.5, 1, 2};
      const Toy problem(spec);
      const auto step = problem.step();
      for (std::uint64_t k = 0; k < 50; ++k) {
        Plain plain(problem);
        plain.theta = step->theta().values();
        const Drawn train = problem.train(k), validation = problem.validation(k);
        const auto seen = plain.see(train, validation);
        const Vector z = problem.net(step->phi(), seen.features);
        const auto report = step->joint(train, validation);
        const Vector& p = step->weights().p;
        const double n = static_cast<double>(p.size());
        CHECK(std::abs(p.sum() - 1) <= 1e-14);
        CHECK(std::abs(step->selector_weights().p.sum() - 1) <= 1e-14);
        CHECK(std::abs(report.var_p - (1 / report.b_eff - 1 / n) / n) <= 1e-15);
        CHECK(1 / report.b_eff <= report.max_p * (1 + 1e-14));
        double sum = 0, size = 0;
        for (Index i = 0; i < z.size(); ++i) {
          const double s = activation == Activation::sigmoid    ? SigmoidWeight{}.log_slope(z[i])
                           : activation == Activation::softplus ? SoftplusWeight{}.log_slope(z[i])
                                                                : 1.0;
          sum += step->logit_gradient()[i] / s;
          size += std::abs(step->logit_gradient()[i] / s);
        }
        CHECK(size > 0);
        CHECK(std::abs(sum) <= 1e-13 * size);
      }
    }
}

TEST_CASE("the report's split halves: each half's hypergradient by differences, with weights of its own") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::relu})
    for (const bool crossed : {false, true}) {
      Spec spec;
      spec.activation = activation;
      spec.logit_shift = 0.7;
      spec.options.prior.by_class = {0.5, 1, 2};
      const Toy problem(spec);
      const auto step = problem.step();
      const Plain plain(problem);
      const Drawn train = problem.train(0), validation = problem.validation(0), selector = problem.selector(0);
      const auto own = plain.see(crossed ? selector : train, validation);
      const auto report = crossed ? step->crossed(train, validation, selector) : step->joint(train, validation);
      const auto half = [&](Index first) {
        return toy::difference_gradient(
            [&](const Vector& phi) {
              Dense at = problem.phi.clone();
              at.values() = phi;
              const Vector z = problem.net(at, own.features);
              Vector z_half((z.size() + 1 - first) / 2), a(z_half.size()), c(z_half.size());
              for (Index i = 0; i < z_half.size(); ++i) {
                z_half[i] = z[2 * i + first];
                a[i] = step->alignments()[2 * i + first];
                c[i] = own.prior[2 * i + first];
              }
              return -a.dot(toy::plain_weights(activation, z_half, c, 0));
            },
            plain.phi);
      };
      const Vector even = half(0), odd = half(1);
      const double size = even.norm() * odd.norm();
      CHECK(size > 0);
      CHECK(std::abs(report.gsnr_signal - even.dot(odd)) <= 1e-6 * size);
      CHECK(std::abs(report.gsnr_noise - (even - odd).squaredNorm() / 4) <= 1e-6 * size);
      CHECK(report.gsnr == report.gsnr_signal / report.gsnr_noise);
    }
}

TEST_CASE("split-half GSNR: its parts meet, on average, mean and variance over batches drawn anew") {
  // theta and phi stand still, Gamma is one and the same; only the train batch varies, with replacement.
  Spec spec;
  spec.inner = toy::frozen();
  spec.meta = toy::frozen();
  spec.train = 16;
  const Toy problem(spec);
  const Drawn validation = problem.validation(0);

  // Everything that a sample brings into a hypergradient: logit, dz/dphi, alignment.
  std::vector<Index> everyone(static_cast<std::size_t>(spec.pool));
  for (Index i = 0; i < spec.pool; ++i) everyone[static_cast<std::size_t>(i)] = i;
  const Drawn pool = take(*problem.pool, everyone);
  const Plain plain(problem);
  const auto seen = plain.see(pool, validation);
  const Vector gamma = plain.gamma(seen, validation, plain.phi);  // at theta itself, and the optimiser pulls by 1
  const Vector alignment = seen.gradients * gamma;
  const Vector z = problem.net(problem.phi, seen.features);
  const toy::Matrix jacobian = problem.net_jacobian(problem.phi, seen.features);

  // Brute force: hypergradients of independent batches of half the size, by the formula of law L1 in the weights' own words.
  const auto hypergradient = [&](RandomStream& stream, Index n) {
    std::vector<Index> ids;
    double total = 0, mean = 0;
    Vector w(n);
    for (Index i = 0; i < n; ++i) {
      ids.push_back(static_cast<Index>(stream.below(static_cast<std::uint64_t>(spec.pool))));
      w[i] = 1 / (1 + std::exp(-z[ids.back()]));
      total += w[i];
      mean += w[i] * alignment[ids.back()];
    }
    Vector g = Vector::Zero(plain.phi.size());
    for (Index i = 0; i < n; ++i) {
      const Index id = ids[static_cast<std::size_t>(i)];
      g -= w[i] / total * (1 - w[i]) * (alignment[id] - mean / total) * jacobian.row(id).transpose();
    }
    return g;
  };
  constexpr int draws = 20000;
  RandomStream stream(41, "halves");
  Vector sum = Vector::Zero(plain.phi.size());
  double squares = 0;
  for (int k = 0; k < draws; ++k) {
    const Vector g = hypergradient(stream, spec.train / 2);
    sum += g;
    squares += g.squaredNorm();
  }
  const double m = draws;
  const Vector mean = sum / m;
  const double variance = (squares / m - mean.squaredNorm()) * m / (m - 1);
  const double signal = mean.squaredNorm() - variance / m, noise = variance / 2;

  const auto step = problem.step();
  double found_signal = 0, found_noise = 0, signal_squares = 0, noise_squares = 0;
  constexpr int steps = 4000;
  RandomStream batches(42, "batches");
  for (int k = 0; k < steps; ++k) {
    std::vector<Index> ids;
    for (Index i = 0; i < spec.train; ++i)
      ids.push_back(static_cast<Index>(batches.below(static_cast<std::uint64_t>(spec.pool))));
    const auto report = step->joint(take(*problem.pool, ids), validation);
    found_signal += report.gsnr_signal / steps;
    found_noise += report.gsnr_noise / steps;
    signal_squares += report.gsnr_signal * report.gsnr_signal / steps;
    noise_squares += report.gsnr_noise * report.gsnr_noise / steps;
  }
  CHECK(step->phi().values() == problem.phi.values());
  CHECK(step->theta().values() == problem.theta.values());
  const double signal_error = std::sqrt((signal_squares - found_signal * found_signal) / steps +
                                        4 * mean.squaredNorm() * variance / m);  // of both sides
  const double noise_error = std::sqrt((noise_squares - found_noise * found_noise) / steps) + noise * std::sqrt(2 / m);
  CAPTURE(signal);
  CAPTURE(found_signal);
  CAPTURE(noise);
  CAPTURE(found_noise);
  CHECK(std::abs(found_signal - signal) <= 4 * signal_error);
  CHECK(std::abs(found_noise - noise) <= 4 * noise_error);
  CHECK(signal_error < 0.1 * signal);  // so that a wrong constant could not pass
  CHECK(noise_error < 0.05 * noise);
}

TEST_CASE("GSNR can be left out, and changes nothing else") {
  Spec spec;
  const Toy measured(spec);
  spec.options.measure_gsnr = false;
  const Toy spared(spec);
  const auto a = measured.step(), b = spared.step();
  for (std::uint64_t k = 0; k < 3; ++k) {
    take_step(measured, *a, k);
    const auto report = take_step(spared, *b, k);
    CHECK(std::isnan(report.gsnr));
    CHECK(std::isnan(report.gsnr_noise));
    CHECK(a->phi().values() == b->phi().values());
    CHECK(a->theta().values() == b->theta().values());
  }
}

TEST_CASE("Gamma = 0: a zero hypergradient and no NaN, by exact alignments and by central differences") {
  for (const auto estimator :
       {toy::Estimator::cheapest, toy::Estimator::pushforward, toy::Estimator::central_difference})
    for (const bool crossed : {false, true}) {
      Spec spec;
      spec.estimator = estimator;
      spec.meta = toy::adamw({.learning_rate = 0.1});
      spec.make_model = [] {  // without biases: a validation batch of zero images has no gradient, whatever theta is
        autodiff::Graph<double> g;
        const auto x = g.input(4);
        const auto y = g.column(3, "label");
        const auto logits = g.add(autodiff::Linear{.outputs = 3, .bias = false}, {x});
        const auto loss = g.add(autodiff::SoftmaxCrossEntropy{y}, {logits});
        return toy::Model(autodiff::Network<double>(std::move(g), {loss, logits, x}));
      };
      const Toy problem(spec);
      const auto step = problem.step();
      Drawn validation = problem.validation(0);
      validation.batch.inputs.setZero();
      const auto report = crossed ? step->crossed(problem.train(0), validation, problem.selector(0))
                                  : step->joint(problem.train(0), validation);
      CHECK(report.gamma_norm == 0);
      CHECK(report.hypergradient_norm == 0);
      CHECK(step->hypergradient().values().isZero(0));
      CHECK(step->alignments().isZero(0));
      CHECK(report.gsnr == 0);
      CHECK(step->phi().values() == problem.phi.values());
      CHECK(step->theta().values().allFinite());
      CHECK(step->theta().values() != problem.theta.values());
    }
}

TEST_CASE("a number that is not finite is an error that names step, batch, quantity and index; theta stays") {
  const auto refused = [](const Spec& spec, auto&& spoil, std::initializer_list<std::string> words) {
    const Toy problem(spec);
    const auto step = problem.step(), untouched = problem.step();
    for (std::uint64_t k = 0; k < 2; ++k) {
      take_step(problem, *step, k);
      take_step(problem, *untouched, k);
    }
    Drawn train = problem.train(2), validation = problem.validation(2), selector = problem.selector(2);
    spoil(train, validation, selector);
    const auto words_missing = [&](auto&& call) { return mts_test::not_refused<NumericalError>(call, words); };
    const Vector theta = step->theta().values();
    CHECK(words_missing([&] { step->crossed(train, validation, selector); }) == "");
    CHECK(step->theta().values() == theta);
    CHECK(step->steps() == 2);
    // The inner optimiser is as it was, too: the next step gives theta the same bits, if phi has not moved before the error.
    if (step->phi().values() == untouched->phi().values()) {
      take_step(problem, *step, 3);
      take_step(problem, *untouched, 3);
      CHECK(step->theta().values() == untouched->theta().values());
    }
  };
  Spec spec;
  spec.inner = toy::sgd({.learning_rate = 0.5, .momentum = 0.9});
  refused(spec, [](Drawn& t, Drawn&, Drawn&) { t.batch.inputs(3, 1) = not_a_number; },
          {"MTS step 2", "training batch", "value", "nan", "index 3 of 12"});
  refused(spec, [](Drawn& t, Drawn&, Drawn&) { t.batch.inputs(7, 0) = HUGE_VAL; },
          {"MTS step 2", "norm of the training gradient", "nan"});  // tanh hides it from the losses
  refused(spec, [](Drawn&, Drawn& v, Drawn&) { v.batch.inputs(5, 0) = not_a_number; },
          {"MTS step 2", "validation batch", "nan", "index 5 of 9"});
  refused(spec, [](Drawn&, Drawn&, Drawn& s) { s.batch.inputs(4, 2) = not_a_number; },
          {"MTS step 2", "selector batch", "nan", "index 4 of 10"});

  // A virtual step that flies off.
  Spec wild;
  wild.inner = toy::sgd({.learning_rate = 1e308});
  wild.make_model = [] { return nn::mlp<double>({4, 6, 3}); };
  const Toy problem(wild);
  const auto step = problem.step();
  CHECK_REFUSED(NumericalError, take_step(problem, *step, 0), "MTS step 0", "validation batch at the virtual step",
                "value", "index");
  CHECK(step->theta().values() == problem.theta.values());
  CHECK(step->phi().values() == problem.phi.values());
}

TEST_CASE("all weights of a batch 0: an error in words, at the step; theta stays") {
  Spec spec;
  spec.activation = Activation::relu;
  spec.net = Net::tabular;
  spec.logit_scale = 0;
  spec.logit_shift = -1;
  const Toy problem(spec);
  const auto step = problem.step();
  CHECK_REFUSED(NumericalError, take_step(problem, *step, 0), "MTS step 0", "S = 0", "all 12 weights");
  CHECK(step->theta().values() == problem.theta.values());
  CHECK(step->phi().values() == problem.phi.values());
  CHECK(step->steps() == 0);

  Spec no_prior;
  no_prior.options.prior.by_class = {0, 0, 0};
  const Toy barren(no_prior);
  CHECK_REFUSED(NumericalError, take_step(barren, *barren.step(), 0), "MTS step 0", "S = 0");
  no_prior.options.uniform_steps = 1;
  const Toy warm(no_prior);
  CHECK_REFUSED(NumericalError, take_step(warm, *warm.step(), 0), "MTS step 0", "S = 0");
}

TEST_CASE("weights that collapse are warned of, in words") {
  Spec spec;
  spec.net = Net::tabular;
  spec.activation = Activation::softmax;
  spec.logit_scale = 300;
  const Toy problem(spec);
  const auto step = problem.step();
  spec.options.b_eff_warning = 0.5;
  CHECK(take_step(problem, *step, 0).warning.empty());  // 1/12 is above 0.02
  const Toy wary(spec);
  const auto warned = take_step(wary, *wary.step(), 0);
  CHECK(warned.warning.find("step 0: the weights collapse: B_eff/N = 0.08") != std::string::npos);
  CHECK(warned.warning.find("below 0.5") != std::string::npos);
  spec.options.tempering_floor = 0.6;
  const Toy tempered(spec);
  const auto revived = take_step(tempered, *tempered.step(), 0);
  CHECK(revived.warning.empty());
  CHECK(revived.b_eff == doctest::Approx(0.6 * 12).epsilon(1e-9));
  CHECK(revived.tau < 1);
}

TEST_CASE("options outside their domain, priors and samples that do not fit, are refused in words") {
  const auto with = [](auto&& set) {
    Spec spec;
    set(spec.options);
    return Toy(spec).step();
  };
  CHECK_REFUSED(ValueError, with([](MtsOptions& o) { o.update_every = 0; }), "MtsStep", "update_every", "found 0");
  CHECK_REFUSED(ValueError, with([](MtsOptions& o) { o.uniform_steps = -1; }), "uniform_steps", "found -1");
  for (const double x : {-0.1, 1.1, not_a_number}) {
    CHECK_REFUSED(ValueError, with([&](MtsOptions& o) { o.b_eff_floor.fraction = x; }), "floor", "[0, 1]");
    CHECK_REFUSED(ValueError, with([&](MtsOptions& o) { o.tempering_floor = x; }), "tempering floor", "[0, 1]");
  }
  for (const double x : {-1.0, not_a_number})
    CHECK_REFUSED(ValueError, with([&](MtsOptions& o) { o.b_eff_floor.strength = x; }), "strength");

  Spec spec;
  spec.options.prior.by_class = {1, 1};  // there are three classes
  const Toy problem(spec);
  const auto step = problem.step();
  Drawn train = problem.train(0);
  train.samples.labels[2] = 2;
  CHECK_REFUSED(ValueError, step->joint(train, problem.validation(0)), "PriorWeights", "label of sample");
  CHECK(step->theta().values() == problem.theta.values());
}
