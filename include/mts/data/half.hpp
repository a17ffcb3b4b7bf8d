#pragma once
/// \file
/// Half precision (IEEE 754 binary16) as arrays of other programs hold it: read, never computed with.

#include <bit>
#include <cstdint>

namespace mts::data {

/// The bits of a number in half precision: sign, 5 bits of exponent, 10 of mantissa. Every one is a float exactly.
struct Half {
  std::uint16_t bits = 0;

  /// The same number; of a NaN the sign and the payload stay.
  constexpr explicit operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, mantissa = bits & 0x3ffu;
    if (exponent == 0) {  // 0 and what is below 2^-14, multiples of 2^-24
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
      return sign ? -magnitude : magnitude;
    }
    const std::uint32_t wide_exponent = exponent == 31 ? 255 : exponent + (127 - 15);
    return std::bit_cast<float>(sign | wide_exponent << 23 | mantissa << 13);
  }
  constexpr explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

}  // namespace mts::data
