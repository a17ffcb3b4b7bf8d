// The forecast in the real step: its standard error against the spread of forecasts from many pools of the location model, where
// the pool's own mean step moves Gamma and so its signal.
#include <doctest/doctest.h>

#include <cmath>

#include "mts/core/random.hpp"
#include "mts/theory/gsnr_forecast.hpp"

namespace {

using namespace mts::theory;
using mts::Index;
using mts::RowMatrix;
using mts::SampleVector;

constexpr Index samples = 96, dimensions = 3;
constexpr double good_share = 0.8, shift = 2.5, distance = 1.2;

/// What one pool forecasts at N: theta - theta* = distance along the shift of the bad samples, weights uniform, J tells the good
/// ones, the validation gradient known: Gamma = theta+ - theta*.
ForecastPoint forecast_of(std::uint64_t pool, double eta, double n) {
  mts::RandomStream random(17, "pool", pool);
  RowMatrix<double> g(samples, dimensions);  // theta - x
  ForecastSamples s;
  s.w = SampleVector::Ones(samples);
  s.jacobian.resize(samples, 1);
  for (Index i = 0; i < samples; ++i) {
    const bool good = random.chance(good_share);
    s.jacobian(i, 0) = good;
    for (Index k = 0; k < dimensions; ++k) g(i, k) = (k == 0 ? distance - (good ? 0 : shift) : 0) - random.normal();
  }
  SampleVector gamma = SampleVector::Unit(dimensions, 0) * distance;
  for (Index i = 0; i < samples; ++i) gamma -= eta / static_cast<double>(samples) * g.row(i).transpose();
  const ForecastVirtualStep step{g * g.transpose(), eta};
  const SampleVector a = g * gamma;
  return GsnrForecast(s, a.replicate(1, 4), &step, {8, 2}).at(n, 1);
}

TEST_CASE("Forecast in the real step: its standard error is the spread over pools") {
  constexpr std::uint64_t pools = 160;
  for (const double eta : {0.0, 0.5, 1.0}) {
    double sum = 0, squares = 0, stated = 0;
    for (std::uint64_t p = 0; p < pools; ++p) {
      const auto f = forecast_of(p, eta, 64);
      sum += f.gsnr;
      squares += f.gsnr * f.gsnr;
      stated += f.standard_error * f.standard_error;
    }
    const double count = pools, spread = std::sqrt((squares - sum * sum / count) / (count - 1));
    CAPTURE(eta);
    CAPTURE(sum / count);
    CAPTURE(spread);
    CHECK(std::sqrt(stated / count) / spread == doctest::Approx(1).epsilon(0.25));
  }
}

}  // namespace
