// States in streams: what was written is read back, what does not fit is refused in words, forged lengths cost no memory, all or
// none.
#include "mts/core/state.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "data/support.hpp"
#include "support/state.hpp"

using namespace mts;
using detail::StateReader;
using detail::StateWriter;

namespace {

constexpr detail::StateKind kind = {'t', 'e', 's', 't', 'i', 'n', 'g', '1'};

/// A number that is saved with how often it may be loaded.
struct Cell {
  double value = 0;
  void save(std::ostream& out) const { StateWriter(out, "Cell::save", kind).number(value); }
  void load(std::istream& in) { value = StateReader(in, "Cell::load", kind).finite("value"); }
};
static_assert(Stateful<Cell>);
static_assert(!Stateful<double>);

std::string cells(std::initializer_list<double> values) {
  std::ostringstream out;
  for (const double v : values) Cell{v}.save(out);
  return out.str();
}

}  // namespace

TEST_CASE("numbers, vectors and words are read back as they were written, to the bit") {
  std::ostringstream out;
  const SampleVector v = SampleVector::LinSpaced(5, -1, 1);
  StateWriter(out, "writer", kind)
      .number(-0.0)
      .count(7)
      .number(true)
      .vector(std::vector<Index>{3, -1})
      .words("")
      .words("two words")
      .vector(v)
      .number(std::uint64_t{1} << 63);
  std::istringstream in(out.str());
  StateReader reader(in, "reader", kind);
  CHECK(std::signbit(reader.number<double>("zero")));
  CHECK(reader.count("seven") == 7);
  CHECK(reader.flag("true"));
  CHECK(reader.vector<Index>("indices", 2) == std::vector<Index>{3, -1});
  CHECK(reader.words("nothing") == "");
  CHECK(reader.words("words") == "two words");
  CHECK(reader.sample_vector("v", 5) == v);
  reader.same("large", std::uint64_t{1} << 63);
  CHECK(in.peek() == std::istringstream::traits_type::eof());
}

TEST_CASE("what does not fit is refused by name: what, where, expected, found") {
  const auto read = [](auto&& write, auto&& take) {
    return [&] {
      std::ostringstream out;
      StateWriter writer(out, "writer", kind);
      write(writer);
      std::istringstream in(out.str());
      StateReader reader(in, "reader", kind);
      take(reader);
    };
  };
  const auto refuses = [&](auto&& write, auto&& take, std::initializer_list<std::string> parts) {
    CHECK(mts_test::not_refused<DataError>(read(write, take), parts) == "");
  };
  refuses([](auto& w) { w.number(std::int64_t{-3}); }, [](auto& r) { (void)r.count("steps"); },
          {"reader: steps: expected a number of at least 0, found -3"});
  refuses([](auto& w) { w.number(std::numeric_limits<double>::infinity()); }, [](auto& r) { (void)r.finite("mean"); },
          {"reader: mean: expected a finite number, found inf"});
  refuses([](auto& w) { w.number(std::uint8_t{2}); }, [](auto& r) { (void)r.flag("flag"); },
          {"reader: flag", "found 2"});
  refuses([](auto& w) { w.number(4); }, [](auto& r) { r.same("batch", 5); }, {"reader: batch: expected 5, found 4"});
  refuses([](auto& w) { w.vector(std::vector<double>(3)); }, [](auto& r) { (void)r.sample_vector("weights", 4); },
          {"reader: weights: expected 4 of them, found 3"});
  refuses([](auto&) {}, [](auto& r) { (void)r.template number<double>("rate"); },
          {"reader: rate: expected 8 bytes, found the end of the state"});

  std::istringstream foreign("mts-\x01gd1....");
  CHECK_REFUSED(DataError, StateReader(foreign, "reader", kind), "expected a state of the kind 'testing1'",
                "found 'mts-?gd1'");
  std::istringstream empty;
  CHECK_REFUSED(DataError, StateReader(empty, "reader", kind), "reader: its kind", "end of the state");
}

TEST_CASE("a forged length takes no more memory than there are bytes, and is refused") {
  for (const std::int64_t forged : {std::int64_t{1} << 62, std::int64_t{1} << 40, std::int64_t{-1}}) {
    std::ostringstream out;
    StateWriter(out, "writer", kind).number(forged).number(1.0);
    std::istringstream in(out.str());
    StateReader reader(in, "reader", kind);
    CHECK_THROWS_AS(reader.vector<double>("entries"), DataError);
  }
}

TEST_CASE("a stream that does not take a state is an error in words") {
  std::ofstream full("/dev/full", std::ios::binary);
  const std::vector<double> much(100000);  // more than the stream's own memory
  CHECK_REFUSED(DataError, StateWriter(full, "writer", kind).vector(much),
                "writer: the stream does not take the state");
}

TEST_CASE("states that follow one another are loaded all or none") {
  Cell a{1}, b{2}, c{3};
  std::istringstream in(cells({10, 20, 30}));
  load_all(in, a, b, c);
  CHECK(a.value == 10);
  CHECK(b.value == 20);
  CHECK(c.value == 30);
  for (const std::string& bytes : {cells({4, 5}), cells({4, 5, std::nan("")}), std::string()}) {
    std::istringstream bad(bytes);
    CHECK_THROWS_AS(load_all(bad, a, b, c), DataError);
    CHECK(a.value == 10);
    CHECK(b.value == 20);
    CHECK(c.value == 30);
  }
}
