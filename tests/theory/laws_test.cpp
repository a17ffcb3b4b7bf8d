// The registered laws: all of them are there, whole, and say where they come from; the exact ones hold, and the measurement of
// each refutes every wrong version. (The simulated ones: laws_slow_test.cpp.)
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "laws/registry.hpp"
#include "mts/theory/verify.hpp"
#include "theory/support.hpp"

namespace {

using namespace mts::theory;

std::vector<Claim> all_claims() {
  std::vector<Claim> claims;
  for (const auto& law : laws::registered())
    for (auto& claim : law.claims()) claims.push_back(std::move(claim));
  return claims;
}

TEST_CASE("laws: L1 to L16, L3' and L14' are registered, and a claim names the law it is registered under") {
  std::set<std::string> names;
  for (const auto& law : laws::registered()) {
    CAPTURE(law.name);
    names.insert(law.name);
    const auto claims = law.claims();
    CHECK(!claims.empty());
    for (const auto& claim : claims) CHECK(claim.law == law.name);
  }
  std::set<std::string> expected = {"L3'", "L14'"};
  for (int k = 1; k <= 16; ++k) expected.insert("L" + std::to_string(k));
  for (const auto& name : expected) {
    CAPTURE(name);
    CHECK(names.count(name) == 1);
  }
}

TEST_CASE("laws: every claim states its order of error and its source") {
  for (const auto& claim : all_claims()) {
    CAPTURE(claim.law);
    CAPTURE(claim.name);
    CHECK(!claim.order.empty());
    CHECK(claim.source.find(claim.law) != std::string::npos);
  }
}

TEST_CASE("laws: the exact claims hold, and every wrong version of them is refuted") {
  auto claims = all_claims();
  std::erase_if(claims, [](const Claim& claim) { return !std::holds_alternative<Exact>(claim.check); });
  REQUIRE(!claims.empty());
  mts_test::check_holds_and_refutes(Verifier().verify(claims));
}

}  // namespace
