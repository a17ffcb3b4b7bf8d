#pragma once
// Methods trained to their end.

#include <cstdint>
#include <memory>
#include <string>

#include "lab/registry.hpp"
#include "lab/training.hpp"

namespace mts_test {

/// A run of a method, all of its preparations and steps. The problem must outlive it.
/// \param last  takes the report of each step, so that of the last is left
inline std::unique_ptr<mts::lab::Training> trained(const std::string& method, const mts::lab::Settings& settings,
                                                   const mts::data::Problem& problem, mts::Index batch,
                                                   std::uint64_t seed, mts::StepReport* last = nullptr) {
  auto training = mts::lab::method_named(method).start({settings, problem, batch, seed});
  for (mts::Index k = 0; k < training->preparations(); ++k) training->prepare();
  for (mts::Index k = 0; k < settings.steps; ++k) {
    const auto report = training->step();
    if (last) *last = report;
  }
  return training;
}

}  // namespace mts_test
