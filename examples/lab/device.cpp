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

}  // namespace

void offer_device(std::unique_ptr<DeviceSteps> steps) {
  std::erase_if(offered(), [&](const auto& device) { return device->name() == steps->name(); });
  offered().push_back(std::move(steps));
}

const DeviceSteps* device_of(const Settings& settings) {
  if (settings.device == host_device) return nullptr;
  std::vector<std::string> known = {host_device, "cuda"};
  for (const auto& device : offered()) {
    if (device->name() == settings.device) return device.get();
    if (device->name() != "cuda") known.push_back(device->name());
  }
  if (settings.device == "cuda")
    throw UsageError(
        "--device cuda: this mts-lab was built without CUDA: configure with -D MTS_CUDA=ON and build "
        "it again, or use --device cpu");
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
