#include "mts/autodiff/average_pool2d.hpp"
#include "mts/autodiff/global_average_pool.hpp"
#include "mts/autodiff/max_pool2d.hpp"
#include "support/images.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

RowMatrix<double> images(Index rows, const ImageShape& in) {
  return random_matrix(rows, in.size(), RandomStream(42, "images"));
}

/// Every window at these channels: one, some, and about a vector register.
template <class F>
void each_case(F&& f) {
  for (Sliding s : pooling_cases) {
    f(s);
    for (Index channels : {15, 16, 17, 33})
      if (s.in.channels == 2) {
        s.in.channels = channels;
        f(s);
      }
  }
}

template <class P>
std::vector<Index> width_of(const P& p, std::vector<Index> widths) {
  return {p.width(widths)};
}

}  // namespace

TEST_CASE_TEMPLATE("MaxPool2d: by plain loops, with ties", S, float, double) {
  each_case([](const Sliding& s) {
    CAPTURE(in_words(s));
    const auto jacobian = [&](const Vector& x) { return max_jacobian(s.in, s.window, x); };
    check_against_jacobian<S>(MaxPool2d{s.in, s.window}, s.in.size(), 3, jacobian,
                              2 * static_cast<double>(Eigen::NumTraits<S>::epsilon()));
  });
}

TEST_CASE_TEMPLATE("AveragePool2d: by plain loops", S, float, double) {
  each_case([](const Sliding& s) {
    for (bool count_padding : {true, false}) {
      CAPTURE(in_words(s));
      CAPTURE(count_padding);
      const Jacobian j = average_jacobian(s.in, s.window, count_padding);
      check_against_jacobian<S>(
          AveragePool2d{s.in, s.window, count_padding}, s.in.size(), 2, [&](const Vector&) { return j; },
          8 * static_cast<double>(Eigen::NumTraits<S>::epsilon()));
    }
  });
}

TEST_CASE_TEMPLATE("GlobalAveragePool: by plain loops", S, float, double) {
  for (const ImageShape& in : {ImageShape{1, 1, 1}, {1, 1, 5}, {3, 5, 1}, {7, 7, 17}, {2, 3, 32}}) {
    CAPTURE(autodiff::in_words(in));
    Jacobian j = Jacobian::Zero(in.channels, in.size());
    for (Index k = 0; k < in.size(); ++k) j(k % in.channels, k) = 1 / static_cast<double>(in.height * in.width);
    check_against_jacobian<S>(
        GlobalAveragePool{in}, in.size(), 3, [&](const Vector&) { return j; },
        16 * static_cast<double>(Eigen::NumTraits<S>::epsilon()));
  }
}

TEST_CASE("Pooling: derivatives") {
  Options kinks;
  kinks.tolerance.unresolved_share = 0.02;  // two taps may be equal within reach
  for (const Sliding& s : pooling_cases) {
    auto c = make_case(in_words(s), {images(2, s.in)});
    c.wirings = s.in.size() <= 12;
    check_primitive(MaxPool2d{s.in, s.window}, c, kinks);
    check_primitive(AveragePool2d{s.in, s.window, s.in.channels == 1}, c);
  }
  for (Index n : awkward_samples) {
    const ImageShape in{3, 2, 2};
    auto c = make_case("pooling", {images(n, in)});
    c.wirings = n <= 2;
    check_primitive(MaxPool2d{in}, c, kinks);
    check_primitive(AveragePool2d{in}, c);
    check_primitive(GlobalAveragePool{in}, c);
  }
  check_primitive(GlobalAveragePool{{1, 1, 1}}, make_case("one pixel", {images(1, {1, 1, 1})}));
  check_primitive(GlobalAveragePool{{3, 2, 1}}, make_case("one channel", {images(2, {3, 2, 1})}));
}

TEST_CASE("MaxPool2d: of equal taps the first in row-major order takes it all") {
  const MaxPool2d pool{{2, 2, 1}};
  RowMatrix<double> x(4, 4), delta = RowMatrix<double>::Constant(4, 1, 3.0), expected(4, 4);
  x << 1, 1, 1, 1, 0, 2, 2, 2, 0, 0, -5, 0, -1, -1, 0, 0;
  expected << 3, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 3, 0;
  Direct<float, MaxPool2d> direct(pool, x);
  CHECK(direct.pullback(delta) == expected);
  CHECK(direct.pushforward(10 * x).col(0) == Vector((Vector(4) << 10, 20, 0, 0).finished()));
}

TEST_CASE("MaxPool2d: padding never wins, NaN does") {
  const MaxPool2d padded{{1, 1, 1}, {.kernel = {3, 3}, .padding = {1, 1}}};
  RowMatrix<double> x(2, 1);
  x << -7, std::numeric_limits<double>::lowest();
  CHECK((Direct<double, MaxPool2d>(padded, x).output() == x));
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const auto& window : {Window{.kernel = {2, 2}, .stride = {2, 2}}, Window{.kernel = {4, 1}}}) {
    const MaxPool2d pool{window.kernel == Extent{2, 2} ? ImageShape{2, 2, 1} : ImageShape{4, 1, 1}, window};
    for (Index k = 0; k < 4; ++k) {
      RowMatrix<double> bad = RowMatrix<double>::Constant(1, 4, infinity);
      bad(0, k) = nan;
      CHECK(std::isnan(Direct<float, MaxPool2d>(pool, bad).output()(0, 0)));
      RowMatrix<double> low = RowMatrix<double>::Constant(1, 4, -infinity);
      CHECK((Direct<float, MaxPool2d>(pool, low).output()(0, 0) == -infinity));
    }
  }
}

TEST_CASE("MaxPool2d: commutes with a monotone activation") {
  const ImageShape in{4, 4, 3};
  const MaxPool2d pool{in};
  const RowMatrix<double> x = images(5, in);
  const auto f = [](const RowMatrix<double>& m) { return RowMatrix<double>(m.array().tanh()); };
  CHECK((Direct<double, MaxPool2d>(pool, f(x)).output() == f(Direct<double, MaxPool2d>(pool, x).output())));
}

TEST_CASE("AveragePool2d: what the padding counts for") {
  const Window window{.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 1}};
  const RowMatrix<double> x = RowMatrix<double>::Constant(1, 4, 8.0);
  CHECK(
      (Direct<double, AveragePool2d>({{2, 2, 1}, window, true}, x).output() == RowMatrix<double>::Constant(1, 4, 2.0)));
  CHECK((Direct<double, AveragePool2d>({{2, 2, 1}, window, false}, x).output() == x));
}

TEST_CASE("Pooling: the shape of the output") {
  CHECK(MaxPool2d{{28, 28, 16}}.out() == ImageShape{14, 14, 16});
  CHECK(MaxPool2d{{7, 7, 2}}.out() == ImageShape{3, 3, 2});
  CHECK(AveragePool2d{{5, 4, 1}, {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}}.out() == ImageShape{3, 5, 1});
  CHECK(width_of(GlobalAveragePool{{5, 4, 6}}, {120}) == std::vector<Index>{6});
}

TEST_CASE("Pooling: refuses what it cannot pool") {
  const auto refuses = [](const auto& p, Index width) { p.width(std::array<Index, 1>{width}); };
  const ImageShape in{4, 5, 2};
  CHECK_THROWS_WITH_AS(refuses(MaxPool2d{in}, 39),
                       "MaxPool2d: expected an input of width 40 (an image of 4 x 5 x 2), found 39", ShapeError);
  CHECK_THROWS_WITH_AS(refuses(AveragePool2d{in}, 1),
                       "AveragePool2d: expected an input of width 40 (an image of 4 x 5 x 2), found 1", ShapeError);
  CHECK_THROWS_WITH_AS(refuses(GlobalAveragePool{in}, 41),
                       "GlobalAveragePool: expected an input of width 40 (an image of 4 x 5 x 2), found 41",
                       ShapeError);
  CHECK_THROWS_WITH_AS(refuses(GlobalAveragePool{{4, 0, 2}}, 0),
                       "GlobalAveragePool: expected an image of at least 1 x 1 x 1, found 4 x 0 x 2", ValueError);
  CHECK_THROWS_WITH_AS(MaxPool2d{}.width(std::array<Index, 2>{1, 1}), "MaxPool2d: expected 1 input, found 2",
                       ShapeError);
  CHECK_THROWS_WITH_AS(refuses(MaxPool2d{in, {.kernel = {0, 2}}}, 40),
                       "MaxPool2d: expected a kernel of at least 1, found 0 x 2", ValueError);
  CHECK_THROWS_WITH_AS(refuses(MaxPool2d{in, {.kernel = {2, 2}, .stride = {2, 0}}}, 40),
                       "MaxPool2d: expected a stride of at least 1, found 2 x 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses(AveragePool2d{in, {.kernel = {2, 2}, .padding = {-1, 0}}}, 40),
                       "AveragePool2d: expected a padding of at least 0, found -1 x 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses(AveragePool2d{in, {.kernel = {2, 2}, .dilation = {1, 0}}}, 40),
                       "AveragePool2d: expected a dilation of at least 1, found 1 x 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses(MaxPool2d{in, {.kernel = {3, 3}, .padding = {1, 2}}}, 40),
                       "MaxPool2d: expected a padding of at most half the kernel, found 1 x 2 for a kernel of 3 x 3",
                       ValueError);
  CHECK_THROWS_WITH_AS(
      refuses(MaxPool2d{{1, 5, 2}}, 10),
      "MaxPool2d: the window does not fit the image: expected an output of at least 1 x 1, found 0 x 2 "
      "for an image of 1 x 5 x 2, a kernel of 2 x 2, dilation 1 x 1, padding 0 x 0",
      ShapeError);
  const Window over{.kernel = {2, 1}, .padding = {1, 0}, .dilation = {3, 1}};
  const std::string words =
      ": expected windows with a pixel of the image, found none in the window at output (0, 0) for an image of "
      "2 x 1 x 1, a kernel of 2 x 1, dilation 3 x 1, padding 1 x 0";
  CHECK_THROWS_WITH_AS(refuses(MaxPool2d{{2, 1, 1}, over}, 2), ("MaxPool2d" + words).c_str(), ShapeError);
  CHECK_THROWS_WITH_AS(refuses(AveragePool2d{{2, 1, 1}, over}, 2), ("AveragePool2d" + words).c_str(), ShapeError);
}
