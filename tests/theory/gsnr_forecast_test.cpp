// The forecast from one pool: against draws from that very pool (nothing left to estimate), against fresh batches on average over pools,
// with an honest standard error, with and without the real step.
#include "mts/theory/gsnr_forecast.hpp"

#include <doctest/doctest.h>

#include <bit>

#include "data/support.hpp"
#include "mts/core/random.hpp"
#include "mts/diagnostics/gsnr_accumulator.hpp"

using namespace mts::theory;
using mts::Index;
using mts::RowMatrix;
using mts::SampleVector;

namespace {

/// Features f in R^2, weights 1/2 + sigmoid(f_0), gradients in R^4 that f tells something of; validation gradients with noise.
/// H = I.
constexpr Index dimension = 4, parameters = 2;
struct World {
  SampleVector w, s;
  RowMatrix<double> f, g, gamma;

  World(Index n, Index m, mts::RandomStream random)
      : w(n), s(n), f(n, parameters), g(n, dimension), gamma(m, dimension) {
    for (Index i = 0; i < n; ++i) {
      for (Index p = 0; p < parameters; ++p) f(i, p) = random.uniform(-1.5, 1.5);
      const double sigmoid = 1 / (1 + std::exp(-f(i, 0)));
      w[i] = .5 + sigmoid;
      s[i] = sigmoid * (1 - sigmoid) / w[i];
      for (Index l = 0; l < dimension; ++l) g(i, l) = random.normal();
      g(i, 0) += f(i, 0);
      g(i, 1) += .5 * f(i, 1);
    }
    for (Index j = 0; j < m; ++j)
      for (Index l = 0; l < dimension; ++l) gamma(j, l) = (l == 0 ? .8 : .3) + .7 * random.normal();
  }
  ForecastSamples samples() const { return {w, s, f}; }
  RowMatrix<double> alignments() const { return g * gamma.transpose(); }
};

/// G of a batch: indices of training samples, and the validation gradient of its batch; eta > 0 takes the real step.
SampleVector hypergradient(const World& world, std::span<const Index> batch, const SampleVector& gamma,
                           double eta = 0) {
  double mass = 0;
  SampleVector mean = SampleVector::Zero(dimension);
  for (const Index i : batch) {
    mass += world.w[i];
    mean += world.w[i] * world.g.row(i).transpose();
  }
  const SampleVector moved = gamma - eta / mass * mean;
  double abar = 0;
  SampleVector x = SampleVector::Zero(parameters), xa = x;
  for (const Index i : batch) {
    const double a = world.g.row(i).dot(moved);
    abar += world.w[i] / mass * a;
    x += world.w[i] / mass * world.s[i] * world.f.row(i).transpose();
    xa += world.w[i] / mass * world.s[i] * a * world.f.row(i).transpose();
  }
  return xa - x * abar;
}

/// Measured over batches drawn without replacement from the pools of a world.
mts::diagnostics::GsnrEstimate measured(const World& world, Index n, Index m, int replicates, double eta = 0) {
  mts::diagnostics::GsnrAccumulator acc(parameters);
  mts::RandomStream random(9, "batches");
  std::vector<Index> rows(static_cast<std::size_t>(world.w.size())),
      columns(static_cast<std::size_t>(world.gamma.rows()));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
  for (std::size_t j = 0; j < columns.size(); ++j) columns[j] = static_cast<Index>(j);
  const auto first = [&](std::vector<Index>& of, Index k) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) std::swap(of[i], of[i + random.below(of.size() - i)]);
    return std::span<const Index>(of.data(), static_cast<std::size_t>(k));
  };
  for (Index r = 0; r < replicates; ++r) {
    SampleVector gamma = SampleVector::Zero(dimension);
    for (const Index j : first(columns, m)) gamma += world.gamma.row(j).transpose() / static_cast<double>(m);
    acc.add(hypergradient(world, first(rows, n), gamma, eta), r);
  }
  return acc.estimate();
}

}  // namespace

TEST_CASE("batches from the very pool: the forecast meets the measurement, with no error of its own") {
  const World world(240, 60, mts::RandomStream(1, "pool"));
  const GsnrForecast forecast(world.samples(), world.alignments());
  const PoolSizes pools{240, 60};
  for (const auto& [n, m] : {std::pair<Index, Index>{32, 8}, {96, 30}, {32, 60}}) {
    const auto f = forecast.at(static_cast<double>(n), static_cast<double>(m), GsnrOrder::next, pools);
    const auto e = measured(world, n, m, 20000);
    CHECK(f.standard_error == 0);
    CHECK(f.variance == doctest::Approx(e.noise).epsilon(.04));
    CHECK(f.signal == doctest::Approx(e.signal).epsilon(.04));
    CHECK(std::abs(f.gsnr - e.ratio) < 4 * e.standard_error + .01 * f.gsnr);
    CHECK(e.standard_error < .03 * e.ratio);
  }
}

TEST_CASE("fresh batches: unbiased on average over pools, and an honest standard error") {
  // The truth from one pool so large that it is the population.
  const World large(6000, 1500, mts::RandomStream(2, "population"));
  const GsnrForecast population(large.samples(), large.alignments());
  constexpr int worlds = 120;
  for (const auto& [n, m] : {std::pair{32.0, 8.0}, std::pair{512.0, 64.0}}) {
    const auto truth = population.at(n, m);
    double signal = 0, signals = 0, variance = 0, gsnr = 0, squares = 0, errors = 0;
    for (int k = 0; k < worlds; ++k) {
      const World world(160, 48, mts::RandomStream(3, "small pools", static_cast<std::uint64_t>(k)));
      const auto f = GsnrForecast(world.samples(), world.alignments()).at(n, m);
      signal += f.signal / worlds;
      signals += f.signal * f.signal / worlds;
      variance += f.variance / worlds;
      gsnr += f.gsnr / worlds;
      squares += f.gsnr * f.gsnr / worlds;
      errors += f.standard_error * f.standard_error / worlds;
    }
    const double signal_error = std::sqrt((signals - signal * signal) / worlds);
    CHECK(std::abs(signal - truth.signal) < 4 * signal_error);
    CHECK(signal_error < .1 * truth.signal);
    CHECK(variance == doctest::Approx(truth.variance).epsilon(.05));
    CHECK(std::sqrt(errors) == doctest::Approx(std::sqrt(squares - gsnr * gsnr)).epsilon(.3));
  }
}

TEST_CASE("the real step (L14'): forecast and measurement, and what is missing without it") {
  const double eta = .8;
  const World world(3000, 600, mts::RandomStream(4, "real step"));
  const SampleVector mean = world.g.transpose() * world.w / world.w.sum();
  World moved = world;
  moved.gamma.rowwise() -= eta * mean.transpose();  // Gamma at the mean virtual step
  const auto e = measured(world, 32, 16, 20000, eta);
  const GsnrForecast fixed(moved.samples(), moved.alignments());
  CHECK(std::abs(fixed.at(32, 16).gsnr - e.ratio) > .2 * e.ratio);
  // The n x n curvature of a part of the pool is enough.
  const World part(400, 100, mts::RandomStream(5, "part"));
  World part_moved = part;
  part_moved.gamma.rowwise() -= eta * (part.g.transpose() * part.w / part.w.sum()).transpose();
  const ForecastVirtualStep step{part.g * part.g.transpose(), eta};
  const GsnrForecast real(part_moved.samples(), part_moved.alignments(), &step);
  const auto f = real.at(32, 16);
  CHECK(std::abs(f.gsnr - e.ratio) < 3 * std::hypot(f.standard_error, e.standard_error));
  const auto bare = GsnrForecast(part_moved.samples(), part_moved.alignments()).at(32, 16);
  CHECK(f.variance > 1.1 * bare.variance);
}

TEST_CASE("what does not matter: where alignments come from, the number of threads, prefactors of w") {
  const World world(150, 37, mts::RandomStream(6, "same"));
  const RowMatrix<double> a = world.alignments();
  const GsnrForecast matrix(world.samples(), a);
  const auto columns = [&](const std::vector<Index>& j, Eigen::MatrixXd& out) {
    out.resize(150, static_cast<Index>(j.size()));
    for (Index k = 0; k < out.cols(); ++k) out.col(k) = a.col(j[static_cast<std::size_t>(k)]);
  };
  const GsnrForecast streamed(world.samples(), 37, columns);
  const auto x = matrix.at(40, 20), y = streamed.at(40, 20);
  CHECK(x.gsnr == y.gsnr);
  CHECK(x.standard_error == y.standard_error);
  {
    const mts::ThreadLimit one(1);
    const auto z = GsnrForecast(world.samples(), a).at(40, 20);
    CHECK(std::bit_cast<std::uint64_t>(z.gsnr) == std::bit_cast<std::uint64_t>(x.gsnr));
    CHECK(std::bit_cast<std::uint64_t>(z.standard_error) == std::bit_cast<std::uint64_t>(x.standard_error));
  }
  auto samples = world.samples();
  samples.w *= 1e-4;
  const RowMatrix<double> shifted = (a.array() + 100).matrix();
  const auto z = GsnrForecast(samples, shifted).at(40, 20);
  CHECK(z.gsnr == doctest::Approx(x.gsnr).epsilon(1e-8));
  CHECK(z.standard_error == doctest::Approx(x.standard_error).epsilon(1e-7));
}

TEST_CASE("the standard error is that of forecasts from pools without a block, made one by one") {
  constexpr Index n = 67, m = 42, blocks = 4;
  const World world(n, m, mts::RandomStream(7, "blocks"));
  const RowMatrix<double> a = world.alignments();
  const auto forecast = GsnrForecast(world.samples(), a, nullptr, {blocks, blocks}).at(24, 8);
  const auto without = [&](Index train, Index validation) {
    std::vector<Index> rows, columns;
    for (Index i = 0; i < n; ++i)
      if (i % blocks != train) rows.push_back(i);
    for (Index j = 0; j < m; ++j)
      if (j % blocks != validation) columns.push_back(j);
    const ForecastSamples kept{world.w(rows), world.s(rows), world.f(rows, Eigen::all)};
    return GsnrForecast(kept, RowMatrix<double>(a(rows, columns)), nullptr, {2, 2}).at(24, 8).gsnr;
  };
  double variance = 0;
  for (const bool train : {true, false}) {
    double sum = 0, squares = 0;
    for (Index b = 0; b < blocks; ++b) {
      const double value = train ? without(b, -1) : without(-1, b);
      sum += value;
      squares += value * value;
    }
    variance += (blocks - 1) * (squares - sum * sum / blocks) / blocks;
  }
  CHECK(forecast.standard_error == doctest::Approx(std::sqrt(variance)).epsilon(1e-8));
  CHECK(without(-1, -1) == doctest::Approx(forecast.gsnr).epsilon(1e-10));
}

TEST_CASE("components, the batch for a target, the split of a budget") {
  const World world(600, 150, mts::RandomStream(8, "plan"));
  const GsnrForecast forecast(world.samples(), world.alignments());
  const auto c = forecast.components();
  CHECK(c.train > 0);
  CHECK(c.validation > 0);
  const double n = forecast.batch_for_gsnr(.5, 100);
  CHECK(gsnr_with_validation_noise(c, n, 100) == doctest::Approx(.5));
  CHECK(std::isinf(forecast.batch_for_gsnr(1e9, 10)));
  const auto s = forecast.best_split(400, 1, 2);
  const auto at = [&](double size) { return hypergradient_variance(c, size, (400 - size) / 2); };
  CHECK(at(s.n) < at(s.n * 1.1));
  CHECK(at(s.n) < at(s.n / 1.1));
  // Leading and next order meet in large batches.
  CHECK(forecast.at(1e6, 1e3).gsnr == doctest::Approx(forecast.at(1e6, 1e3, GsnrOrder::leading).gsnr).epsilon(1e-3));
}

TEST_CASE("what is refused") {
  const World world(64, 40, mts::RandomStream(10, "refused"));
  const RowMatrix<double> a = world.alignments();
  auto samples = world.samples();
  const GsnrForecast good(samples, a);
  CHECK_REFUSED(mts::ValueError, good.at(1, 8), "at least 2");
  CHECK_REFUSED(mts::ValueError, good.at(32, 0), "at least 1");
  CHECK_REFUSED(mts::ValueError, good.at(32, 8, GsnrOrder::next, {30, 100}), "fit its pool");
  CHECK_REFUSED(mts::ValueError, good.at(32, 8, GsnrOrder::next, {50, 100}), "hold the samples", "64");
  CHECK_REFUSED(mts::ValueError, good.batch_for_gsnr(0, 10), "positive");
  samples.w[3] = -1;
  CHECK_REFUSED(mts::ValueError, GsnrForecast(samples, a), "weight must not be negative");
  samples = world.samples();
  samples.jacobian(5, 1) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, GsnrForecast(samples, a), "Jacobian");
  samples = world.samples();
  samples.s.resize(3);
  CHECK_REFUSED(mts::ShapeError, GsnrForecast(samples, a), "log-derivatives", "expected 64, found 3");
  samples = world.samples();
  CHECK_REFUSED(mts::ShapeError, GsnrForecast(samples, a.topRows(60).eval()), "alignments");
  RowMatrix<double> bad = a;
  bad(7, 7) = std::numeric_limits<double>::infinity();
  CHECK_REFUSED(mts::NumericalError, GsnrForecast(samples, bad), "alignment");
  CHECK_REFUSED(mts::ShapeError, GsnrForecast(samples, a.leftCols(10).eval()), "at least 2 samples a block");
  CHECK_REFUSED(mts::ValueError, GsnrForecast(samples, a, nullptr, {1, 16}), "at least 2 blocks");
  const ForecastVirtualStep step{RowMatrix<double>(3, 3), .1};
  CHECK_REFUSED(mts::ShapeError, GsnrForecast(samples, a, &step), "curvature", "expected 64, found 3");
}
