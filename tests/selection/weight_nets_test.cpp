// The three weight nets through the derivative harness; their sizes, beginnings, look-ups, and errors in words.
#include <doctest/doctest.h>

#include "data/support.hpp"
#include "mts/selection/group_weight_net.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/tabular_weight_net.hpp"
#include "support/derivatives.hpp"

using namespace mts;

static_assert(WeightNet<TabularWeightNet<double>> && WeightNet<GroupWeightNet<float>> &&
              WeightNet<MlpWeightNet<float>>);
static_assert(PerSampleDotLinearization<LookUpLinearization<float>, DenseParameters<float>>);
static_assert(PushforwardLinearization<LookUpLinearization<float>, DenseParameters<float>>);
static_assert(PerSampleNormLinearization<LookUpLinearization<float>, DenseParameters<float>>);

namespace {

constexpr int classes = 5;
constexpr Index pool_size = 60;

FeatureLayout layout(Index continuous, bool categorical = true) {
  FeatureLayout l;
  for (Index j = 0; j < continuous; ++j) l.continuous.push_back(detail::text("column ", j));
  if (categorical) l.categorical = {{"class", classes}, {"group", 2}};
  return l;
}
/// Hostile features: zeros, ties, entries of very different sizes; samples that come twice.
template <class S>
FeatureBatch<S> batch(const FeatureLayout& l, Index n) {
  FeatureBatch<S> f;
  f.resize(n, l);
  RandomStream stream(71, "features", static_cast<std::uint64_t>(n));
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < f.continuous.cols(); ++j) {
      const double x = stream.uniform(-1, 1) * std::pow(4.0, static_cast<double>(stream.below(4)));
      f.continuous(i, j) = static_cast<S>(stream.chance(0.1) ? 0.0 : std::round(x * 0x1p10) * 0x1p-10);
    }
    for (std::size_t c = 0; c < l.categorical.size(); ++c)
      f.categorical[c][static_cast<std::size_t>(i)] =
          static_cast<int>(stream.below(static_cast<std::uint64_t>(l.categorical[c].cardinality)));
    f.ids.push_back(static_cast<Index>(stream.below(pool_size)));
  }
  if (n > 1) f.ids[1] = f.ids[0];
  return f;
}
/// Away from where the net begins (which may be 0), on the grid of numbers that float holds too.
DenseParameters<double> spread(DenseParameters<double> phi) {
  RandomStream stream(72, "phi");
  for (Index k = 0; k < phi.size(); ++k) phi.values()[k] += 0.3 * stream.normal();
  phi.values() = testing::snap(testing::Vector(phi.values()));
  return phi;
}

/// Everything that the harness knows of the net, in double and in float.
template <template <class> class Net, class... Arguments>
void check_derivatives(const std::string& name, const FeatureLayout& l, Index n, const Arguments&... arguments) {
  const Net<double> net(arguments...);
  const Net<float> single(arguments...);
  const auto f = batch<double>(l, n);
  const auto g = batch<float>(l, n);
  const auto phi = spread(net.initialize({73, "phi"}));
  DenseParameters<float> phi_single = single.initialize({73, "phi"});
  phi_single.values() = phi.values().template cast<float>();
  const auto exact = testing::at(name, net, phi, f), rough = testing::at(name + ", float", single, phi_single, g);
  testing::check_derivatives(exact);
  testing::check_derivatives(rough);
  testing::check_precision(rough, exact);
}

}  // namespace

TEST_CASE("derivatives of the tabular net: batches of 1 to 300, samples that come twice") {
  for (const Index n : {1, 2, 17, 300}) check_derivatives<TabularWeightNet>("tabular", layout(2), n, pool_size);
}

TEST_CASE("derivatives of the group net, by either column") {
  for (const Index n : {1, 2, 17, 300})
    for (const std::string column : {"class", "group"})
      check_derivatives<GroupWeightNet>("group net by " + column, layout(2), n, layout(2), column);
}

TEST_CASE("derivatives of the MLP net: with embeddings, without, embeddings alone, no hidden layer, other columns") {
  MlpWeightNetOptions options{.hidden = {6, 4}};
  for (const Index n : {1, 2, 17, 150}) {
    check_derivatives<MlpWeightNet>("MLP net", layout(3), n, layout(3), options);
    check_derivatives<MlpWeightNet>("MLP net without embeddings", layout(3, false), n, layout(3, false), options);
    check_derivatives<MlpWeightNet>("MLP net of embeddings", layout(0), n, layout(0), options);
  }
  options.hidden = {};
  check_derivatives<MlpWeightNet>("linear net", layout(3), 17, layout(3), options);
  auto other = layout(2);
  other.categorical.push_back({"source", 3});
  check_derivatives<MlpWeightNet>("MLP net with another column", other, 17, other, MlpWeightNetOptions{.hidden = {5}});
}

TEST_CASE("the paper's 22-100-100-1: 17 continuous features, class in 4 dimensions, group in 1: 12,501 + 4 C + 2") {
  for (const int c : {2, 7, 16}) {
    auto l = layout(17);
    l.categorical[0].cardinality = c;
    const MlpWeightNet<float> net(l);
    CHECK(net.parameter_count() == 12501 + 4 * c + 2);
    const auto phi = net.initialize({1, "phi"});
    CHECK(phi.size() == net.parameter_count());
    Index embedded = 0, spared = 0;
    for (const auto& s : phi.segments()) {
      if (s.name == "embedding.class.table") CHECK(s.length == 4 * c);
      if (s.name == "embedding.group.table") CHECK(s.length == 2);
      if (s.name.starts_with("embedding.")) {
        CHECK(s.decays);
        embedded += s.length;
      }
      if (!s.decays) {
        CHECK(s.name.ends_with("bias"));
        spared += s.length;
      }
    }
    CHECK(embedded == 4 * c + 2);
    CHECK(spared == 100 + 100 + 1);  // weight decay spares all biases, and nothing else
  }
}

TEST_CASE("dimensions are derived from the layout, by the columns' names") {
  auto l = layout(3);
  l.categorical.push_back({"source", 3});
  // (3 + 4 + 1 + 4 inputs) -> 7 -> 1, and tables of 5 x 4, 2 x 1, 3 x 4 (another column's dimension is 4)
  CHECK(MlpWeightNet<double>(l, {.hidden = {7}}).parameter_count() == 12 * 7 + 7 + 7 + 1 + 20 + 2 + 12);
  CHECK(MlpWeightNet<double>(l, {.hidden = {7}, .embedding = {{"class", 2}, {"source", 3}}, .other_embedding = 1})
            .parameter_count() == 9 * 7 + 7 + 7 + 1 + 10 + 2 + 9);
  CHECK(MlpWeightNet<double>(layout(3, false), {.hidden = {}}).parameter_count() == 4);
}

TEST_CASE(
    "beginnings: a function of the stream; embeddings N(0, 1), weights within 1/sqrt(fan-in); shared nets begin at 0") {
  auto l = layout(17);
  l.categorical[0].cardinality = 500;
  const MlpWeightNet<double> net(l);
  auto phi = net.initialize({5, "phi"});
  CHECK(phi.values() == net.initialize({5, "phi"}).values());
  CHECK(phi.values() != net.initialize({6, "phi"}).values());
  const auto table = phi.segment("embedding.class.table");  // 2000 numbers
  CHECK(std::abs(table.mean()) <= 4 / std::sqrt(2000.0));
  CHECK(std::abs(table.squaredNorm() / 2000 - 1) <= 4 * std::sqrt(2.0 / 2000));
  const auto weight = phi.segment("layer1.weight");
  CHECK(weight.cwiseAbs().maxCoeff() <= 1 / std::sqrt(22.0));
  CHECK(weight.cwiseAbs().maxCoeff() > 0.99 / std::sqrt(22.0));
  CHECK(TabularWeightNet<double>(9).initialize({5, "phi"}).values() == Eigen::VectorXd::Zero(9));
  CHECK(GroupWeightNet<double>(layout(0), "class").initialize({5, "phi"}).values() == Eigen::VectorXd::Zero(classes));
}

TEST_CASE("look-ups by hand: the tabular net reads ids, the group net its column; J^T u sums what is shared") {
  const TabularWeightNet<double> tabular(4);
  auto phi = tabular.initialize({1, "phi"});
  phi.values() << 10, 20, 30, 40;
  FeatureBatch<double> f;
  f.resize(3, layout(0));
  f.ids = {2, 0, 2};
  f.categorical = {{4, 1, 4}, {1, 1, 0}};
  const SampleVector u = (SampleVector(3) << 1, 10, 100).finished();
  const auto z = tabular.linearize(phi, f);
  CHECK(z.value() == (SampleVector(3) << 30, 10, 30).finished());
  auto out = phi.zeros_like();
  z.pullback(u, out);
  CHECK(out.values() == (Eigen::VectorXd(4) << 10, 0, 101, 0).finished());
  const auto active = tabular.active(f);
  CHECK(std::vector<Index>(active.begin(), active.end()) == f.ids);

  const GroupWeightNet<double> by_class(layout(0), "class"), by_group(layout(0), "group");
  auto logits = by_class.initialize({1, "phi"});
  logits.values() << 0, 1, 2, 3, 4;
  CHECK(by_class.forward(logits, f).value() == (SampleVector(3) << 4, 1, 4).finished());
  auto two = by_group.initialize({1, "phi"});
  two.values() << -1, 1;
  CHECK(by_group.forward(two, f).value() == (SampleVector(3) << 1, 1, -1).finished());
  by_group.linearize(two, f).pullback(u, two);
  CHECK(two.values() == (Eigen::VectorXd(2) << 100, 11).finished());
}

TEST_CASE("the tabular net refuses in words: no pool, ids that are missing or outside it, a foreign phi") {
  CHECK_REFUSED(ShapeError, TabularWeightNet<double>(0), "TabularWeightNet", "found 0 samples");
  const TabularWeightNet<double> net(4);
  const auto phi = net.initialize({1, "phi"});
  FeatureBatch<double> f;
  f.resize(3, layout(0));
  CHECK_REFUSED(ShapeError, net.linearize(phi, f), "TabularWeightNet", "sample ids", "expected 3", "found 0");
  f.ids = {0, 4, 1};
  CHECK_REFUSED(ValueError, net.linearize(phi, f), "id of sample 1", "expected 0 to 3", "found 4");
  f.ids = {0, 1, -1};
  CHECK_REFUSED(ValueError, net.forward(phi, f), "id of sample 2", "found -1");
  f.ids = {0, 1, 2};
  CHECK_REFUSED(ShapeError, net.linearize(DenseParameters<double>(5), f), "number of parameters", "expected 4",
                "found 5");
  const auto z = net.linearize(phi, f);
  auto out = phi.zeros_like();
  CHECK_REFUSED(ShapeError, z.pullback(SampleVector::Zero(2), out), "length of u", "expected 3", "found 2");
}

TEST_CASE("the group net refuses in words: an unknown column, a column that is missing, a group out of range") {
  CHECK_REFUSED(ValueError, GroupWeightNet<double>(layout(2), "colour"), "GroupWeightNet",
                "no categorical column 'colour'");
  CHECK_REFUSED(ValueError, GroupWeightNet<double>(layout(2), "column 0"), "no categorical column 'column 0'");
  const GroupWeightNet<double> net(layout(0), "group");
  const auto phi = net.initialize({1, "phi"});
  FeatureBatch<double> f;
  f.resize(2, layout(0));
  f.categorical = {{0, 0}, {0, 2}};
  CHECK_REFUSED(ValueError, net.linearize(phi, f), "group of sample 1", "expected 0 to 1", "found 2");
  f.categorical[1] = {0, -1};
  CHECK_REFUSED(ValueError, net.linearize(phi, f), "group of sample 1", "found -1");
  f.categorical[1] = {0};
  CHECK_REFUSED(ShapeError, net.linearize(phi, f), "GroupWeightNet", "'group'", "expected 2", "found 1");
  f.categorical.resize(1);
  CHECK_REFUSED(ShapeError, net.linearize(phi, f), "GroupWeightNet", "no categorical column");
  CHECK_REFUSED(ShapeError, net.linearize(DenseParameters<double>(5), f), "number of parameters", "expected 2");
}

TEST_CASE("the MLP net refuses in words: an empty layout, widths below 1, features of another layout, NaN") {
  CHECK_REFUSED(ShapeError, MlpWeightNet<double>(FeatureLayout{}), "MlpWeightNet", "empty layout");
  CHECK_REFUSED(ShapeError, MlpWeightNet<double>(layout(3), {.hidden = {5, 0}}), "at least 1", "found 0");
  CHECK_REFUSED(ShapeError, MlpWeightNet<double>(layout(3), {.embedding = {{"class", 0}}}), "at least 1", "found 0");
  const MlpWeightNet<double> net(layout(3), {.hidden = {5}});
  const auto phi = net.initialize({1, "phi"});
  const auto good = batch<double>(layout(3), 4);
  CHECK(net.forward(phi, good).value().size() == 4);
  CHECK_REFUSED(ShapeError, net.forward(phi, batch<double>(layout(2), 4)), "MlpWeightNet", "continuous features",
                "expected 3", "found 2");
  CHECK_REFUSED(ShapeError, net.forward(phi, batch<double>(layout(3, false), 4)), "categorical features", "expected 2",
                "found 0");
  auto bad = good;
  bad.categorical[0][2] = classes;
  CHECK_REFUSED(ValueError, net.linearize(phi, bad), "class of sample 2", "expected 0 to 4", "found 5");
  bad = good;
  bad.categorical[1].pop_back();
  CHECK_REFUSED(ShapeError, net.linearize(phi, bad), "expected 4", "found 3");
  bad = good;
  bad.continuous(3, 0) = std::nan("");
  CHECK_REFUSED(NumericalError, net.linearize(phi, bad), "value per sample", "nan", "index 3 of 4");
  CHECK_REFUSED(ShapeError, net.forward(phi, batch<double>(layout(3), 0)), "empty batch");
  CHECK_REFUSED(ShapeError, net.forward(DenseParameters<double>(3), good), "number of parameters", "found 3");
}
