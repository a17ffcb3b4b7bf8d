// What the tests of all optimisers share.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <sstream>
#include <string>

#include "mts/core/concepts.hpp"

namespace optimizers {

using mts::Index;
using Dense = mts::DenseParameters<double>;

template <class S = double>
mts::DenseParameters<S> vector(std::initializer_list<S> x) {
  mts::DenseParameters<S> v(static_cast<Index>(x.size()));
  std::copy(x.begin(), x.end(), v.data());
  return v;
}

/// Gradients of very different sizes, a zero among them; another one for every step.
inline Dense hostile_gradient(Index step) {
  const double t = static_cast<double>(step);
  return vector({0.3 - 0.2 * t, -1.5, 0.0, 1e-6 * (1 + t), -2e3 + 7e2 * t});
}
inline Dense hostile_parameters() { return vector({1.0, -2.0, 0.5, 0.0, 3e2}); }

/// (d map / d g)^T u by central differences, entry by entry; map(g, out). The step h scales with the entry.
template <class Map>
Dense pull_by_differences(Map&& map, const Dense& u, const Dense& g, double relative_h, double floor_h) {
  Dense result = g.zeros_like(), moved = g.clone(), plus = g.zeros_like(), minus = g.zeros_like();
  for (Index k = 0; k < g.size(); ++k) {
    const double h = std::max(floor_h, relative_h * std::abs(g.values()[k]));
    const double above = g.values()[k] + h, below = g.values()[k] - h;
    moved.values()[k] = above;
    map(moved, plus);
    moved.values()[k] = below;
    map(moved, minus);
    moved.values()[k] = g.values()[k];
    result.values()[k] = (plus.values() - minus.values()).dot(u.values()) / (above - below);
  }
  return result;
}

/// virtual_step and step_of leave the state alone, give step's bits, and agree with one another; for `steps` steps.
template <class O, class S>
void check_virtual_step(O optimizer, mts::DenseParameters<S> theta, const mts::DenseParameters<S>& g, int steps) {
  const O untouched = optimizer;
  auto bystander = theta.clone();
  for (int k = 0; k < steps; ++k) {
    CAPTURE(k);
    auto virtually = theta.zeros_like(), again = theta.zeros_like(), by = theta.zeros_like();
    optimizer.virtual_step(theta, g, virtually);
    optimizer.step_of(theta, g, by);
    optimizer.pull(g, theta, g, again);
    optimizer.virtual_step(theta, g, again);
    CHECK(again.values() == virtually.values());
    CHECK(optimizer.steps() == k);
    by.scale(-1);
    by.axpy(1, theta);
    const auto before = theta.clone();
    optimizer.step(theta, g);
    CHECK(virtually.values() == theta.values());
    for (Index j = 0; j < theta.size(); ++j) {
      CAPTURE(j);
      const double size = std::abs(static_cast<double>(before.values()[j])) +
                          std::abs(static_cast<double>(by.values()[j] - before.values()[j]));
      const double epsilon = static_cast<double>(std::numeric_limits<S>::epsilon());
      CHECK(std::abs(static_cast<double>(by.values()[j] - theta.values()[j])) <= 4 * epsilon * size);
    }
  }
  // The copy taken at the start is deep: it still takes a first step.
  O first = untouched, second = untouched;
  auto a = bystander.clone();
  first.step(a, g);
  second.step(bystander, g);
  CHECK(a.values() == bystander.values());
  CHECK(untouched.steps() == 0);
}

/// After save and load a fresh optimiser continues with the same bits; every truncation is refused and changes nothing.
template <class O>
void check_round_trip(const O& fresh, int steps) {
  O kept = fresh;
  Dense theta = hostile_parameters();
  for (int k = 0; k < steps; ++k) kept.step(theta, hostile_gradient(k));
  std::stringstream stream;
  kept.save(stream);
  const std::string bytes = stream.str();

  O loaded = fresh;
  loaded.load(stream, theta);
  CHECK(loaded.steps() == steps);
  Dense continued = theta.clone();
  for (int k = steps; k < steps + 3; ++k) {
    kept.step(theta, hostile_gradient(k));
    loaded.step(continued, hostile_gradient(k));
  }
  CHECK(theta.values() == continued.values());

  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    O other = fresh;
    Dense x = hostile_parameters(), y = hostile_parameters();
    other.step(x, hostile_gradient(0));
    O reference = other;
    x.copy_into(y);
    std::istringstream cut(bytes.substr(0, length));
    CHECK_THROWS_AS(other.load(cut, theta), mts::DataError);
    CHECK(other.steps() == 1);
    other.step(x, hostile_gradient(1));
    reference.step(y, hostile_gradient(1));
    CHECK(x.values() == y.values());
  }
}

/// The state of `written` is not one that `reader` takes.
template <class Reader, class Writer>
void check_refuses_state(Reader reader, Writer written, int steps) {
  Dense theta = hostile_parameters();
  for (int k = 0; k < steps; ++k) written.step(theta, hostile_gradient(k));
  std::stringstream stream;
  written.save(stream);
  CHECK_THROWS_AS(reader.load(stream, theta), mts::DataError);
  CHECK(reader.steps() == 0);
}

}  // namespace optimizers
