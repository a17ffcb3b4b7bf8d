// The two convolutions of the CNN, batch 256, against the multiply-add ceiling.
#include "kernels/convolution.hpp"

#include "kernels/kernels.hpp"
#include "kernels/mts_convolution.hpp"

namespace bench {

namespace {

double exact(float a, float b) { return static_cast<double>(a) * static_cast<double>(b); }

constexpr Convolution cases[] = {{256, 28, 1, 16}, {256, 14, 16, 32}};

template <class Library>
void register_library() {
  for (const Convolution& c : cases) {
    const auto name = [&](const char* role) {
      return mts::detail::text("convolution/", role, "/", c.samples, "x", c.side, "x", c.side, "x", c.in, "->", c.out,
                               "/", Library::name);
    };
    const auto images = [c](Index channels, const char* purpose) {
      return random_matrix(c.samples, c.pixels() * channels, purpose);
    };
    const Work work{c.flops(), c.bytes()};
    kernel(name("forward"), [=](benchmark::State& state, const std::string& what) {
      const auto x = images(c.in, "x"), w = random_matrix(1, 9 * c.in * c.out, "w");
      Matrix y = images(c.out, "old");
      Library library(c);
      library.forward(x, w, y);
      verify(what, [&] {
        Matrix64 expected = Matrix64::Zero(1, y.cols());
        each_tap(c, [&](Index yi, Index xi, Index wi) { expected(yi) += exact(x(c.samples - 1, xi), w(wi)); });
        return relative_error(y.bottomRows(1), expected);
      });
      measure(state, work, [&] { library.forward(x, w, y); });
    });
    kernel(name("input delta"), [=](benchmark::State& state, const std::string& what) {
      const auto d = images(c.out, "d"), w = random_matrix(1, 9 * c.in * c.out, "w");
      Matrix x = images(c.in, "old");
      Library library(c);
      library.input_delta(d, w, x);
      verify(what, [&] {
        Matrix64 expected = Matrix64::Zero(1, x.cols());
        each_tap(c, [&](Index yi, Index xi, Index wi) { expected(xi) += exact(d(c.samples - 1, yi), w(wi)); });
        return relative_error(x.bottomRows(1), expected);
      });
      measure(state, work, [&] { library.input_delta(d, w, x); });
    });
    kernel(name("weight gradient"), [=](benchmark::State& state, const std::string& what) {
      const auto d = images(c.out, "d"), x = images(c.in, "x");
      Matrix g(1, 9 * c.in * c.out);
      Library library(c);
      library.weight_gradient(d, x, g);
      const auto error = [&] {
        Matrix64 expected = Matrix64::Zero(1, g.cols());
        for (Index s = 0; s < c.samples; ++s)
          each_tap(c, [&](Index yi, Index xi, Index wi) { expected(wi) += exact(d(s, yi), x(s, xi)); });
        return relative_error(g, expected);
      };
      verify(what, error, 1e-4);  // sums of 200 000 products
      measure(state, work, [&] { library.weight_gradient(d, x, g); });
    });
  }
}

}  // namespace

void register_convolutions() {
  register_library<MtsConvolution>();
  register_library<EigenConvolution>();
#if defined(MTS_BENCH_ONEDNN)
  register_library<OneDnnConvolution>();
#endif
}

}  // namespace bench
