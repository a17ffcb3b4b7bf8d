// What the tests of image primitives share: Jacobians by plain loops over the definition of a window, and rules called
// directly on rows that lie apart in memory.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mts/autodiff/image.hpp"
#include "mts/autodiff/primitive.hpp"
#include "support/derivatives.hpp"

namespace mts::testing {

using autodiff::ImageShape;
using autodiff::Window;
using Jacobian = Eigen::MatrixXd;

/// Number of entry (y, x, c).
inline Index entry(const ImageShape& s, Index y, Index x, Index c) { return (y * s.width + x) * s.channels + c; }

/// The image's shape behind a window, counted: as many steps as keep the window within the padded image.
inline ImageShape slid(const ImageShape& in, const Window& w, Index channels) {
  const auto steps = [](Index n, Index k, Index s, Index p, Index d) {
    Index count = 0;
    for (Index begin = -p; begin + (k - 1) * d < n + p; begin += s) ++count;
    return count;
  };
  return {steps(in.height, w.kernel.height, w.stride.height, w.padding.height, w.dilation.height),
          steps(in.width, w.kernel.width, w.stride.width, w.padding.width, w.dilation.width), channels};
}

/// The input's entry under tap (i, j) of the window at output (y, x), or nothing on the padding.
inline std::optional<Index> under(const ImageShape& in, const Window& w, Index y, Index x, Index i, Index j, Index c) {
  const Index row = y * w.stride.height + i * w.dilation.height - w.padding.height;
  const Index column = x * w.stride.width + j * w.dilation.width - w.padding.width;
  if (row < 0 || row >= in.height || column < 0 || column >= in.width) return {};
  return entry(in, row, column, c);
}

/// f(output entry, the entries under its window that lie on the image, in row-major order) for pooling.
inline void each_pool(const ImageShape& in, const Window& w,
                      const std::function<void(Index, const std::vector<Index>&)>& f) {
  const ImageShape out = slid(in, w, in.channels);
  for (Index y = 0; y < out.height; ++y)
    for (Index x = 0; x < out.width; ++x)
      for (Index c = 0; c < in.channels; ++c) {
        std::vector<Index> taps;
        for (Index i = 0; i < w.kernel.height; ++i)
          for (Index j = 0; j < w.kernel.width; ++j)
            if (const auto tap = under(in, w, y, x, i, j, c)) taps.push_back(*tap);
        f(entry(out, y, x, c), taps);
      }
}

/// 1 at the first of the largest taps.
inline Jacobian max_jacobian(const ImageShape& in, const Window& w, const Vector& x) {
  Jacobian j = Jacobian::Zero(slid(in, w, in.channels).size(), in.size());
  each_pool(in, w, [&](Index out, const std::vector<Index>& taps) {
    Index best = taps.front();
    for (Index tap : taps)
      if (x[tap] > x[best]) best = tap;
    j(out, best) = 1;
  });
  return j;
}
inline Jacobian average_jacobian(const ImageShape& in, const Window& w, bool count_padding) {
  Jacobian j = Jacobian::Zero(slid(in, w, in.channels).size(), in.size());
  each_pool(in, w, [&](Index out, const std::vector<Index>& taps) {
    const double n = static_cast<double>(count_padding ? w.kernel.height * w.kernel.width : Index(taps.size()));
    for (Index tap : taps) j(out, tap) += 1 / n;
  });
  return j;
}

/// Conv2d: y = J x + b with w laid out as its header says: ((i kernel.width + j) channels/groups + c) outputs + o.
/// f(output entry, input entry, weight) for every product.
inline void each_product(const ImageShape& in, Index outputs, const Window& w, Index groups,
                         const std::function<void(Index, Index, Index)>& f) {
  const ImageShape out = slid(in, w, outputs);
  const Index inputs_of_group = in.channels / groups, outputs_of_group = outputs / groups;
  for (Index o = 0; o < outputs; ++o)
    for (Index c = 0; c < inputs_of_group; ++c)
      for (Index i = 0; i < w.kernel.height; ++i)
        for (Index j = 0; j < w.kernel.width; ++j)
          for (Index y = 0; y < out.height; ++y)
            for (Index x = 0; x < out.width; ++x)
              if (const auto from = under(in, w, y, x, i, j, o / outputs_of_group * inputs_of_group + c))
                f(entry(out, y, x, o), *from, ((i * w.kernel.width + j) * inputs_of_group + c) * outputs + o);
}
inline Jacobian conv_jacobian(const ImageShape& in, Index outputs, const Window& w, Index groups,
                              const Vector& weights) {
  Jacobian j = Jacobian::Zero(slid(in, w, outputs).size(), in.size());
  each_product(in, outputs, w, groups, [&](Index to, Index from, Index k) { j(to, from) += weights[k]; });
  return j;
}

/// GroupNorm's xhat by the definition, group by group.
inline RowMatrix<double> normalised(const ImageShape& in, Index groups, double epsilon, const RowMatrix<double>& x) {
  RowMatrix<double> hat(x.rows(), x.cols());
  const Index per_group = in.channels / groups;
  for (Index i = 0; i < x.rows(); ++i)
    for (Index k = 0; k < groups; ++k) {
      std::vector<Index> members;
      for (Index y = 0; y < in.height; ++y)
        for (Index q = 0; q < in.width; ++q)
          for (Index c = k * per_group; c < (k + 1) * per_group; ++c) members.push_back(entry(in, y, q, c));
      long double mean = 0, variance = 0;
      for (Index m : members) mean += static_cast<long double>(x(i, m));
      mean /= static_cast<long double>(members.size());
      for (Index m : members)
        variance += (static_cast<long double>(x(i, m)) - mean) * (static_cast<long double>(x(i, m)) - mean);
      variance /= static_cast<long double>(members.size());
      for (Index m : members)
        hat(i, m) = static_cast<double>((static_cast<long double>(x(i, m)) - mean) /
                                        std::sqrt(variance + static_cast<long double>(epsilon)));
    }
  return hat;
}

/// rows x cols with gaps between the rows. A gap must stay as it was.
template <class S>
class GappedRows {
 public:
  GappedRows(Index rows, Index cols)
      : m_(RowMatrix<S>::Constant(rows, cols + 3, std::numeric_limits<S>::quiet_NaN())), cols_(cols) {
    m_.rightCols(3).setConstant(S{7});
  }
  explicit GappedRows(const RowMatrix<double>& x) : GappedRows(x.rows(), x.cols()) { m_.leftCols(cols_) = x.cast<S>(); }
  autodiff::View<S> view() { return {m_.data(), m_.rows(), cols_, m_.cols()}; }
  RowMatrix<double> values() const {
    REQUIRE((m_.rightCols(3).array() == S{7}).all());
    return m_.leftCols(cols_).template cast<double>();
  }

 private:
  RowMatrix<S> m_;
  Index cols_;
};

/// The rules of one primitive with one input at x (and parameters w), called directly.
template <class S, class P>
class Direct {
 public:
  Direct(const P& primitive, const RowMatrix<double>& inputs, const Vector& w = {})
      : p_(primitive), x_(inputs), y_(inputs.rows(), p_.width(widths())), w_(w.cast<S>()) {
    in_[0] = x_.view();
    if constexpr (packs) {
      for (Packing packing : {Packing::forward, Packing::pullback})
        packed_[packing == Packing::pullback] = pack(w_, packing);
    }
    auto t = tile();
    t.out = {};
    p_.forward(t, y_.view());
  }
  RowMatrix<double> output() { return y_.values(); }
  /// delta dy/dx, added to `before` where given.
  RowMatrix<double> pullback(const RowMatrix<double>& delta, const RowMatrix<double>* before = nullptr) {
    GappedRows<S> d(delta), g = before ? GappedRows<S>(*before) : GappedRows<S>(samples(), x_.view().cols);
    const std::array<DeltaSink<S>, 1> sinks{{{g.view(), before != nullptr}}}, none{};
    p_.pullback(tile(), ConstView<S>(d.view()), std::span<const DeltaSink<S>>(sinks));
    p_.pullback(tile(), ConstView<S>(d.view()), std::span<const DeltaSink<S>>(none));
    return g.values();
  }
  /// dy/dx tangent + dy/dw v; an empty one is absent.
  RowMatrix<double> pushforward(const RowMatrix<double>& tangent, const Vector& v = {}) {
    GappedRows<S> of_x(tangent), out(samples(), y_.view().cols);
    std::array<ConstView<S>, 1> tangents{};
    if (tangent.size() > 0) tangents[0] = of_x.view();
    const Column dw = v.cast<S>(), packed = pack(dw, Packing::forward);
    p_.pushforward(tile(packed), std::span<const ConstView<S>>(tangents), dw.size() > 0 ? dw.data() : nullptr,
                   out.view());
    return out.values();
  }
  /// begin + sum_i u_i delta_i dy_i/dw, as a row; without u all u_i are 1.
  RowMatrix<double> parameter_pullback(const RowMatrix<double>& delta, const Vector& u, double begin) {
    GappedRows<S> d(delta);
    const Column scales = u.cast<S>();
    Column g = Column::Constant(w_.size(), static_cast<S>(begin));
    for (Index task = 0; task < p_.tasks(widths()); ++task)
      p_.parameter_pullback(tile(), ConstView<S>(d.view()), scales.size() > 0 ? scales.data() : nullptr, task,
                            g.data());
    return g.template cast<double>().transpose();
  }
  /// begin + <delta_i dy_i/dw, v>, begin + |delta_i dy_i/dw|^2
  Vector per_sample_dot(const RowMatrix<double>& delta, const Vector& v, double begin) {
    GappedRows<S> d(delta);
    const Column direction = v.cast<S>(), packed = pack(direction, Packing::forward);
    Vector out = Vector::Constant(samples(), begin);
    p_.per_sample_dot(tile(packed), ConstView<S>(d.view()), direction.data(), out.data());
    return out;
  }
  Vector per_sample_squared_norm(const RowMatrix<double>& delta, double begin) {
    GappedRows<S> d(delta);
    Vector out = Vector::Constant(samples(), begin);
    p_.per_sample_squared_norm(tile(), ConstView<S>(d.view()), out.data());
    return out;
  }

 private:
  template <class T>
  using DeltaSink = autodiff::DeltaSink<T>;
  template <class T>
  using ConstView = autodiff::ConstView<T>;
  using Packing = autodiff::Packing;
  using Column = Eigen::Matrix<S, Eigen::Dynamic, 1>;
  static constexpr bool packs =
      requires(const P& q, autodiff::Widths widths) { q.template packed_size<S>(widths, Packing::forward); };

  Index samples() { return x_.view().rows; }
  std::array<Index, 1> widths() { return {x_.view().cols}; }
  Column pack(const Column& w, Packing packing) {
    if constexpr (packs) {
      if (w.size() == 0) return {};
      Column to = Column::Constant(p_.template packed_size<S>(widths(), packing), std::numeric_limits<S>::quiet_NaN());
      p_.pack(w.data(), widths(), packing, to.data());
      return to;
    }
    return {};
  }
  autodiff::Tile<S> tile(const Column& packed_direction = {}) {
    autodiff::Tile<S> t;
    t.rows = samples();
    t.in = in_;
    t.out = y_.view();
    t.parameters = w_.data();
    t.packed = packed_[0].data();
    t.packed_pullback = packed_[1].data();
    t.packed_direction = packed_direction.data();
    return t;
  }

  P p_;
  GappedRows<S> x_, y_;
  Column w_;
  std::array<Column, 2> packed_;
  std::array<ConstView<S>, 1> in_;
};

/// |found - expected| <= allowed max |expected| for every entry.
inline void check_rows(const std::string& what, const RowMatrix<double>& found, const RowMatrix<double>& expected,
                       double allowed) {
  CAPTURE(what);
  REQUIRE(found.rows() == expected.rows());
  REQUIRE(found.cols() == expected.cols());
  if (expected.size() == 0) return;
  CHECK((found - expected).cwiseAbs().maxCoeff() <= allowed * expected.cwiseAbs().maxCoeff());
}

/// A primitive without parameters whose output is J(x) x, J(x) its Jacobian: forward, pullback (assigned and added) and
/// pushforward. Inputs are multiples of 1/2, so that equal ones are frequent.
template <class S, class P>
void check_against_jacobian(const P& p, Index width, Index samples,
                            const std::function<Jacobian(const Vector& x)>& jacobian, double allowed) {
  const RandomStream stream(41, "jacobian");
  const RowMatrix<double> x = (4 * random_matrix(samples, width, stream.substream("x"))).array().round() / 2;
  Direct<S, P> direct(p, x);
  const Index out = direct.output().cols();
  const auto snapped = [&](Index cols, const char* name) {
    return snap(random_matrix(samples, cols, stream.substream(name)));
  };
  const RowMatrix<double> delta = snapped(out, "delta"), before = snapped(width, "before"), v = snapped(width, "v");
  RowMatrix<double> y(samples, out), dx(samples, width), dy(samples, out);
  for (Index i = 0; i < samples; ++i) {
    const Jacobian j = jacobian(x.row(i).transpose());
    REQUIRE(j.rows() == out);
    REQUIRE(j.cols() == width);
    y.row(i) = (j * x.row(i).transpose()).transpose();
    dx.row(i) = delta.row(i) * j;
    dy.row(i) = (j * v.row(i).transpose()).transpose();
  }
  check_rows("forward", direct.output(), y, allowed);
  check_rows("pullback", direct.pullback(delta), dx, allowed);
  check_rows("pullback, added", direct.pullback(delta, &before), before + dx, allowed);
  check_rows("pushforward", direct.pushforward(v), dy, allowed);
  CHECK(direct.pushforward({}).isZero(0));
}

/// Windows at which indices go wrong: on one pixel, larger than the image, with remainders, gaps, overlaps and holes.
struct Sliding {
  ImageShape in;
  Window window;
};
inline std::string in_words(const Sliding& s) {
  const auto pair = [](const autodiff::Extent& e) { return mts::detail::text(e.height, "x", e.width); };
  return mts::detail::text(autodiff::in_words(s.in), ", kernel ", pair(s.window.kernel), ", stride ",
                           pair(s.window.stride), ", padding ", pair(s.window.padding), ", dilation ",
                           pair(s.window.dilation));
}
inline const std::vector<Sliding> pooling_cases = {
    {{1, 1, 1}, {.kernel = {1, 1}}},
    {{1, 1, 3}, {.kernel = {3, 3}, .padding = {1, 1}}},
    {{2, 2, 1}, {.kernel = {2, 2}, .stride = {2, 2}}},
    {{4, 6, 2}, {.kernel = {2, 2}, .stride = {2, 2}}},
    {{5, 7, 2}, {.kernel = {2, 2}, .stride = {2, 2}}},
    {{4, 4, 2}, {.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 1}}},
    {{4, 4, 2}, {.kernel = {2, 2}}},
    {{6, 5, 2}, {.kernel = {2, 2}, .stride = {3, 3}}},
    {{2, 8, 2}, {.kernel = {1, 4}, .stride = {1, 4}}},
    {{8, 1, 2}, {.kernel = {4, 1}, .stride = {4, 1}}},
    {{4, 6, 2}, {.kernel = {2, 3}, .stride = {2, 3}}},
    {{5, 4, 1}, {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}},
    {{7, 6, 1}, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}},
    {{2, 3, 3}, {.kernel = {4, 5}, .padding = {2, 2}}},
    {{7, 6, 1}, {.kernel = {2, 2}, .padding = {1, 0}, .dilation = {2, 3}}},
    {{6, 4, 2}, {.kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 2}}},
    {{6, 7, 1}, {.kernel = {3, 3}, .stride = {3, 1}, .padding = {1, 1}, .dilation = {2, 2}}},
};

}  // namespace mts::testing
