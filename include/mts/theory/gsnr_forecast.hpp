#pragma once
/// \file
/// A forecast of the GSNR at any batch sizes N and M from one pool of per-sample quantities (L10, L14, L14'), with its own standard
/// error, so that it can be compared with a measurement.
///
///     GsnrForecast forecast({w, s, J}, alignments);               // n samples; n x m alignments <g_i, Gamma_j>
///     auto f = forecast.at(256, 128);                             // f.gsnr -+ f.standard_error
///     forecast.best_split(budget, cost_n, cost_m);
///
/// It stands in theory, not in diagnostics, since it is made of laws.

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <numeric>
#include <vector>

#include "mts/core/parallel.hpp"
#include "mts/theory/validation_noise.hpp"
#include "mts/theory/virtual_step_noise.hpp"

namespace mts::theory {

/// What is known of each of n training samples.
struct ForecastSamples {
  SampleVector w;              ///< raw weights, not negative
  SampleVector s;              ///< log-derivatives d log psi/dz; empty: 1 (softmax)
  RowMatrix<double> jacobian;  ///< n x P: dz_i/dphi. Columns may be projections, if G is measured in the same ones.
};

/// L14', optional. Alignments must then be those at the mean virtual step, theta - eta sum p_i g_i over the pool.
struct ForecastVirtualStep {
  RowMatrix<double> curvature;  ///< n x n: g_i^T H g_j, H the Hessian of the validation loss
  double eta = 0;
};

struct ForecastOptions {
  Index train_blocks = 16;       ///< of the jackknife; sample i is in block i mod train_blocks
  Index validation_blocks = 16;  ///< the same for validation samples
};

struct ForecastPoint {
  double signal = 0;  ///< |E G|^2, less what the pool's own noise adds to it; may be negative where there is no signal
  double variance = 0;          ///< tr Var[G], positive
  double gsnr = 0;              ///< signal / variance
  double standard_error = 0;    ///< of the GSNR, by the jackknife over blocks of both pools; 0 for the pools themselves
  bool bias_dominates = false;  ///< signal without information, as in GsnrPrediction
};

/// Plug-in forecast. G is in units of eta = 1 (the GSNR does not depend on it). With the expansion of L10 for every validation sample j
/// and for their mean, and S^2 sums of squares with n - 1 and m - 1 below:
///     interaction = sum_j (V1_j - V1)/(m - 1),   cov = Cov_j(mu_j, B1_j),
///     V_train = V1 - interaction g_m,   V_val = Var_j(mu_j) - (interaction + 2 cov) g_n,   V_cross = interaction + 2 cov,
///     g_n = 1/n - 1/(pool),   g_m = 1/m - 1/(pool),
/// (the mean squares of a two-way layout, each less what the others leave in it; V2 likewise), and
///     E G = mu + B1 (1/N - 1/n),   |E G|^2 less V_train g_n + V_val g_m + V_cross g_n g_m,
/// since the pool's mu has the variance of a batch of n and m. Pools of the size of the samples (`PoolSizes`) mean: batches are drawn
/// without replacement from these very samples.
/// Terms of order 1/(n N), N^-3 are dropped. The jackknife adds the variances of its two directions.
/// Source: docs/theory.md, L10, L14, L14' (this project's own).
class GsnrForecast {
  /// Columns of a matrix that is there.
  class Columns {
   public:
    Columns(const ForecastSamples& samples, const RowMatrix<double>& alignments) : alignments_(alignments) {
      check_size("GsnrForecast", "rows of the alignments", samples.w.size(), alignments.rows());
    }
    void operator()(const std::vector<Index>& j, Eigen::MatrixXd& out) const {
      out.resize(alignments_.rows(), static_cast<Index>(j.size()));
      for (Index k = 0; k < out.cols(); ++k) out.col(k) = alignments_.col(j[static_cast<std::size_t>(k)]);
    }

   private:
    const RowMatrix<double>& alignments_;
  };

 public:
  /// \param alignments  n x m: <g_i, Gamma_j>, Gamma_j the validation gradient of sample j
  /// \throws ShapeError if lengths differ or there are fewer than 2 samples a block of either kind; ValueError if a weight is
  ///   negative or all are 0; NumericalError if a number is not finite
  GsnrForecast(const ForecastSamples& samples, const RowMatrix<double>& alignments,
               const ForecastVirtualStep* virtual_step = nullptr, const ForecastOptions& options = {})
      : GsnrForecast(samples, alignments.cols(), Columns(samples, alignments), virtual_step, options) {}

  /// The same, without the n x m matrix: `alignments(const std::vector<Index>& j, Eigen::MatrixXd& out)` sets out, n x |j|, to the
  /// alignments with the validation samples j; called by several threads at once, for at most `tile` samples at a time.
  /// Cost: 6 n m P flops and O(n m blocks), memory O(P blocks tile) a thread; with L14' O(n^2 P blocks). Same bits for any number of
  /// threads.
  template <class Alignments>
    requires std::invocable<Alignments&, const std::vector<Index>&, Eigen::MatrixXd&>
  GsnrForecast(const ForecastSamples& samples, Index m, Alignments&& alignments,
               const ForecastVirtualStep* virtual_step = nullptr, const ForecastOptions& options = {}) {
    check(samples, m, options);
    n_ = samples.w.size();
    m_ = m;
    const std::vector<Rows> rows = row_sets(samples, options.train_blocks);
    const auto blocks = static_cast<std::size_t>(options.validation_blocks);
    std::vector<ColumnBlock> columns(blocks);
    parallel_tasks(options.validation_blocks,
                   [&](Index b) { columns[static_cast<std::size_t>(b)] = column_block(rows, b, options, alignments); });
    ColumnBlock all = columns[0];
    for (std::size_t b = 1; b < blocks; ++b) all.add(columns[b]);

    for (std::size_t k = 0; k < rows.size(); ++k) subsets_.push_back(summary(rows, k, all));
    train_subsets_ = rows.size() - 1;
    for (std::size_t b = 0; b < blocks; ++b) {
      ColumnBlock left = all;
      left.subtract(columns[b]);
      subsets_.push_back(summary(rows, 0, left));
    }
    if (virtual_step) add_virtual_step(samples, *virtual_step, all.alignments / static_cast<double>(m), rows);
  }

  static constexpr Index tile = 16;

  /// The forecast for batches of N and M. `leading`: N^-1 alone, with V_cross/(N M) but without its part 2 cov.
  /// \param pools  what batches are drawn from without replacement; of at least the sizes of the samples
  /// \throws ValueError if N < 2, M < 1, a batch is larger than its pool, a pool smaller than the samples, or the variance is not
  ///   positive (N is too small for the expansion, or the samples are too few)
  ForecastPoint at(double n, double m, GsnrOrder order = GsnrOrder::next, const PoolSizes& pools = {}) const {
    check_value(std::isfinite(n) && n >= 2, "GsnrForecast::at", "N must be at least 2, found ", n);
    domain::check_sizes("GsnrForecast::at", n, m, pools);
    check_value(pools.train >= static_cast<double>(n_) && pools.validation >= static_cast<double>(m_),
                "GsnrForecast::at", "pools must hold the samples, ", n_, " and ", m_, ", found ", pools.train, " and ",
                pools.validation);
    ForecastPoint f = point(subsets_[0], n, m, order, pools);
    check_value(f.variance > 0, "GsnrForecast::at", "at N = ", n, ", M = ", m,
                " the forecast variance is not positive, ", f.variance);
    f.gsnr = f.signal / f.variance;
    const double train = spread(1, 1 + train_subsets_, n, m, order, pools);
    const double validation = spread(1 + train_subsets_, subsets_.size(), n, m, order, pools);
    f.standard_error = std::sqrt(train * (1 - static_cast<double>(n_) / pools.train) +
                                 validation * (1 - static_cast<double>(m_) / pools.validation));
    return f;
  }

  /// The components of L14 (leading order in 1/N), estimated without bias; V_train and V_val cut at 0.
  NoiseComponents components(const PoolSizes& pools = {}) const {
    const Parts p = parts(subsets_[0], pools);
    NoiseComponents c;
    c.mu_mu = std::max(0.0, signal(subsets_[0], p, -p.g_n));
    c.train = std::max(0.0, p.train);
    c.validation = std::max(0.0, p.validation);
    c.cross = p.interaction + 2 * p.cov;
    return c;
  }
  /// The split of a budget c_N N + c_M M of least variance, to leading order. \throws ValueError as `theory::best_split`
  BatchSplit best_split(double budget, double cost_n, double cost_m, const PoolSizes& pools = {}) const {
    return theory::best_split(components(pools), budget, cost_n, cost_m, pools);
  }
  /// The smallest N with a forecast GSNR of at least g at this M, to leading order: mu^2/g = V_train/N + V_val/M + V_cross/(N M) solved
  /// for N; infinite if the ceiling of L14 is below g. \throws ValueError if g is not positive or M below 1
  double batch_for_gsnr(double g, double m) const {
    check_value(std::isfinite(g) && g > 0, "GsnrForecast::batch_for_gsnr", "the target must be positive, found ", g);
    const NoiseComponents c = components();
    if (gsnr_ceiling(c, m) <= g) return std::numeric_limits<double>::infinity();
    return std::max(2.0, (c.train + c.cross / m) / (c.mu_mu / g - c.validation / m));
  }

 private:
  static constexpr int powers = 3;
  using Powers = std::array<SampleVector, powers>;

  /// All rows (block -1), or all but one block's: weights of rows left out are 0.
  struct Rows {
    Index block = -1;
    double count = 0;
    SampleVector W, W2, W3;             ///< W = w/mean w over these rows
    RowMatrix<double> x;                ///< X less the weighted mean over ALL rows (only that of the full set is kept)
    SampleVector shift;                 ///< weighted mean of x over these rows
    std::array<double, powers> sums{};  ///< mean W^k
    std::array<SampleVector, powers> sum_x;  ///< mean W^k x
    SampleVector x2;                         ///< |x~_i|^2, x~ = x - shift
    SampleVector W2x2, W3x2, W2xa;           ///< W^2 |x~|^2, W^3 |x~|^2, W^2 <x~, alpha>
    SampleVector alpha;                      ///< E[ou] = mean W^2 x~
    double uu = 0;                           ///< mean W^2 |x~|^2
    double scale = 1;                        ///< W here over W of the full set
  };
  /// What sums over a block of columns give.
  struct ColumnBlock {
    double count = 0;
    std::vector<GsnrExpansion> expansions;  ///< for each set of rows
    std::vector<Powers> products;           ///< for each block of rows: sum over rows and columns of W^k x a, P x 1
    SampleVector alignments;                ///< n: sum over columns

    void add(const ColumnBlock& o) { combine(o, 1); }
    void subtract(const ColumnBlock& o) { combine(o, -1); }

   private:
    void combine(const ColumnBlock& o, double sign) {
      count += sign * o.count;
      for (std::size_t k = 0; k < expansions.size(); ++k) expansions[k] += sign * o.expansions[k];
      for (std::size_t k = 0; k < products.size(); ++k)
        for (std::size_t q = 0; q < powers; ++q) products[k][q] += sign * o.products[k][q];
      alignments += sign * o.alignments;
    }
  };
  /// One subset of the samples: the expansion of the mean column, and the sum of those of its columns.
  struct Summary {
    double n = 0, m = 0;
    GsnrExpansion mean, sum;
  };

  static void check(const ForecastSamples& samples, Index m, const ForecastOptions& options) {
    const char* const where = "GsnrForecast";
    const Index n = samples.w.size();
    check_size(where, "rows of the Jacobian", n, samples.jacobian.rows());
    if (samples.s.size() != 0) check_size(where, "log-derivatives", n, samples.s.size());
    check_value(options.train_blocks >= 2 && options.validation_blocks >= 2, where,
                "the jackknife needs at least 2 blocks, found ", options.train_blocks, " and ",
                options.validation_blocks);
    if (n < 2 * options.train_blocks || m < 2 * options.validation_blocks)
      throw ShapeError(mts::detail::text(where, ": expected at least 2 samples a block, found ", n,
                                         " training samples in ", options.train_blocks, " blocks and ", m,
                                         " validation samples in ", options.validation_blocks));
    check_finite(where, "weight", samples.w);
    check_finite(where, "log-derivative", samples.s);
    check_finite(where, "Jacobian entry", samples.jacobian.reshaped<Eigen::RowMajor>());
    check_value(samples.w.minCoeff() >= 0, where, "a weight must not be negative, found ", samples.w.minCoeff());
    check_value(samples.w.sum() > 0, where, "the weights of all samples are 0");
  }

  static std::vector<Rows> row_sets(const ForecastSamples& samples, Index blocks) {
    const Index n = samples.w.size();
    RowMatrix<double> x = samples.jacobian;
    if (samples.s.size() != 0)
      for (Index i = 0; i < n; ++i) x.row(i) *= samples.s[i];
    const SampleVector mean = weighted_sum(x, samples.w) / samples.w.sum();
    for (Index i = 0; i < n; ++i) x.row(i) -= mean.transpose();
    std::vector<Rows> sets;
    for (Index b = -1; b < blocks; ++b) {
      Rows r;
      r.block = b;
      r.W = samples.w;
      r.count = static_cast<double>(n);
      if (b >= 0)
        for (Index i = b; i < n; i += blocks) {
          r.W[i] = 0;
          --r.count;
        }
      check_value(r.W.sum() > 0, "GsnrForecast", "all weight is in block ", b, " of the training samples");
      r.W *= r.count / r.W.sum();
      r.W2 = r.W.cwiseAbs2();
      r.W3 = r.W2.cwiseProduct(r.W);
      const std::array<const SampleVector*, powers> W{&r.W, &r.W2, &r.W3};
      for (std::size_t q = 0; q < powers; ++q) {
        r.sums[q] = W[q]->sum() / r.count;
        r.sum_x[q] = weighted_sum(x, *W[q]) / r.count;
      }
      r.shift = r.sum_x[0];
      r.alpha = r.sum_x[1] - r.shift * r.sums[1];
      SampleVector xa(n);
      r.x2.resize(n);
      for (Index i = 0; i < n; ++i) {
        const SampleVector centred = x.row(i).transpose() - r.shift;
        r.x2[i] = centred.squaredNorm();
        xa[i] = centred.dot(r.alpha);
      }
      r.W2x2 = r.W2.cwiseProduct(r.x2);
      r.W3x2 = r.W3.cwiseProduct(r.x2);
      r.W2xa = r.W2.cwiseProduct(xa);
      r.uu = r.W2x2.sum() / r.count;
      sets.push_back(std::move(r));
    }
    for (Rows& r : sets) r.scale = (r.count / static_cast<double>(n)) / (1 - left_weight(sets[0], r, blocks));
    sets[0].x = std::move(x);
    return sets;
  }
  static SampleVector weighted_sum(const RowMatrix<double>& x, const SampleVector& W) {
    SampleVector sum = SampleVector::Zero(x.cols());
    for (Index i = 0; i < x.rows(); ++i) sum += W[i] * x.row(i).transpose();
    return sum;
  }
  /// The share of all weight that this set of rows leaves out.
  static double left_weight(const Rows& all, const Rows& r, Index blocks) {
    double left = 0;
    if (r.block >= 0)
      for (Index i = r.block; i < all.W.size(); i += blocks) left += all.W[i];
    return left / all.W.sum();
  }

  /// The expansion of L10, summed over parameters, of one column of alignments. a: any constant may be missing from it. T[q]: the sum
  /// over these rows of W^(q+1) x a, W of the full set.
  static GsnrExpansion column(const Rows& r, const SampleVector& a, const std::array<SampleVector, powers>& T) {
    const double c = r.count;
    const std::array<double, powers> A{r.W.dot(a) / c, r.W2.dot(a) / c, r.W3.dot(a) / c};
    const double abar = A[0];
    std::array<SampleVector, powers> K;  // mean W^k x~ a~
    double scale = 1;
    for (std::size_t q = 0; q < powers; ++q) {
      scale *= r.scale;
      K[q] = T[q] * (scale / c) - r.shift * A[q] - r.sum_x[q] * abar + r.shift * (abar * r.sums[q]);
    }
    const Eigen::ArrayXd y = a.array() - abar, y2 = y.square();
    const double e2 = r.sums[1], e3 = r.sums[2];
    const double m22 = (r.W2x2.array() * y2).sum() / c, m22_3 = (r.W3x2.array() * y2).sum() / c;
    const double ov = A[1] - abar * e2, vv = (r.W2.array() * y2).sum() / c;
    const SampleVector& mu = K[0];
    const SampleVector ho = K[1] - e2 * mu;
    const SampleVector b1 = -(ho + K[1]) * (c / (c - 1));
    const double mu_mu = mu.squaredNorm(), hh = m22 - 2 * mu.dot(K[1]) + e2 * mu_mu;
    const double hu = (r.W2x2.array() * y).sum() / c - mu.dot(r.alpha);           // sum E[hu]
    const double hv_ou = (r.W2xa.array() * y2).sum() / c - ov * mu.dot(r.alpha);  // sum E[hv] E[ou]
    const double hho = m22_3 - 2 * mu.dot(K[2]) + e3 * mu_mu - hh, huv = m22_3 - mu.dot(K[2]);
    GsnrExpansion e;
    e.mu_mu = mu_mu;
    e.mu_b1 = mu.dot(b1);
    e.b1_b1 = b1.squaredNorm();
    e.v1 = hh;
    e.v2_pairs = 3 * hh * (e2 - 1) + 5 * ho.squaredNorm() + r.uu * vv + K[1].squaredNorm() + 6 * (hu * ov + hv_ou) +
                 4 * ho.dot(K[1]);
    e.v2_thirds = -2 * hho - 2 * huv;
    unbias(e, c);
    return e;
  }
  /// From n below to the k-statistics that a finite pool needs.
  static void unbias(GsnrExpansion& e, double n) {
    e.v1 *= n / (n - 1);
    e.v2_pairs *= n / (n - 1) * n / (n - 1);
    e.v2_thirds *= n / (n - 1) * n / (n - 2);
  }

  template <class Alignments>
  ColumnBlock column_block(const std::vector<Rows>& rows, Index block, const ForecastOptions& options,
                           Alignments& alignments) const {
    const Rows& full = rows[0];
    const Index parameters = full.x.cols(), blocks = options.train_blocks;
    ColumnBlock sums;
    sums.expansions.resize(rows.size());
    sums.products.resize(static_cast<std::size_t>(blocks));
    for (Powers& p : sums.products)
      for (SampleVector& t : p) t.setZero(parameters);
    sums.alignments = SampleVector::Zero(n_);
    // X and W of one block's rows together, a parameter a row
    std::vector<RowMatrix<double>> x;
    std::vector<SampleVector> W;
    for (Index b = 0; b < blocks; ++b) {
      const Index size = (n_ - b + blocks - 1) / blocks;
      x.emplace_back(parameters, size);
      W.emplace_back(size);
      for (Index i = 0; i < size; ++i) {
        x.back().col(i) = full.x.row(b + i * blocks).transpose();
        W.back()[i] = full.W[b + i * blocks];
      }
    }

    Eigen::MatrixXd a;
    std::vector<Index> samples;
    for (Index first = block; first < m_; first += tile * options.validation_blocks) {
      samples.clear();
      for (Index j = first; j < m_ && static_cast<Index>(samples.size()) < tile; j += options.validation_blocks)
        samples.push_back(j);
      const auto k = static_cast<Index>(samples.size());
      alignments(samples, a);
      check_size("GsnrForecast", "rows of the alignments", n_, a.rows());
      check_size("GsnrForecast", "columns of the alignments", k, a.cols());
      check_finite("GsnrForecast", "alignment", a.reshaped());
      std::vector<std::array<RowMatrix<double>, powers>> products(x.size());  // k x P each
      std::array<RowMatrix<double>, powers> total;
      for (auto& t : total) t.setZero(k, parameters);
      for (std::size_t b = 0; b < x.size(); ++b) {
        RowMatrix<double> weighted(k, W[b].size());
        for (Index i = 0; i < W[b].size(); ++i) weighted.col(i) = a.row(static_cast<Index>(b) + i * blocks).transpose();
        for (std::size_t q = 0; q < powers; ++q) {
          for (Index j = 0; j < k; ++j) weighted.row(j).array() *= W[b].transpose().array();
          products[b][q] = numeric::products_of_rows(weighted, x[b]);
          total[q] += products[b][q];
          for (Index j = 0; j < k; ++j) sums.products[b][q] += products[b][q].row(j).transpose();
        }
      }
      for (Index j = 0; j < k; ++j) {
        const SampleVector column_j = a.col(j);
        for (std::size_t s = 0; s < rows.size(); ++s) {
          std::array<SampleVector, powers> T;
          for (std::size_t q = 0; q < powers; ++q) {
            T[q] = total[q].row(j).transpose();
            if (rows[s].block >= 0) T[q] -= products[static_cast<std::size_t>(rows[s].block)][q].row(j).transpose();
          }
          sums.expansions[s] += column(rows[s], column_j, T);
        }
        sums.alignments += column_j;
      }
      sums.count += static_cast<double>(k);
    }
    return sums;
  }

  static Summary summary(const std::vector<Rows>& rows, std::size_t set, const ColumnBlock& columns) {
    std::array<SampleVector, powers> T;
    for (std::size_t q = 0; q < powers; ++q) {
      T[q] = SampleVector::Zero(columns.products[0][q].size());
      for (std::size_t b = 0; b < columns.products.size(); ++b)
        if (static_cast<Index>(b) != rows[set].block) T[q] += columns.products[b][q];
      T[q] /= columns.count;
    }
    Summary s;
    s.n = rows[set].count;
    s.m = columns.count;
    s.mean = column(rows[set], columns.alignments / columns.count, T);
    s.sum = columns.expansions[set];
    return s;
  }

  /// L14': what the real step adds to the mean column, for each set of rows, less its own bias of order 1/n, which the jackknife
  /// tells: a pool of n samples sees its own batch's part in Gamma as signal.
  void add_virtual_step(const ForecastSamples& samples, const ForecastVirtualStep& step, const SampleVector& a,
                        const std::vector<Rows>& rows) {
    check_size("GsnrForecast", "rows of the curvature", n_, step.curvature.rows());
    check_size("GsnrForecast", "columns of the curvature", n_, step.curvature.cols());
    // Samples left out of a subset also leave its mean step, which moves Gamma: `moved` says what that does. It belongs to
    // the subsets' spread, not to the bias, since what a pool's own noise adds to its signal is taken out elsewhere.
    std::vector<GsnrExpansion> added, moved;
    for (const Rows& r : rows) {
      const SampleVector step_shift = r.W / r.count - rows[0].W / rows[0].count;
      std::vector<Index> kept;
      for (Index i = 0; i < n_; ++i)
        if (r.block < 0 || i % static_cast<Index>(train_subsets_) != r.block) kept.push_back(i);
      VirtualStepPopulation law;
      const auto k = static_cast<Index>(kept.size());
      law.w.resize(k);
      law.x.resize(k, rows[0].x.cols());
      law.a.resize(k);
      law.curvature.resize(k, k);
      for (Index i = 0; i < k; ++i) {
        const Index from = kept[static_cast<std::size_t>(i)];
        law.w[i] = samples.w[from];
        law.x.row(i) = rows[0].x.row(from);
        law.a[i] = a[from];
        for (Index j = 0; j < k; ++j) law.curvature(i, j) = step.curvature(from, kept[static_cast<std::size_t>(j)]);
      }
      law.eta = step.eta;
      law.at_mean_step = true;
      GsnrExpansion with = virtual_step_expansion(law, PoolPairs::distinct);
      law.eta = 0;
      GsnrExpansion without = virtual_step_expansion(law, PoolPairs::distinct);
      unbias(with, r.count);
      unbias(without, r.count);
      added.push_back(with + -1.0 * without);
      law.eta = step.eta;
      for (Index i = 0; i < k; ++i)
        law.a[i] -= step.eta * step.curvature.row(kept[static_cast<std::size_t>(i)]).dot(step_shift);
      GsnrExpansion there = virtual_step_expansion(law, PoolPairs::distinct);
      unbias(there, r.count);
      moved.push_back(there + -1.0 * with);
    }
    GsnrExpansion mean;
    for (std::size_t k = 1; k < added.size(); ++k) mean += (1 / static_cast<double>(train_subsets_)) * added[k];
    const auto blocks = static_cast<double>(train_subsets_);
    const GsnrExpansion bias = (blocks - 1) * (mean + -1.0 * added[0]);
    for (std::size_t k = 0; k < subsets_.size(); ++k) {
      const std::size_t set = k <= train_subsets_ ? k : 0;
      const double more = rows[0].count / rows[set].count;
      const GsnrExpansion corrected = added[set] + moved[set] + -more * bias;
      subsets_[k].mean += corrected;
      subsets_[k].sum +=
          subsets_[k].m * corrected;  // the same for every validation sample: no part of the differences between them
    }
  }

  struct Parts {
    double g_n = 0, g_m = 0;
    double interaction = 0, cov = 0;
    double train = 0, validation = 0;
    double v2_pairs = 0, v2_thirds = 0, v2_pairs_interaction = 0, v2_thirds_interaction = 0;
  };
  static Parts parts(const Summary& s, const PoolSizes& pools) {
    const auto between = [&](double sum, double mean) { return (sum - s.m * mean) / (s.m - 1); };
    Parts p;
    p.g_n = 1 / s.n - 1 / pools.train;
    p.g_m = 1 / s.m - 1 / pools.validation;
    p.interaction = between(s.sum.v1, s.mean.v1);
    p.cov = between(s.sum.mu_b1, s.mean.mu_b1);
    p.train = s.mean.v1 - p.interaction * p.g_m;
    p.validation = between(s.sum.mu_mu, s.mean.mu_mu) - (p.interaction + 2 * p.cov) * p.g_n;
    p.v2_pairs_interaction = between(s.sum.v2_pairs, s.mean.v2_pairs);
    p.v2_thirds_interaction = between(s.sum.v2_thirds, s.mean.v2_thirds);
    p.v2_pairs = s.mean.v2_pairs - p.v2_pairs_interaction * p.g_m;
    p.v2_thirds = s.mean.v2_thirds - p.v2_thirds_interaction * p.g_m;
    return p;
  }
  /// |mu + B1 f|^2 less the variance of the samples' own mu.
  static double signal(const Summary& s, const Parts& p, double f) {
    const double cross = p.interaction + 2 * p.cov;
    return s.mean.mu_mu + 2 * s.mean.mu_b1 * f + s.mean.b1_b1 * f * f -
           (p.train * p.g_n + p.validation * p.g_m + cross * p.g_n * p.g_m);
  }
  static ForecastPoint point(const Summary& s, double n, double m, GsnrOrder order, const PoolSizes& pools) {
    const Parts p = parts(s, pools);
    const double f_n = 1 / n - 1 / pools.train, f_m = 1 / m - 1 / pools.validation;
    ForecastPoint f;
    f.variance = p.train * f_n + p.validation * f_m + p.interaction * f_n * f_m;
    if (order == GsnrOrder::leading) {
      f.signal = signal(s, p, -p.g_n);
    } else {
      f.signal = signal(s, p, f_n - p.g_n);
      f.variance += 2 * p.cov * f_n * f_m + (p.v2_pairs + p.v2_pairs_interaction * f_m) * f_n * f_n +
                    (p.v2_thirds + p.v2_thirds_interaction * f_m) * f_n * (1 / n - 2 / pools.train);
    }
    f.bias_dominates = s.mean.b1_b1 * f_n * f_n > std::max(0.0, signal(s, p, -p.g_n));
    return f;
  }
  /// Jackknife variance of the GSNR over the subsets [begin, end), each all but one block.
  double spread(std::size_t begin, std::size_t end, double n, double m, GsnrOrder order, const PoolSizes& pools) const {
    std::vector<double> values;
    for (std::size_t k = begin; k < end; ++k) {
      const ForecastPoint f = point(subsets_[k], n, m, order, pools);
      values.push_back(f.signal / f.variance);
    }
    const auto blocks = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / blocks;
    double squares = 0;
    for (double v : values) squares += (v - mean) * (v - mean);
    return squares * (blocks - 1) / blocks;
  }

  Index n_ = 0, m_ = 0;
  std::size_t train_subsets_ = 0;
  std::vector<Summary> subsets_;  ///< [0] all; then without each training block; then without each validation block
};

}  // namespace mts::theory
