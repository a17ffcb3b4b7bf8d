#include "mts/core/parameters.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <sstream>

#include "mts/core/random.hpp"

using namespace mts;

namespace {

template <class S>
DenseParameters<S> random_parameters(Index size, std::uint64_t index) {
  DenseParameters<S> x(size);
  RandomStream stream(11, "parameters test", index);
  for (Index k = 0; k < size; ++k) x.values()[k] = static_cast<S>(stream.normal());
  return x;
}

DenseParameters<double> counting() {
  DenseParameters<double> x(std::vector<Segment>{{"a", 0, 2, true}, {"none", 2, 0, true}, {"b", 2, 3, false}});
  x.values() << 1, 2, 3, 4, 5;
  return x;
}

}  // namespace

TEST_CASE("segments must follow one another without gaps") {
  using Segments = std::vector<Segment>;
  CHECK(DenseParameters<float>().size() == 0);
  CHECK(DenseParameters<float>().segments().empty());
  CHECK(DenseParameters<float>(Segments{}).size() == 0);
  const DenseParameters<float> whole(3, "theta");
  REQUIRE(whole.segments().size() == 1);
  CHECK(whole.segments()[0] == Segment{"theta", 0, 3, true});
  CHECK(whole.values() == Eigen::VectorXf::Zero(3));
  CHECK(counting().segments()[2] == Segment{"b", 2, 3, false});

  const auto refuses = [](const Segments& s, const char* words) {
    CHECK_THROWS_WITH_AS(DenseParameters<float>{s}, words, ShapeError);
  };
  refuses({{"a", 1, 2}},
          "DenseParameters: segment 'a': expected to begin at 0 with a length of at least 0, found begin 1, length 2");
  refuses({{"a", 0, 2}, {"b", 3, 1}},
          "DenseParameters: segment 'b': expected to begin at 2 with a length of at least 0, found begin 3, length 1");
  refuses({{"a", 0, 2}, {"b", 1, 1}},
          "DenseParameters: segment 'b': expected to begin at 2 with a length of at least 0, found begin 1, length 1");
  CHECK_THROWS_AS(DenseParameters<float>(-1), ShapeError);
}

TEST_CASE("a segment is found by name and can be written through") {
  auto x = counting();
  x.segment("b").setZero();
  CHECK(x.values()[1] == 2);
  CHECK(x.values().tail(3).norm() == 0);
  CHECK(x.segment("none").size() == 0);
  CHECK_THROWS_WITH_AS(x.segment("c"), "DenseParameters::segment: no segment is called 'c'", ValueError);
}

TEST_CASE("clones, copies and zeros are deep and keep the segments") {
  const auto x = counting();
  auto clone = x.clone(), copy = x, zeros = x.zeros_like();
  clone.scale(2);
  copy.scale(3);
  CHECK(zeros.values().norm() == 0);
  zeros.axpy(4, x);
  CHECK(x.values() == counting().values());
  CHECK(clone.values() == 2 * x.values());
  CHECK(copy.values() == 3 * x.values());
  CHECK(zeros.values() == 4 * x.values());
  for (const auto* y : {&clone, &copy, &zeros}) CHECK(y->segments()[2].name == "b");
  x.copy_into(zeros);
  CHECK(zeros.values() == x.values());
}

TEST_CASE_TEMPLATE("dot equals the plain loop over awkward sizes", S, float, double) {
  for (const Index size : {0, 1, 3, 4095, 4096, 4097, 10000}) {
    CAPTURE(size);
    const auto x = random_parameters<S>(size, 0), y = random_parameters<S>(size, 1);
    double expected = 0, magnitude = 0;
    for (Index k = 0; k < size; ++k) {
      const double term = static_cast<double>(x.values()[k]) * static_cast<double>(y.values()[k]);
      expected += term;
      magnitude += std::abs(term);
    }
    CHECK(std::abs(x.dot(y) - expected) <= 64 * static_cast<double>(std::numeric_limits<S>::epsilon()) * magnitude);
    CHECK(x.dot(y) == x.clone().dot(y.clone()));
  }
}

TEST_CASE("transform visits every entry with its segment's operation") {
  auto x = counting();
  const auto y = counting();
  auto z = counting();
  x.transform(
      [](const Segment& s) {
        return [sign = s.decays ? 1.0 : -1.0](double& a, const double& b, double& c) {
          a += sign * 10 * b;
          c = sign;
        };
      },
      y, z);
  CHECK(x.values() == Eigen::VectorXd{{11, 22, -27, -36, -45}});
  CHECK(z.values() == Eigen::VectorXd{{1, 1, -1, -1, -1}});
  CHECK(y.values() == counting().values());
}

TEST_CASE("transform gives the same bits for 1, 2 and 4 threads") {
  const auto x = random_parameters<float>(150001, 2), y = random_parameters<float>(150001, 3);
  const auto moved = [&](int threads) {
    const ThreadLimit limit(threads);
    auto z = x.clone();
    z.transform([](const Segment&) { return [](float& a, const float& b) { a = 0.9f * a + 0.3f * b * b; }; }, y);
    return z.values();
  };
  const auto one = moved(1);
  CHECK(moved(2) == one);
  CHECK(moved(4) == one);
}

TEST_CASE("transform_at visits the given entries once each, in any order") {
  auto x = counting();
  const auto y = counting();
  const auto add = [](const Segment& s) {
    return [sign = s.decays ? 1.0 : -1.0](double& a, const double& b) { a += sign * 10 * b; };
  };
  x.transform_at(std::vector<Index>{4, 1, 2, 1, 4, 4}, add, y);
  CHECK(x.values() == Eigen::VectorXd{{1, 22, -27, 4, -45}});
  x.transform_at(std::vector<Index>{}, add, y);
  CHECK(x.values() == Eigen::VectorXd{{1, 22, -27, 4, -45}});
  CHECK_THROWS_WITH_AS(x.transform_at(std::vector<Index>{0, 5}, add, y),
                       "DenseParameters::transform_at: expected entries in [0, 5), found 5", ShapeError);
  CHECK_THROWS_WITH_AS(x.transform_at(std::vector<Index>{0, -1}, add, y),
                       "DenseParameters::transform_at: expected entries in [0, 5), found -1", ShapeError);
  CHECK(x.values()[0] == 1);
}

TEST_CASE("vectors of different sizes are refused") {
  auto x = counting();
  DenseParameters<double> y(4);
  const auto op = [](const Segment&) { return [](double&, double&) {}; };
  CHECK_THROWS_WITH_AS(x.dot(y), "DenseParameters::dot: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.axpy(1, y), "DenseParameters::axpy: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.copy_into(y), "DenseParameters::copy_into: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.transform(op, y), "DenseParameters::transform: length: expected 5, found 4", ShapeError);
  CHECK_THROWS_WITH_AS(x.transform_at(std::vector<Index>{0}, op, y),
                       "DenseParameters::transform_at: length: expected 5, found 4", ShapeError);
}

TEST_CASE_TEMPLATE("save and load are a round trip, bit for bit", S, float, double) {
  using Limits = std::numeric_limits<S>;
  DenseParameters<S> x(6);
  x.values() << S{1} / S{3}, -S{0}, Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min(), Limits::max();
  std::stringstream stream;
  x.save(stream);
  auto y = x.zeros_like();
  y.load(stream);
  CHECK(std::memcmp(x.data(), y.data(), sizeof(S) * 6) == 0);

  DenseParameters<S> none, still_none;
  std::stringstream empty;
  none.save(empty);
  CHECK_NOTHROW(still_none.load(empty));
}

TEST_CASE("save refuses a stream that does not take it") {
  std::ostringstream full;
  full.setstate(std::ios::badbit);
  CHECK_THROWS_WITH_AS(counting().save(full), "DenseParameters::save: the stream does not take 5 parameters",
                       DataError);
}

TEST_CASE("load refuses a truncated stream and another size, and changes nothing") {
  const auto x = counting();
  std::stringstream stream;
  x.save(stream);
  const std::string bytes = stream.str();
  auto y = x.clone();
  y.scale(2);
  const auto before = y.clone();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    std::istringstream cut(bytes.substr(0, length));
    CHECK_THROWS_AS(y.load(cut), DataError);
    CHECK(y.values() == before.values());
  }
  DenseParameters<double> four(4);
  CHECK_THROWS_WITH_AS(four.load(stream), "DenseParameters::load: expected 4 parameters, found 5", DataError);
  std::istringstream nothing("");
  CHECK_THROWS_WITH_AS(four.load(nothing), "DenseParameters::load: expected 4 parameters, found the end of the stream",
                       DataError);
}
