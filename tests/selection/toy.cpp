#include "selection/toy.hpp"

#include <cmath>
#include <variant>

#include "mts/selection/group_weight_net.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/tabular_weight_net.hpp"

namespace toy {

using namespace mts;

// ---------------------------------------------------------------------------------------------------------------- pool

Pool make_pool(Index size, Index inputs, int classes, std::uint64_t seed) {
  RandomStream stream(seed, "toy pool");
  Pool pool;
  pool.classes = classes;
  pool.inputs.resize(size, inputs);
  pool.columns.resize(size, 3);
  for (Index i = 0; i < size; ++i) {
    pool.labels.push_back(static_cast<int>(stream.below(static_cast<std::uint64_t>(classes))));
    pool.groups.push_back(stream.chance(0.4) ? 1 : 0);
    for (Index j = 0; j < inputs; ++j)
      pool.inputs(i, j) = stream.normal() + (j == pool.labels.back() % inputs ? 1.0 : 0.0);
    for (Index j = 0; j < pool.columns.cols(); ++j)
      pool.columns(i, j) = stream.normal() + 0.5 * pool.inputs(i, j % inputs);
  }
  return pool;
}

Drawn take(const Pool& pool, const std::vector<Index>& ids) {
  Drawn d;
  d.batch.inputs.resize(static_cast<Index>(ids.size()), pool.inputs.cols());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(ids[i]);
    d.batch.inputs.row(static_cast<Index>(i)) = pool.inputs.row(ids[i]);
    d.batch.labels.push_back(pool.labels[id]);
    d.samples.groups.push_back(pool.groups[id]);
  }
  d.samples.ids = ids;
  d.samples.labels = d.batch.labels;
  return d;
}

Drawn draw(const Pool& pool, Index n, RandomStream stream) {
  auto ids = stream.permutation(pool.size());
  ids.resize(static_cast<std::size_t>(n));
  return take(pool, ids);
}

FeatureLayout Features::layout() const {
  FeatureLayout l;
  for (Index j = 0; j < pool_->columns.cols(); ++j) l.continuous.push_back(detail::text("column ", j));
  l.continuous.insert(l.continuous.end(), {"loss", "validation loss"});
  l.categorical = {{"class", pool_->classes}, {"group", 2}};
  return l;
}

void Features::fill(const Samples& samples, const SampleVector& losses, double validation_loss, FeatureBatch& f) const {
  f.resize(losses.size(), layout());
  const Index own = pool_->columns.cols();
  for (Index i = 0; i < losses.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    f.continuous.row(i).head(own) = pool_->columns.row(samples.ids[k]);
    f.continuous(i, own) = losses[i];
    f.continuous(i, own + 1) = validation_loss;
    f.categorical[0][k] = samples.labels[k];
    f.categorical[1][k] = samples.groups[k];
  }
  f.ids = samples.ids;
}

// ---------------------------------------------------------------------------------------------------- the step, erased

namespace {

/// Never moves; pulls by the identity: then the alignments are those with the gradient at theta itself.
struct Frozen {
  void step(Dense&, const Dense&) {}
  void virtual_step(const Dense& theta, const Dense&, Dense& out) const { theta.copy_into(out); }
  void pull(const Dense& direction, const Dense&, const Dense&, Dense& out) const { direction.copy_into(out); }
};

/// One of several optimisers, chosen at run time: a user-made `InnerOptimizer`, sparse where it can be.
class AnyOptimizer {
 public:
  explicit AnyOptimizer(const OptimizerSpec& spec) {
    if (spec.kind == Kind::sgd) chosen_ = Sgd<Dense>(spec.sgd);
    if (spec.kind == Kind::adam) chosen_ = Adam<Dense>(spec.adam);
    if (spec.kind == Kind::adamw) chosen_ = AdamW<Dense>(spec.adam);
  }
  void step(Dense& theta, const Dense& gradient) {
    std::visit([&](auto& o) { o.step(theta, gradient); }, chosen_);
  }
  void step(Dense& theta, const Dense& gradient, std::span<const Index> active) {
    std::visit(
        [&](auto& o) {
          if constexpr (requires { o.step(theta, gradient, active); })
            o.step(theta, gradient, active);
          else
            o.step(theta, gradient);
        },
        chosen_);
  }
  void virtual_step(const Dense& theta, const Dense& gradient, Dense& out) const {
    std::visit([&](const auto& o) { o.virtual_step(theta, gradient, out); }, chosen_);
  }
  void pull(const Dense& direction, const Dense& theta, const Dense& gradient, Dense& out) const {
    std::visit([&](const auto& o) { o.pull(direction, theta, gradient, out); }, chosen_);
  }

 private:
  std::variant<Frozen, Sgd<Dense>, Adam<Dense>, AdamW<Dense>> chosen_;
};

template <class W, class A, class E>
class StepOf final : public Step {
 public:
  StepOf(const Toy& toy, W net, E estimator)
      : step_(toy.model, toy.theta, AnyOptimizer(toy.spec.inner), toy.features, std::move(net), toy.phi,
              AnyOptimizer(toy.spec.meta), toy.spec.options, A{}, estimator) {}
  StepReport joint(const Drawn& t, const Drawn& v) override { return step_(t.batch, t.samples, v.batch, v.samples); }
  StepReport crossed(const Drawn& t, const Drawn& v, const Drawn& s) override {
    return step_(t.batch, t.samples, v.batch, v.samples, s.batch, s.samples);
  }
  Index steps() const override { return step_.steps(); }
  const Dense& theta() const override { return step_.theta(); }
  const Dense& phi() const override { return step_.phi(); }
  const Dense& hypergradient() const override { return step_.hypergradient(); }
  const BatchWeights& weights() const override { return step_.weights(); }
  const BatchWeights& selector_weights() const override { return step_.selector_weights(); }
  const SampleVector& alignments() const override { return step_.alignments(); }
  const SampleVector& logit_gradient() const override { return step_.logit_gradient(); }

 private:
  MtsStep<Model, W, Features, AnyOptimizer, AnyOptimizer, A, E> step_;
};

template <class W>
std::unique_ptr<Step> step_with(const Toy& toy, W net) {
  const auto cheapest = [&]<class A>(A) -> std::unique_ptr<Step> {
    return std::make_unique<StepOf<W, A, CheapestAlignment>>(toy, std::move(net), CheapestAlignment{});
  };
  if constexpr (std::same_as<W, MlpWeightNet<double>>) {
    if (toy.spec.estimator == Estimator::pushforward)
      return std::make_unique<StepOf<W, SigmoidWeight, Pushforward>>(toy, std::move(net), Pushforward{});
    if (toy.spec.estimator == Estimator::central_difference)
      return std::make_unique<StepOf<W, SigmoidWeight, CentralDifference>>(toy, std::move(net),
                                                                           CentralDifference{.step = 1e-4});
  }
  switch (toy.spec.activation) {
    case Activation::softmax:
      return cheapest(SoftmaxWeight{});
    case Activation::softplus:
      return cheapest(SoftplusWeight{});
    case Activation::relu:
      return cheapest(ReluWeight{});
    case Activation::sigmoid:
      break;
  }
  return cheapest(SigmoidWeight{});
}

/// Calls f with the weight net that the spec asks for.
template <class F>
auto with_net(const Toy& toy, F&& f) {
  switch (toy.spec.net) {
    case Net::tabular:
      return f(TabularWeightNet<double>(toy.pool->size()));
    case Net::group:
      return f(GroupWeightNet<double>(toy.features.layout(), "class"));
    case Net::mlp:
      break;
  }
  return f(MlpWeightNet<double>(toy.features.layout(), {.hidden = {5, 4}, .embedding = {{"class", 2}, {"group", 1}}}));
}

}  // namespace

Toy::Toy(Spec described)
    : spec(std::move(described)),
      pool(std::make_shared<const Pool>(make_pool(spec.pool, 4, spec.classes, spec.seed))),
      model(spec.make_model ? spec.make_model() : nn::mlp<double>({4, 6, spec.classes}, spec.model)),
      features(pool),
      theta(model.initialize({spec.seed, "theta"})) {
  with_net(*this, [&](auto made) {
    phi = made.initialize({spec.seed, "phi"});
    if (spec.net != Net::mlp) {
      RandomStream stream(spec.seed, "logits");
      for (Index k = 0; k < phi.size(); ++k) phi.values()[k] = spec.logit_shift + spec.logit_scale * stream.normal();
    } else {
      phi.values()[phi.size() - 1] += spec.logit_shift;
    }
    net = [made](const Dense& at, const FeatureBatch& f) { return SampleVector(made.forward(at, f).value()); };
    net_jacobian = [made](const Dense& at, const FeatureBatch& f) {
      const auto lin = made.linearize(at, f);
      Matrix rows(f.size(), at.size());
      Dense row = at.zeros_like();
      for (Index i = 0; i < f.size(); ++i) {
        lin.pullback(Vector::Unit(f.size(), i), row);
        rows.row(i) = row.values().transpose();
      }
      return rows;
    };
  });
}

std::unique_ptr<Step> Toy::step() const {
  return with_net(*this, [&](auto made) { return step_with(*this, std::move(made)); });
}

// ----------------------------------------------------------------------------------------------------- plain optimisers

PlainOptimizer::PlainOptimizer(const OptimizerSpec& spec, const Dense& shape)
    : spec_(spec), decays_(shape.size()), m_(Vector::Zero(shape.size())), v_(Vector::Zero(shape.size())) {
  for (const auto& s : shape.segments()) decays_.segment(s.begin, s.length).setConstant(s.decays ? 1 : 0);
}

struct PlainOptimizer::Next {
  Vector theta, m, v;
};

PlainOptimizer::Next PlainOptimizer::next(const Vector& theta, const Vector& gradient) const {
  Next n{theta, m_, v_};
  if (spec_.kind == Kind::frozen) return n;
  if (spec_.kind == Kind::sgd) {
    const auto& o = spec_.sgd;
    const double lr = o.learning_rate * o.schedule(k_);
    const Vector g = gradient + o.weight_decay * decays_.cwiseProduct(theta);
    if (o.momentum == 0) {
      n.theta = theta - lr * g;
      return n;
    }
    n.m = k_ == 0 ? g : Vector(o.momentum * m_ + (1 - o.dampening) * g);
    n.theta = theta - lr * (o.nesterov ? Vector(g + o.momentum * n.m) : n.m);
    return n;
  }
  const auto& o = spec_.adam;
  const double lr = o.learning_rate * o.schedule(k_);
  Vector g = gradient;
  if (spec_.kind == Kind::adamw)
    n.theta -= lr * o.weight_decay * decays_.cwiseProduct(theta);
  else
    g += o.weight_decay * decays_.cwiseProduct(theta);
  n.m = o.beta1 * m_ + (1 - o.beta1) * g;
  n.v = o.beta2 * v_ + (1 - o.beta2) * g.cwiseProduct(g);
  const Vector m_hat = n.m / (1 - std::pow(o.beta1, k_ + 1));
  const Vector v_hat = n.v / (1 - std::pow(o.beta2, k_ + 1));
  for (Index k = 0; k < theta.size(); ++k) n.theta[k] -= lr * m_hat[k] / (std::sqrt(v_hat[k]) + o.epsilon);
  return n;
}

Vector PlainOptimizer::step_of(const Vector& theta, const Vector& gradient) const {
  return theta - next(theta, gradient).theta;
}

void PlainOptimizer::step(Vector& theta, const Vector& gradient) {
  Next n = next(theta, gradient);
  theta = std::move(n.theta);
  m_ = std::move(n.m);
  v_ = std::move(n.v);
  ++k_;
}

// ------------------------------------------------------------------------------------------------------- plain weights

namespace {

using Long = long double;

Long log_of_psi(Activation activation, double z) {
  const auto x = static_cast<Long>(z);
  switch (activation) {
    case Activation::softmax:
      return x;
    case Activation::softplus:
      return std::log(std::log1p(std::exp(x)));
    case Activation::relu:
      return std::log(z > 0 ? x : Long{0});
    case Activation::sigmoid:
      break;
  }
  return -std::log1p(std::exp(-x));
}

std::vector<Long> tempered(const std::vector<Long>& log_w, Long tau) {
  const Long top = *std::max_element(log_w.begin(), log_w.end());
  std::vector<Long> p;
  Long sum = 0;
  for (const Long l : log_w) {
    p.push_back(std::isinf(l) ? 0 : std::exp(tau * (l - top)));
    sum += p.back();
  }
  for (Long& x : p) x /= sum;
  return p;
}

Long effective(const std::vector<Long>& p) {
  Long squares = 0;
  for (const Long x : p) squares += x * x;
  return 1 / squares;
}

}  // namespace

Vector plain_weights(Activation activation, const Vector& z, const Vector& prior, double floor) {
  std::vector<Long> log_w;
  for (Index i = 0; i < z.size(); ++i)
    log_w.push_back(log_of_psi(activation, z[i]) + (prior.size() ? std::log(static_cast<Long>(prior[i])) : 0));
  const Long wanted = static_cast<Long>(floor) * static_cast<Long>(z.size());
  auto p = tempered(log_w, 1);
  if (effective(p) < wanted) {
    Long low = 0, high = 1;
    for (int k = 0; k < 80; ++k) {
      const Long middle = (low + high) / 2;
      (effective(tempered(log_w, middle)) >= wanted ? low : high) = middle;
    }
    p = tempered(log_w, low);
  }
  Vector out(z.size());
  for (Index i = 0; i < z.size(); ++i) out[i] = static_cast<double>(p[static_cast<std::size_t>(i)]);
  return out;
}

// ---------------------------------------------------------------------------------------------------------- plain step

Plain::Plain(const Toy& toy)
    : theta(toy.theta.values()),
      phi(toy.phi.values()),
      inner(toy.spec.inner, toy.theta),
      meta(toy.spec.meta, toy.phi),
      toy_(toy) {}

Dense Plain::dense_theta(const Vector& x) const {
  Dense d = toy_.theta.zeros_like();
  d.values() = x;
  return d;
}
Dense Plain::dense_phi(const Vector& x) const {
  Dense d = toy_.phi.zeros_like();
  d.values() = x;
  return d;
}

Plain::Seen Plain::see(const Drawn& drawn, const Drawn& validation) const {
  const Dense at = dense_theta(theta);
  const auto lin = toy_.model.linearize(at, drawn.batch);
  const Index n = lin.value().size();
  Seen seen{&drawn, lin.value(), Matrix(n, theta.size()), {}, Vector::Ones(n)};
  Dense row = at.zeros_like();
  for (Index i = 0; i < n; ++i) {
    lin.pullback(Vector::Unit(n, i), row);
    seen.gradients.row(i) = row.values().transpose();
  }
  toy_.features.fill(drawn.samples, seen.losses, toy_.model.forward(at, validation.batch).value().mean(),
                     seen.features);
  const auto& prior = toy_.spec.options.prior;
  for (Index i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (!prior.by_class.empty()) seen.prior[i] *= prior.by_class[static_cast<std::size_t>(drawn.samples.labels[k])];
    if (!prior.by_sample.empty()) seen.prior[i] *= prior.by_sample[static_cast<std::size_t>(drawn.samples.ids[k])];
  }
  return seen;
}

Vector Plain::weights(const Seen& seen, const Vector& at) const {
  return plain_weights(toy_.spec.activation, toy_.net(dense_phi(at), seen.features), seen.prior,
                       toy_.spec.options.tempering_floor);
}

double Plain::penalty(const Vector& p) const {
  const auto& floor = toy_.spec.options.b_eff_floor;
  const double miss = floor.fraction - 1 / p.squaredNorm() / static_cast<double>(p.size());
  return miss > 0 ? floor.strength * miss * miss : 0;
}

double Plain::objective(const Seen& train, const Drawn& validation, const Vector& at) const {
  const Vector p = weights(train, at);
  const Vector gradient = train.gradients.transpose() * p;
  const Dense moved = dense_theta(theta - inner.step_of(theta, gradient));
  return toy_.model.forward(moved, validation.batch).value().mean() + penalty(p);
}

Vector Plain::gamma(const Seen& train, const Drawn& validation, const Vector& at) const {
  const Vector gradient = train.gradients.transpose() * weights(train, at);
  const Dense moved = dense_theta(theta - inner.step_of(theta, gradient));
  const auto lin = toy_.model.linearize(moved, validation.batch);
  const Index m = lin.value().size();
  Dense g = moved.zeros_like();
  lin.pullback(Vector::Constant(m, 1 / static_cast<double>(m)), g);
  return g.values();
}

Vector Plain::frozen_direction(const Seen& train, const Drawn& validation, const Vector& at) const {
  const Vector gradient = train.gradients.transpose() * weights(train, at);
  const Vector unpulled = gamma(train, validation, at);
  // The derivative of an optimiser's step is diagonal here: one entry of the gradient moves one entry of the step.
  Vector direction(theta.size());
  for (Index k = 0; k < theta.size(); ++k) {
    const auto step = [&](double shift) {
      Vector g = gradient;
      g[k] += shift;
      return inner.step_of(theta, g)[k];
    };
    const double h = 1e-4;
    direction[k] = unpulled[k] * (8 * (step(h) - step(-h)) - (step(2 * h) - step(-2 * h))) / (12 * h);
  }
  return direction;
}

double Plain::crossed_objective(const Seen& selector, const Vector& direction, const Vector& at) const {
  const Vector p = weights(selector, at);
  return -p.dot(selector.gradients * direction) + penalty(p);
}

void Plain::move_theta(const Seen& train) { inner.step(theta, train.gradients.transpose() * weights(train, phi)); }

Vector difference_gradient(const std::function<double(const Vector&)>& f, const Vector& x, double h) {
  Vector g(x.size()), at = x;
  for (Index k = 0; k < x.size(); ++k) {
    const auto value = [&](double shift) {
      at[k] = x[k] + shift;
      const double y = f(at);
      at[k] = x[k];
      return y;
    };
    g[k] = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
  }
  return g;
}

double relative_error(const Vector& found, const Vector& expected) {
  const double off = (found - expected).norm();
  return off == 0 ? 0 : off / expected.norm();
}

}  // namespace toy
