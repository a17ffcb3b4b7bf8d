// The embedding as features: a look-up of what was given, names, and what is refused.
#include "mts/features/generative_embedding.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "features/support.hpp"

using namespace mts_test;
using mts::features::GenerativeEmbedding;

static_assert(mts::FeatureExtractor<GenerativeEmbedding, mts::FeatureContext<LossesOnly, mts::NoValidation>>);
static_assert(!GenerativeEmbedding::reads_validation());
static_assert(GenerativeEmbedding::by_rows());

TEST_CASE("embedding: a column for each of its entries, by name") {
  const GenerativeEmbedding f(3);
  CHECK(f.name() == "embedding");
  CHECK(f.layout().continuous == std::vector<std::string>{"embedding_1", "embedding_2", "embedding_3"});
  CHECK(f.layout().categorical.empty());
  CHECK(f.cost().find("look-up") != std::string::npos);
  CHECK(GenerativeEmbedding(1).layout().continuous == std::vector<std::string>{"embedding_1"});
}

TEST_CASE_TEMPLATE("embedding: the pool's rows themselves, in double, from any matrix; a batch looks its own up", S,
                   float, double) {
  const auto x = random_rows<S>(60, 5, 3);
  const Samples pool = random_pool(60, 3, 4);
  const RowMatrix<double> expected = x.template cast<double>();
  CHECK(fitted_table(GenerativeEmbedding(5), x, pool) == expected);
  CHECK(same_bits(GenerativeEmbedding(5), x, pool));
  GenerativeEmbedding f(5);
  f.fit(x, pool);
  const auto rows = looked_up(f, {59, 0, 7, 7});
  CHECK(rows.row(0) == expected.row(59));
  CHECK(rows.row(1) == expected.row(0));
  CHECK(rows.row(2) == expected.row(7));
  CHECK(rows.row(3) == expected.row(7));
}

TEST_CASE("embedding: labels and groups change nothing, order is the pool's, and a second fit replaces the first") {
  const auto x = random_rows<double>(40, 4, 3), y = random_rows<double>(8, 4, 5);
  const Samples pool = random_pool(40, 3, 4);
  CHECK(change_by_permutation(GenerativeEmbedding(4), x, pool) == 0);
  CHECK(fitted_table(GenerativeEmbedding(4), x, Samples{{}, std::vector<int>(40, 0), {}}) == x);
  const ToyPool toy;
  CHECK(fitted_table(GenerativeEmbedding(2), toy.e, toy.samples) == toy.e);
  GenerativeEmbedding f(4);
  f.fit(x, pool);
  f.fit(y, Samples{{}, std::vector<int>(8, 1), {}});
  CHECK(f.table().values() == y);
}

TEST_CASE("embedding: what is refused") {
  CHECK_REFUSED(mts::ValueError, GenerativeEmbedding(0), "embedding", "width must be at least 1", "found 0");
  CHECK_REFUSED(mts::ValueError, GenerativeEmbedding(-3), "found -3");
  const auto x = random_rows<double>(20, 4, 3);
  const Samples pool = random_pool(20, 2, 4);
  const auto fit = [](const auto& e, const Samples& of, Index width = 4) {
    GenerativeEmbedding f(width);
    f.fit(e, of);
  };
  CHECK_NOTHROW(fit(x, pool));
  CHECK_REFUSED(mts::ShapeError, (fit(x, pool, 3), 0), "embedding", "width of the embeddings", "expected 3, found 4");
  CHECK_REFUSED(mts::ShapeError, (fit(x, Samples{{}, {0, 1}, {}}), 0), "embedding", "labels of the pool",
                "expected 20, found 2");
  CHECK_REFUSED(mts::ShapeError, (fit(RowMatrix<double>(0, 4), Samples{}), 0), "embedding", "at least 1 sample");
  auto bad = x;
  bad(6, 2) = std::nan("");
  CHECK_REFUSED(mts::NumericalError, (fit(bad, pool), 0), "embedding", "embedding of sample 6", "finite", "NaN");
  RowMatrix<float> infinite = x.cast<float>();
  infinite(19, 3) = -std::numeric_limits<float>::infinity();
  CHECK_REFUSED(mts::NumericalError, (fit(infinite, pool), 0), "embedding of sample 19", "infinity");
  Samples other = pool;
  for (Index i = 0; i < 20; ++i) other.ids.push_back(i == 5 ? 6 : i);
  CHECK_REFUSED(mts::ValueError, (fit(x, other), 0), "embedding", "expected 5, found 6");
  CHECK_REFUSED(mts::ValueError, looked_up(GenerativeEmbedding(4), {0}), "embedding", "not fitted");
  GenerativeEmbedding f(4);
  f.fit(x, pool);
  CHECK_REFUSED(mts::ValueError, looked_up(f, {3, 20}), "embedding", "id of sample 1", "0 to 19", "found 20");
}
