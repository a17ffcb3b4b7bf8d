// The MTS step on a device against the same on the host.
#include "cuda/device/device.hpp"
#include "cuda/step_runs.hpp"

using namespace mts;
using namespace mts::testing;
using namespace mts::testing::device_steps;
using cuda::Device;

TEST_CASE("device: 20 steps with selection are the host's, in float to 1e-5" * needs_device()) {
  for (const bool crossed : {false, true}) {
    check_parity<float, Device, MomentumAndDecay>(crossed, 1e-5);
    check_parity<float, Device, AdamOfLargeEpsilon>(crossed, 1e-5);
  }
}
TEST_CASE("device: the same in double to 1e-12" * needs_device()) {
  for (const bool crossed : {false, true}) check_parity<double, Device, MomentumAndDecay>(crossed, 1e-12);
}
TEST_CASE("device: a run with selection has the same bits every time" * needs_device()) {
  for (const bool crossed : {false, true}) check_same_bits<Device>(crossed);
}
TEST_CASE("device: a run with selection that is saved goes on with the same bits" * needs_device()) {
  mts_test::check_resumes([] { return start<MomentumAndDecay>(OnDevice<float, Device>{}, false); },
                          [](auto& run, int k) { return run.go(k); }, 5, 4);
}
TEST_CASE("device: a run with selection allocates nothing in a steady state, and is replayed" * needs_device()) {
  for (const bool crossed : {false, true}) check_steady<Device>(crossed);
}
