// The lab's steps on the emulation of a device, compiled once: the one file of the tests that instantiates them.
#include "lab/emulated.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "lab/device_steps.hpp"
#include "mts/cuda/emulation.hpp"

namespace mts_test {

namespace {

using namespace mts::lab;

std::atomic<int> plain_made, ruled_made, learning_made;

class Emulated final : public StepsOn<mts::cuda::Emulation> {
 public:
  Emulated(const char* name, std::string description) : StepsOn(name), description_(std::move(description)) {}
  std::string description() const override { return description_.empty() ? StepsOn::description() : description_; }
  std::unique_ptr<PlainStep> plain(const Task& task, std::uint64_t seed) const override {
    ++plain_made;
    return StepsOn::plain(task, seed);
  }
  std::unique_ptr<RuledStep> ruled(const Task& task, AnyRule rule, mts::Index uniform_steps) const override {
    ++ruled_made;
    return StepsOn::ruled(task, std::move(rule), uniform_steps);
  }
  std::unique_ptr<LearningStep> learning(const Task& task, mts::features::Composition<ChosenFeatures> features,
                                         const mts::MlpWeightNetOptions& weight_net) const override {
    ++learning_made;
    return StepsOn::learning(task, std::move(features), weight_net);
  }

 private:
  std::string description_;
};

}  // namespace

void offer_emulation() { offer_emulation_as("emulation", ""); }
void offer_emulation_as(const char* name, const char* description) {
  offer_device(std::make_unique<Emulated>(name, description));
}
StepsMade steps_made() { return {plain_made.exchange(0), ruled_made.exchange(0), learning_made.exchange(0)}; }

}  // namespace mts_test
