#pragma once
/// \file
/// A network on the CPU against the same on a device: values, pullbacks, pushforwards, per-sample dots and squared norms, in both
/// regimes of memory, launched and replayed. `parity_report` is for any executor; with `Emulation` it runs everywhere.

#include <string>
#include <vector>

#include "mts/autodiff/network.hpp"
#include "mts/cuda/network.hpp"
#include "support/derivatives.hpp"

namespace mts::testing {

/// A host's batch in a device's memory.
template <class S, class E>
class DeviceInput {
 public:
  DeviceInput(const cuda::SharedQueue<E>& queue, const autodiff::NetworkInput<S>& host) {
    input_.samples = host.samples;
    for (int k = 0; k < host.dense_count; ++k) {
      const RowMatrix<S> rows = host.dense[static_cast<std::size_t>(k)].matrix();
      dense_.emplace_back(queue, std::span<const S>(rows.data(), static_cast<std::size_t>(rows.size())));
      input_.dense.push_back({dense_.back().data(), rows.rows(), rows.cols()});
    }
    columns_.reserve(static_cast<std::size_t>(host.column_count));
    for (int c = 0; c < host.column_count; ++c) {
      columns_.emplace_back(queue, std::span<const int>(host.columns[static_cast<std::size_t>(c)],
                                                        static_cast<std::size_t>(host.samples)));
      input_.columns.push_back(&columns_.back());
    }
  }
  DeviceInput(const DeviceInput&) = delete;
  DeviceInput& operator=(const DeviceInput&) = delete;
  const cuda::NetworkInput<S, E>& input() const { return input_; }

 private:
  std::vector<cuda::Buffer<S, E>> dense_;
  std::vector<cuda::Column<E>> columns_;
  cuda::NetworkInput<S, E> input_;
};

/// \param tolerance  of every entry, relative to the largest of its tensor; of pushforwards and dots, to the largest |g_i|
///   if that is more
/// \param magnitude  the largest number that occurs in an evaluation: what a value is rounded relative to
template <class S, class E>
Report parity_report(const std::string& name, const cuda::SharedQueue<E>& queue, const autodiff::Network<S>& host,
                     const DenseParameters<S>& theta, const autodiff::NetworkInput<S>& input, double tolerance,
                     double magnitude = 0, const cuda::Translation<S, E>& translation = {}) {
  Report report(name);
  const Index n = input.samples, p = theta.size();
  const SampleVector u = random_vector(n, RandomStream(29, "parity: u"));
  DenseParameters<S> v = theta.zeros_like(), gradient = theta.zeros_like();
  v.values() = random_vector(p, RandomStream(31, "parity: v")).template cast<S>();
  const auto lin = host.linearize(theta, input);
  SampleVector pushed, dots, norms;
  lin.pullback(u, gradient);
  lin.pushforward(v, pushed);
  lin.per_sample_dot(v, dots);
  lin.per_sample_squared_norm(norms);
  // <g_i, v> is rounded relative to |g_i| for the v of entries below 1, not to what is left where its terms cancel.
  double largest_gradient = 0;
  for (const double square : norms)
    if (std::isfinite(square)) largest_gradient = std::max(largest_gradient, std::sqrt(square));

  const auto compare = [&](const std::string& quantity, const Vector& found, const Vector& expected, double scale) {
    for (Index k = 0; k < expected.size(); ++k)
      if (std::isfinite(expected[k])) scale = std::max(scale, std::abs(expected[k]));
    report.compare(quantity, found, expected, Vector::Constant(expected.size(), tolerance * scale),
                   [](Index k) { return mts::detail::text("index ", k); });
  };
  const DeviceInput<S, E> own(queue, input);
  const cuda::Parameters<S, E> device_theta(queue, theta), device_v(queue, v);
  cuda::Parameters<S, E> out = device_theta.zeros_like();
  for (const Index budget : {Index{1} << 40, Index{0}}) {
    const cuda::Network<S, E> net(host, queue, {.workspace_budget = budget}, translation);
    const std::string regime = budget > 0 ? "kept: " : "recomputed: ";
    Vector first;
    // Launched, recorded, replayed, and once more on memory that others have used in between.
    for (int round = 0; round < (budget > 0 ? 4 : 1); ++round) {
      const auto found = net.linearize(device_theta, own.input());
      compare(regime + "value", found.value(), lin.value(), magnitude);
      compare(regime + "forward", net.forward(device_theta, own.input()).value(), lin.value(), magnitude);
      found.pullback(u, out);
      const Vector pulled = out.to_host().values().template cast<double>();
      compare(regime + "pullback", pulled, gradient.values().template cast<double>(), 0);
      SampleVector x;
      found.pushforward(device_v, x);
      compare(regime + "pushforward", x, pushed, largest_gradient);
      found.per_sample_dot(device_v, x);
      compare(regime + "per_sample_dot", x, dots, largest_gradient);
      found.per_sample_squared_norm(x);
      compare(regime + "per_sample_squared_norm", x, norms, 0);
      if (round == 0)
        first = pulled;
      else
        report.same_bits(regime + "replayed pullback", pulled, first);
    }
  }
  return report;
}

}  // namespace mts::testing
