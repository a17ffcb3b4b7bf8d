#include "mts/core/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "support/state.hpp"

using namespace mts;

static_assert(std::uniform_random_bit_generator<RandomStream>);

namespace {

constexpr std::uint64_t seed = 20260101;

/// Mean of f over n draws is `expected` within 5 standard errors; `variance` is that of one draw.
template <class F>
void check_mean(F&& draw, double expected, double variance, int n = 100000) {
  double sum = 0;
  for (int k = 0; k < n; ++k) sum += draw();
  const double error = std::abs(sum / n - expected), budget = 5 * std::sqrt(variance / n);
  CAPTURE(seed);
  CAPTURE(expected);
  CHECK(error <= budget);
}

}  // namespace

TEST_CASE("Philox4x32-10 gives the known answers of the Random123 distribution") {
  using C = std::array<std::uint32_t, 4>;
  CHECK(detail::philox({0, 0, 0, 0}, {0, 0}) == C{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(detail::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        C{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(detail::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        C{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("FNV-1a and SplitMix64 give their published values") {
  CHECK(detail::fnv1a("") == 0xcbf29ce484222325ull);
  CHECK(detail::fnv1a("a") == 0xaf63dc4c8601ec8cull);
  CHECK(detail::fnv1a("foobar") == 0x85944171f73967e8ull);
  // The first output of java.util.SplittableRandom's generator seeded with 0.
  CHECK(detail::mix64(0) == 0xe220a8397b1dcdafull);
}

TEST_CASE("a stream is a function of seed, purpose, index and position") {
  const auto draws = [](RandomStream s) {
    std::vector<std::uint64_t> d(7);
    for (auto& x : d) x = s();
    return d;
  };
  const auto reference = draws(RandomStream(seed, "batch order", 3));
  CHECK(draws(RandomStream(seed, "batch order", 3)) == reference);
  CHECK(draws(RandomStream(seed + 1, "batch order", 3)) != reference);
  CHECK(draws(RandomStream(seed, "batch ordes", 3)) != reference);
  CHECK(draws(RandomStream(seed, "batch order", 4)) != reference);
  CHECK(draws(RandomStream(seed, "batch order", 3 + (1ull << 32))) != reference);
}

TEST_CASE("seek and position are the whole state of a stream") {
  RandomStream s(seed, "seek");
  std::vector<std::uint64_t> reference(20);
  for (auto& x : reference) x = s();
  CHECK(s.position() == 20);
  for (std::uint64_t p = 0; p < 20; ++p) {
    CAPTURE(p);
    RandomStream t(seed, "seek");
    t();
    t.seek(p);
    CHECK(t.position() == p);
    for (std::uint64_t k = p; k < 20; ++k) CHECK(t() == reference[k]);
  }
  // A copy continues by itself from the same place, be it even or odd.
  RandomStream a(seed, "seek");
  a();
  RandomStream b = a;
  CHECK(a() == reference[1]);
  CHECK(a() == reference[2]);
  CHECK(b() == reference[1]);
  // Far away: past 2^32 blocks.
  RandomStream far(seed, "seek"), near(seed, "seek");
  far.seek(1ull << 33);
  CHECK(far() != near());
}

TEST_CASE("every draw of a normal takes two places") {
  RandomStream s(seed, "normal");
  for (std::uint64_t k = 0; k < 5; ++k) {
    CHECK(s.position() == 2 * k);
    s.normal();
  }
}

TEST_CASE("a substream depends on the stream's name, not on its position") {
  RandomStream parent(seed, "run", 2);
  const auto first = [](RandomStream s) { return s(); };
  const auto reference = first(parent.substream("noise", 5));
  parent();
  CHECK(first(parent.substream("noise", 5)) == reference);
  CHECK(first(parent.substream("noise", 6)) != reference);
  CHECK(first(parent.substream("noisf", 5)) != reference);
  CHECK(first(RandomStream(seed, "run", 3).substream("noise", 5)) != reference);
  CHECK(first(RandomStream(seed, "noise", 5)) != reference);
  CHECK(first(parent.substream("noise", 5).substream("noise", 5)) != reference);
}

TEST_CASE("streams of neighbouring names are uncorrelated") {
  const int n = 20000;
  const std::vector<RandomStream> streams = {RandomStream(seed, "a", 0),
                                             RandomStream(seed, "a", 1),
                                             RandomStream(seed, "b", 0),
                                             RandomStream(seed + 1, "a", 0),
                                             RandomStream(seed, "a", 0).substream("a", 0),
                                             RandomStream(seed, "a", 0).substream("a", 1)};
  for (std::size_t i = 0; i < streams.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      RandomStream a = streams[i], b = streams[j];
      CAPTURE(i);
      CAPTURE(j);
      check_mean([&] { return (a.uniform() - 0.5) * (b.uniform() - 0.5); }, 0, 1.0 / 144, n);
    }
}

TEST_CASE("uniform has the moments of the uniform law and stays in [0, 1)") {
  RandomStream s(seed, "uniform");
  for (int k = 0; k < 100000; ++k) {
    const double u = s.uniform();
    if (!(u >= 0 && u < 1)) FAIL("uniform gave " << u);
  }
  check_mean([&] { return s.uniform(); }, 0.5, 1.0 / 12);
  check_mean(
      [&] {
        const double u = s.uniform();
        return u * u;
      },
      1.0 / 3, 4.0 / 45);
  check_mean([&] { return s.uniform(-2, 6); }, 2, 64.0 / 12);
  // All 53 bits are used: the last one is 1 half of the time.
  check_mean([&] { return std::fmod(s.uniform() * 0x1.0p53, 2.0); }, 0.5, 0.25);
}

TEST_CASE("normal has the moments of the standard normal law") {
  RandomStream s(seed, "normal");
  const auto power = [&](int m) { return [&s, m] { return std::pow(s.normal(), m); }; };
  check_mean(power(1), 0, 1);
  check_mean(power(2), 1, 2);
  check_mean(power(3), 0, 15);
  check_mean(power(4), 3, 96);
  // P(x < 1) = Phi(1)
  const double phi = 0.5 * std::erfc(-1 / std::sqrt(2.0));
  check_mean([&] { return s.normal() < 1 ? 1.0 : 0.0; }, phi, phi * (1 - phi));
}

TEST_CASE("chance(p) holds with probability p") {
  RandomStream s(seed, "chance");
  check_mean([&] { return s.chance(0.3) ? 1.0 : 0.0; }, 0.3, 0.21);
  for (int k = 0; k < 1000; ++k) {
    CHECK_FALSE(s.chance(0));
    CHECK(s.chance(1));
  }
}

TEST_CASE("below(n) is uniform on {0, ..., n-1}") {
  RandomStream s(seed, "below");
  CHECK_THROWS_WITH_AS(s.below(0), "RandomStream::below: n must be positive, found 0", ValueError);
  for (int k = 0; k < 100; ++k) CHECK(s.below(1) == 0);
  const int n = 70000;
  std::vector<int> count(7);
  for (int k = 0; k < n; ++k) ++count.at(s.below(7));
  double chi2 = 0;
  for (const int c : count) chi2 += (c - n / 7.0) * (c - n / 7.0) / (n / 7.0);
  CHECK(chi2 <= 6 + 5 * std::sqrt(12.0));  // 6 degrees of freedom: mean 6, variance 12
  // Where a plain modulus would be far off: n = 3/4 of 2^64, and the lower half has probability 2/3. Without rejection,
  // every third number would come up twice as often.
  const std::uint64_t large = 3ull << 62;
  check_mean([&] { return s.below(large) < (1ull << 63) ? 1.0 : 0.0; }, 2.0 / 3, 2.0 / 9);
  check_mean([&] { return s.below(large) % 3 == 0 ? 1.0 : 0.0; }, 1.0 / 3, 2.0 / 9);
  for (int k = 0; k < 1000; ++k)
    if (s.below(large) >= large) FAIL("below(n) gave n or more");
}

TEST_CASE("permutation is one, and every entry is equally likely at every place") {
  RandomStream s(seed, "permutation");
  CHECK(s.permutation(0).empty());
  CHECK(s.permutation(1) == std::vector<Index>{0});
  CHECK_THROWS_WITH_AS(s.permutation(-1), "RandomStream::permutation: n must not be negative, found -1", ValueError);
  auto p = s.permutation(1000);
  CHECK_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  std::vector<Index> identity(1000);
  std::iota(identity.begin(), identity.end(), 0);
  CHECK(p == identity);
  const int n = 20000;
  int count[4][4] = {};
  for (int k = 0; k < n; ++k) {
    const auto q = s.permutation(4);
    for (std::size_t i = 0; i < 4; ++i) ++count[i][q[i]];
  }
  for (const auto& row : count)
    for (const int c : row) CHECK(std::abs(c - n / 4.0) <= 5 * std::sqrt(n * 3.0 / 16));
}

TEST_CASE("a stream goes on from a saved position, odd or even; that of another stream is refused") {
  for (const int before : {0, 1, 4, 7})
    mts_test::check_resumes([] { return RandomStream(seed, "saved", 3); }, [](RandomStream& s, int) { return s(); },
                            before, 5);
  RandomStream stream(seed, "saved", 3);
  stream();
  for (const RandomStream& other :
       {RandomStream(seed + 1, "saved", 3), RandomStream(seed, "other", 3), RandomStream(seed, "saved", 4)})
    mts_test::check_refuses(stream, mts_test::saved(other));
}
