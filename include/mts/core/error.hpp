#pragma once
/// \file
/// Errors. Every refusal of this library is an `mts::Error` that names what was refused, where, what was
/// expected and what was found. The kinds differ in who can mend them: the caller's shapes, the caller's values,
/// a file, or the numbers of a run.

#include <cmath>
#include <concepts>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "mts/core/types.hpp"

namespace mts {

/// The root of all exceptions thrown by this library.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// Sizes that disagree: N, D, C, P, ranks.
class ShapeError : public Error {
 public:
  using Error::Error;
};
/// An argument or option outside its domain: a label out of range, a negative rate, an unknown name.
class ValueError : public Error {
 public:
  using Error::Error;
};
/// A number that is NaN or infinite where the mathematics needs a finite one, or a sum that must not vanish.
class NumericalError : public Error {
 public:
  using Error::Error;
};
/// A file that is missing, truncated, of the wrong kind, or damaged.
class DataError : public Error {
 public:
  using Error::Error;
};

namespace detail {

/// Writes its arguments one after another into a string.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(9);
  (out << ... << parts);
  return out.str();
}

/// Returns f(). A NumericalError that f throws gets "WHERE: " before its words.
template <class F>
auto within(std::string_view where, F&& f) {
  try {
    return f();
  } catch (const NumericalError& error) {
    throw NumericalError(text(where, ": ", error.what()));
  }
}

}  // namespace detail

/// Throws ShapeError("WHERE: WHAT: expected E, found F") unless the two are equal.
inline void check_size(std::string_view where, std::string_view what, Index expected, Index found) {
  if (expected != found) throw ShapeError(detail::text(where, ": ", what, ": expected ", expected, ", found ", found));
}

/// Throws ValueError unless `holds`.
template <class... Parts>
void check_value(bool holds, std::string_view where, const Parts&... what) {
  if (!holds) throw ValueError(detail::text(where, ": ", what...));
}

/// Throws NumericalError that names the first entry which is not finite. x may be a part, from `first` on, of `size` numbers.
template <class Vector>
  requires requires(const Vector& x) { x.size(); }
void check_finite(std::string_view where, std::string_view what, const Vector& x, Index first, Index size) {
  for (Index i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]))
      throw NumericalError(detail::text(where, ": ", what, ": expected finite numbers, found ", x[i], " at index ",
                                        first + i, " of ", size));
}
template <class Vector>
  requires requires(const Vector& x) { x.size(); }
void check_finite(std::string_view where, std::string_view what, const Vector& x) {
  check_finite(where, what, x, 0, static_cast<Index>(x.size()));
}
template <std::floating_point S>
void check_finite(std::string_view where, std::string_view what, S x) {
  if (!std::isfinite(x)) throw NumericalError(detail::text(where, ": ", what, ": expected a finite number, found ", x));
}

}  // namespace mts
