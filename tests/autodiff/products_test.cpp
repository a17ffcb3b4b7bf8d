// Compiled a second time with MTS_EIGEN_KERNELS, without the precompiled header.
#include "mts/autodiff/products.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/random.hpp"

using namespace mts;
using namespace mts::autodiff;

namespace {

/// A matrix inside a larger one: rows further apart than they are long, beginning at any alignment. What is around it
/// must stay as it was.
template <class S>
struct Embedded {
  Embedded(Index rows, Index cols, Index gap, Index offset)
      : memory(static_cast<std::size_t>(offset + rows * (cols + gap) + 1), S{77}) {
    view = {memory.data() + offset, rows, cols, cols + gap};
  }
  bool surroundings_untouched() const {
    std::vector<char> inside(memory.size(), 0);
    for (Index i = 0; i < view.rows; ++i)
      for (Index j = 0; j < view.cols; ++j) inside[static_cast<std::size_t>(view.row(i) - memory.data() + j)] = 1;
    for (std::size_t k = 0; k < memory.size(); ++k)
      if (!inside[k] && memory[k] != S{77}) return false;
    return true;
  }
  std::vector<S> memory;
  View<S> view;
};

/// Small integers: their products and sums are exact in float, so any order of summation gives the same number.
template <class S>
void fill_integers(View<S> m, std::uint64_t seed) {
  RandomStream stream(seed, "integers");
  for (Index i = 0; i < m.rows; ++i)
    for (Index j = 0; j < m.cols; ++j) m.row(i)[j] = static_cast<S>(static_cast<int>(stream.below(7)) - 3);
}
template <class S>
void fill_reals(View<S> m, std::uint64_t seed) {
  RandomStream stream(seed, "reals");
  for (Index i = 0; i < m.rows; ++i)
    for (Index j = 0; j < m.cols; ++j) m.row(i)[j] = static_cast<S>(stream.uniform(-1, 1));
}

struct Shape {
  Index r, i, o;
};

/// Sizes at which registers, kernels, blocks and tiles end.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  const std::vector<Index> small = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17};
  for (Index r : small)
    for (Index i : small)
      for (Index o : small) all.push_back({r, i, o});
  for (Index n : {31, 32, 33, 63, 65, 127, 128, 129, 255, 256, 257, 300}) {
    all.push_back({n, 3, 5});
    all.push_back({3, n, 5});
    all.push_back({5, 3, n});
    all.push_back({n, n, 1});
    all.push_back({1, n, n});
    all.push_back({n, 1, n});
  }
  all.insert(all.end(), {{128, 784, 17}, {129, 257, 131}, {128, 128, 128}, {513, 33, 10}, {4, 0, 3}, {1, 0, 1}});
  return all;
}

enum class Product { times_transposed, times, transposed_times };

/// The products as a person would write them, in double, and what the entries' magnitudes add up to.
template <class S>
void reference(Product p, ConstView<S> a, ConstView<S> b, RowMatrix<double>& sum, RowMatrix<double>& size) {
  const Index rows = p == Product::transposed_times ? a.cols : a.rows;
  const Index inner = p == Product::transposed_times ? a.rows : a.cols;
  const Index cols = p == Product::times_transposed ? b.rows : b.cols;
  sum.setZero(rows, cols);
  size.setZero(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j)
      for (Index k = 0; k < inner; ++k) {
        const double x = static_cast<double>(p == Product::transposed_times ? a.row(k)[i] : a.row(i)[k]);
        const double y = static_cast<double>(p == Product::times_transposed ? b.row(j)[k] : b.row(k)[j]);
        sum(i, j) += x * y;
        size(i, j) += std::abs(x * y);
      }
}

/// w packed for one of the products.
template <class S>
std::vector<S> packed(Product p, ConstView<S> w) {
  const bool transposed = p == Product::times_transposed;
  std::vector<S> to(static_cast<std::size_t>(transposed ? products::packed_transposed_size<S>(w.rows, w.cols)
                                                        : products::packed_size<S>(w.rows, w.cols)));
  if (transposed)
    products::pack_transposed(w.data, w.rows, w.cols, to.data());
  else
    products::pack(w.data, w.rows, w.cols, to.data());
  return to;
}
template <class S>
void run(Product p, ConstView<S> a, ConstView<S> b, View<S> out, bool accumulate) {
  switch (p) {
    case Product::times_transposed:
      return products::times_transposed<S>(a, b.data, packed(p, b).data(), out, accumulate, nullptr);
    case Product::times:
      return products::times<S>(a, b.data, packed(p, b).data(), out, accumulate);
    case Product::transposed_times:
      return products::weighted_transposed_times<S>(a, nullptr, b, out, nullptr);
  }
}

/// All shapes and both ways of storing, against the plain loop. Integers exactly; reals to so many roundings of every
/// term. Only failures are told to doctest: there are a hundred thousand entries.
template <class S>
void check_product(Product p) {
  Index call = 0;
  double margin = 0;
  for (const Shape& s : shapes())
    for (bool accumulate : {false, true}) {
      if (p == Product::transposed_times && !accumulate) continue;  // it always adds
      for (bool integers : {true, false}) {
        const Index gap = call % 3, offset = call % 5;
        ++call;
        // times_transposed: x (r x i), W (o x i). times: d (r x o), W (o x i). transposed_times: d (r x o), x (r x i).
        Embedded<S> a(s.r, p == Product::times_transposed ? s.i : s.o, gap, offset);
        // A weight matrix is contiguous; the second factor of transposed_times is a view like any other.
        const bool weights = p != Product::transposed_times;
        Embedded<S> b(weights ? s.o : s.r, s.i, weights ? 0 : (gap + 1) % 3, (offset + 3) % 5);
        const Index rows = p == Product::transposed_times ? s.o : s.r;
        const Index cols = p == Product::times_transposed ? s.o : s.i;
        Embedded<S> out(rows, cols, (gap + 2) % 3, (offset + 1) % 5);
        const auto fill = integers ? fill_integers<S> : fill_reals<S>;
        fill(a.view, 1);
        fill(b.view, 2);
        if (accumulate)
          fill(out.view, 3);
        else  // what is overwritten must not shine through
          for (Index i = 0; i < rows; ++i)
            for (Index j = 0; j < cols; ++j) out.view.row(i)[j] = std::numeric_limits<S>::quiet_NaN();
        const Embedded<S> before = out;
        RowMatrix<double> sum, size;
        reference<S>(p, a.view, b.view, sum, size);
        run<S>(p, a.view, b.view, out.view, accumulate);
        bool good = out.surroundings_untouched() && a.surroundings_untouched() && b.surroundings_untouched();
        std::string where;
        for (Index i = 0; i < rows; ++i)
          for (Index j = 0; j < cols; ++j) {
            const double begun =
                accumulate ? static_cast<double>(
                                 before.memory[static_cast<std::size_t>(out.view.row(i) - out.memory.data() + j)])
                           : 0.0;
            const double expected = begun + sum(i, j), found = static_cast<double>(out.view.row(i)[j]);
            const double roundings = 4 + 2 * std::sqrt(static_cast<double>(s.r + s.i + s.o));
            const double budget = integers ? 0
                                           : roundings * static_cast<double>(std::numeric_limits<S>::epsilon()) *
                                                 (size(i, j) + std::abs(begun));
            const double error = std::abs(found - expected);
            if (!(error <= budget)) {
              good = false;
              where = mts::detail::text("entry (", i, ", ", j, "): found ", found, ", expected ", expected, ", error ",
                                        error, ", budget ", budget);
            } else if (budget > 0) {
              margin = std::max(margin, error / budget);
            }
          }
        if (!good) {
          CAPTURE(s.r);
          CAPTURE(s.i);
          CAPTURE(s.o);
          CAPTURE(accumulate);
          CAPTURE(integers);
          if (where.empty()) where = "memory around a matrix was written to";
          FAIL_CHECK(where);
        }
      }
    }
  INFO("largest error over budget ", margin);
  CHECK(margin < 1);
}

}  // namespace

TEST_CASE_TEMPLATE("products: x w^T against the plain loop", S, float, double) {
  check_product<S>(Product::times_transposed);
}
TEST_CASE_TEMPLATE("products: d w against the plain loop", S, float, double) { check_product<S>(Product::times); }
TEST_CASE_TEMPLATE("products: d^T x against the plain loop", S, float, double) {
  check_product<S>(Product::transposed_times);
}

TEST_CASE_TEMPLATE("products: the same bits wherever the factors lie", S, float, double) {
  const Shape s{37, 53, 29};
  RowMatrix<S> expected, found;
  for (Index offset = 0; offset < 9; ++offset)
    for (Index gap : {0, 1, 8}) {
      Embedded<S> x(s.r, s.i, gap, offset), w(s.o, s.i, 0, 8 - offset), y(s.r, s.o, gap, offset),
          g(s.o, s.i, gap, offset);
      Embedded<S> back(s.r, s.i, gap, offset);
      fill_reals(x.view, 1);
      fill_reals(w.view, 2);
      run<S>(Product::times_transposed, x.view, w.view, y.view, false);
      run<S>(Product::times, y.view, w.view, back.view, false);
      fill_reals(g.view, 3);
      run<S>(Product::transposed_times, y.view, x.view, g.view, true);
      found.resize(s.r + s.r + s.o, std::max(s.i, s.o));
      found.setZero();
      found.topLeftCorner(s.r, s.o) = y.view.matrix();
      found.block(s.r, 0, s.r, s.i) = back.view.matrix();
      found.bottomLeftCorner(s.o, s.i) = g.view.matrix();
      if (expected.size() == 0) expected = found;
      CAPTURE(offset);
      CAPTURE(gap);
      CHECK(found == expected);
    }
}

TEST_CASE_TEMPLATE("products: weights of the samples and a bias, exactly", S, float, double) {
  for (const Shape& s : std::vector<Shape>{{1, 1, 1}, {3, 7, 5}, {6, 16, 6}, {257, 17, 7}, {513, 3, 13}}) {
    CAPTURE(s.r);
    Embedded<S> x(s.r, s.i, 1, 0), d(s.r, s.o, 2, 1), w(s.o, s.i, 0, 0), u(1, s.r, 0, 0), bias(1, s.o, 0, 0);
    Embedded<S> g(s.o, s.i, 1, 2), b(1, s.o, 0, 0), y(s.r, s.o, 1, 0);
    std::uint64_t seed = 4;
    for (auto* m : {&x, &d, &w, &u, &bias, &g, &b}) fill_integers(m->view, ++seed);
    RowMatrix<S> gradient = g.view.matrix(), sums = b.view.matrix();
    for (Index k = 0; k < s.r; ++k)
      for (Index o = 0; o < s.o; ++o) {
        const S scaled = u.view.row(0)[k] * d.view.row(k)[o];
        sums(0, o) += scaled;
        for (Index i = 0; i < s.i; ++i) gradient(o, i) += scaled * x.view.row(k)[i];
      }
    products::weighted_transposed_times<S>(d.view, u.view.data, x.view, g.view, b.view.data);
    CHECK(RowMatrix<S>(g.view.matrix()) == gradient);
    CHECK(RowMatrix<S>(b.view.matrix()) == sums);
    products::times_transposed<S>(x.view, w.view.data, packed<S>(Product::times_transposed, w.view).data(), y.view,
                                  false, bias.view.data);
    bool right = true;
    for (Index k = 0; k < s.r; ++k)
      for (Index o = 0; o < s.o; ++o) {
        S sum = bias.view.row(0)[o];
        for (Index i = 0; i < s.i; ++i) sum += x.view.row(k)[i] * w.view.row(o)[i];
        right = right && y.view.row(k)[o] == sum;
      }
    CHECK(right);
    CHECK(y.surroundings_untouched());
    CHECK(g.surroundings_untouched());
  }
}
