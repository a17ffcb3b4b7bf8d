#pragma once
// The emulation of a device as a device of the lab: --device emulation.

namespace mts_test {

/// How many steps of each kind were made on it.
struct StepsMade {
  int plain = 0, ruled = 0, learning = 0;
  friend bool operator==(const StepsMade&, const StepsMade&) = default;
};

/// Offers it, as often as it is called.
void offer_emulation();
/// Since the last call.
StepsMade steps_made();
/// The same under a name of one's own, with another description.
void offer_emulation_as(const char* name, const char* description);

}  // namespace mts_test
