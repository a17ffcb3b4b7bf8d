#include "lab/score_problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "mts/core/random.hpp"
#include "mts/data/arrays.hpp"

namespace mts::lab {

namespace {

using mts::detail::text;

/// Means and inverse deviations of the columns, in one pass; refuses numbers that are not finite in float.
void measure_columns(const data::ArrayFile& file, std::vector<double>& mean, std::vector<double>& scale) {
  const auto d = static_cast<std::size_t>(file.cols());
  const auto n = static_cast<double>(file.rows());
  // Sums of differences from the first row, so that a large mean leaves the variance its digits.
  std::vector<double> first(d), sum(d, 0.0), squares(d, 0.0);
  const auto number = [&](Index i, Index c, auto x) {
    const auto value = static_cast<double>(static_cast<float>(x));
    if (!std::isfinite(value))
      throw DataError(text(file.name(), ": row ", i, ", column ", c,
                           ": expected a finite number that a float can hold, found ", static_cast<double>(x)));
    return value;
  };
  file.for_each_entry(0, 1, [&](Index i, Index c, auto x) { first[static_cast<std::size_t>(c)] = number(i, c, x); });
  file.for_each_entry(0, file.rows(), [&](Index i, Index c, auto x) {
    const auto k = static_cast<std::size_t>(c);
    const double difference = number(i, c, x) - first[k];
    sum[k] += difference;
    squares[k] += difference * difference;
  });
  mean.resize(d);
  scale.resize(d);
  for (std::size_t k = 0; k < d; ++k) {
    const double shift = sum[k] / n, variance = squares[k] / n - shift * shift;
    mean[k] = first[k] + shift;
    // What is left of a constant column is round-off.
    const bool varies = variance > 1e-12 * squares[k] / n && variance > 0;
    scale[k] = varies ? 1 / std::sqrt(variance) : 0;
  }
}

void check_rows(const std::filesystem::path& file, std::string_view what, Index found, const data::ArrayFile& pool) {
  if (found != pool.rows())
    throw DataError(text(file.string(), ": expected ", pool.rows(), " ", what, ", one for each row of ", pool.name(),
                         ", found ", found));
}
void check_width(const data::ArrayFile& file, const data::ArrayFile& pool) {
  if (file.cols() != pool.cols())
    throw DataError(text(file.name(), ": expected rows of ", pool.cols(), " numbers, as ", pool.name(), " has, found ",
                         file.cols()));
}

std::shared_ptr<const data::ArrayFile> open_rows(const std::filesystem::path& path) {
  auto file = std::make_shared<const data::ArrayFile>(path);
  if (file->shape().empty() || file->rows() < 1 || file->cols() < 1)
    throw DataError(text(file->name(), ": expected rows of numbers, found an array of ", file->rows(), " x ",
                         file->shape().empty() ? 0 : file->cols()));
  return file;
}

RowMatrix<float> all_rows(const data::RowSource& source) {
  RowMatrix<float> all(source.rows(), source.cols());
  for (Index i = 0; i < source.rows(); ++i)
    source.read(i, Rows<float>(all.row(i).data(), 1, all.cols(), Eigen::OuterStride<>(all.cols())));
  return all;
}

/// Every class from 0 on has a validation sample, and every sample of the pool is of one.
int checked_classes(const ScoreSettings& s, const std::vector<int>& labels, const std::vector<int>& validation) {
  const std::set<int> seen(validation.begin(), validation.end());
  int next = 0;
  for (const int y : seen) {
    if (y != next)
      throw DataError(text(s.validation_labels.string(), ": no validation sample of class ", next, ", but of class ", y,
                           ": expected labels from 0 to C - 1, each of them at least once"));
    ++next;
  }
  if (s.classes > 0 && static_cast<Index>(seen.size()) < s.classes)
    throw DataError(text(s.validation_labels.string(), ": no validation sample of class ", seen.size(),
                         ": expected all of ", s.classes, " classes"));
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (!seen.contains(labels[i]))
      throw DataError(text(s.labels.string(), ": row ", i, ": expected a class of which ", s.validation_labels.string(),
                           " has a sample, 0 to ", seen.size() - 1, ", found ", labels[i]));
  if (seen.size() < 2)
    throw DataError(text(s.validation_labels.string(), ": expected at least 2 classes, found ", seen.size()));
  return static_cast<int>(seen.size());
}

}  // namespace

ArrayRows::ArrayRows(std::shared_ptr<const data::ArrayFile> file) : file_(std::move(file)) {}

ArrayRows::ArrayRows(std::shared_ptr<const data::ArrayFile> file, std::vector<double> mean, std::vector<double> scale)
    : file_(std::move(file)), mean_(std::move(mean)), scale_(std::move(scale)) {
  check_size("ArrayRows", "means", cols(), static_cast<Index>(mean_.size()));
  check_size("ArrayRows", "scales", cols(), static_cast<Index>(scale_.size()));
}

void ArrayRows::read(Index i, Rows<float> out) const {
  file_->read_rows<float>(i, out);
  for (std::size_t k = 0; k < mean_.size(); ++k) {
    float& x = out(0, static_cast<Index>(k));
    x = static_cast<float>((static_cast<double>(x) - mean_[k]) * scale_[k]);
  }
}

ScoreProblem read_score_problem(const ScoreSettings& s) {
  const auto features = open_rows(s.features), validation_features = open_rows(s.validation_features);
  check_width(*validation_features, *features);
  const int most = s.classes > 0 ? static_cast<int>(s.classes) - 1 : std::numeric_limits<int>::max() - 1;

  ScoreProblem out;
  data::Problem& problem = out.problem;
  problem.name = s.features.string();
  data::Pool& pool = problem.pool;
  data::LabelledSet& validation = problem.validation;
  pool.labels = data::read_integers(s.labels, 0, most);
  check_rows(s.labels, "labels", static_cast<Index>(pool.labels.size()), *features);
  validation.labels = data::read_integers(s.validation_labels, 0, most);
  check_rows(s.validation_labels, "labels", static_cast<Index>(validation.labels.size()), *validation_features);
  problem.classes = checked_classes(s, pool.labels, validation.labels);
  const auto n = pool.labels.size(), m = validation.labels.size();
  out.groups.assign(n, data::synthetic_group);
  if (!s.groups.empty()) {
    out.groups = data::read_integers(s.groups, 0);
    check_rows(s.groups, "groups", static_cast<Index>(out.groups.size()), *features);
    if (std::find(out.groups.begin(), out.groups.end(), data::real_group) == out.groups.end())
      throw DataError(text(s.groups.string(), ": expected a real sample, of group ", data::real_group,
                           ", found none: leave --group out where the validation samples are the only real ones"));
  }
  for (std::size_t i = 0; i < n; ++i) {
    const bool real = out.groups[i] == data::real_group;
    pool.groups.push_back(real ? data::real_group : data::synthetic_group);
    pool.kinds.push_back(real ? data::Kind::real : data::Kind::good);  // nobody knows
    pool.origins.push_back(static_cast<Index>(i));
  }
  pool.attributes.assign(n, 0);
  validation.attributes.assign(m, 0);

  features->check_crc();
  validation_features->check_crc();
  std::vector<double> mean, scale;
  measure_columns(*validation_features, mean, scale);  // for its checks
  measure_columns(*features, mean, scale);
  const auto rows = [&](const std::shared_ptr<const data::ArrayFile>& file) {
    return s.raw_features ? std::make_shared<const ArrayRows>(file)
                          : std::make_shared<const ArrayRows>(file, mean, scale);
  };
  pool.inputs.resize(static_cast<Index>(n), 0);
  pool.source = rows(features);
  validation.inputs = all_rows(*rows(validation_features));

  if (s.embeddings.empty()) {
    pool.embeddings = all_rows(*pool.source);
    validation.embeddings = validation.inputs;
  } else {
    const auto take = [&](const std::filesystem::path& path, const data::ArrayFile& of, RowMatrix<float>& to) {
      to = data::read_matrix<float>(path);
      check_rows(path, "rows", to.rows(), of);
    };
    take(s.embeddings, *features, pool.embeddings);
    take(s.validation_embeddings, *validation_features, validation.embeddings);
    if (validation.embeddings.cols() != pool.embeddings.cols())
      throw DataError(text(s.validation_embeddings.string(), ": expected rows of ", pool.embeddings.cols(),
                           " numbers, as ", s.embeddings.string(), " has, found ", validation.embeddings.cols()));
  }
  for (data::LabelledSet* set : {&problem.tuning, &problem.test}) {
    set->inputs.resize(0, pool.width());
    set->embeddings.resize(0, pool.embeddings.cols());
  }
  return out;
}

std::vector<std::vector<Index>> validation_parts(const data::Problem& problem, Index parts, std::uint64_t seed) {
  std::vector<std::vector<Index>> out(static_cast<std::size_t>(parts));
  if (parts < 2) return {};
  std::set<int> real;
  for (std::size_t i = 0; i < problem.pool.labels.size(); ++i)
    if (problem.pool.groups[i] == data::real_group) real.insert(problem.pool.labels[i]);
  std::map<int, std::vector<Index>> classes;
  const auto order = RandomStream(seed, "lab: parts of validation").permutation(problem.validation.size());
  for (const Index i : order) classes[problem.validation.labels[static_cast<std::size_t>(i)]].push_back(i);
  std::size_t next = 0;  // goes on from class to class, so that parts are as large as one another
  for (const auto& [label, members] : classes) {
    const auto count = static_cast<Index>(members.size()), most = (count + parts - 1) / parts;
    if (count - most < (real.contains(label) ? 1 : 2)) return {};
    for (const Index i : members) out[next++ % out.size()].push_back(i);
  }
  for (auto& part : out) {
    if (part.empty()) return {};
    std::sort(part.begin(), part.end());
  }
  return out;
}

HeldOut held_out(const data::LabelledSet& set, const std::vector<Index>& part) {
  std::vector<Index> rest;
  for (Index i = 0; i < set.size(); ++i)
    if (!std::binary_search(part.begin(), part.end(), i)) rest.push_back(i);
  return {data::subset(set, part), data::subset(set, rest)};
}

}  // namespace mts::lab
