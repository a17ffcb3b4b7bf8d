#pragma once
/// \file
/// The hypergradient of one batch as it is, G = Cov_p(X, a), and two ways to its mean and variance that owe nothing to the closed
/// forms: drawing batches, and going through all batches of a small population.

#include <array>
#include <cmath>
#include <mts/theory/claim.hpp>
#include <span>
#include <utility>
#include <vector>

namespace laws {

/// Cov_p(X, a) of samples added one by one, p_i = w_i/sum w.
class WeightedCovariance {
 public:
  void add(double w, double x, double a) {
    sum_ += w;
    x_ += w * x;
    a_ += w * a;
    xa_ += w * x * a;
  }
  double value() const { return xa_ / sum_ - x_ / sum_ * (a_ / sum_); }

 private:
  double sum_ = 0, x_ = 0, a_ = 0, xa_ = 0;
};

/// Writes G and G^2: the observables of `gsnr_statistic`.
inline void observe(double g, std::span<double> observed) {
  observed[0] = g;
  observed[1] = g * g;
}
/// Var G of the observables (G, G^2).
inline double variance_statistic(const mts::theory::Case&, std::span<const double> means) {
  return means[1] - means[0] * means[0];
}

struct MeanAndVariance {
  double mean = 0, variance = 0;
};

/// E and Var of g(counts) over batches of N drawn with replacement from K atoms: the sum over all counts, no approximation.
template <std::size_t K, class G>
MeanAndVariance over_all_batches(const std::array<double, K>& probability, int n, G&& g) {
  std::vector<double> log_factorial(static_cast<std::size_t>(n) + 1, 0.0);
  for (std::size_t k = 1; k < log_factorial.size(); ++k)
    log_factorial[k] = log_factorial[k - 1] + std::log(static_cast<double>(k));
  std::array<double, K> counts{};
  std::vector<std::pair<double, double>> outcomes;  // probability, value
  const auto go = [&](const auto& self, std::size_t atom, int left, double log_p) -> void {
    const auto place = [&](int c) {
      counts[atom] = c;
      return log_p + c * std::log(probability[atom]) - log_factorial[static_cast<std::size_t>(c)];
    };
    if (atom + 1 == K) {
      const double p = std::exp(place(left));  // first: g wants the count that it places
      outcomes.emplace_back(p, g(counts));
      return;
    }
    for (int c = 0; c <= left; ++c) self(self, atom + 1, left - c, place(c));
  };
  go(go, 0, n, log_factorial.back());
  MeanAndVariance m;
  for (const auto& [p, value] : outcomes) m.mean += p * value;
  for (const auto& [p, value] : outcomes) m.variance += p * (value - m.mean) * (value - m.mean);
  return m;
}

/// The coefficients c_0, c_1 of f(N) = c_0 + c_1/N + ..., from f at as many N as terms are kept, by Gaussian elimination.
inline std::array<double, 2> inverse_powers(const std::vector<int>& n, std::vector<double> f) {
  const std::size_t terms = n.size();
  std::vector<std::vector<double>> rows(terms);
  for (std::size_t k = 0; k < terms; ++k) {
    double power = 1;
    for (std::size_t j = 0; j < terms; ++j, power /= n[k]) rows[k].push_back(power);
  }
  for (std::size_t j = terms; j-- > 0;)  // the highest power first, so that c_0 and c_1 are left
    for (std::size_t k = 0; k < j; ++k) {
      const double ratio = rows[k][j] / rows[j][j];
      for (std::size_t l = 0; l <= j; ++l) rows[k][l] -= ratio * rows[j][l];
      f[k] -= ratio * f[j];
    }
  const double c0 = f[0] / rows[0][0];
  return {c0, (f[1] - rows[1][0] * c0) / rows[1][1]};
}

/// mu, B1, V1, V2 of E = mu + B1/N + ..., Var = V1/N + V2/N^2 + ..., read off the exact values at seven batch sizes.
template <std::size_t K, class G>
std::array<double, 4> expansion_of_all_batches(const std::array<double, K>& probability, G&& g) {
  const std::vector<int> sizes{12, 16, 22, 30, 40, 52, 66};
  std::vector<double> mean, scaled;
  for (const int n : sizes) {
    const auto m = over_all_batches(probability, n, g);
    mean.push_back(m.mean);
    scaled.push_back(n * m.variance);
  }
  const auto e = inverse_powers(sizes, mean), v = inverse_powers(sizes, scaled);
  return {e[0], e[1], v[0], v[1]};
}

}  // namespace laws
