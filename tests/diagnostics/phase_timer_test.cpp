// Phase times: who is charged for what, adding, and the bound on the number of phases.
#include "mts/diagnostics/phase_timer.hpp"

#include <doctest/doctest.h>

#include "data/support.hpp"
#include "support/state.hpp"

using mts::diagnostics::PhaseTimer;
using mts::diagnostics::PhaseTimes;

namespace {

void wait(double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < seconds) {
  }
}

}  // namespace

TEST_CASE("each phase is charged with its own time, in order of first use, and the whole is no more than the wall's") {
  PhaseTimes times;
  const auto begin = std::chrono::steady_clock::now();
  {
    PhaseTimer timer(times);
    timer.begin("features");
    wait(2e-3);
    timer.begin("virtual step");
    wait(4e-3);
    timer.begin("features");
    wait(1e-3);
    timer.end();
    wait(5e-3);
    timer.end();
    timer.begin("left running");
    wait(1e-3);
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  REQUIRE(times.phases().size() == 3);
  CHECK(times.phases()[0].name == "features");
  CHECK(times.phases()[0].count == 2);
  CHECK(times.phases()[1].name == "virtual step");
  CHECK(times.seconds("features") >= 3e-3);
  CHECK(times.seconds("virtual step") >= 4e-3);
  CHECK(times.seconds("left running") >= 1e-3);
  CHECK(times.seconds("never met") == 0);
  CHECK(times.total() <= wall - 5e-3);
}

TEST_CASE("times add by name") {
  PhaseTimes a, b;
  a.add("x", 1);
  a.add("y", 2);
  b.add("y", 4);
  b.add("z", 8);
  const PhaseTimes sum = a + b;
  CHECK(sum.seconds("x") == 1);
  CHECK(sum.seconds("y") == 6);
  CHECK(sum.seconds("z") == 8);
  CHECK(sum.total() == 15);
  CHECK(sum.phases()[1].count == 2);
  CHECK(a.total() == 3);
}

TEST_CASE("more phases than there is room for are refused in words, and not by a destructor") {
  static constexpr const char letters[] = "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p\0q\0r\0s\0t\0u\0v\0w\0x";
  PhaseTimes times;
  [&]<std::size_t... k>(std::index_sequence<k...>) {
    (times.add(mts::diagnostics::PhaseName(letters + 2 * k), 1), ...);
  }(std::make_index_sequence<PhaseTimes::max_phases>());
  CHECK(times.phases().size() == PhaseTimes::max_phases);
  CHECK_REFUSED(mts::ValueError, times.add("one more", 1), "24 phases", "one more");
  times.add("x", 1);
  CHECK(times.seconds("x") == 2);
  {
    PhaseTimer timer(times);
    timer.begin("one more");
  }
  CHECK(times.phases().size() == PhaseTimes::max_phases);
}

TEST_CASE("times that were saved and loaded go on; their names outlive what they were read from") {
  const auto add = [](PhaseTimes& times, int k) {
    if (k % 2 == 0)
      times.add("even", 0.25 * k);
    else
      times.add("odd", 1.0 / k, 2);
    std::vector<double> said;
    for (const auto& p : times.phases()) said.insert(said.end(), {p.seconds, static_cast<double>(p.count)});
    return said;
  };
  mts_test::check_resumes([] { return PhaseTimes(); }, add, 5, 4);
  PhaseTimes times, loaded;
  add(times, 0);
  {
    const std::string bytes = mts_test::saved(times);
    mts_test::load(loaded, bytes);
  }
  CHECK(loaded.phases()[0].name == "even");
}
