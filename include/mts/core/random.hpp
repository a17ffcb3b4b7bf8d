#pragma once
/// \file
/// Counter-based random streams. A stream is a pure function of (seed, purpose, index): the k-th number of a stream
/// depends on nothing else, so a result depends neither on the number of threads nor on the order in which
/// streams are drawn from. Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
/// easy as 1, 2, 3", SC 2011).

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"
#include "mts/core/state.hpp"

namespace mts {

namespace detail {

/// FNV-1a, to turn a purpose in words into a number.
constexpr std::uint64_t fnv1a(std::string_view s) {
  std::uint64_t h = 14695981039346656037ull;
  for (char c : s) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

/// The finaliser of SplitMix64: a bijection that mixes all bits.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Philox4x32-10: 128 random bits of a 128-bit counter under a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * counter[0];
    const std::uint64_t b = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace detail

/// A random stream keyed by (seed, purpose, index). Satisfies `std::uniform_random_bit_generator`. Cheap to
/// make and to copy; a copy continues independently from the same place. Not to be shared between threads:
/// give each task a stream of its own index instead.
class RandomStream {
  __extension__ using Wide = unsigned __int128;

 public:
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  /// \param seed     the run's seed
  /// \param purpose  what the numbers are for, in words ("pool", "batch order"): different words, different streams
  /// \param index    which stream of that purpose (a step, a sample, a replicate)
  constexpr RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0)
      : key_(detail::mix64(detail::mix64(seed) ^ detail::fnv1a(purpose))), index_(index) {}

  /// The stream of a narrower purpose: a function of this stream's key and index, not of its position.
  constexpr RandomStream substream(std::string_view purpose, std::uint64_t index = 0) const {
    RandomStream s(0, purpose, index);
    s.key_ = detail::mix64(key_ ^ detail::mix64(index_ ^ detail::fnv1a(purpose)));
    return s;
  }

  /// 64 uniform bits.
  constexpr result_type operator()() {
    const std::uint64_t block = position_ >> 1;
    if ((position_ & 1) == 0) {
      const auto r = detail::philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                     static_cast<std::uint32_t>(index_), static_cast<std::uint32_t>(index_ >> 32)},
                                    {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32)});
      low_ = (std::uint64_t{r[1]} << 32) | r[0];
      high_ = (std::uint64_t{r[3]} << 32) | r[2];
    }
    return (position_++ & 1) == 0 ? low_ : high_;
  }

  /// Uniform on [0, 1), 53 bits.
  double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform on [a, b).
  double uniform(double a, double b) { return a + (b - a) * uniform(); }
  /// Standard normal, by Box and Muller; always consumes two draws, so positions stay countable.
  double normal() {
    const double u = 1.0 - uniform();  // (0, 1]
    const double v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }
  /// Bernoulli(p).
  bool chance(double p) { return uniform() < p; }
  /// Uniform on {0, ..., n-1}, exactly (Lemire's rejection). \throws ValueError if n = 0.
  std::uint64_t below(std::uint64_t n) {
    check_value(n > 0, "RandomStream::below", "n must be positive, found 0");
    const std::uint64_t threshold = (0 - n) % n;
    for (;;) {
      const Wide product = static_cast<Wide>((*this)()) * n;
      if (static_cast<std::uint64_t>(product) >= threshold) return static_cast<std::uint64_t>(product >> 64);
    }
  }
  /// A random permutation of {0, ..., n-1} (Fisher and Yates). \throws ValueError if n < 0
  std::vector<Index> permutation(Index n) {
    check_value(n >= 0, "RandomStream::permutation", "n must not be negative, found ", n);
    std::vector<Index> p(static_cast<std::size_t>(n));
    for (Index i = 0; i < n; ++i) p[static_cast<std::size_t>(i)] = i;
    for (std::size_t i = p.size(); i > 1; --i) std::swap(p[i - 1], p[below(i)]);
    return p;
  }

  /// How many 64-bit draws have been taken; with `seek`, the whole state of the stream.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) {
    position_ = position & ~std::uint64_t{1};
    if (position & 1) (*this)();
  }

  /// Writes which stream this is, and its position.
  void save(std::ostream& out) const {
    detail::StateWriter(out, "RandomStream::save", kind).number(key_).number(index_).number(position_);
  }
  /// Goes to a saved position of this stream.
  /// \throws DataError if the stream ends early, or holds the position of another stream; then nothing has changed
  void load(std::istream& in) {
    detail::StateReader reader(in, "RandomStream::load", kind);
    reader.same("key", key_);
    reader.same("index", index_);
    seek(reader.number<std::uint64_t>("position"));
  }

 private:
  static constexpr detail::StateKind kind = {'m', 't', 's', '-', 'r', 'n', 'd', '1'};

  std::uint64_t key_;
  std::uint64_t index_;
  std::uint64_t position_ = 0;
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

}  // namespace mts
