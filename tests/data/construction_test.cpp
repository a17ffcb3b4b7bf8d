// What all benchmarks share, asked of each: sizes, threads, disjoint images, kinds in their shares, edits and their
// references, and what is refused.
#include "mts/data/construction.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "data/made_up.hpp"
#include "data/support.hpp"
#include "mts/data/attribute.hpp"
#include "mts/data/domain.hpp"
#include "mts/data/spurious.hpp"
#include "mts/data/texture.hpp"

using namespace mts::data;
using namespace mts_test;
using mts::ThreadLimit;

#define BENCHMARKS Spurious, Attribute, Texture, Domain

TEST_CASE_TEMPLATE("a construction: the parts have their sizes and pass their checks", B, BENCHMARKS) {
  const Problem& p = built<B>().problem;
  const ConstructionOptions o = B{}.options;
  const auto classes = static_cast<Index>(o.classes.size());
  CHECK_NOTHROW(check(p));
  CHECK(p.name == B::name);
  CHECK(p.image == ImageShape{side, side, 1});
  CHECK(p.classes == classes);
  CHECK(p.pool.size() == classes * o.real_per_class * (1 + o.edits_per_real));
  CHECK(p.validation.size() == o.validation);
  CHECK(o.validation >= 40);
  CHECK(o.validation <= 60);
  CHECK(p.tuning.size() == 2000);
  CHECK(p.test.size() == 2000);
  for (const LabelledSet* set : {static_cast<const LabelledSet*>(&p.pool), &p.validation, &p.tuning, &p.test}) {
    CHECK(set->inputs.minCoeff() >= 0);
    CHECK(set->inputs.maxCoeff() <= 1);
    CHECK(set->embeddings == set->inputs.leftCols(3));
  }
}

TEST_CASE_TEMPLATE("a construction: same seed, same bits, whatever the number of threads; another seed, another pool",
                   B, BENCHMARKS) {
  const Problem& p = built<B>().problem;
  for (const int threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    CHECK(same(made_of(renumbered<B>()), p));
  }
  const Problem other = made_of(renumbered<B>(), 901);
  CHECK(other.pool.inputs != p.pool.inputs);
  CHECK(other.pool.kinds != p.pool.kinds);
  CHECK(other.test.inputs != p.test.inputs);
}

TEST_CASE_TEMPLATE(
    "a construction: validation, tuning and test are real, clean, of balanced classes, and share no image", B,
    BENCHMARKS) {
  const Problem& p = built<B>().plain;
  const Index reals = p.classes * B{}.options.real_per_class;
  std::set<Index> training;
  for (Index i = 0; i < reals; ++i) CHECK(training.insert(number_of(p.pool.inputs(i, 0), train_size)).second);
  for (const LabelledSet* set : {&p.validation, &p.tuning, &p.test}) {
    const bool test = set == &p.test;
    std::set<Index> own;
    std::map<int, Index> count;
    for (Index i = 0; i < set->size(); ++i) {
      const auto k = static_cast<std::size_t>(i);
      const Index number = number_of(set->inputs(i, 0), test ? test_size : train_size);
      CHECK((test ? own : training).insert(number).second);
      CHECK(number % p.classes == set->labels[k]);
      if (!test) CHECK(number < train_size / 3 * 2);
      ++count[set->labels[k]];
    }
    for (const auto& [label, n] : count) CHECK(n == set->size() / p.classes);
  }
}

TEST_CASE_TEMPLATE(
    "a construction: real images come first, class by class; kinds in their shares, by the code's parity", B,
    BENCHMARKS) {
  const Pool& pool = built<B>().problem.pool;
  const ConstructionOptions o = B{}.options;
  const auto reals = static_cast<Index>(o.classes.size()) * o.real_per_class;
  std::array<std::array<double, 5>, 2> count{};
  for (Index i = 0; i < pool.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    CHECK((pool.kinds[k] == Kind::real) == (i < reals));
    if (i < reals)
      CHECK(pool.labels[k] == i / o.real_per_class);
    else
      ++count[static_cast<std::size_t>(pool.labels[k] % 2)][static_cast<std::size_t>(pool.kinds[k])];
  }
  for (std::size_t parity = 0; parity < 2; ++parity) {
    const auto shares = numbers(parity == 0 ? o.even : o.odd);
    const double all = std::accumulate(count[parity].begin(), count[parity].end(), 0.0);
    CHECK(all == static_cast<double>(pool.size() - reals) / 2);
    for (std::size_t kind = 1; kind < 5; ++kind) CHECK(plausible(count[parity][kind], all, shares[kind - 1]));
  }
}

TEST_CASE_TEMPLATE("a construction: each edit has its origin's label and what its kind says of reference and strength",
                   B, BENCHMARKS) {
  const Pool& pool = built<B>().plain.pool;
  const ConstructionOptions o = B{}.options;
  const int classes = built<B>().plain.classes;
  REQUIRE(built<B>().generator.encoded.size() == 2);
  const auto& sources = built<B>().generator.encoded[0];
  const auto& references = built<B>().generator.encoded[1];
  const Index reals = classes * o.real_per_class;
  std::set<Index> used;
  double contents = 0, systematic = 0;
  std::map<Kind, std::pair<double, double>> strengths;
  for (Index i = reals; i < pool.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    const Index e = i - reals, origin = e / o.edits_per_real;
    CHECK(pool.origins[k] == origin);
    CHECK(pool.labels[k] == pool.labels[static_cast<std::size_t>(origin)]);
    CHECK(pool.groups[k] == synthetic_group);
    CHECK(sources(e, 0) == pool.inputs(origin, 0));
    const Kind kind = pool.kinds[k];
    if (kind == Kind::destroyed) continue;
    const Index reference = number_of(references(e, 0), train_size);
    CHECK(reference >= train_size / 3 * 2);
    CHECK(used.insert(reference).second);
    const int shown = static_cast<int>(reference % classes), y = pool.labels[k];
    if (kind == Kind::content) {
      CHECK(shown != y);
      ++contents;
      systematic += shown == (y + 1) % classes;
    } else {
      CHECK(shown == y);
    }
    const double x = static_cast<double>(sources(e, 0)), r = static_cast<double>(references(e, 0));
    if (std::abs(r - x) < 0.05) continue;
    const double s = (static_cast<double>(pool.inputs(i, 0)) - x) / (r - x);
    auto& [low, high] = strengths.try_emplace(kind, 2.0, -1.0).first->second;
    low = std::min(low, s);
    high = std::max(high, s);
  }
  CHECK(plausible(systematic, contents, o.systematic));
  // the extremes of some hundreds of uniform numbers are near the ends of their range
  const auto check_strengths = [&](Kind kind, const Range& range) {
    CAPTURE(name_of(kind));
    const double slack = 0.05 * (range.high - range.low);
    CHECK(std::abs(strengths[kind].first - range.low) < slack);
    CHECK(std::abs(strengths[kind].second - range.high) < slack);
  };
  check_strengths(Kind::good, o.good_strength);
  check_strengths(Kind::unchanged, o.unchanged_strength);
  check_strengths(Kind::content, o.content_strength);
}

TEST_CASE_TEMPLATE("a construction: destroyed edits keep their origin's attribute, and nothing else of it", B,
                   BENCHMARKS) {
  const Pool& pool = built<B>().problem.pool;
  double difference = 0, count = 0;
  for (Index i = 0; i < pool.size(); ++i) {
    const auto k = static_cast<std::size_t>(i), o = static_cast<std::size_t>(pool.origins[k]);
    if (pool.kinds[k] != Kind::destroyed) continue;
    CHECK(pool.attributes[k] == pool.attributes[o]);
    difference += static_cast<double>((pool.inputs.row(i) - pool.inputs.row(pool.origins[k])).cwiseAbs().mean());
    ++count;
  }
  CHECK(difference / count > 0.05);
}

TEST_CASE_TEMPLATE(
    "a construction: styled web images are the web images in the benchmark's styles, the same at any time", B,
    BENCHMARKS) {
  const B benchmark = renumbered<B>();
  const ImageData& images = made_up(benchmark.options.classes.size());
  const auto plain = web_images(images), styled = styled_web_images(benchmark, images);
  CHECK(plain.rows() == train_size / 3);
  CHECK(styled.rows() == plain.rows());
  CHECK(styled != plain);
  CHECK(styled_web_images(Unpainted<B>{benchmark}, images) == plain);
  const ThreadLimit limit(1);
  CHECK(styled_web_images(benchmark, images) == styled);
}

TEST_CASE_TEMPLATE("a construction: a data set too small, and options outside their domain, are refused in words", B,
                   BENCHMARKS) {
  const std::string name(B::name);
  const auto classes = static_cast<int>(B{}.options.classes.size());
  const auto make = [&](const ImageData& images, auto&& change) {
    B b = renumbered<B>();
    change(b.options);
    return construct(b, images, Blend{}, Corner{}, 0);
  };
  using O = decltype(B::options);
  const ImageData small{numbered(15 * classes, classes), numbered(15 * classes, classes)};
  const auto each = [&](const char* what, Index n) {
    return mts::detail::text(name, ": the data set is too small: expected more than ", n, " ", what);
  };
  const Index period = B{}.period();
  CHECK_REFUSED(mts::DataError, make(small, [](O&) {}), each("training images of class 0", 10));
  CHECK_REFUSED(mts::DataError, make(small, [](O& o) { o.real_per_class = 3; }), each("web images of class", 5));
  CHECK_REFUSED(mts::DataError,
                make(small,
                     [&](O& o) {
                       o.real_per_class = 1;
                       o.edits_per_real = 1;
                       o.validation = o.tuning = period;
                     }),
                each("test images of class 0", 15));
  const ImageData& images = made_up(static_cast<std::size_t>(classes));
  CHECK_REFUSED(mts::ValueError, make(images, [&](O& o) { o.classes[2] = classes; }), name, "class of code 2",
                mts::detail::text("0 to ", classes - 1, ", found ", classes));
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.classes[2] = 1; }), name, "class 1 is given twice");
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.classes = {0, 1}; }), "at least 3 classes", "found 2");
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.systematic = 1.5; }), "[0, 1]", "1.5");
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.odd = {.2, .3, .4, .2}; }), "sum to 1", "1.1");
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.even = {-.2, .6, .4, .2}; }), "not negative");
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.content_strength = {.65, 2}; }), "strengths", "0.65 to 2");
  CHECK_REFUSED(mts::ValueError, make(images, [&](O& o) { o.validation = period + 1; }),
                mts::detail::text("multiple of ", period), mts::detail::text("found ", period + 1));
  CHECK_REFUSED(mts::ValueError, make(images, [](O& o) { o.real_per_class = 0; }), "real_per_class >= 1", "found 0");
}
