#pragma once
/// \file
/// How what a run has become is written to a stream and read back, bit for bit: what `save` and `load` of samplers,
/// optimisers, features and steps are made of.
///
/// A state is eight letters that say whose it is, then numbers in the machine's own byte order. It holds what training
/// changes, not what it was told: options are the caller's, and what a state can't do without (sizes, seeds) is written
/// to be compared. A reader believes nothing: it takes memory for no more than is there.

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <istream>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/core/error.hpp"

namespace mts {

/// Stateful: something whose state can be written and read back, bit for bit.
///  ST1  `x.save(ostream)` and `x.load(istream)`; load refuses what does not fit with a DataError, and then nothing has changed.
template <class T>
concept Stateful = requires(const T& c, T& x, std::ostream& out, std::istream& in) {
  c.save(out);
  x.load(in);
};

/// StatefulOptimizer: an optimiser of parameters P whose state can be written and read back.
///  SO1  `o.save(ostream)` and `o.load(istream, theta)`, theta of the shape of what it moves; load refuses as ST1.
template <class O, class P>
concept StatefulOptimizer = requires(const O& c, O& o, std::ostream& out, std::istream& in, const P& theta) {
  c.save(out);
  o.load(in, theta);
};

/// Calls load(), which loads these states. If it throws, they are as they were before.
template <class F, Stateful... T>
void all_or_none(F&& load, T&... states) {
  std::stringstream before;
  (states.save(before), ...);
  try {
    load();
  } catch (...) {
    (states.load(before), ...);
    throw;
  }
}
/// Loads states that follow one another in a stream: all, or none. \throws DataError as `load`
template <Stateful... T>
void load_all([[maybe_unused]] std::istream& in, T&... states) {
  all_or_none([&] { (states.load(in), ...); }, states...);
}

namespace detail {

/// Whose state it is.
using StateKind = std::array<char, 8>;

/// Writes a state. Every call \throws DataError("WHERE: ...") if the stream does not take it
class StateWriter {
 public:
  StateWriter(std::ostream& out, std::string where, StateKind kind) : out_(out), where_(std::move(where)) {
    put(kind.data(), kind.size());
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  StateWriter& number(T x) {
    put(&x, sizeof x);
    return *this;
  }
  StateWriter& count(Index n) { return number(std::int64_t{n}); }
  /// How many, then the entries.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  StateWriter& vector(std::span<const T> x) {
    count(static_cast<Index>(x.size()));
    put(x.data(), x.size_bytes());
    return *this;
  }
  template <class T>
  StateWriter& vector(const std::vector<T>& x) {
    return vector(std::span<const T>(x));
  }
  StateWriter& vector(const SampleVector& x) {
    return vector(std::span<const double>(x.data(), static_cast<std::size_t>(x.size())));
  }
  StateWriter& words(std::string_view x) { return vector(std::span<const char>(x)); }

 private:
  void put(const void* from, std::size_t bytes) {
    out_.write(static_cast<const char*>(from), static_cast<std::streamsize>(bytes));
    if (!out_) throw DataError(text(where_, ": the stream does not take the state"));
  }
  std::ostream& out_;
  std::string where_;
};

/// Reads what `StateWriter` wrote. Every call \throws DataError("WHERE: WHAT: expected ..., found ...") where the stream ends
/// early or holds something else
class StateReader {
 public:
  StateReader(std::istream& in, std::string where, StateKind kind) : in_(in), where_(std::move(where)) {
    StateKind found{};
    take(found.data(), found.size(), "its kind");
    if (found == kind) return;
    for (char& c : found)
      if (c < ' ' || c > '~') c = '?';
    throw DataError(text(where_, ": expected a state of the kind '", std::string_view(kind.data(), kind.size()),
                         "', found '", std::string_view(found.data(), found.size()), "'"));
  }
  template <class T>
    requires(std::is_arithmetic_v<T> && !std::same_as<T, bool>)
  T number(std::string_view what) {
    T x{};
    take(&x, sizeof x, what);
    return x;
  }
  bool flag(std::string_view what) {
    const auto x = number<std::uint8_t>(what);
    check(x <= 1, what, "0 or 1", int{x});
    return x == 1;
  }
  Index count(std::string_view what) {
    const auto n = number<std::int64_t>(what);
    check(n >= 0, what, "a number of at least 0", n);
    return n;
  }
  double finite(std::string_view what) {
    const auto x = number<double>(what);
    check(std::isfinite(x), what, "a finite number", x);
    return x;
  }
  /// A number that must be this one.
  template <class T>
  void same(std::string_view what, T expected) {
    const T found = number<T>(what);
    check(found == expected, what, expected, found);
  }
  /// A vector of whatever length.
  template <class T>
    requires(std::is_trivially_copyable_v<T> && !std::same_as<T, bool>)
  std::vector<T> vector(std::string_view what) {
    return entries<T>(count(what), what);
  }
  /// A vector that must be of this length.
  template <class T>
  std::vector<T> vector(std::string_view what, Index length) {
    const Index found = count(what);
    check(found == length, what, text(length, " of them"), found);
    return entries<T>(length, what);
  }
  SampleVector sample_vector(std::string_view what, Index length) {
    const auto x = vector<double>(what, length);
    return Eigen::Map<const SampleVector>(x.data(), length);
  }
  std::string words(std::string_view what) {
    const auto x = vector<char>(what);
    return {x.begin(), x.end()};
  }
  /// Throws DataError("WHERE: WHAT: expected E, found F") unless `holds`.
  template <class E, class F>
  void check(bool holds, std::string_view what, const E& expected, const F& found) const {
    if (!holds) throw DataError(text(where_, ": ", what, ": expected ", expected, ", found ", found));
  }

 private:
  /// Memory grows with what has been read, so that a forged length costs nothing.
  template <class T>
  std::vector<T> entries(Index n, std::string_view what) {
    constexpr Index most = (1 << 20) / sizeof(T);
    std::vector<T> x;
    for (Index begin = 0; begin < n; begin = static_cast<Index>(x.size())) {
      const Index more = std::min(most, n - begin);
      x.resize(static_cast<std::size_t>(begin + more));
      take(x.data() + begin, static_cast<std::size_t>(more) * sizeof(T), what);
    }
    return x;
  }
  void take(void* to, std::size_t bytes, std::string_view what) {
    in_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (!in_) throw DataError(text(where_, ": ", what, ": expected ", bytes, " bytes, found the end of the state"));
  }
  std::istream& in_;
  std::string where_;
};

}  // namespace detail

}  // namespace mts
