#pragma once
/// \file
/// Arrays as a learning problem.

#include <memory>
#include <string>
#include <vector>

#include "lab/score_settings.hpp"
#include "mts/data/array_file.hpp"
#include "mts/data/pool.hpp"

namespace mts::lab {

/// The rows of an array, read from its file when they are asked for, as floats: each column less its mean, over its deviation. Const
/// calls are thread-safe.
class ArrayRows final : public data::RowSource {
 public:
  /// The rows as they are.
  explicit ArrayRows(std::shared_ptr<const data::ArrayFile> file);
  /// Each column less `mean`, times `scale`. \throws ShapeError if they are not as many as columns
  ArrayRows(std::shared_ptr<const data::ArrayFile> file, std::vector<double> mean, std::vector<double> scale);

  Index rows() const override { return file_->rows(); }
  Index cols() const override { return file_->cols(); }
  void read(Index i, Rows<float> out) const override;

 private:
  std::shared_ptr<const data::ArrayFile> file_;
  std::vector<double> mean_, scale_;
};

/// What is to be scored.
struct ScoreProblem {
  data::Problem problem;    ///< `tuning` and `test` are empty; kinds say real or not, and no more
  std::vector<int> groups;  ///< N, as they were given; all 1 where they were not
};

/// Reads and checks the arrays. Features of the pool stay in their file; labels, groups, validation samples and generative embeddings
/// (N x E floats; the features, where there are none) are held in memory. Costs a pass over the features.
/// \throws DataError that names the file, row and column where there is one, what was expected and what was found: files that can't be
///         read, numbers that are not finite, lengths that differ, labels out of range, classes without validation samples, no real sample
ScoreProblem read_score_problem(const ScoreSettings& settings);

/// Parts of the validation set, each of which may be left out: at random, as many of each class in each as can be. Empty where too few
/// samples would be left: of each class one, or two where the pool has no real sample of it.
std::vector<std::vector<Index>> validation_parts(const data::Problem& problem, Index parts, std::uint64_t seed);

/// Those samples of a set, and the others.
struct HeldOut {
  data::LabelledSet part, rest;
};
/// \param part  places, ascending
HeldOut held_out(const data::LabelledSet& set, const std::vector<Index>& part);

}  // namespace mts::lab
