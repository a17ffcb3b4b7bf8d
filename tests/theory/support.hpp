#pragma once
/// \file
/// What the tests of the theory share.

#include <doctest/doctest.h>

#include "mts/core/random.hpp"
#include "mts/core/types.hpp"
#include "mts/theory/verify.hpp"

namespace mts_test {

/// n standard normal numbers.
inline mts::SampleVector some(mts::Index n, std::uint64_t seed) {
  mts::RandomStream random(seed, "numbers");
  return mts::SampleVector::NullaryExpr(n, [&] { return random.normal(); });
}

/// Every case holds, and every wrong version is refuted by one.
inline void check_holds_and_refutes(const mts::theory::Report& report) {
  for (const auto& f : report.findings) {
    CAPTURE(f.law);
    CAPTURE(f.name);
    CAPTURE(f.parameters);
    CHECK(f.reason == "");
  }
  for (const auto& mutant : report.survivors()) {
    CAPTURE(mutant.law);
    CAPTURE(mutant.claim);
    FAIL_CHECK("survived: " << mutant.name);
  }
}

}  // namespace mts_test
