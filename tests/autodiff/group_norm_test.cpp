#include "mts/autodiff/group_norm.hpp"

#include "mts/autodiff/layer_norm.hpp"
#include "support/images.hpp"
#include "support/primitives.hpp"

using namespace mts;
using namespace mts::autodiff;
using namespace mts::testing;

namespace {

RowMatrix<double> images(Index rows, const ImageShape& in, double scale = 1) {
  return random_matrix(rows, in.size(), RandomStream(31, "group norm"), scale);
}

struct Grouping {
  ImageShape in;
  Index groups;
};
const std::vector<Grouping> groupings = {{{1, 1, 1}, 1},   {{1, 1, 6}, 2},   {{1, 1, 4}, 4},  {{3, 2, 1}, 1},
                                         {{2, 2, 4}, 1},   {{2, 3, 4}, 4},   {{3, 3, 6}, 3},  {{4, 5, 15}, 5},
                                         {{4, 5, 16}, 8},  {{3, 4, 17}, 17}, {{5, 3, 20}, 2}, {{2, 2, 33}, 11},
                                         {{4, 4, 64}, 16}, {{7, 7, 36}, 2}};

}  // namespace

TEST_CASE_TEMPLATE("GroupNorm: by plain loops", S, float, double) {
  const double roundoff = static_cast<double>(Eigen::NumTraits<S>::epsilon());
  for (const Grouping& grouping : groupings) {
    const ImageShape in = grouping.in;
    const Index groups = grouping.groups;
    CAPTURE(autodiff::in_words(in));
    CAPTURE(groups);
    const RowMatrix<double> x = snap(images(3, in, 2));
    const Vector w = snap(random_vector(2 * in.channels, RandomStream(32, "parameters"), 2));
    const RowMatrix<double> hat = normalised(in, groups, 1e-5, x);
    RowMatrix<double> y(3, in.size());
    for (Index k = 0; k < in.size(); ++k)
      y.col(k) = w[k % in.channels] * hat.col(k).array() + w[in.channels + k % in.channels];
    Direct<S, GroupNorm> direct({in, groups}, x, w);
    check_rows("forward", direct.output(), y, 50 * roundoff);

    // By the parameters: dy = v_g xhat + v_b; sums over pixels per channel.
    const Vector v = snap(random_vector(2 * in.channels, RandomStream(33, "tangent")));
    const RowMatrix<double> delta = snap(random_matrix(3, in.size(), RandomStream(34, "delta")));
    const Vector u = snap(random_vector(3, RandomStream(35, "u")));
    RowMatrix<double> dy(3, in.size()), gradients = RowMatrix<double>::Zero(3, 2 * in.channels);
    for (Index k = 0; k < in.size(); ++k) {
      const Index c = k % in.channels;
      dy.col(k) = v[c] * hat.col(k).array() + v[in.channels + c];
      gradients.col(c).array() += delta.col(k).array() * hat.col(k).array();
      gradients.col(in.channels + c) += delta.col(k);
    }
    check_rows("pushforward of parameters", direct.pushforward({}, v), dy, 50 * roundoff);
    CHECK(direct.pushforward({}).isZero(0));

    check_rows("parameter pullback", direct.parameter_pullback(delta, u, 0), u.transpose() * gradients, 100 * roundoff);
    check_rows("parameter pullback, all ones, added", direct.parameter_pullback(delta, {}, 1),
               gradients.colwise().sum().array() + 1, 100 * roundoff);
    const double reach = (gradients.cwiseAbs() * v.cwiseAbs()).maxCoeff() + 0.5;
    CHECK((direct.per_sample_dot(delta, v, 0.5).array() - 0.5 - (gradients * v).array()).abs().maxCoeff() <=
          100 * roundoff * reach);
    check_rows("per-sample squared norm", direct.per_sample_squared_norm(delta, 0.5).transpose(),
               gradients.rowwise().squaredNorm().transpose().array() + 0.5, 100 * roundoff);
  }
}

TEST_CASE("GroupNorm: derivatives") {
  for (const Grouping& grouping : groupings) {
    const ImageShape in = grouping.in;
    const Index groups = grouping.groups;
    if (in.size() > 60) continue;
    auto c =
        make_case(mts::detail::text("GroupNorm, ", autodiff::in_words(in), ", ", groups, " groups"), {images(2, in)});
    c.wirings = in.size() <= 16;
    check_primitive(GroupNorm{in, groups}, c);
  }
  for (Index n : awkward_samples) {
    auto c = make_case("GroupNorm", {images(n, {2, 1, 4})});
    c.wirings = n == 1;
    check_primitive(GroupNorm{{2, 1, 4}, 2}, c);
  }
  check_primitive(GroupNorm{{2, 2, 3}, 1, 0.5}, make_case("GroupNorm, epsilon a half", {images(5, {2, 2, 3})}));
}

TEST_CASE("GroupNorm: derivatives on hostile images") {
  // One entry a group: it is its own mean, so only the shift is left, in float too, though 1/sqrt(epsilon) is 316.
  check_primitive(GroupNorm{{1, 1, 4}, 4}, make_case("groups of one entry", {from_values(5, 4, {0, 1, -3, 1e3})}));
  check_primitive(GroupNorm{{3, 1, 2}, 1},
                  make_case("large spread in a group", {from_values(9, 6, {1e-3, 1, -1e3, 0, 1e3, 3, -1e-3})}));
  RowMatrix<double> scaled = images(6, {2, 1, 4});
  for (Index i = 0; i < 6; ++i) scaled.row(i) *= std::pow(10.0, i - 3);
  check_primitive(GroupNorm{{2, 1, 4}, 2}, make_case("images of scale 1e-3 to 1e2", {scaled}));
  check_primitive(GroupNorm{{2, 1, 2}, 1}, make_case("ties", {RowMatrix<double>::Constant(4, 4, 0.75)}));
  check_primitive(GroupNorm{{2, 1, 2}, 2}, make_case("zeros", {RowMatrix<double>::Zero(4, 4)}));
}

TEST_CASE("GroupNorm: what a group of one entry passes on is exactly nothing") {
  // In float round-off, times 1/sqrt(epsilon) = 316, would show.
  const ImageShape in{1, 1, 21};  // 16, 4 and 1 channels
  const RowMatrix<double> x = images(5, in, 3), delta = images(5, in, 7);
  Direct<float, GroupNorm> direct({in, 21}, x, random_vector(42, RandomStream(37, "w"), 2));
  CHECK(direct.pullback(delta).isZero(0));
  CHECK(direct.pushforward(delta).isZero(0));
}

TEST_CASE("GroupNorm: images far from 0 keep their digits") {
  // The inputs are multiples of 2^-6, so they are the same in float; neither the rounding of the mean (to 2^-10) nor
  // that of the sum of 512 entries may show.
  const ImageShape in{16, 16, 4};
  RowMatrix<double> x = images(2, in, 1);
  x = (x.array() * 64).round() / 64 + 1e4;
  const Vector w = (Vector(8) << 1, 1, 1, 1, 0, 0, 0, 0).finished();
  check_rows("float", Direct<float, GroupNorm>({in, 2}, x, w).output(), normalised(in, 2, 1e-5, x), 5e-6);
}

TEST_CASE("GroupNorm: with one group on one pixel it is LayerNorm") {
  const RowMatrix<double> x = images(4, {1, 1, 7}, 3);
  const Vector w = random_vector(14, RandomStream(36, "w"));
  check_rows("forward", Direct<double, GroupNorm>({{1, 1, 7}, 1}, x, w).output(),
             Direct<double, LayerNorm>({}, x, w).output(), 1e-14);
}

TEST_CASE("GroupNorm: a sample does not see its company") {
  const ImageShape in{3, 3, 4};
  const RowMatrix<double> x = images(5, in);
  const Vector w = random_vector(8, RandomStream(36, "w"));
  const auto all = Direct<float, GroupNorm>({in, 2}, x, w).output();
  for (Index i = 0; i < 5; ++i) CHECK((Direct<float, GroupNorm>({in, 2}, x.row(i), w).output() == all.row(i)));
}

TEST_CASE("GroupNorm: begins as the normalisation alone, or as nothing, and says which parameters decay") {
  for (bool decays : {true, false})
    for (double scale : {1.0, 0.0}) {
      Graph<double> g;
      const auto y = g.add(GroupNorm{.in = {1, 2, 3}, .groups = 3, .decays = decays, .initial_scale = scale},
                           {g.input(6)}, "norm");
      const Network<double> net(std::move(g), {.logits = y});
      const auto theta = net.initialize(RandomStream(1, "x"));
      CHECK(theta.values() == (Vector(6) << scale, scale, scale, 0, 0, 0).finished());
      REQUIRE(theta.segments().size() == 2);
      CHECK(theta.segments()[0] == Segment{"norm.scale", 0, 3, decays});
      CHECK(theta.segments()[1] == Segment{"norm.shift", 3, 3, decays});
    }
}

TEST_CASE("GroupNorm: refuses what it cannot group") {
  const auto refuses = [](const GroupNorm& p, Index width) { p.width(std::array<Index, 1>{width}); };
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, 4}, 24),
                       "GroupNorm: expected a number of groups that divides the 6 channels, found 4", ValueError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, 12}, 24),
                       "GroupNorm: expected a number of groups that divides the 6 channels, found 12", ValueError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, 0}, 24),
                       "GroupNorm: expected a number of groups that divides the 6 channels, found 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, -2}, 24),
                       "GroupNorm: expected a number of groups that divides the 6 channels, found -2", ValueError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, 2, 0.0}, 24), "GroupNorm: expected an epsilon above 0, found 0", ValueError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 6}, 2}, 23),
                       "GroupNorm: expected an input of width 24 (an image of 2 x 2 x 6), found 23", ShapeError);
  CHECK_THROWS_WITH_AS(refuses({{2, 2, 0}, 1}, 0),
                       "GroupNorm: expected an image of at least 1 x 1 x 1, found 2 x 2 x 0", ValueError);
}
