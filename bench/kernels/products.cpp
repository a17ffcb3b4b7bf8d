// Matrix products of the shapes of the steps, against the multiply-add ceiling.
#include "kernels/kernels.hpp"
#include "kernels/mts_products.hpp"
#include "kernels/product.hpp"

namespace bench {

namespace {

/// A linear layer's sizes. Those of N samples are the whole batch at once, those of 128 a tile of the tape.
struct Shape {
  Index samples, inputs, outputs;
};
constexpr Shape shapes[] = {{1024, 784, 256}, {1024, 256, 256}, {128, 784, 256}, {128, 256, 256}, {256, 1568, 128}};

template <class Library>
void register_library() {
  for (const auto& [r, i, o] : shapes) {
    const auto name = [&, r = r, i = i, o = o](const char* role) {
      return mts::detail::text("product/", role, "/", r, "x", i, "x", o, "/", Library::name);
    };
    const double rd = static_cast<double>(r), id = static_cast<double>(i), od = static_cast<double>(o);
    const Work work{2 * rd * id * od, 4 * (rd * id + id * od + rd * od)};
    kernel(name("forward"), [r = r, i = i, o = o, work](benchmark::State& state, const std::string& what) {
      const auto x = random_matrix(r, i, "x"), w = random_matrix(o, i, "w");
      Matrix y(r, o);
      Library library;
      library.forward(x, w, y);
      verify(what, [&] { return relative_error(y, in_double(x) * in_double(w).transpose()); });
      measure(state, work, [&] { library.forward(x, w, y); });
    });
    kernel(name("input delta"), [r = r, i = i, o = o, work](benchmark::State& state, const std::string& what) {
      const auto d = random_matrix(r, o, "d"), w = random_matrix(o, i, "w");
      Matrix x(r, i);
      Library library;
      library.input_delta(d, w, x);
      verify(what, [&] { return relative_error(x, in_double(d) * in_double(w)); });
      measure(state, work, [&] { library.input_delta(d, w, x); });
    });
    kernel(name("weight gradient"), [r = r, i = i, o = o, work](benchmark::State& state, const std::string& what) {
      const auto d = random_matrix(r, o, "d"), x = random_matrix(r, i, "x");
      Matrix g = Matrix::Ones(o, i);
      Library library;
      library.weight_gradient(d, x, g);
      verify(what, [&] { return relative_error((g.array() - 1).matrix(), in_double(d).transpose() * in_double(x)); });
      measure(state, work, [&] { library.weight_gradient(d, x, g); });
    });
  }
}

}  // namespace

void register_products() {
  register_library<MtsProduct<>>();
  register_library<MtsProduct<true>>();
  register_library<EigenProduct>();
#if defined(MTS_BENCH_ONEDNN)
  register_library<OneDnnProduct>();
#endif
#if defined(MTS_BENCH_OPENBLAS)
  register_library<OpenBlasProduct>();
#endif
}

}  // namespace bench
