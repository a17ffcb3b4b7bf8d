#pragma once
// 3x3 convolutions, padding 1, stride 1, as im2col with Eigen and as oneDNN do them, and by plain loops. Images are
// rows, channels last; weights 3 x 3 x C x O, output channel fastest. Three operations for images x, weights w, outputs
// y, deltas d:
//     forward           y  = x * w
//     input delta       x  = the adjoint of the former in x, of d
//     weight gradient   g  = the adjoint in w, of d

#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/measure.hpp"
#if defined(MTS_BENCH_ONEDNN)
#include <dnnl.hpp>
#endif

namespace bench {

/// N square images of `side` x `side` pixels, C channels to O.
struct Convolution {
  Index samples, side, in, out;

  Index pixels() const { return side * side; }
  double flops() const { return 2.0 * 9 * static_cast<double>(samples * pixels() * in * out); }
  double bytes() const { return 4.0 * static_cast<double>(samples * pixels() * (in + out) + 9 * in * out); }
};

/// By loops, in double: what is right. `visit(y, x, w)` gets the row indices of an output, an input and a weight.
template <class F>
void each_tap(const Convolution& c, F&& visit) {
  for (Index y = 0; y < c.side; ++y)
    for (Index x = 0; x < c.side; ++x)
      for (Index i = 0; i < 3; ++i)
        for (Index j = 0; j < 3; ++j) {
          const Index yy = y + i - 1, xx = x + j - 1;
          if (yy < 0 || xx < 0 || yy >= c.side || xx >= c.side) continue;
          for (Index k = 0; k < c.in; ++k)
            for (Index o = 0; o < c.out; ++o)
              visit((y * c.side + x) * c.out + o, (yy * c.side + xx) * c.in + k, ((i * 3 + j) * c.in + k) * c.out + o);
        }
}

/// A few samples' windows as rows of a matrix, multiplied by Eigen.
class EigenConvolution {
 public:
  static constexpr const char* name = "im2col + Eigen";
  explicit EigenConvolution(const Convolution& c)
      : c_(c),
        at_once_(std::max<Index>(1, 65536 / (c.pixels() * 9 * c.in))),
        columns_(at_once_ * c.pixels(), 9 * c.in) {}

  void forward(const Matrix& x, const Matrix& w, Matrix& y) {
    each_block([&](Index s, Index n) {
      to_columns(x, s, n);
      rows(y, s, n, c_.out).noalias() = columns_.topRows(n * c_.pixels()) * weights(w);
    });
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) {
    x.setZero();
    each_block([&](Index s, Index n) {
      columns_.topRows(n * c_.pixels()).noalias() = rows(d, s, n, c_.out) * weights(w).transpose();
      from_columns(x, s, n);
    });
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) {
    g.setZero();
    Eigen::Map<Matrix> gradient(g.data(), 9 * c_.in, c_.out);
    each_block([&](Index s, Index n) {
      to_columns(x, s, n);
      gradient.noalias() += columns_.topRows(n * c_.pixels()).transpose() * rows(d, s, n, c_.out);
    });
  }

 private:
  template <class F>
  void each_block(F&& f) const {
    for (Index s = 0; s < c_.samples; s += at_once_) f(s, std::min(at_once_, c_.samples - s));
  }
  Eigen::Map<const Matrix> weights(const Matrix& w) const { return {w.data(), 9 * c_.in, c_.out}; }
  Eigen::Map<const Matrix> rows(const Matrix& m, Index s, Index n, Index channels) const {
    return {m.data() + s * c_.pixels() * channels, n * c_.pixels(), channels};
  }
  Eigen::Map<Matrix> rows(Matrix& m, Index s, Index n, Index channels) const {
    return {m.data() + s * c_.pixels() * channels, n * c_.pixels(), channels};
  }
  /// f(place in the columns, place in the image or -1 in the padding) for each pixel and tap.
  template <class F>
  void each_run(F&& f) const {
    for (Index y = 0; y < c_.side; ++y)
      for (Index x = 0; x < c_.side; ++x)
        for (Index i = 0; i < 3; ++i)
          for (Index j = 0; j < 3; ++j) {
            const Index yy = y + i - 1, xx = x + j - 1;
            const bool inside = yy >= 0 && xx >= 0 && yy < c_.side && xx < c_.side;
            f(((y * c_.side + x) * 9 + i * 3 + j) * c_.in, inside ? (yy * c_.side + xx) * c_.in : Index{-1});
          }
  }
  void to_columns(const Matrix& x, Index s, Index n) {
    for (Index k = 0; k < n; ++k) {
      const float* image = x.data() + (s + k) * c_.pixels() * c_.in;
      float* to = columns_.data() + k * c_.pixels() * 9 * c_.in;
      each_run([&](Index column, Index pixel) {
        for (Index q = 0; q < c_.in; ++q) to[column + q] = pixel < 0 ? 0.0f : image[pixel + q];
      });
    }
  }
  void from_columns(Matrix& x, Index s, Index n) const {
    for (Index k = 0; k < n; ++k) {
      float* image = x.data() + (s + k) * c_.pixels() * c_.in;
      const float* from = columns_.data() + k * c_.pixels() * 9 * c_.in;
      each_run([&](Index column, Index pixel) {
        if (pixel >= 0)
          for (Index q = 0; q < c_.in; ++q) image[pixel + q] += from[column + q];
      });
    }
  }

  Convolution c_;
  Index at_once_;
  Matrix columns_;
};

#if defined(MTS_BENCH_ONEDNN)
/// Images channels last, as ours; the weights in whatever order oneDNN likes best, reordered at each call as a step
/// would have to.
class OneDnnConvolution {
 public:
  static constexpr const char* name = "oneDNN";
  explicit OneDnnConvolution(const Convolution& c)
      : x_(images(c, c.in)), y_(images(c, c.out)), w_(weights(c, dnnl::memory::format_tag::hwio)) {
    using namespace dnnl;
    const auto any = weights(c, memory::format_tag::any);
    const memory::dims one{1, 1};
    const convolution_forward::primitive_desc f(
        {prop_kind::forward_training, algorithm::convolution_direct, x_, any, y_, one, one, one}, engine_);
    const convolution_backward_data::primitive_desc b({algorithm::convolution_direct, x_, any, y_, one, one, one},
                                                      engine_, f);
    const convolution_backward_weights::primitive_desc g({algorithm::convolution_direct, x_, any, y_, one, one, one},
                                                         engine_, f);
    forward_ = convolution_forward(f);
    input_delta_ = convolution_backward_data(b);
    weight_gradient_ = convolution_backward_weights(g);
    forward_weights_ = memory(f.weights_desc(), engine_);
    delta_weights_ = memory(b.weights_desc(), engine_);
    gradient_ = memory(g.diff_weights_desc(), engine_);
  }

  void forward(const Matrix& x, const Matrix& w, Matrix& y) {
    reorder(memory_of(w_, w), forward_weights_);
    run(forward_,
        {{DNNL_ARG_SRC, memory_of(x_, x)}, {DNNL_ARG_WEIGHTS, forward_weights_}, {DNNL_ARG_DST, memory_of(y_, y)}});
  }
  void input_delta(const Matrix& d, const Matrix& w, Matrix& x) {
    reorder(memory_of(w_, w), delta_weights_);
    run(input_delta_, {{DNNL_ARG_DIFF_DST, memory_of(y_, d)},
                       {DNNL_ARG_WEIGHTS, delta_weights_},
                       {DNNL_ARG_DIFF_SRC, memory_of(x_, x)}});
  }
  void weight_gradient(const Matrix& d, const Matrix& x, Matrix& g) {
    run(weight_gradient_,
        {{DNNL_ARG_DIFF_DST, memory_of(y_, d)}, {DNNL_ARG_SRC, memory_of(x_, x)}, {DNNL_ARG_DIFF_WEIGHTS, gradient_}});
    reorder(gradient_, memory_of(w_, g));
  }

 private:
  static dnnl::memory::desc images(const Convolution& c, Index channels) {
    return {{c.samples, channels, c.side, c.side}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::nhwc};
  }
  static dnnl::memory::desc weights(const Convolution& c, dnnl::memory::format_tag order) {
    return {{c.out, c.in, 3, 3}, dnnl::memory::data_type::f32, order};
  }
  dnnl::memory memory_of(const dnnl::memory::desc& d, const Matrix& m) const {
    return {d, engine_, const_cast<float*>(m.data())};
  }
  void reorder(dnnl::memory from, dnnl::memory to) {
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
  }
  void run(const dnnl::primitive& p, const std::unordered_map<int, dnnl::memory>& arguments) {
    p.execute(stream_, arguments);
    stream_.wait();
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::memory::desc x_, y_, w_;
  dnnl::primitive forward_, input_delta_, weight_gradient_;
  dnnl::memory forward_weights_, delta_weights_, gradient_;
};
#endif

}  // namespace bench
