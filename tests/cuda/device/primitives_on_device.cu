// Linked to the tests of primitives, so that each of their cases runs on the device too, where there is one.
#include "mts/cuda/device.hpp"
#include "support/device_parity.hpp"
#include "support/primitives.hpp"

namespace mts::testing {

namespace {

template <class S>
Report on_device(const std::string& name, const autodiff::Network<S>& net, const DenseParameters<S>& theta,
                 const autodiff::NetworkInput<S>& input, double tolerance, double magnitude) {
  static const auto queue = cuda::make_queue<cuda::Device>();
  return parity_report(name + ", on " + queue->executor().description(), queue, net, theta, input, tolerance,
                       magnitude);
}

[[maybe_unused]] const bool offered = [] {
  if (cuda::device_count() == 0) return false;
  device_parity<float> = on_device<float>;
  device_parity<double> = on_device<double>;
  return true;
}();

}  // namespace

}  // namespace mts::testing
