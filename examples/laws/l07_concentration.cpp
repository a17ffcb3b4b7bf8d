// L7: what ties B_eff, Var(p) and max p together, and how each scales with the batch.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <mts/diagnostics/concentration.hpp>
#include <mts/theory/concentration_laws.hpp>

#include "laws/registry.hpp"

namespace {

using namespace mts::theory;
using mts::Index;
using mts::SampleVector;

constexpr const char* source = "docs/theory.md, L7";

std::vector<double> one_number(double x) { return {x}; }
Index batch(const Case& c) { return static_cast<Index>(c["N"]); }
double log_normal(double beta, double x) { return std::exp(beta * x); }
double logistic(double slope, double x) { return 1 / (1 + std::exp(-slope * x)); }

SampleVector drawn_weights(const Case& c) {
  mts::RandomStream random(31, "weights", static_cast<std::uint64_t>(batch(c)));
  SampleVector p = SampleVector::NullaryExpr(batch(c), [&] { return log_normal(c["spread"], random.normal()); });
  return p / p.sum();
}

/// What a replicate sees of N raw weights, scaled to E w = 1 where moments are asked for.
struct Seen {
  double sum = 0, squares = 0, largest = 0;
  double b_eff() const { return sum * sum / squares; }
  double max_p() const { return largest / sum; }
};
template <class Weight>
Seen see(mts::RandomStream& random, Index n, const Weight& weight) {
  Seen seen;
  for (Index i = 0; i < n; ++i) {
    const double w = weight(random.normal());
    seen.sum += w;
    seen.squares += w * w;
    seen.largest = std::max(seen.largest, w);
  }
  return seen;
}

/// A family of raw weights of a standard normal x, with the parameter "beta" of the case.
struct Family {
  const char* name;
  double (*weight)(double beta, double x);
  double (*mean)(double beta);
  WeightMoments (*moments)(double beta);
  double beta;  ///< where the claims are
  double
      after;  ///< a bound there on the coefficient of 1/N in E B_eff, from the derivatives of m_1^2/m_2 up to the fourth
};
const Family exponential{"exp of a Gaussian",
                         log_normal,
                         [](double beta) { return std::exp(beta * beta / 2); },
                         [](double beta) { return log_normal_moments(beta); },
                         0.5,
                         3.6};
// The mean of sigmoid(beta x) is 1/2 by symmetry.
const Family bounded{
    "sigmoid of a Gaussian",
    logistic,
    [](double) { return 0.5; },
    [](double beta) { return gaussian_weight_moments([beta](double x) { return logistic(beta, x); }); },
    2,
    1.0};
Expansion b_eff(const Family& f, const Case& c) { return expected_effective_batch(batch(c), f.moments(c["beta"])); }
Expansion variance(const Family& f, const Case& c) { return expected_weight_variance(batch(c), f.moments(c["beta"])); }
Expansion largest(const Family& f, const Case& c) {
  const double beta = c["beta"];
  return expected_largest_weight(batch(c), [&f, beta](double x) { return f.weight(beta, x); });
}

/// Observes `quantity(seen, N)` of a batch of N.
template <class Quantity>
Simulation of_batch(const Family& f, Quantity quantity) {
  return {.simulator = [f, quantity](const Case& c) -> Simulation::Replicate {
    return [f, quantity, n = batch(c), beta = c["beta"]](mts::RandomStream& random, std::span<double> out) {
      out[0] = quantity(see(random, n, [&](double x) { return f.weight(beta, x); }), static_cast<double>(n));
    };
  }};
}
/// Observes it of a batch of N and of one of k N; the statistic is the ratio of their means.
template <class Quantity>
Simulation of_growth(const Family& f, Quantity quantity) {
  return {.simulator = [f, quantity](const Case& c) -> Simulation::Replicate {
            return [f, quantity, n = batch(c), k = static_cast<Index>(c["k"]), beta = c["beta"]](
                       mts::RandomStream& random, std::span<double> out) {
              const auto weight = [&](double x) { return f.weight(beta, x); };
              out[0] = quantity(see(random, n, weight), static_cast<double>(n));
              out[1] = quantity(see(random, k * n, weight), static_cast<double>(k * n));
            };
          },
          .observables = 2,
          .statistic = [](const Case&, std::span<const double> means) { return means[1] / means[0]; }};
}
using Law = Expansion (*)(const Family&, const Case&);
Case larger(const Case& c) { return {{"N", c["k"] * c["N"]}, {"beta", c["beta"]}}; }
Prediction growth(const Family& f, Law of) {
  return [f, of](const Case& c) { return one_number(of(f, larger(c)).next / of(f, c).next); };
}
/// What follows the next order, as its share squared.
double after(const Expansion& e) { return (e.next - e.leading) * (e.next - e.leading) / (e.leading * e.leading); }
std::function<double(const Case&)> allowance(const Family& f, Law of) {
  return [f, of](const Case& c) { return after(of(f, c)) * of(f, c).next; };
}
std::function<double(const Case&)> growth_allowance(const Family& f, Law of) {
  return [f, of](const Case& c) {
    const Expansion small = of(f, c), large = of(f, larger(c));
    return (after(small) + after(large)) * large.next / small.next;
  };
}
Simulation with(Simulation s, std::function<double(const Case&)> allowed) {
  s.allowance = std::move(allowed);
  return s;
}
double b_eff_of(const Seen& seen, double) { return seen.b_eff(); }
double max_p_of(const Seen& seen, double) { return seen.max_p(); }
double variance_of(const Seen& seen, double n) { return (seen.squares / (seen.sum * seen.sum) - 1 / n) / n; }

/// What is left of E B_eff without its leading term N/mu_2, the next term. Its influence function, 2 (W - 1)/mu_2 -
/// (W^2 - mu_2)/mu_2^2, has mean 0 and goes with B_eff at order sqrt(N): taken away, the replicates scatter by O(1)
/// only.
Simulation residual(const Family& f) {
  return {.simulator = [f](const Case& c) -> Simulation::Replicate {
    const double mu = f.moments(c["beta"]).second, mean = f.mean(c["beta"]);
    return [f, mu, mean, n = batch(c), beta = c["beta"]](mts::RandomStream& random, std::span<double> out) {
      const auto size = static_cast<double>(n);
      const Seen seen = see(random, n, [&](double x) { return f.weight(beta, x) / mean; });
      out[0] = seen.b_eff() - size / mu - 2 * (seen.sum - size) / mu + (seen.squares - size * mu) / (mu * mu);
    };
  }};
}

std::vector<Claim> claims() {
  std::vector<Claim> out;
  const std::vector<Case> any = {{{"N", 2}, {"spread", .5}}, {{"N", 16}, {"spread", 1}}, {{"N", 257}, {"spread", 3}}};
  const auto measured = [](const Case& c) { return mts::diagnostics::concentration(drawn_weights(c)); };
  out.push_back(
      {"L7",
       "Var(p) = (1/N)(1/B_eff - 1/N)",
       "exact",
       source,
       any,
       [](const Case& c) { return one_number(weight_variance(1 / drawn_weights(c).squaredNorm(), batch(c))); },
       Exact{[measured](const Case& c) { return one_number(measured(c).var_p); }, 1e-12},
       {{"with 1/(N - 1)", [](const Case& c) {
           return one_number(weight_variance(1 / drawn_weights(c).squaredNorm(), batch(c)) * c["N"] / (c["N"] - 1));
         }}}});
  out.push_back({"L7", "B_eff = 1/(N Var(p) + 1/N)", "exact", source, any,
                 [](const Case& c) {
                   const SampleVector p = drawn_weights(c);
                   return one_number(effective_batch((p.array() - p.mean()).square().mean(), batch(c)));
                 },
                 Exact{[measured](const Case& c) { return one_number(measured(c).b_eff); }, 1e-12}});
  // The bounds of max p are attained: by m equal weights, and by one that sticks out of equal ones.
  out.push_back({"L7",
                 "1/B_eff <= max p <= 1/N + sqrt((N - 1) Var p), both sharp",
                 "exact",
                 source,
                 {{{"N", 8}, {"share", .5}}, {{"N", 20}, {"share", .25}}},
                 [](const Case& c) {
                   const double n = c["N"], m = n * c["share"], top = c["share"];
                   const double rest = (1 - top) / (n - 1);
                   return std::vector<double>{
                       largest_weight_bounds(m, batch(c)).low,
                       largest_weight_bounds(1 / (top * top + (n - 1) * rest * rest), batch(c)).high};
                 },
                 Exact{[](const Case& c) {
                         const Index n = batch(c), m = static_cast<Index>(c["N"] * c["share"]);
                         SampleVector equal = SampleVector::Zero(n), one = SampleVector::Constant(n, 1);
                         equal.head(m).setConstant(1 / static_cast<double>(m));
                         one[n / 2] = c["share"] * (c["N"] - 1) / (1 - c["share"]);
                         one /= one.sum();
                         return std::vector<double>{mts::diagnostics::concentration(equal).max_p,
                                                    mts::diagnostics::concentration(one).max_p};
                       },
                       1e-12}});

  for (const Family& f : {exponential, bounded}) {
    const double beta = f.beta;
    const auto text = [name = f.name](const char* what) { return mts::detail::text(what, ", ", name); };
    const auto one_more = [family = f](const Case& c) {
      return one_number(b_eff(family, c).next - b_eff(family, c).leading);
    };
    const auto two_more = [family = f](const Case& c) { return family.after / c["N"]; };
    const auto variance_without = [family = f](const Case& c) { return one_number(variance(family, c).leading); };
    const auto next_of = [family = f](Law law) {
      return [family, law](const Case& c) { return one_number(law(family, c).next); };
    };
    // N = 1024, so that what follows, O(1/N), is below the precision.
    out.push_back({"L7",
                   text("E B_eff - N/mu_2: the next order"),
                   "O(1/N)",
                   source,
                   {{{"N", 1024}, {"beta", beta}}},
                   one_more,
                   with(residual(f), two_more),
                   {{"no next order", [](const Case&) { return one_number(0); }}}});
    out.push_back(
        {"L7",
         text("E Var(p)"),
         "O(1/N^2) relative",
         source,
         {{{"N", 16}, {"beta", beta}}},
         next_of(variance),
         with(of_batch(f, variance_of), allowance(f, variance)),
         beta == exponential.beta ? std::vector<Mutant>{{"leading order", variance_without}} : std::vector<Mutant>{}});
    out.push_back({"L7",
                   text("E max p"),
                   "O(1/N^2) relative",
                   source,
                   {{{"N", 16}, {"beta", beta}}, {{"N", 256}, {"beta", beta}}},
                   next_of(largest),
                   with(of_batch(f, max_p_of), allowance(f, largest))});
    const std::vector<Case> grown = {{{"N", 32}, {"k", 4}, {"beta", beta}}};
    out.push_back({"L7",
                   text("k N samples: B_eff is k-fold"),
                   "O(1/N^2) relative",
                   source,
                   grown,
                   growth(f, b_eff),
                   with(of_growth(f, b_eff_of), growth_allowance(f, b_eff)),
                   {{"it stays", [](const Case&) { return one_number(1); }}}});
    out.push_back({"L7",
                   text("k N samples: Var(p) falls by k^2"),
                   "O(1/N^2) relative",
                   source,
                   grown,
                   growth(f, variance),
                   with(of_growth(f, variance_of), growth_allowance(f, variance)),
                   {{"by k", [](const Case& c) { return one_number(1 / c["k"]); }}}});
    out.push_back({"L7",
                   text("k N samples: max p"),
                   "O(1/N^2) relative",
                   source,
                   grown,
                   growth(f, largest),
                   with(of_growth(f, max_p_of), growth_allowance(f, largest)),
                   {{"it stays", [](const Case&) { return one_number(1); }}}});
  }
  out.push_back({"L7",
                 "k N samples: max p of unbounded weights falls less than by k",
                 "O(1/N^2) relative",
                 source,
                 {{{"N", 64}, {"k", 4}, {"beta", 1}}, {{"N", 256}, {"k", 4}, {"beta", 1}}},
                 growth(exponential, largest),
                 with(of_growth(exponential, max_p_of), growth_allowance(exponential, largest)),
                 {{"by k, as bounded weights do", [](const Case& c) { return one_number(1 / c["k"]); }}}});
  return out;
}

const laws::Register l7("L7", claims);

}  // namespace
