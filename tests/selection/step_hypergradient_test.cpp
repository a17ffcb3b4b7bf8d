// The training step against brute force in double: at every step of several, the hypergradient is held against differences
// of the validation loss after the virtual step, redone from scratch in plain code for every shifted entry of phi; then
// phi and theta against plain optimisers. MTS_TEST_MARGINS=1 in the environment prints how close each case came.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "selection/toy.hpp"

using namespace mts;
using namespace toy;

namespace {

constexpr double hypergradient_tolerance = 1e-6;  // norm-wise, to the differences
constexpr double bookkeeping_tolerance = 1e-11;   // norm-wise, to what plain code forms in another order

void show_margin(const Spec& spec, int step, double error) {
  if (const char* wanted = std::getenv("MTS_TEST_MARGINS"); wanted && *wanted)
    std::printf("hypergradient | %s, step %d | error %.1e of %.0e\n", spec.name.c_str(), step, error,
                hypergradient_tolerance);
}

/// The report's numbers are those of the accessors and of the plain step.
void check_report(const StepReport& r, const Step& step, const Plain::Seen& seen) {
  const auto close = [](double a, double b) {
    CAPTURE(a);
    CAPTURE(b);
    CHECK(std::abs(a - b) <= 1e-12 * std::max(1.0, std::abs(b)));
  };
  const Vector& p = step.weights().p;
  const double n = static_cast<double>(p.size());
  CHECK(r.step == step.steps() - 1);
  CHECK(r.phi_moved);
  CHECK(std::abs(p.sum() - 1) <= 1e-14);
  CHECK(r.max_p == p.maxCoeff());
  close(r.b_eff, 1 / p.squaredNorm());
  close(r.b_eff, step.weights().b_eff);
  close(r.var_p, (p.array() - 1 / n).square().mean());
  close(r.var_p, (1 / r.b_eff - 1 / n) / n);
  CHECK(r.mean_w == step.weights().mean_w);
  CHECK(r.tau == step.weights().tau);
  close(r.train_loss, p.dot(seen.losses));
  close(r.hypergradient_norm, step.hypergradient().values().norm());
  close(r.gradient_norm, (seen.gradients.transpose() * p).norm());
  CHECK(r.seconds.total() > 0);
  CHECK(r.seconds.seconds("alignments") > 0);
  CHECK(r.seconds.seconds("real step") > 0);
}

/// phi moves along the hypergradient found, theta along the new weights' gradient; the next step begins from there.
void check_moves(const StepReport& report, const Step& step, Plain& plain, const Plain::Seen& seen) {
  plain.meta.step(plain.phi, step.hypergradient().values());
  CHECK(relative_error(step.phi().values(), plain.phi) <= bookkeeping_tolerance);
  plain.phi = step.phi().values();
  CHECK(relative_error(step.weights().p, plain.weights(seen, plain.phi)) <= bookkeeping_tolerance);
  plain.move_theta(seen);
  CHECK(relative_error(step.theta().values(), plain.theta) <= bookkeeping_tolerance);
  plain.theta = step.theta().values();
  check_report(report, step, seen);
}

void check_joint(const Spec& spec, int steps = 4) {
  CAPTURE(spec.name);
  const Toy toy(spec);
  const auto step = toy.step();
  Plain plain(toy);
  for (int k = 0; k < steps; ++k) {
    CAPTURE(k);
    const Drawn train = toy.train(static_cast<std::uint64_t>(k)),
                validation = toy.validation(static_cast<std::uint64_t>(k));
    const auto seen = plain.see(train, validation);
    const auto objective = [&](const Vector& phi) { return plain.objective(seen, validation, phi); };
    const Vector expected = difference_gradient(objective, plain.phi);
    const Vector old_p = plain.weights(seen, plain.phi), gamma = plain.gamma(seen, validation, plain.phi);
    const double old_objective = objective(plain.phi);
    const double penalty = spec.options.b_eff_floor.strength *
                           std::pow(std::max(0.0, spec.options.b_eff_floor.fraction -
                                                      1 / old_p.squaredNorm() / static_cast<double>(old_p.size())),
                                    2);

    const StepReport report = step->joint(train, validation);
    const double error = relative_error(step->hypergradient().values(), expected);
    CAPTURE(expected.norm());
    CHECK(expected.norm() > 1e-5);  // else the comparison would say nothing
    CHECK(error <= hypergradient_tolerance);
    show_margin(spec, k, error);
    CHECK(std::string(report.mode) == "joint");
    CHECK(std::abs(report.validation_loss - (old_objective - penalty)) <= 1e-12);
    CHECK(std::abs(report.gamma_norm - gamma.norm()) <= 1e-12 * gamma.norm());
    CHECK(relative_error(step->selector_weights().p, old_p) <= bookkeeping_tolerance);

    check_moves(report, *step, plain, seen);
  }
}

void check_crossed(const Spec& spec, int steps = 3) {
  CAPTURE(spec.name);
  const Toy toy(spec);
  const auto step = toy.step();
  Plain plain(toy);
  for (int k = 0; k < steps; ++k) {
    CAPTURE(k);
    const auto index = static_cast<std::uint64_t>(k);
    const Drawn train = toy.train(index), validation = toy.validation(index), selector = toy.selector(index);
    const auto seen = plain.see(train, validation), own = plain.see(selector, validation);
    const Vector direction = plain.frozen_direction(seen, validation, plain.phi);
    const Vector expected =
        difference_gradient([&](const Vector& phi) { return plain.crossed_objective(own, direction, phi); }, plain.phi);
    const Vector old_p = plain.weights(own, plain.phi);

    const StepReport report = step->crossed(train, validation, selector);
    CHECK(expected.norm() > 1e-5);
    const double error = relative_error(step->hypergradient().values(), expected);
    CHECK(error <= hypergradient_tolerance);
    show_margin(spec, k, error);
    CHECK(std::string(report.mode) == "crossed");
    CHECK(relative_error(step->selector_weights().p, old_p) <= bookkeeping_tolerance);
    CHECK(step->alignments().size() == spec.selector);

    check_moves(report, *step, plain, seen);
  }
}

std::vector<double> class_weights() { return {0.5, 1, 2.5}; }
/// One weight a pool sample, some of them 0.
std::vector<double> sample_weights() {
  std::vector<double> c;
  for (int i = 0; i < 40; ++i) c.push_back(i % 7 == 3 ? 0.0 : 0.2 + 0.1 * (i % 5));
  return c;
}

const AdamOptions smooth_adam{.learning_rate = 0.3, .epsilon = 0.1};

}  // namespace

TEST_CASE("joint, inner SGD: plain, momentum, Nesterov, dampening, weight decay, schedule; first and later steps") {
  for (const auto& [name, options] : std::vector<std::pair<std::string, SgdOptions>>{
           {"plain", {.learning_rate = 1}},
           {"momentum", {.learning_rate = 0.7, .momentum = 0.9}},
           {"Nesterov", {.learning_rate = 0.7, .momentum = 0.9, .nesterov = true}},
           {"dampening", {.learning_rate = 1, .momentum = 0.8, .dampening = 0.6}},
           {"Nesterov, dampening", {.learning_rate = 1, .momentum = 0.8, .dampening = 0.6, .nesterov = true}},
           {"weight decay", {.learning_rate = 1, .weight_decay = 0.05}},
           {"all", {.learning_rate = 1, .momentum = 0.8, .dampening = 0.3, .nesterov = true, .weight_decay = 0.05}},
           {"warm-up", {.learning_rate = 1, .momentum = 0.9, .schedule = linear_warmup(3)}},
       })
    check_joint({.name = name, .inner = sgd(options)});
}

TEST_CASE("joint, inner Adam and AdamW: first and later steps") {
  AdamOptions decaying = smooth_adam;
  decaying.weight_decay = 0.1;
  for (const auto& [name, inner] : std::vector<std::pair<std::string, OptimizerSpec>>{
           {"Adam", adam(smooth_adam)},
           {"Adam, decay", adam(decaying)},
           {"AdamW", adamw(smooth_adam)},
           {"AdamW, decay", adamw(decaying)},
       })
    check_joint({.name = name, .inner = inner, .model = {.activation = nn::Activation::tanh, .biases_decay = false}});
}

TEST_CASE("joint: every activation with every weight net") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::softplus, Activation::relu})
    for (const auto net : {Net::tabular, Net::group, Net::mlp})
      check_joint({.name = detail::text("activation ", static_cast<int>(activation), ", net ", static_cast<int>(net)),
                   .net = net,
                   .activation = activation,
                   .inner = sgd({.learning_rate = 1, .momentum = 0.9}),
                   .logit_shift = activation == Activation::relu ? 0.7 : 0.2},
                  2);
}

TEST_CASE("joint: class weights, sample weights (zeros among them), both") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::relu})
    for (const auto& prior : {PriorWeights{.by_class = class_weights()}, PriorWeights{.by_sample = sample_weights()},
                              PriorWeights{class_weights(), sample_weights()}})
      check_joint({.name = detail::text("activation ", static_cast<int>(activation), ", priors ", prior.by_class.size(),
                                        " and ", prior.by_sample.size()),
                   .activation = activation,
                   .options = {.prior = prior},
                   .logit_shift = 0.7},
                  2);
}

TEST_CASE("joint: B_eff floor") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::relu})
    for (const auto net : {Net::tabular, Net::mlp})
      check_joint({.name = detail::text("activation ", static_cast<int>(activation), ", net ", static_cast<int>(net)),
                   .net = net,
                   .activation = activation,
                   .options = {.b_eff_floor = {.fraction = 0.95, .strength = 2}},
                   .logit_scale = 2,
                   .logit_shift = 0.7},
                  2);
  check_joint({.name = "with priors and Nesterov",
               .inner = sgd({.learning_rate = 1, .momentum = 0.9, .nesterov = true}),
               .options = {.prior = {class_weights(), {}}, .b_eff_floor = {.fraction = 0.95, .strength = 2}}});
}

TEST_CASE("joint: tempering, exactly through tau") {
  for (const auto activation : {Activation::sigmoid, Activation::softmax, Activation::softplus})
    for (const double floor : {0.6, 0.9})
      for (const bool with_priors : {false, true}) {
        Spec spec{.name = detail::text("activation ", static_cast<int>(activation), ", floor ", floor, ", priors ",
                                       with_priors),
                  .net = Net::tabular,
                  .activation = activation,
                  .options = {.tempering_floor = floor},
                  .logit_scale = 3};
        if (with_priors) spec.options.prior = {class_weights(), {}};
        check_joint(spec, 2);
        spec.name += ", and a floor on top";
        spec.options.b_eff_floor = {.fraction = 0.98, .strength = 1};
        check_joint(spec, 2);
      }
}

TEST_CASE("joint: models with ReLU, GELU, layer norm, residual branches, label smoothing") {
  for (const auto& model : std::vector<nn::MlpOptions>{
           {.activation = nn::Activation::relu},
           {.activation = nn::Activation::gelu, .layer_norm = true, .residual = true, .label_smoothing = 0.1},
       }) {
    Spec spec;
    spec.name = "model";
    spec.make_model = [model] { return nn::mlp<double>({4, 6, 6, 3}, model); };
    check_joint(spec, 2);
  }
}

TEST_CASE("joint: batches of 1, 2 and 16; meta AdamW and Adam") {
  for (const Index n : {2, 16})
    check_joint({.name = detail::text("N = ", n),
                 .meta = adamw({.learning_rate = 0.05, .weight_decay = 0.1}),
                 .train = n,
                 .validation = 18 - n});
  check_joint({.name = "meta Adam", .net = Net::group, .meta = adam({.learning_rate = 0.05})});

  const Toy toy({.name = "N = 1", .train = 1});  // p = 1, whatever phi is
  const auto step = toy.step();
  const auto report = step->joint(toy.train(0), toy.validation(0));
  CHECK(step->weights().p[0] == 1);
  CHECK(step->hypergradient().values().isZero(0));
  CHECK(std::isnan(report.gsnr));  // one half is empty
}

TEST_CASE("joint: exact pushforward gives the same, central differences O(h^2) of it") {
  check_joint({.name = "pushforward", .estimator = Estimator::pushforward});
  const Toy exact({.name = "exact"}), approximate({.name = "h", .estimator = Estimator::central_difference});
  const auto a = exact.step(), b = approximate.step();
  a->joint(exact.train(0), exact.validation(0));
  const auto report = b->joint(exact.train(0), exact.validation(0));
  const double error = relative_error(b->hypergradient().values(), a->hypergradient().values());
  CHECK(error <= 1e-7);  // the length of the excursion is 1e-4
  CHECK(error > 0);      // another path was taken
  CHECK(std::string(report.alignment) == "central difference");
}

TEST_CASE("crossed: Gamma frozen, phi descends -sum over B' of p_i <g_i, pull(Gamma)>") {
  check_crossed({.name = "plain"});
  check_crossed({.name = "Nesterov", .inner = sgd({.learning_rate = 1, .momentum = 0.9, .nesterov = true})});
  check_crossed({.name = "dampening", .inner = sgd({.learning_rate = 1, .momentum = 0.8, .dampening = 0.6})});
  check_crossed({.name = "AdamW", .inner = adamw(smooth_adam)});
  check_crossed({.name = "Adam, decay", .inner = adam({.learning_rate = 0.3, .epsilon = 0.1, .weight_decay = 0.1})});
  check_crossed({.name = "tabular softmax", .net = Net::tabular, .activation = Activation::softmax});
  check_crossed({.name = "relu", .activation = Activation::relu, .logit_shift = 0.7});
  check_crossed({.name = "priors", .options = {.prior = {class_weights(), sample_weights()}}});
  check_crossed({.name = "floor", .options = {.b_eff_floor = {.fraction = 0.98, .strength = 2}}});
  check_crossed({.name = "tempering",
                 .net = Net::tabular,
                 .activation = Activation::softmax,
                 .options = {.tempering_floor = 0.7},
                 .logit_scale = 3});
  check_crossed({.name = "pushforward", .estimator = Estimator::pushforward});
}

TEST_CASE("crossed on the same batch is joint: the same bits") {
  const Toy toy({.name = "both", .inner = sgd({.learning_rate = 1, .momentum = 0.9}), .selector = 12});
  const auto joint = toy.step(), crossed = toy.step();
  for (std::uint64_t k = 0; k < 3; ++k) {
    const Drawn train = toy.train(k), validation = toy.validation(k);
    joint->joint(train, validation);
    crossed->crossed(train, validation, train);
    CHECK(joint->phi().values() == crossed->phi().values());
    CHECK(joint->theta().values() == crossed->theta().values());
  }
}
