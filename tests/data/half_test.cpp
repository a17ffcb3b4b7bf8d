// Half precision: every one of its 65536 patterns against the definition.
#include "mts/data/half.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using mts::data::Half;

TEST_CASE("every half is the float that its sign, exponent and mantissa say") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    const float x = static_cast<float>(half);
    const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    CAPTURE(bits);
    REQUIRE(std::signbit(x) == (bits >= 0x8000));
    if (exponent == 31 && mantissa != 0) {
      REQUIRE(std::isnan(x));
      REQUIRE(((std::bit_cast<std::uint32_t>(x) >> 13) & 1023u) == static_cast<std::uint32_t>(mantissa));
      continue;
    }
    const double magnitude = exponent == 31  ? std::numeric_limits<double>::infinity()
                             : exponent == 0 ? std::ldexp(mantissa, -24)
                                             : std::ldexp(1024 + mantissa, exponent - 25);
    REQUIRE(std::abs(static_cast<double>(x)) == magnitude);
    REQUIRE(static_cast<double>(half) == static_cast<double>(x));
  }
}
