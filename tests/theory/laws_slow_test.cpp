// The simulated laws: each holds, the measurement of each refutes every wrong version, and runs of all of them fail no more
// often than the stated rate.
#include <doctest/doctest.h>

#include <algorithm>

#include "laws/registry.hpp"
#include "mts/theory/verify.hpp"
#include "theory/support.hpp"

namespace {

using namespace mts::theory;

std::vector<Claim> simulated_claims() {
  std::vector<Claim> claims;
  for (const auto& law : laws::registered())
    for (auto& claim : law.claims())
      if (std::holds_alternative<Simulation>(claim.check)) claims.push_back(std::move(claim));
  return claims;
}

TEST_CASE("laws: the simulated claims hold, and every wrong version of them is refuted") {
  const auto claims = simulated_claims();
  REQUIRE(!claims.empty());
  // Finer than the default: at 1.5 % the next order dropped from L12 shows at some seeds only.
  mts_test::check_holds_and_refutes(Verifier({.precision = 0.01}).verify(claims));
}

TEST_CASE("laws: of 20 runs with other seeds no more fail than the rate allows") {
  // At 5 % one failure is expected, and six or more come with probability 3e-4. Less precise than above, for time's sake: the
  // critical value is what is tested here.
  const auto claims = simulated_claims();
  constexpr double precision = 0.06, rate = 0.05;
  int failed = 0;
  std::string reasons;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto report = Verifier({.seed = seed, .precision = precision, .error_rate = rate}).verify(claims);
    failed += !report.holds();
    for (const auto& f : report.findings)
      if (!f.reason.empty()) reasons += f.law + ", " + f.name + ", " + f.parameters + ": " + f.reason + "\n";
  }
  CAPTURE(reasons);
  CHECK(failed <= 5);
}

}  // namespace
