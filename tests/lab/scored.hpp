#pragma once
// A small pool as arrays in files.

#include <cstdint>

#include "lab/score_settings.hpp"
#include "lab/support.hpp"
#include "mts/data/npy.hpp"

namespace mts_test {

/// `small_problem` in files, and the settings that name them and take a second.
inline mts::lab::ScoreSettings score_settings(const TemporaryFolder& folder,
                                              const mts::data::Problem& problem = small_problem()) {
  using namespace mts;
  lab::ScoreSettings s;
  s.features = folder / "train.npy";
  s.labels = folder / "y.npy";
  s.groups = folder / "g.npy";
  s.validation_features = folder / "v.npy";
  s.validation_labels = folder / "vy.npy";
  s.embeddings = folder / "e.npy";
  s.validation_embeddings = folder / "ve.npy";
  data::write_npy(s.features, problem.pool.inputs);
  data::write_npy(s.labels, std::vector<std::int64_t>(problem.pool.labels.begin(), problem.pool.labels.end()));
  data::write_npy(s.groups, std::vector<std::uint8_t>(problem.pool.groups.begin(), problem.pool.groups.end()));
  data::write_npy(s.validation_features, problem.validation.inputs);
  data::write_npy(s.validation_labels,
                  std::vector<std::int64_t>(problem.validation.labels.begin(), problem.validation.labels.end()));
  data::write_npy(s.embeddings, problem.pool.embeddings);
  data::write_npy(s.validation_embeddings, problem.validation.embeddings);
  s.batch = 16;
  s.cross_validation = 2;
  s.training.steps = 30;
  s.training.uniform_steps = 4;
  s.training.hidden = {8};
  s.training.folds = 2;
  return s;
}

}  // namespace mts_test
