// Training by rules: the step against plain code, what a rule sees, warm starts, weights that are all 0, errors; and the
// rules against their defining equations.
#include "mts/selection/rule_step.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "data/support.hpp"
#include "mts/selection/rules/glister.hpp"
#include "mts/selection/rules/l2rw.hpp"
#include "mts/selection/rules/rho_loss.hpp"
#include "mts/selection/rules/small_loss.hpp"
#include "mts/selection/rules/soft_gate.hpp"
#include "mts/selection/uniform_step.hpp"
#include "selection/toy.hpp"
#include "support/state.hpp"

using namespace mts;
using toy::Dense;
using toy::Matrix;
using toy::Toy;
using toy::Vector;

namespace {

toy::Spec with_momentum() {
  toy::Spec spec;
  spec.inner = toy::sgd({.learning_rate = 0.5, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
  return spec;
}

template <class Rule, class E = CheapestAlignment>
auto make(const Toy& problem, Rule rule, Index uniform_steps = 0, E estimator = {}) {
  return RuleStep(problem.model, problem.theta.clone(), Sgd<Dense>(problem.spec.inner.sgd), std::move(rule),
                  uniform_steps, estimator);
}
template <class Step>
StepReport go(Step& step, const toy::Drawn& train, const toy::Drawn& validation) {
  return step(train.batch, train.samples, validation.batch, validation.samples);
}

/// <g_i, Gamma> at theta from per-sample gradients, each formed alone.
Vector plain_alignments(const toy::Plain& plain, const toy::Plain::Seen& train, const toy::Drawn& validation) {
  const auto seen = plain.see(validation, validation);
  const Vector gamma = seen.gradients.colwise().mean().transpose();
  return train.gradients * gamma;
}

/// A rule whose weights are given.
struct Given {
  static constexpr const char* name = "given";
  static constexpr bool shows = false;
  SampleVector weights;
  template <class Context>
  void operator()(const Context&, SampleVector& w) const {
    w = weights;
  }
};

/// A rule that writes down at which steps it was asked.
struct Counting {
  static constexpr const char* name = "counting";
  static constexpr bool shows = false;
  std::vector<Index>* asked;
  template <class Context>
  void operator()(const Context& context, SampleVector& w) const {
    asked->push_back(context.step());
    w = context.losses();
  }
};

/// Compares some steps of the library with plain code that takes the same weights.
template <class Rule, class Weights>
void check_steps(Rule rule, Weights&& weights, Index uniform_steps = 0) {
  const Toy problem(with_momentum());
  auto step = make(problem, rule, uniform_steps);
  toy::Plain plain(problem);
  for (std::uint64_t k = 0; k < 4; ++k) {
    const auto train = problem.train(k), validation = problem.validation(k);
    const auto seen = plain.see(train, validation);
    const Vector w = weights(plain, seen, validation, static_cast<Index>(k));
    REQUIRE(w.sum() > 0);
    const Vector p = w / w.sum(), gradient = seen.gradients.transpose() * p;
    const StepReport r = go(step, train, validation);
    CHECK(toy::relative_error(step.weights().p, p) <= 1e-12);
    plain.inner.step(plain.theta, gradient);
    CHECK(toy::relative_error(step.theta().values(), plain.theta) <= 1e-12);
    plain.theta = step.theta().values();
    CHECK(r.step == static_cast<Index>(k));
    CHECK(std::string(r.mode) == Rule::name);
    CHECK(r.mean_w == doctest::Approx(w.mean()).epsilon(1e-12));
    CHECK(r.b_eff == doctest::Approx(1 / p.squaredNorm()).epsilon(1e-12));
    CHECK(r.train_loss == doctest::Approx(p.dot(seen.losses)).epsilon(1e-12));
    CHECK(r.gradient_norm == doctest::Approx(gradient.norm()).epsilon(1e-12));
  }
}

}  // namespace

TEST_CASE("RuleStep: L2RW's step is its algorithm 1: clipped alignments, normalised") {
  check_steps(rules::L2rw{}, [](const auto& plain, const auto& seen, const auto& validation, Index) {
    return Vector(plain_alignments(plain, seen, validation).cwiseMax(0.0));
  });
}

TEST_CASE("RuleStep: the soft gate is a sigmoid of the standardised alignments") {
  for (const double sharpness : {0.5, 2.0, 7.0})
    check_steps(rules::SoftGate{sharpness}, [&](const auto& plain, const auto& seen, const auto& validation, Index) {
      const Vector a = plain_alignments(plain, seen, validation);
      double mean = 0, variance = 0;
      for (const double x : a) mean += x / static_cast<double>(a.size());
      for (const double x : a) variance += (x - mean) * (x - mean) / static_cast<double>(a.size());
      Vector w(a.size());
      for (Index i = 0; i < a.size(); ++i) w[i] = 1 / (1 + std::exp(-sharpness * a[i] / std::sqrt(variance)));
      return w;
    });
}

TEST_CASE("RuleStep: small loss keeps the samples of the smallest losses, fewer as the ramp goes on") {
  for (const Index ramp : {0, 3}) {
    CAPTURE(ramp);
    check_steps(rules::SmallLoss{0.5, ramp}, [&](const auto&, const auto& seen, const auto&, Index k) {
      const double t = ramp == 0 ? 1 : std::min(1.0, static_cast<double>(k) / static_cast<double>(ramp));
      const auto kept = std::llround((1 - 0.5 * t) * static_cast<double>(seen.losses.size()));
      Vector w = Vector::Zero(seen.losses.size());
      for (Index i = 0; i < w.size(); ++i) w[i] = (seen.losses.array() < seen.losses[i]).count() < kept ? 1 : 0;
      CHECK(w.sum() == static_cast<double>(kept));
      return w;
    });
  }
}

TEST_CASE("RuleStep: RHO-loss keeps the samples of the largest reducible losses") {
  const Toy problem(with_momentum());
  SampleVector irreducible(problem.pool->size());
  RandomStream stream(3, "irreducible");
  for (double& x : irreducible) x = 2 * stream.uniform();
  check_steps(rules::RhoLoss(irreducible, 0.25), [&](const auto&, const auto& seen, const auto&, Index) {
    Vector reducible = seen.losses;
    for (Index i = 0; i < reducible.size(); ++i)
      reducible[i] -= irreducible[seen.drawn->samples.ids[static_cast<std::size_t>(i)]];
    Vector w = Vector::Zero(reducible.size());
    for (Index i = 0; i < w.size(); ++i) w[i] = (reducible.array() > reducible[i]).count() < 3 ? 1 : 0;  // .25 of 12
    return w;
  });
}

TEST_CASE("RuleStep: GLISTER takes, round by round, the largest gain in the last layer's own gradients") {
  const Toy problem(with_momentum());
  for (const Index rounds : {1, 3, 6}) {
    CAPTURE(rounds);
    const rules::GlisterOptions rule{.share = 0.5, .rate = 4, .rounds = rounds};
    check_steps(rules::Glister(rule), [&](const auto& plain, const auto& seen, const auto& validation, Index) {
      // The last layer as parameters of its own, moved in fact: weights (C x E) and bias, from theta's last segments.
      Dense theta = problem.theta.clone();
      theta.values() = plain.theta;
      const auto& train = *seen.drawn;
      const auto f = problem.model.forward(theta, train.batch), v = problem.model.forward(theta, validation.batch);
      const Index classes = f.logits().cols(), width = f.embeddings().cols();
      const Index begin = theta.size() - classes * (width + 1);
      Matrix last = Eigen::Map<const Matrix>(theta.data() + begin, classes, width);
      Vector bias = Eigen::Map<const Vector>(theta.data() + begin + classes * width, classes);
      const auto gradient = [&](const Vector& z, const Vector& h, int label) {
        Vector r = (z.array() - z.maxCoeff()).exp();
        r /= r.sum();
        r[label] -= 1;
        Matrix g(classes, width + 1);
        g.leftCols(width) = r * h.transpose();
        g.col(width) = r;
        return g;
      };
      Vector w = Vector::Zero(12);
      for (Index round = 0; round < rounds; ++round) {
        Matrix of_validation = Matrix::Zero(classes, width + 1);
        for (Index i = 0; i < 9; ++i) {
          const Vector h = v.embeddings().row(i).transpose();
          of_validation += gradient(last * h + bias, h, validation.samples.labels[static_cast<std::size_t>(i)]) / 9;
        }
        Matrix taken = Matrix::Zero(classes, width + 1);
        const Vector before = w;
        for (Index k = 0; k < 6 / rounds; ++k) {
          Index best = -1;
          double most = 0;
          for (Index i = 0; i < 12; ++i) {
            if (w[i] > 0) continue;
            const Matrix g = gradient(f.logits().row(i).transpose(), f.embeddings().row(i).transpose(),
                                      train.samples.labels[static_cast<std::size_t>(i)]);
            const double gain = g.cwiseProduct(of_validation).sum();
            if (best < 0 || gain > most) best = i, most = gain;
          }
          w[best] = 1;
        }
        for (Index i = 0; i < 12; ++i)
          if (w[i] > before[i])
            taken += gradient(f.logits().row(i).transpose(), f.embeddings().row(i).transpose(),
                              train.samples.labels[static_cast<std::size_t>(i)]);
        last -= rule.rate / 6 * taken.leftCols(width);
        bias -= rule.rate / 6 * taken.col(width);
      }
      return w;
    });
  }
}

TEST_CASE("RuleStep: alignments and validation are formed only for who asks, and the report says which") {
  const Toy problem(with_momentum());
  const auto train = problem.train(0), validation = problem.validation(0);
  auto asks = make(problem, rules::L2rw{});
  const StepReport with = go(asks, train, validation);
  CHECK(std::string(with.alignment) == CheapestAlignment::name);
  CHECK(with.validation_loss > 0);
  CHECK(with.gamma_norm > 0);
  auto does_not = make(problem, rules::SmallLoss{});
  const StepReport without = go(does_not, train, validation);
  CHECK(std::string(without.alignment).empty());
  CHECK(std::isnan(without.validation_loss));
  CHECK(std::isnan(without.gamma_norm));
  toy::Drawn broken = validation;  // not even looked at
  broken.batch.inputs.setConstant(std::nan(""));
  CHECK_NOTHROW(go(does_not, train, broken));
  CHECK_REFUSED(NumericalError, go(asks, train, broken), "l2rw step 1", "validation batch");
}

TEST_CASE("RuleStep: for uniform_steps steps the rule is not asked, and theta is UniformStep's bit for bit") {
  const Toy problem(with_momentum());
  for (const Index uniform_steps : {0, 1, 3}) {
    CAPTURE(uniform_steps);
    std::vector<Index> asked, expected;
    auto step = make(problem, Counting{&asked}, uniform_steps);
    UniformStep uniform(problem.model, problem.theta.clone(), Sgd<Dense>(problem.spec.inner.sgd));
    for (std::uint64_t k = 0; k < 6; ++k) {
      const auto train = problem.train(k), validation = problem.validation(k);
      const bool warm = static_cast<Index>(k) < uniform_steps;
      if (!warm) expected.push_back(static_cast<Index>(k));  // the step's number, the warm ones counted
      const StepReport r = go(step, train, validation), u = uniform(train.batch, train.samples);
      CHECK(asked == expected);
      CHECK((step.theta().values() == uniform.theta().values()) == warm);
      CHECK(std::string(r.mode) == "counting");
      CHECK(r.step == static_cast<Index>(k));
      CHECK(r.warning.empty());
      if (!warm) continue;
      CHECK(step.weights().p == SampleVector::Constant(12, 1.0 / 12));
      CHECK(r.mean_w == 1);
      CHECK(r.b_eff == doctest::Approx(12).epsilon(1e-14));
      CHECK(r.train_loss == u.train_loss);
      CHECK(r.gradient_norm == u.gradient_norm);
    }
  }
  auto asks = make(problem, rules::L2rw{}, 1);  // nothing of validation is looked at before the rule is asked
  const auto train = problem.train(0), validation = problem.validation(0);
  toy::Drawn broken = validation;
  broken.batch.inputs.setConstant(std::nan(""));
  CHECK(std::string(go(asks, train, broken).alignment).empty());
  CHECK(std::string(go(asks, train, validation).alignment) == CheapestAlignment::name);
}

TEST_CASE("RuleStep: after a warm start the rule goes on from where equal weights have led") {
  check_steps(
      rules::L2rw{},
      [](const auto& plain, const auto& seen, const auto& validation, Index k) {
        return k < 2 ? Vector(Vector::Ones(12)) : Vector(plain_alignments(plain, seen, validation).cwiseMax(0.0));
      },
      2);
  const Toy problem(with_momentum());
  CHECK_REFUSED(ValueError, make(problem, rules::L2rw{}, -1), "l2rw", "uniform_steps", "not be negative", "found -1");
}

TEST_CASE("RuleStep: weights that are all 0 give a zero gradient and a warning") {
  const Toy problem(with_momentum());
  auto step = make(problem, Given{SampleVector::Zero(12)});
  toy::Plain plain(problem);
  const StepReport r = go(step, problem.train(0), problem.validation(0));
  CHECK(r.warning.find("all 12 weights are 0") != std::string::npos);
  CHECK(r.gradient_norm == 0);
  CHECK(r.b_eff == 0);
  plain.inner.step(plain.theta, Vector::Zero(plain.theta.size()));  // weight decay, as any optimiser
  CHECK(toy::relative_error(step.theta().values(), plain.theta) <= 1e-14);
}

TEST_CASE("RuleStep: bad weights and bad options are refused, theta stays") {
  const Toy problem(with_momentum());
  const auto refused = [&]<class Error>(auto rule, Error*, auto&&... words) {
    auto step = make(problem, std::move(rule));
    CHECK_REFUSED(Error, go(step, problem.train(0), problem.validation(0)), words...);
    CHECK(step.theta().values() == problem.theta.values());
    CHECK(step.steps() == 0);
  };
  SampleVector w = SampleVector::Ones(12);
  w[3] = -1;
  refused(Given{w}, static_cast<ValueError*>(nullptr), "given", "sample 3", "-1");
  w[3] = std::nan("");
  refused(Given{w}, static_cast<NumericalError*>(nullptr), "given step 0", "index 3 of 12");
  refused(Given{SampleVector::Ones(5)}, static_cast<ShapeError*>(nullptr), "given", "12", "5");
  CHECK_REFUSED(ValueError, rules::SmallLoss(0), "small loss", "share", "found 0");
  CHECK_REFUSED(ValueError, rules::SmallLoss(0.5, -1), "ramp", "-1");
  CHECK_REFUSED(ValueError, rules::SoftGate(0), "sharpness", "0");
  CHECK_REFUSED(ValueError, rules::Glister({.share = 2}), "share", "2");
  CHECK_REFUSED(ValueError, rules::Glister({.rate = 0}), "rate", "0");
  CHECK_REFUSED(ValueError, rules::Glister({.rounds = 0}), "rounds", "0");
  refused(rules::RhoLoss(SampleVector::Zero(2), 0.5), static_cast<ValueError*>(nullptr), "rho-loss", "0 to 1");
  CHECK_REFUSED(ValueError, rules::RhoLoss(SampleVector::Zero(2), 1.5), "rho-loss", "1.5");
  CHECK_REFUSED(NumericalError, rules::RhoLoss(SampleVector::Constant(2, std::nan("")), 0.5), "irreducible");
}

TEST_CASE("rules::keep_lowest: ties go to the first") {
  std::vector<Index> order;
  SampleVector w, scores(5);
  scores << 1, 0, 1, 0, 1;
  rules::keep_lowest(scores, 3, order, w);
  SampleVector expected(5);
  expected << 1, 1, 0, 1, 0;
  CHECK(w == expected);
  CHECK(rules::kept_of("x", 10, 0.001) == 1);
  CHECK(rules::kept_of("x", 10, 1) == 10);
}

namespace {

/// A rule with a memory: the weight of a sample is how often it was in a batch. Saved with its step.
struct Remembering {
  static constexpr const char* name = "remembering";
  static constexpr bool shows = false;
  std::vector<double> visits = std::vector<double>(40);
  template <class Context>
  void operator()(const Context& context, SampleVector& w) {
    w.resize(context.losses().size());
    for (Index i = 0; i < w.size(); ++i) {
      double& n = visits[static_cast<std::size_t>(context.samples().ids[static_cast<std::size_t>(i)])];
      w[i] = ++n;
    }
  }
  void save(std::ostream& out) const { mts::detail::StateWriter(out, "Remembering", kind).vector(visits); }
  void load(std::istream& in) {
    visits = mts::detail::StateReader(in, "Remembering", kind).vector<double>("visits", 40);
  }
  static constexpr mts::detail::StateKind kind = {'r', 'e', 'm', 'e', 'm', 'b', 'e', 'r'};
};

}  // namespace

TEST_CASE(
    "RuleStep: one that was saved and loaded goes on as one left alone, with a rule's memory; another rule's is "
    "refused") {
  const Toy problem(with_momentum());
  const auto step_of = [&](auto& step, int k) {
    const auto number = static_cast<std::uint64_t>(k);
    const StepReport r = go(step, problem.train(number), problem.validation(number));
    return std::pair(r.step, r.train_loss);
  };
  for (const int before : {0, 1, 4}) {
    mts_test::check_resumes([&] { return make(problem, Remembering{}, 1); }, step_of, before, 3);
    mts_test::check_resumes([&] { return make(problem, rules::SmallLoss(0.5, 6)); }, step_of, before, 3);
  }
  mts_test::check_resumes([&] { return make(problem, rules::L2rw{}); }, step_of, 2, 3);
  mts_test::check_resumes([&] { return make(problem, rules::SoftGate{}); }, step_of, 2, 3);
  mts_test::check_resumes([&] { return make(problem, rules::Glister{}); }, step_of, 2, 3);
  mts_test::check_resumes([&] { return make(problem, rules::RhoLoss(SampleVector::LinSpaced(40, 0, 1), 0.5)); },
                          step_of, 2, 3);
  auto gate = make(problem, rules::SoftGate{});
  mts_test::check_refuses(gate, mts_test::saved(make(problem, rules::L2rw{})));
}
