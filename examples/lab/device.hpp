#pragma once
/// \file
/// Devices that take the training steps of a run (`--device`), by name. The host is "cpu"; others are offered by whoever can reach them.

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lab/steps.hpp"
#include "mts/features/compose.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/rules/glister.hpp"
#include "mts/selection/rules/l2rw.hpp"
#include "mts/selection/rules/rho_loss.hpp"
#include "mts/selection/rules/small_loss.hpp"
#include "mts/selection/rules/soft_gate.hpp"

namespace mts::lab {

struct Settings;
struct Task;
class ChosenFeatures;

using AnyRule = std::variant<rules::L2rw, rules::SoftGate, rules::SmallLoss, rules::RhoLoss, rules::Glister>;

/// A device's steps. Each made here has the device's memory and order of work for itself, so that runs do not wait for one another. A
/// step takes the options of the task's settings and begins where the host's would.
class DeviceSteps {
 public:
  virtual ~DeviceSteps() = default;
  /// As `--device` names it.
  virtual std::string name() const = 0;
  /// Which device that is, in words. \throws cuda::NoDevice if there is none
  virtual std::string description() const = 0;

  // \throws cuda::NoDevice; UsageError for a model that the device has no rules for
  /// \param seed  of the initial weights
  virtual std::unique_ptr<PlainStep> plain(const Task& task, std::uint64_t seed) const = 0;
  virtual std::unique_ptr<RuledStep> ruled(const Task& task, AnyRule rule, Index uniform_steps) const = 0;
  /// With an MLP as weight net. Features are extracted on the host.
  virtual std::unique_ptr<LearningStep> learning(const Task& task, features::Composition<ChosenFeatures> features,
                                                 const MlpWeightNetOptions& weight_net) const = 0;
};

/// Makes a device known by its name; one that is known by it is replaced. Not while others look for devices.
void offer_device(std::unique_ptr<DeviceSteps> steps);
/// The names that `--device` takes, each in words.
std::vector<std::pair<std::string, std::string>> devices();
/// The device that the settings name; null for the host. \throws UsageError for one that is not there: what to do
const DeviceSteps* device_of(const Settings& settings);
/// Refuses a device that is not there, and what the methods of a run do on the host alone. \throws UsageError
void check_device(const Settings& settings);
/// Refuses `what`, which is done on the host alone, on another device. \throws UsageError
void check_on_host(const Settings& settings, const std::string& what, const std::string& instead);

}  // namespace mts::lab
