// L4: z' = c K (p s (a - abar)), p_i' = p_i (s_i z_i' - sum_j p_j s_j z_j'), against flows written from the definition
// of abar and against the library's plain SGD, whose steps follow the flow at first order and the modified equation at
// second. SPDX-License-Identifier: Apache-2.0
#include <mts/core/parameters.hpp>
#include <mts/optim/sgd.hpp>
#include <mts/selection/weights.hpp>
#include <mts/theory/weight_flow.hpp>

#include "laws/flows.hpp"
#include "laws/registry.hpp"

namespace {

using namespace laws::flows;
using namespace mts::theory;

constexpr const char* source = "docs/theory.md, L4";
using Dense = mts::DenseParameters<double>;

/// A batch, its priors and alignments, and a kernel: 0 tabular, 1 three groups of unequal size, 2 that of a linear net.
struct Batch {
  SampleVector z, a, prior;
  mts::RowMatrix<double> kernel;
  double rate;

  explicit Batch(const Case& c) : rate(c["c"]) {
    const auto n = static_cast<Index>(c["N"]);
    z = draw(n, "logits", 0.7);
    a = draw(n, "alignments");
    prior = draw(n, "priors", 0.4).array().exp().matrix();
    const auto which = static_cast<int>(c["kernel"]);
    if (which == 0) kernel = mts::RowMatrix<double>::Identity(n, n);
    if (which == 1) {
      kernel = mts::RowMatrix<double>::Zero(n, n);
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j) kernel(i, j) = group(i) == group(j) ? 1 : 0;
    }
    if (which == 2) {
      mts::RowMatrix<double> j(n, 3);
      for (Index m = 0; m < 3; ++m) j.col(m) = draw(n, m == 0 ? "J 0" : m == 1 ? "J 1" : "J 2", 0.6);
      kernel = j * j.transpose();
    }
  }
  static Index group(Index i) { return i % 3 == 0 ? 0 : i % 3 == 1 && i < 4 ? 1 : 2; }
  Kernel theory_kernel(const Case& c) const {
    const auto which = static_cast<int>(c["kernel"]);
    if (which == 0) return Kernel::tabular(z.size());
    if (which == 2) return Kernel::general(kernel);
    std::vector<Index> groups;
    for (Index i = 0; i < z.size(); ++i) groups.push_back(group(i));
    return Kernel::shared(groups);
  }
  /// z' in plain code.
  RightHandSide plain(const PlainActivation& activation) const {
    return [this, activation](const State& x, State& dx, double) {
      const State g = mean_alignment_gradient(activation, a, prior, x);
      const SampleVector v = rate * (kernel * vector(g));
      dx.assign(v.begin(), v.end());
    };
  }
  SampleVector plain_weights(const PlainActivation& activation, const State& x) const {
    SampleVector p(z.size());
    for (Index i = 0; i < p.size(); ++i) p[i] = prior[i] * activation.psi(x[static_cast<std::size_t>(i)]);
    return p / p.sum();
  }
};
std::vector<double> numbers(const SampleVector& x) { return {x.begin(), x.end()}; }

/// `steps` plain SGD steps of the library on a tabular weight net, meta step and eta in one rate.
template <class A>
SampleVector library_steps(const A& activation, const Batch& batch, double rate, int steps) {
  Dense z(batch.z.size()), gradient(batch.z.size());
  z.values() = batch.z;
  mts::Sgd<Dense> sgd({.learning_rate = rate});
  mts::BatchWeights weights;
  SampleVector dz;
  for (int k = 0; k < steps; ++k) {
    mts::normalize(activation, z.values(), batch.prior, 0, weights);
    mts::pullback_to_logits(weights, batch.a, dz);
    gradient.values() = dz;
    sgd.step(z, gradient);
  }
  return z.values();
}

template <class A, class Library>
void claims_of(const char* name, A activation, PlainActivation plain, Library library, std::vector<Claim>& out) {
  const std::vector<Case> grid = {{{"N", 8}, {"kernel", 0}, {"c", 1}, {"t", 6}},
                                  {{"N", 9}, {"kernel", 1}, {"c", 0.5}, {"t", 4}},
                                  {{"N", 12}, {"kernel", 2}, {"c", 2}, {"t", 1}}};
  const auto flow = [activation](const Case& c) {
    const Batch b(c);
    return WeightFlow<A>(activation, b.a, b.rate, b.theory_kernel(c), b.prior);
  };
  const auto text = [name](const char* what) { return mts::detail::text(what, ", ", name); };
  // p and z at t: the theory's right-hand side against the plain one.
  const auto moved = [flow](const Case& c, double factor) {
    const auto f = flow(c);
    const State end = integrated(
        [&](const State& x, State& dx, double t) {
          f(x, dx, t);
          for (double& v : dx) v *= factor;
        },
        state(Batch(c).z), c["t"]);
    return f.weights(vector(end)).p;
  };
  out.push_back({"L4",
                 text("weights of the flow"),
                 "exact",
                 source,
                 grid,
                 [moved](const Case& c) { return numbers(moved(c, 1)); },
                 Exact{[plain](const Case& c) {
                         const Batch b(c);
                         return numbers(b.plain_weights(plain, integrated(b.plain(plain), state(b.z), c["t"])));
                       },
                       1e-9},
                 {{"a flow 1.1 times as fast", [moved](const Case& c) { return numbers(moved(c, 1.1)); }}}});
  // p' and z'' at a point, by differences along the plain flow.
  const auto along = [plain](const Case& c, const auto& quantity, int order) {
    const Batch b(c);
    const double h = 0.02 / b.rate;
    const auto at = [&](double t) {
      const auto f = b.plain(plain);
      const State x = integrated(
          [&](const State& y, State& dy, double s) {
            f(y, dy, s);
            if (t < 0)
              for (double& v : dy) v = -v;
          },
          state(b.z), std::abs(t));
      return SampleVector(quantity(b, x));
    };
    const SampleVector p1 = at(h), p2 = at(2 * h), m1 = at(-h), m2 = at(-2 * h);
    if (order == 1) return numbers((8 * (p1 - m1) - (p2 - m2)) / (12 * h));
    return numbers((16 * (p1 + m1) - (p2 + m2) - 30 * at(0)) / (12 * h * h));
  };
  out.push_back({"L4", text("p' of any kernel"), "exact", source, grid,
                 [flow](const Case& c) {
                   const Batch b(c);
                   const auto f = flow(c);
                   const Weights w = f.weights(b.z);
                   return numbers(weight_velocity(w.p, w.s, f.velocity(b.z)));
                 },
                 Exact{[along, plain](const Case& c) {
                         return along(
                             c, [&](const Batch& b, const State& x) { return b.plain_weights(plain, x); }, 1);
                       },
                       1e-6}});
  out.push_back({"L4",
                 text("p', tabular form"),
                 "exact",
                 source,
                 {grid[0]},
                 [flow](const Case& c) {
                   const Batch b(c);
                   const Weights w = flow(c).weights(b.z);
                   return numbers(tabular_weight_velocity(w.p, w.s, b.a, b.rate));
                 },
                 Exact{[along, plain](const Case& c) {
                         return along(
                             c, [&](const Batch& b, const State& x) { return b.plain_weights(plain, x); }, 1);
                       },
                       1e-6},
                 {{"p, not p^2, in the mean", [flow](const Case& c) {
                     const Batch b(c);
                     const Weights w = flow(c).weights(b.z);
                     const auto push = (w.p.array() * w.s.array().square() * (b.a.array() - w.p.dot(b.a))).eval();
                     return numbers((b.rate * w.p.array() * (push - push.sum())).matrix());
                   }}}});
  out.push_back({"L4", text("z'' along the flow"), "exact", source, grid,
                 [flow](const Case& c) { return numbers(flow(c).acceleration(Batch(c).z)); },
                 Exact{[along](const Case& c) {
                         return along(
                             c, [](const Batch&, const State& x) { return vector(x); }, 2);
                       },
                       1e-5}});
  // Discrete steps: c t fixed, the number of steps doubled.
  const auto order = [](double value) { return [value](const Case&) { return std::vector<double>{value}; }; };
  const auto measured_order = [flow, library](const Case& c, bool modified) {
    const Batch b(c);
    const auto f = flow(c);
    const double time = c["t"];
    const auto error = [&](int steps) {
      const double rate = b.rate * time / steps;
      const WeightFlow<A> scaled(f.activation(), b.a, rate, b.theory_kernel(c), b.prior);
      const auto side = [&](const State& x, State& dx, double t) {
        modified ? scaled.modified()(x, dx, t) : scaled(x, dx, t);
      };
      return (library_steps(library, b, rate, steps) - vector(integrated(side, state(b.z), steps))).norm();
    };
    const auto steps = static_cast<int>(c["steps"]);
    return std::vector<double>{std::log2(error(steps) / error(2 * steps))};
  };
  const std::vector<Case> step_grid = {{{"N", 8}, {"kernel", 0}, {"c", 1}, {"t", 6}, {"steps", 64}},
                                       {{"N", 12}, {"kernel", 0}, {"c", 1}, {"t", 3}, {"steps", 32}}};
  out.push_back({"L4",
                 text("the library's SGD converges to the flow at order 1"),
                 "0.1 in the order",
                 source,
                 step_grid,
                 order(1),
                 Exact{[measured_order](const Case& c) { return measured_order(c, false); }, 0.1, true},
                 {{"order 2", order(2)}, {"no convergence", order(0)}},
                 false});
  out.push_back({"L4",
                 text("and to the modified flow at order 2"),
                 "0.1 in the order",
                 source,
                 step_grid,
                 order(2),
                 Exact{[measured_order](const Case& c) { return measured_order(c, true); }, 0.1, true},
                 {{"order 1", order(1)}, {"order 3", order(3)}},
                 false});
}

std::vector<Claim> claims() {
  std::vector<Claim> out;
  claims_of("softmax", Softmax{}, softmax, mts::SoftmaxWeight{}, out);
  claims_of("sigmoid", Sigmoid{}, sigmoid, mts::SigmoidWeight{}, out);
  claims_of("softplus", Softplus{}, softplus, mts::SoftplusWeight{}, out);
  // Softmax weights obey a closed system in p alone.
  out.push_back({"L4",
                 "p' of softmax is closed in p",
                 "exact",
                 source,
                 {{{"N", 8}, {"kernel", 0}, {"c", 1}, {"t", 6}}},
                 [](const Case& c) {
                   const Batch b(c);
                   const SampleVector one = SampleVector::Ones(b.z.size());
                   return integrated(
                       [&](const State& p, State& dp, double) {
                         const SampleVector v = tabular_weight_velocity(vector(p), one, b.a, b.rate);
                         dp.assign(v.begin(), v.end());
                       },
                       state(weigh(Softmax{}, b.z, b.prior).p), c["t"]);
                 },
                 Exact{[](const Case& c) {
                         const Batch b(c);
                         return numbers(b.plain_weights(softmax, integrated(b.plain(softmax), state(b.z), c["t"])));
                       },
                       1e-9}});
  return out;
}

const laws::Register l4("L4", claims);

}  // namespace
