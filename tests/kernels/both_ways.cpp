// Compiled twice: with the library's own kernel, its calls counted, and with MTS_EIGEN_KERNELS. Both check every product of a linear
// and of a convolution layer against plain loops in double; the first shows that the kernel did the work, the second that it
// did none. A program of its own: the shared instances are compiled with the kernel and without the counter.
#include <doctest/doctest.h>

#include <random>

#include "mts/nn/cnn.hpp"

using namespace mts;

namespace {

constexpr bool by_kernel = kernels::accelerated<float>;

long calls_of([[maybe_unused]] auto&& f) {
#if defined(MTS_COUNT_KERNELS)
  const long before = kernels::kernel_calls;
  f();
  return kernels::kernel_calls - before;
#else
  f();
  return 0;
#endif
}

/// Losses of the net, by plain loops in double: a convolution 3 x 3 with padding 1, 2 x 2 max pooling, ReLU, two linear layers.
std::vector<double> losses_by_loops(const std::vector<double>& theta, const nn::ClassificationBatch<float>& b) {
  constexpr Index side = 6, channels = 5, hidden = 7, classes = 3, half = side / 2;
  std::vector<double> losses;
  for (Index s = 0; s < b.size(); ++s) {
    std::vector<double> image(half * half * channels, -1e300);
    for (Index y = 0; y < side; ++y)
      for (Index x = 0; x < side; ++x)
        for (Index o = 0; o < channels; ++o) {
          double sum = theta[static_cast<std::size_t>(9 * channels + o)];
          for (Index i = 0; i < 3; ++i)
            for (Index j = 0; j < 3; ++j)
              if (y + i >= 1 && y + i <= side && x + j >= 1 && x + j <= side)
                sum += theta[static_cast<std::size_t>((i * 3 + j) * channels + o)] *
                       static_cast<double>(b.inputs(s, (y + i - 1) * side + x + j - 1));
          double& pooled = image[static_cast<std::size_t>((y / 2 * half + x / 2) * channels + o)];
          pooled = std::max({pooled, sum, 0.0});
        }
    const auto layer = [](const double* w, const std::vector<double>& in, Index outputs) {
      std::vector<double> out;
      for (Index o = 0; o < outputs; ++o) {
        double sum = w[outputs * static_cast<Index>(in.size()) + o];
        for (std::size_t k = 0; k < in.size(); ++k) sum += w[static_cast<std::size_t>(o) * in.size() + k] * in[k];
        out.push_back(sum);
      }
      return out;
    };
    const double* w = theta.data() + 10 * channels;
    auto h = layer(w, image, hidden);
    for (double& x : h) x = std::max(x, 0.0);
    const auto z = layer(w + hidden * (static_cast<Index>(image.size()) + 1), h, classes);
    double total = 0;
    for (const double x : z) total += std::exp(x);
    losses.push_back(std::log(total) - z[static_cast<std::size_t>(b.labels[static_cast<std::size_t>(s)])]);
  }
  return losses;
}

}  // namespace

TEST_CASE("a convolutional net, all its rules, and who formed the products") {
  const auto model = nn::cnn<float>({6, 6, 1}, {.classes = 3, .channels = {5}, .hidden = {7}});
  nn::ClassificationBatch<float> b;
  const Index n = 20;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  b.inputs = RowMatrix<float>::NullaryExpr(n, 36, [&] { return normal(random); });
  for (Index i = 0; i < n; ++i) b.labels.push_back(static_cast<int>(i % 3));
  const auto theta = model.initialize(RandomStream(1, "theta"));
  auto v = theta.zeros_like(), gradient = theta.zeros_like();
  for (Index k = 0; k < v.size(); ++k) v.values()[k] = normal(random);
  SampleVector u = SampleVector::NullaryExpr(n, [&] { return static_cast<double>(normal(random)); }), dots, pushed,
               squares;

  const auto is_used = [](long calls) { CHECK((calls > 0) == (by_kernel)); };
  std::optional<autodiff::NetworkLinearization<float>> lin;
  is_used(calls_of([&] { model.forward(theta, b); }));
  is_used(calls_of([&] { lin.emplace(model.linearize(theta, b)); }));
  is_used(calls_of([&] { lin->pullback(u, gradient); }));
  is_used(calls_of([&] { lin->per_sample_dot(v, dots); }));
  is_used(calls_of([&] { lin->pushforward(v, pushed); }));
  is_used(calls_of([&] { lin->per_sample_squared_norm(squares); }));

  const auto shifted = [&](double h) {
    std::vector<double> t;
    for (Index k = 0; k < theta.size(); ++k)
      t.push_back(static_cast<double>(theta.values()[k]) + h * static_cast<double>(v.values()[k]));
    return losses_by_loops(t, b);
  };
  const auto losses = shifted(0), ahead = shifted(1e-6), behind = shifted(-1e-6);
  double along = 0;
  for (Index i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    CHECK(lin->value()[i] == doctest::Approx(losses[k]).epsilon(1e-5));
    const double slope = (ahead[k] - behind[k]) / 2e-6;
    CHECK(dots[i] == doctest::Approx(slope).epsilon(1e-4));
    CHECK(pushed[i] == doctest::Approx(slope).epsilon(1e-4));
    along += u[i] * slope;
    auto own = theta.zeros_like();
    lin->pullback(SampleVector::Unit(n, i), own);
    CHECK(squares[i] == doctest::Approx(own.dot(own)).epsilon(1e-4));
  }
  CHECK(gradient.dot(v) == doctest::Approx(along).epsilon(1e-4));
}
