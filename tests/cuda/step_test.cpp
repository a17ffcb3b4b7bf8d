// The MTS step on the emulation of a device against the same on the host: 20 steps of a whole run, in both modes, with several
// optimisers.
#include "cuda/step_runs.hpp"
#include "support/emulated.hpp"

using namespace mts;
using namespace mts::testing::device_steps;
using cuda::Emulation;

TEST_CASE("MTS step on a device: theta, phi and alignments are the host's at every step, in float to 1e-5") {
  for (const bool crossed : {false, true}) {
    check_parity<float, Emulation, MomentumAndDecay>(crossed, 1e-5);
    check_parity<float, Emulation, AdamOfLargeEpsilon>(crossed, 1e-5);
    check_parity<float, Emulation, Clipped>(crossed, 1e-5);
  }
}

TEST_CASE("MTS step on a device: the same in double to 1e-12") {
  for (const bool crossed : {false, true}) {
    check_parity<double, Emulation, MomentumAndDecay>(crossed, 1e-12);
    check_parity<double, Emulation, DecoupledAdam>(crossed, 1e-12);
    check_parity<double, Emulation, Clipped>(crossed, 1e-12);
  }
}

// With AdamW's own epsilon two things make a whole run in float a matter of rounding, on the host as well: the derivative of its
// first step is what is left of two equal numbers, and a hidden unit of the weight net at the edge of activity moves by whole
// steps. So here each step begins at the host's state, and the first is held to what rounding does to the host's own alignments.
TEST_CASE("MTS step on a device: with AdamW inside, each step from the host's state is the host's, in float") {
  for (const bool crossed : {false, true}) {
    auto expected = start<DecoupledAdam>(OnHost<float>{}, crossed);
    auto found = start<DecoupledAdam>(OnDevice<float, Emulation>{}, crossed);
    const Seen in_double = start<DecoupledAdam>(OnHost<double>{}, crossed).go(0);
    double first = 0, rounding = 0, others = 0;
    for (int k = 0; k < steps; ++k) {
      CAPTURE(k);
      mts_test::load(found, mts_test::saved(expected));
      const Seen a = found.go(k), b = expected.go(k);
      const Distance distance(a, b);
      CHECK(distance.theta <= 1e-5);
      if (k == 0) {
        first = distance.largest();
        rounding = Distance(b, in_double).largest();
        CHECK(first <= 3 * rounding);
        CHECK(first <= 3e-4);
      } else {
        others = std::max(others, distance.largest());
        CHECK(distance.largest() <= 1e-5);
      }
    }
    const std::string mode = crossed ? "crossed" : "joint";
    MESSAGE(mode, ": first step ", first, ", where the host's float is ", rounding, " off its double; others at most ",
            others, ", budget 1e-5");
  }
}

TEST_CASE(
    "MTS step on a device: a run has the same bits every time, on a fresh queue and on one that has seen others") {
  for (const bool crossed : {false, true}) check_same_bits<Emulation>(crossed);
}

TEST_CASE("MTS step on a device: one that is saved and loaded goes on as if nothing had happened") {
  for (const bool crossed : {false, true}) {
    mts_test::check_resumes([&] { return start<MomentumAndDecay>(OnDevice<float, Emulation>{}, crossed); },
                            [](auto& run, int k) { return run.go(k); }, 5, 4);
    mts_test::check_resumes([&] { return start<DecoupledAdam>(OnDevice<float, Emulation>{}, crossed); },
                            [](auto& run, int k) { return run.go(k); }, 3, 3);
  }
}

TEST_CASE("MTS step on a device: goes on from a checkpoint of the host, and the host from one of its own") {
  auto host = start<DecoupledAdam>(OnHost<float>{}, false);
  auto device = start<DecoupledAdam>(OnDevice<float, Emulation>{}, false);
  for (int k = 0; k < 4; ++k) static_cast<void>(host.go(k));
  mts_test::load(device, mts_test::saved(host));
  CHECK(mts_test::saved(device) == mts_test::saved(host));
  for (int k = 4; k < 8; ++k) {
    const Seen a = device.go(k), b = host.go(k);
    CHECK(relative_error(a.theta, b.theta) <= 1e-5);
    CHECK(relative_error(a.phi, b.phi) <= 1e-5);
  }
  mts_test::load(host, mts_test::saved(device));
  CHECK(mts_test::saved(device) == mts_test::saved(host));
}

TEST_CASE("MTS step on a device: in a steady state nothing is allocated, and every sequence is replayed") {
  for (const bool crossed : {false, true}) check_steady<Emulation>(crossed);
}
