#include "mts/core/feature_batch.hpp"

#include <doctest/doctest.h>

using namespace mts;

TEST_CASE("layouts compare by names, cardinalities and order") {
  const FeatureLayout a{{"loss", "cosine"}, {{"class", 10}}};
  CHECK(a == FeatureLayout{{"loss", "cosine"}, {{"class", 10}}});
  CHECK(a != FeatureLayout{{"cosine", "loss"}, {{"class", 10}}});
  CHECK(a != FeatureLayout{{"loss", "cosine"}, {{"class", 11}}});
  CHECK(a != FeatureLayout{{"loss", "cosine"}, {{"group", 10}}});
  CHECK(a != FeatureLayout{{"loss", "cosine"}, {}});
}

TEST_CASE("resize takes every dimension from the layout") {
  FeatureBatch<float> f;
  CHECK(f.size() == 0);
  f.resize(7, {{"loss", "cosine"}, {{"class", 10}, {"group", 2}}});
  CHECK(f.size() == 7);
  CHECK(f.continuous.rows() == 7);
  CHECK(f.continuous.cols() == 2);
  REQUIRE(f.categorical.size() == 2);
  CHECK(f.categorical[0].size() == 7);
  CHECK(f.categorical[1].size() == 7);
  CHECK(f.cardinality == std::vector<int>{10, 2});
  f.resize(3, {{}, {{"class", 5}}});
  CHECK(f.size() == 3);
  CHECK(f.continuous.rows() == 3);
  CHECK(f.continuous.cols() == 0);
  CHECK(f.categorical.size() == 1);
  CHECK(f.cardinality == std::vector<int>{5});
  f.resize(0, {});
  CHECK(f.size() == 0);
}

TEST_CASE("a batch of the same size reuses its memory") {
  const FeatureLayout layout{{"loss", "cosine"}, {{"class", 10}}};
  FeatureBatch<double> f;
  f.resize(64, layout);
  const auto* rows = f.continuous.data();
  const auto* column = f.categorical[0].data();
  f.resize(64, layout);
  CHECK(f.continuous.data() == rows);
  CHECK(f.categorical[0].data() == column);
}
