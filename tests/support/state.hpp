#pragma once
/// \file
/// That a state survives: what was saved and loaded goes on as if nothing had happened, and what is refused changes nothing.

#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "mts/core/state.hpp"

namespace mts_test {

template <class T>
std::string saved(const T& x) {
  std::ostringstream out;
  x.save(out);
  return out.str();
}
template <class T>
void load(T& x, const std::string& bytes) {
  std::istringstream in(bytes);
  x.load(in);
}

/// Loading this refuses with a DataError and leaves everything as it was.
template <class T>
void check_refuses(T& x, const std::string& bytes) {
  const std::string before = saved(x);
  CHECK_THROWS_AS(load(x, bytes), mts::DataError);
  CHECK(saved(x) == before);
}

/// make() gives objects that begin alike, go(x, k) takes step number k and says what it gave, something that can be compared.
/// One object goes on alone for before + after steps; another is loaded with what the first had become in between, and
/// must give the same and become the same. Every truncation, and the state of another kind, is refused and changes nothing.
template <class Make, class Go>
void check_resumes(Make&& make, Go&& go, int before, int after) {
  auto alone = make();
  for (int k = 0; k < before; ++k) static_cast<void>(go(alone, k));
  const std::string bytes = saved(alone);
  {
    auto resumed = make();
    load(resumed, bytes);
    CHECK(saved(resumed) == bytes);
    for (int k = before; k < before + after; ++k) {
      CAPTURE(k);
      const auto expected = go(alone, k);
      CHECK(go(resumed, k) == expected);
    }
    CHECK(saved(resumed) == saved(alone));
    CHECK((before == 0 || saved(resumed) != bytes));
  }
  auto other = make();
  static_cast<void>(go(other, 0));
  const std::size_t stride =
      bytes.size() < 500 ? 1 : bytes.size() / 251;  // all lengths of small states, odd ones of large
  for (std::size_t length = 0; length < bytes.size(); length += stride) {
    CAPTURE(length);
    check_refuses(other, bytes.substr(0, length));
  }
  check_refuses(other, bytes.substr(0, bytes.size() - 1));
  check_refuses(other, "mts-xyz1" + bytes.substr(8));
}

}  // namespace mts_test
