#include "mts/autodiff/conv2d.hpp"

#include "mts/autodiff/linear.hpp"
#include "support/images.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

struct Case {
  ImageShape in;
  Index channels;
  Window window;
  Index groups = 1;
  bool bias = true;

  Conv2d primitive() const {
    return {.in = in, .channels = channels, .window = window, .groups = groups, .bias = bias};
  }
  Index weights() const { return window.kernel.height * window.kernel.width * (in.channels / groups) * channels; }
  Index parameters() const { return weights() + (bias ? channels : 0); }
};
std::string in_words(const Case& c) {
  return mts::detail::text(in_words(Sliding{c.in, c.window}), ", to ", c.channels, " channels, ", c.groups, " groups",
                           c.bias ? "" : ", no bias");
}

constexpr Window same3{.kernel = {3, 3}, .padding = {1, 1}};

/// Where indices go wrong: one pixel, kernels larger than the image, remainders, holes, groups, odd registers.
const std::vector<Case> hostile = {
    {{1, 1, 1}, 1, {.kernel = {1, 1}}},
    {{1, 1, 1}, 2, same3},
    {{1, 1, 3}, 4, {.kernel = {5, 5}, .padding = {2, 2}}, 1, false},
    {{2, 3, 1}, 2, {.kernel = {4, 5}, .padding = {2, 2}}},
    {{3, 3, 1}, 1, {.kernel = {3, 3}}},
    {{3, 3, 2}, 3, {.kernel = {1, 1}, .padding = {3, 2}}},
    {{5, 5, 2}, 2, {.kernel = {3, 3}, .stride = {2, 2}}, 2},
    {{6, 5, 1}, 2, {.kernel = {3, 3}, .stride = {2, 3}, .padding = {1, 1}}},
    {{8, 7, 1}, 2, {.kernel = {3, 2}, .stride = {3, 1}, .padding = {0, 1}}, 1, false},
    {{6, 7, 1}, 2, {.kernel = {3, 3}, .padding = {2, 2}, .dilation = {2, 3}}},
    {{7, 6, 2}, 4, {.kernel = {2, 3}, .stride = {2, 1}, .padding = {1, 2}, .dilation = {3, 2}}, 2},
    {{3, 4, 4}, 4, same3, 4},
    {{3, 2, 3}, 6, same3, 3},
    {{2, 2, 6}, 3, {.kernel = {2, 1}, .padding = {1, 0}}, 3, false},
    {{1, 9, 2}, 2, {.kernel = {1, 3}, .stride = {1, 4}, .padding = {0, 1}}},
    {{9, 1, 1}, 3, {.kernel = {3, 1}, .padding = {1, 0}}},
    {{4, 4, 2}, 2, {.kernel = {1, 1}, .stride = {2, 2}}},
};

/// About the borders of register tiles, in both numbers of channels and in the width of the image; in each row the
/// others differ too, so that a part of all combinations stands for them.
std::vector<Case> about_tiles() {
  const std::vector<Index> channels = {1, 3, 4, 5, 6, 7, 15, 16, 17, 33}, sizes = {1, 5, 6, 7, 13};
  std::vector<Case> cases;
  for (std::size_t k = 0; k < channels.size(); ++k)
    for (std::size_t step : {1, 4, 7}) {
      const Index in = channels[k], out = channels[(k * step + step) % channels.size()];
      const Index height = sizes[(k + step) % 3], width = sizes[(k + 2 * step) % sizes.size()];
      const Index stride = 1 + Index(k + step) % 3;
      cases.push_back({{height, width, in}, out, same3, 1, k % 2 == 0});
      cases.push_back({{height, width, in},
                       out,
                       {.kernel = {3, 3},
                        .stride = {stride, 1 + stride % 2},
                        .padding = {2, 2},
                        .dilation = {1, 1 + Index(k % 2)}}});
      if (step == 1) {
        cases.push_back({{5, width, in}, in, same3, in});
        cases.push_back({{2, width, 2 * in}, 2 * out, same3, 2});
        cases.push_back({{2, width, in}, out, {.kernel = {1, 1}}});
      }
    }
  return cases;
}

/// Every rule, by the loops of the definition.
template <class S>
void check_against_loops(const Case& c, Index samples) {
  CAPTURE(in_words(c));
  const double roundoff = static_cast<double>(Eigen::NumTraits<S>::epsilon()), allowed = 100 * roundoff;
  const RandomStream stream(61, "convolution");
  const auto some = [&](Index rows, Index cols, const char* name) {
    return snap(random_matrix(rows, cols, stream.substream(name)));
  };
  const RowMatrix<double> x = some(samples, c.in.size(), "x");
  const Vector w = some(c.parameters(), 1, "w"), v = some(c.parameters(), 1, "v");
  const ImageShape out = slid(c.in, c.window, c.channels);
  REQUIRE(c.primitive().out() == out);
  const auto delta = some(samples, out.size(), "delta"), before = some(samples, c.in.size(), "before"),
             tangent = some(samples, c.in.size(), "tangent");
  const Vector u = some(samples, 1, "u");

  const Jacobian j = conv_jacobian(c.in, c.channels, c.window, c.groups, w),
                 dj = conv_jacobian(c.in, c.channels, c.window, c.groups, v);
  const auto with_bias = [&](RowMatrix<double> y, const Vector& parameters) {
    for (Index k = 0; c.bias && k < y.cols(); ++k) y.col(k).array() += parameters[c.weights() + k % c.channels];
    return y;
  };
  RowMatrix<double> gradients = RowMatrix<double>::Zero(samples, c.parameters());  // formed for each sample
  each_product(c.in, c.channels, c.window, c.groups, [&](Index to, Index from, Index k) {
    gradients.col(k).array() += delta.col(to).array() * x.col(from).array();
  });
  for (Index k = 0; c.bias && k < out.size(); ++k) gradients.col(c.weights() + k % c.channels) += delta.col(k);

  Direct<S, Conv2d> direct(c.primitive(), x, w);
  check_rows("forward", direct.output(), with_bias(x * j.transpose(), w), allowed);
  check_rows("pullback", direct.pullback(delta), delta * j, allowed);
  check_rows("pullback, added", direct.pullback(delta, &before), before + delta * j, allowed);
  check_rows("pushforward, inputs", direct.pushforward(tangent), tangent * j.transpose(), allowed);
  const RowMatrix<double> by_parameters = with_bias(x * dj.transpose(), v);
  check_rows("pushforward, parameters", direct.pushforward({}, v), by_parameters, allowed);
  check_rows("pushforward", direct.pushforward(tangent, v), tangent * j.transpose() + by_parameters, allowed);
  CHECK(direct.pushforward({}).isZero(0));

  check_rows("parameter pullback", direct.parameter_pullback(delta, u, 0), u.transpose() * gradients, allowed);
  check_rows("parameter pullback, all ones, added", direct.parameter_pullback(delta, {}, 1),
             gradients.colwise().sum().array() + 1, allowed);
  const double reach = 0.5 + (delta.cwiseAbs() * by_parameters.cwiseAbs().transpose()).diagonal().maxCoeff();
  CHECK((direct.per_sample_dot(delta, v, 0.5).array() - 0.5 - (gradients * v).array()).abs().maxCoeff() <=
        allowed * reach);
  check_rows("per-sample squared norm", direct.per_sample_squared_norm(delta, 0.5).transpose(),
             gradients.rowwise().squaredNorm().transpose().array() + 0.5, allowed);
}

}  // namespace

TEST_CASE_TEMPLATE("Conv2d: every rule by plain loops", S, float, double) {
  for (const Case& c : hostile) check_against_loops<S>(c, 3);
}

TEST_CASE_TEMPLATE("Conv2d: every rule by plain loops, about the borders of register tiles", S, float, double) {
  for (const Case& c : about_tiles()) check_against_loops<S>(c, 2);
}

TEST_CASE("Conv2d: every rule by plain loops, many samples") {
  for (Index samples : {1, 127, 128, 129}) {
    check_against_loops<float>({{5, 6, 3}, 7, same3}, samples);
    check_against_loops<double>({{4, 4, 4}, 6, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}, 2}, samples);
  }
}

TEST_CASE_TEMPLATE("Conv2d: every rule by plain loops, at the size of its use", S, float, double) {
  check_against_loops<S>({{14, 14, 16}, 32, same3}, 2);
  check_against_loops<S>({{28, 28, 1}, 16, same3}, 2);
  check_against_loops<S>({{8, 8, 32}, 16, {.kernel = {1, 1}, .stride = {2, 2}}}, 2);
}

TEST_CASE("Conv2d: derivatives") {
  for (const Case& c : hostile) {
    auto one = make_case(in_words(c), {random_matrix(2, c.in.size(), RandomStream(62, "images"))});
    one.wirings = c.in.size() <= 12;
    check_primitive(c.primitive(), one);
  }
  for (Index n : awkward_samples) {
    auto c = make_case("Conv2d", {random_matrix(n, 12, RandomStream(63, "images"))});
    c.wirings = n == 1;
    check_primitive(Conv2d{.in = {3, 2, 2}, .channels = 3, .window = same3}, c);
  }
}

TEST_CASE("Conv2d: a 1x1 kernel on one pixel is a linear layer, its weights transposed") {
  const RowMatrix<double> x = random_matrix(4, 3, RandomStream(64, "x"));
  const Vector w = random_vector(8, RandomStream(65, "w"));
  Vector transposed = w;
  for (Index i = 0; i < 3; ++i)
    for (Index o = 0; o < 2; ++o) transposed[o * 3 + i] = w[i * 2 + o];
  check_rows("forward",
             Direct<double, Conv2d>({.in = {1, 1, 3}, .channels = 2, .window = {.kernel = {1, 1}}}, x, w).output(),
             Direct<double, Linear>({.outputs = 2}, x, transposed).output(), 1e-15);
}

TEST_CASE("Conv2d: its segments and how they begin") {
  const auto begin = [](const Conv2d& p) {
    Graph<double> g;
    const auto y = g.add(p, {g.input(p.in.size())}, "conv");
    const Network<double> net(std::move(g), {.logits = y});
    return net.initialize(RandomStream(1, "x"));
  };
  const auto theta = begin({.in = {5, 5, 8}, .channels = 50, .window = same3, .groups = 2, .bias_decays = false});
  REQUIRE(theta.segments().size() == 2);
  CHECK(theta.segments()[0] == Segment{"conv.weight", 0, 9 * 4 * 50, true});
  CHECK(theta.segments()[1] == Segment{"conv.bias", 1800, 50, false});
  // Fan-in 9 taps of 4 channels: U(-1/6, 1/6), of variance 1/108.
  CHECK(theta.values().cwiseAbs().maxCoeff() <= 1.0 / 6);
  CHECK(theta.values().head(1800).squaredNorm() / 1800 == doctest::Approx(1.0 / 108).epsilon(0.1));
  CHECK_FALSE(theta.values().tail(50).isZero());
  const auto he = begin(
      {.in = {5, 5, 8}, .channels = 50, .window = same3, .groups = 2, .initialization = Initialization::he_normal});
  CHECK(he.values().tail(50).isZero());
  CHECK(he.values().head(1800).squaredNorm() / 1800 == doctest::Approx(2.0 / 36).epsilon(0.1));
  CHECK(begin({.in = {5, 5, 8}, .channels = 2, .initialization = Initialization::zeros}).values().isZero());
  CHECK(begin({.in = {5, 5, 8}, .channels = 2, .bias = false}).segments().size() == 1);
}

TEST_CASE("Conv2d: refuses what it cannot convolve") {
  const auto refuses = [](const Conv2d& p, Index width) {
    Graph<float> g;
    g.add(p, {g.input(width)});
  };
  const ImageShape in{4, 5, 6};
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 2}, 119), doctest::Contains("expected an input of width 120"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 8, .groups = 4}, 120),
                       "Conv2d: expected numbers of channels that 4 groups divide, found 6 in and 8 out", ShapeError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 7, .groups = 3}, 120),
                       "Conv2d: expected numbers of channels that 3 groups divide, found 6 in and 7 out", ShapeError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 6, .groups = 0}, 120),
                       "Conv2d: expected at least 1 group, found 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 0}, 120), "Conv2d: expected at least 1 output channel, found 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 1, .window = {.kernel = {3, 0}}}, 120),
                       "Conv2d: expected a kernel of at least 1, found 3 x 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 1, .window = {.stride = {0, 1}}}, 120),
                       "Conv2d: expected a stride of at least 1, found 0 x 1", ValueError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 1, .window = {.dilation = {0, 1}}}, 120),
                       "Conv2d: expected a dilation of at least 1, found 0 x 1", ValueError);
  CHECK_THROWS_WITH_AS(refuses({.in = in, .channels = 1, .window = {.padding = {0, -1}}}, 120),
                       "Conv2d: expected a padding of at least 0, found 0 x -1", ValueError);
  CHECK_THROWS_WITH_AS(
      refuses({.in = in, .channels = 1, .window = {.kernel = {5, 5}}}, 120),
      doctest::Contains("Conv2d: the window does not fit the image: expected an output of at least 1 x 1, "
                        "found 0 x 1 for an image of 4 x 5 x 6, a kernel of 5 x 5"),
      ShapeError);
  CHECK_THROWS_WITH_AS(refuses({.in = {4, 0, 1}, .channels = 1}, 0),
                       doctest::Contains("expected an image of at least 1 x 1 x 1, found 4 x 0 x 1"), ValueError);
}
