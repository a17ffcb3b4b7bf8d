#include "lab/device.hpp"

#include <algorithm>
#include <utility>

#include "lab/names.hpp"
#include "lab/settings.hpp"

namespace mts::lab {

namespace {

std::vector<std::unique_ptr<DeviceSteps>>& offered() {
  static std::vector<std::unique_ptr<DeviceSteps>> devices;
  return devices;
}
const DeviceSteps* find(const std::string& name) {
  for (const auto& device : offered())
    if (device->name() == name) return device.get();
  return nullptr;
}
/// What every build knows of, whether it can reach one or not.
const std::string cuda = "cuda";

}  // namespace

void offer_device(std::unique_ptr<DeviceSteps> steps) {
  std::erase_if(offered(), [&](const auto& device) { return device->name() == steps->name(); });
  offered().push_back(std::move(steps));
}

std::vector<std::pair<std::string, std::string>> devices() {
  const std::string gpu = "the first NVIDIA GPU";
  std::vector<std::pair<std::string, std::string>> all = {{host_device, "the host"},
                                                          {cuda, find(cuda) ? gpu : gpu + "; this build has no CUDA"}};
  for (const auto& device : offered())
    if (device->name() != cuda) all.emplace_back(device->name(), "offered by this program");
  return all;
}

const DeviceSteps* device_of(const Settings& settings) {
  if (settings.device == host_device) return nullptr;
  if (const auto* device = find(settings.device)) return device;
  if (settings.device == cuda)
    throw UsageError(
        "--device cuda: this mts-lab was built without CUDA: configure with -D MTS_CUDA=ON and build "
        "it again, or use --device cpu");
  std::vector<std::string> known;
  for (const auto& [name, words] : devices()) known.push_back(name);
  throw unknown("device", settings.device, known);
}

void check_on_host(const Settings& settings, const std::string& what, const std::string& instead) {
  if (device_of(settings))
    throw UsageError(mts::detail::text("--device ", settings.device, ": ", what, " has no steps on that device: use ",
                                       instead, ", or --device ", host_device));
}

void check_device(const Settings& settings) {
  (void)device_of(settings);
  if (settings.weight_net != WeightNetKind::mlp &&
      std::find(settings.methods.begin(), settings.methods.end(), "weight-net") != settings.methods.end())
    check_on_host(settings, "--method weight-net with --weight-net " + name_of_choice(settings.weight_net),
                  "--weight-net mlp");
}

}  // namespace mts::lab
