#pragma once
// A small study of images, and its report.

#include <atomic>
#include <sstream>

#include "lab/report.hpp"
#include "lab/support.hpp"

namespace mts_test {

struct SmallImages final : mts::lab::ProblemSource {
  mts::data::Problem make(std::uint64_t seed) const override { return small_image_problem(seed); }
};

/// Settings of a study that has all that a report can show.
inline mts::lab::Settings reported_settings() {
  mts::lab::Settings s;
  s.methods = {"uniform", "weight-net", "mts"};
  s.batches = {8, 32};
  s.seeds = 2;
  s.steps = 40;
  s.uniform_steps = 4;
  s.hidden = {8};
  s.folds = 2;
  return s;
}

inline mts::lab::Study reported_study(const mts::lab::Settings& s) {
  std::atomic<bool> stop{false};
  std::ostringstream said;
  mts::lab::Progress progress(said, false);
  return mts::lab::run_study(s, SmallImages(), progress, stop);
}

}  // namespace mts_test
