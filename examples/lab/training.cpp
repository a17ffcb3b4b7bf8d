// What all methods share: the network that is trained, its batches, and what runs without selection show.
#include "lab/training.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "lab/device.hpp"
#include "mts/core/state.hpp"
#include "mts/nn/cnn.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/nn/resnet.hpp"
#include "mts/selection/uniform_step.hpp"

namespace mts::lab {

namespace {

const data::ImageShape& image_of(const data::Problem& problem, const std::string& who) {
  check_value(problem.image.has_value(), problem.name, who, " needs images, and the inputs of this problem are none");
  return *problem.image;
}

/// As many as divide all numbers of channels, at most 8.
Index groups_for(const std::vector<Index>& channels) {
  return std::accumulate(channels.begin(), channels.end(), Index{8}, [](Index a, Index b) { return std::gcd(a, b); });
}

}  // namespace

nn::Classifier<float> make_classifier(const Settings& s, const data::Problem& problem) {
  const auto image = [&] { return image_of(problem, "--model " + name_of_choice(s.model)); };
  switch (s.model) {
    case ModelKind::cnn:
      return nn::cnn<float>(image(), {.classes = problem.classes, .channels = channels_of(s), .hidden = s.hidden});
    case ModelKind::resnet:
      return nn::resnet<float>(
          image(), {.classes = problem.classes, .channels = channels_of(s), .groups = groups_for(channels_of(s))});
    case ModelKind::mlp:
      break;
  }
  std::vector<Index> widths{problem.pool.width()};
  widths.insert(widths.end(), s.hidden.begin(), s.hidden.end());
  widths.push_back(problem.classes);
  return nn::mlp<float>(widths);
}

std::optional<data::Augmentation<float>> make_augmentation(const Settings& s, const data::Problem& problem,
                                                           std::uint64_t seed) {
  using enum AugmentationKind;
  const auto kind = s.augmentation;
  if (kind == none) return std::nullopt;
  data::AugmentationOptions options;
  if (kind == shift || kind == shift_flip) options = data::random_shift(s.augmentation_pixels);
  if (kind == crop || kind == crop_flip) options = data::random_crop(s.augmentation_pixels, data::Padding::reflect);
  if (kind == flip || kind == shift_flip || kind == crop_flip) options.flip = 0.5;
  return data::Augmentation<float>(image_of(problem, "--augment " + name_of_choice(kind)), options, seed,
                                   "lab: augmentation");
}

// ------------------------------------------------------------------------------------------------------------ the task

namespace {

std::vector<Index> whole_of(Index n) {
  std::vector<Index> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

/// The pool with the validation samples behind it.
data::Pool extended(const data::Problem& problem) {
  data::Pool pool = problem.pool;
  const data::LabelledSet& v = problem.validation;
  const Index n = pool.size(), m = v.size();
  const auto append = [&](RowMatrix<float>& rows, const RowMatrix<float>& more) {
    rows.conservativeResize(n + m, Eigen::NoChange);
    rows.bottomRows(m) = more;
  };
  if (pool.source) {
    pool.inputs.resize(n + m, 0);
    pool.source = std::make_shared<data::ExtendedRows>(pool.source, v.inputs);
  } else {
    append(pool.inputs, v.inputs);
  }
  append(pool.embeddings, v.embeddings);
  pool.labels.insert(pool.labels.end(), v.labels.begin(), v.labels.end());
  pool.attributes.insert(pool.attributes.end(), v.attributes.begin(), v.attributes.end());
  for (Index i = n; i < n + m; ++i) {
    pool.groups.push_back(data::real_group);
    pool.kinds.push_back(data::Kind::real);
    pool.origins.push_back(i);
  }
  return pool;
}

}  // namespace

Task::Task(Settings s, const data::Problem& p, Index n, std::uint64_t draw)
    : settings(std::move(s)),
      problem(p),
      batch(n),
      seed(draw),
      validation_rows(std::llround(settings.validation_rows * static_cast<double>(n))) {
  check_value(validation_rows < n, "--validation-rows", "of a batch of ", n, " samples ", validation_rows,
              " would be validation samples, which leaves none of the pool: expected a smaller share");
  pool = validation_rows > 0 ? std::make_shared<const data::Pool>(extended(p))
                             : std::shared_ptr<const data::Pool>(std::shared_ptr<void>(), &p.pool);
}

namespace {

class PlainHostStep final : public HostStep<PlainStep, UniformStep<nn::Classifier<float>, Inner>> {
 public:
  using HostStep::HostStep;
  StepReport operator()(const Batch& train, const Samples& samples) override { return step_(train, samples); }
};

}  // namespace

std::unique_ptr<PlainStep> make_plain_step(const Task& task, std::uint64_t seed) {
  if (const auto* device = device_of(task.settings)) return device->plain(task, seed);
  auto model = make_classifier(task.settings, task.problem);
  auto theta = initial_parameters(model, seed);
  return std::make_unique<PlainHostStep>(
      UniformStep<nn::Classifier<float>, Inner>(std::move(model), std::move(theta), make_optimizer(task.settings)));
}

RowMatrix<double> probabilities(const nn::Classifier<float>& model, const DenseParameters<float>& theta,
                                const nn::ClassificationBatch<float>& batch) {
  const auto forward = model.forward(theta, batch);
  RowMatrix<double> p = forward.logits().template cast<double>();
  for (Index i = 0; i < p.rows(); ++i) {
    p.row(i) = (p.row(i).array() - p.row(i).maxCoeff()).exp();
    p.row(i) /= p.row(i).sum();
  }
  return p;
}

double accuracy_of(const RowMatrix<double>& scores, const std::vector<int>& labels) {
  check_size("accuracy_of", "labels", scores.rows(), static_cast<Index>(labels.size()));
  Index right = 0;
  for (Index i = 0; i < scores.rows(); ++i) {
    Index best = 0;
    scores.row(i).maxCoeff(&best);
    right += best == labels[static_cast<std::size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(scores.rows());
}

double Training::accuracy(const data::LabelledSet& set) const {
  nn::ClassificationBatch<float> batch;
  data::gather_all(set, batch);
  return nn::accuracy(model(), theta(), batch);
}

Task with_validation_rows(const Task& task) {
  constexpr double usual = 0.1;
  Settings s = task.settings;
  if (s.validation_rows == 0) s.validation_rows = usual;
  Task with_rows(std::move(s), task.problem, task.batch, task.seed);
  with_rows.prepared = task.prepared;
  return with_rows;
}

Samples samples_of(const data::Pool& pool) {
  Samples all;
  all.labels = pool.labels;
  all.groups = pool.groups;
  return all;
}

const features::TrainingDynamics& Task::dynamics() const {
  if (dynamics_) return *dynamics_;
  auto dynamics = std::make_shared<features::TrainingDynamics>(pool->size());
  const std::string name = mts::detail::text("dynamics, seed ", seed);
  if (const std::string* made = prepared->find(name)) {
    std::istringstream in(*made);
    dynamics->load(in);
    dynamics_ = std::move(dynamics);
    return *dynamics_;
  }
  const Index steps = std::max<Index>(1, std::llround(settings.prior_share * static_cast<double>(settings.steps)));
  for (Index k = 0; k < settings.prior_runs; ++k) {
    Task own = *this;
    own.seed = RandomStream(seed, "lab: prior run", static_cast<std::uint64_t>(k))();
    PoolBatches batches(own);
    const auto step = make_plain_step(own, own.seed);
    const auto& model = step->model();
    for (Index t = 0; t < steps; ++t) {
      batches.next();
      dynamics->observe(batches.samples.ids, model.forward(step->theta(), batches.batch).logits(),
                        batches.samples.labels);
      (*step)(batches.batch, batches.samples);
    }
    const auto gather = [&](std::span<const Index> ids, auto& b, auto& samples) {
      data::gather(*pool, ids, b, samples);
    };
    // a last look at every sample: a short run may have passed some over
    nn::ClassificationBatch<float> some;
    Samples samples;
    const auto all = whole_of(pool->size());
    for (Index begin = 0; begin < pool->size(); begin += samples_at_once) {
      const Index count = std::min(samples_at_once, pool->size() - begin);
      gather(std::span(all).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)), some, samples);
      dynamics->observe(samples.ids, model.forward(step->theta(), some).logits(), samples.labels);
    }
    dynamics->score_pool(model, step->theta(), 256, gather);
  }
  std::ostringstream out;
  dynamics->save(out);
  prepared->keep(name, std::move(out).str());
  dynamics_ = std::move(dynamics);
  return *dynamics_;
}

// --------------------------------------------------------------------------------------------------------- the batches

PoolBatches::PoolBatches(const Task& task, std::string purpose)
    : PoolBatches(task, whole_of(task.problem.pool.size()), std::move(purpose)) {}

PoolBatches::PoolBatches(const Task& task, std::vector<Index> kept, std::string purpose)
    : PoolBatches(task, kept, [&] {
        const auto n = static_cast<Index>(kept.size());
        return data::EpochSampler(n, {.batch = std::min(task.batch - task.validation_rows, std::max<Index>(1, n)),
                                      .seed = task.seed,
                                      .purpose = std::move(purpose)});
      }()) {}

PoolBatches::PoolBatches(const Task& task, SampleVector weights, std::string purpose)
    : PoolBatches(task, whole_of(task.problem.pool.size()), [&] {
        check_size("PoolBatches", "weights", task.problem.pool.size(), weights.size());
        return data::WeightedSampler(
            std::move(weights),
            {.batch = task.batch - task.validation_rows, .seed = task.seed, .purpose = std::move(purpose)});
      }()) {}

PoolBatches::PoolBatches(const Task& task, std::vector<Index> kept, Sampler sampler)
    : pool_(task.pool),
      kept_(std::move(kept)),
      sampler_(std::move(sampler)),
      validation_rows_(task.validation_rows),
      validation_begin_(task.problem.pool.size()),
      augmentation_(make_augmentation(task.settings, task.problem, task.seed)) {
  if (validation_rows_ > 0)
    validation_.emplace(task.problem.validation.size(),
                        data::EpochSampler::Options{.batch = 1, .seed = task.seed, .purpose = "lab: validation rows"});
}

void PoolBatches::next(std::span<const Index> excluded) {
  if (excluded.empty()) {
    std::visit([&](auto& sampler) { sampler.next(ids_); }, sampler_);
  } else {  // those that the sampler knows, by its places
    barred_.clear();
    for (const Index i : excluded) {
      const auto at = std::lower_bound(kept_.begin(), kept_.end(), i);
      if (at != kept_.end() && *at == i) barred_.push_back(at - kept_.begin());
    }
    auto* sampler = std::get_if<data::EpochSampler>(&sampler_);
    check_value(sampler != nullptr, "PoolBatches", "samples can't be excluded from batches drawn by weight");
    sampler->next(ids_, barred_);
  }
  for (Index& i : ids_) i = kept_[static_cast<std::size_t>(i)];
  for (Index k = 0; k < validation_rows_; ++k) {
    validation_->next(row_);
    ids_.push_back(validation_begin_ + row_[0]);
  }
  data::gather(*pool_, ids_, batch, samples);
  if (augmentation_) augmentation_->in_place(batch, ids_, step_);
  ++step_;
}

namespace {

constexpr mts::detail::StateKind what_is_prepared = {'l', 'a', 'b', '-', 'p', 'r', 'e', '1'};
constexpr mts::detail::StateKind pool_batches = {'l', 'a', 'b', '-', 'p', 'o', 'o', '1'};
constexpr mts::detail::StateKind validation_batches = {'l', 'a', 'b', '-', 'v', 'a', 'l', '1'};
constexpr mts::detail::StateKind mean_weights = {'l', 'a', 'b', '-', 'm', 'e', 'a', '1'};

}  // namespace

void Prepared::save(std::ostream& out) const {
  mts::detail::StateWriter writer(out, "Prepared::save", what_is_prepared);
  writer.count(static_cast<Index>(made_.size()));
  for (const auto& [name, bytes] : made_) writer.words(name).words(bytes);
}
void Prepared::load(std::istream& in) {
  mts::detail::StateReader reader(in, "Prepared::load", what_is_prepared);
  std::map<std::string, std::string> made;
  for (Index left = reader.count("things prepared"); left > 0; --left) {
    std::string name = reader.words("name of what was prepared");
    made[std::move(name)] = reader.words("what was prepared");
  }
  made_ = std::move(made);
}

void PoolBatches::save(std::ostream& out) const {
  mts::detail::StateWriter(out, "PoolBatches::save", pool_batches).number(step_);
  std::visit([&](const auto& sampler) { sampler.save(out); }, sampler_);
  if (validation_) validation_->save(out);
}
void PoolBatches::load(std::istream& in) {
  step_ = mts::detail::StateReader(in, "PoolBatches::load", pool_batches).number<std::uint64_t>("step");
  std::visit([&](auto& sampler) { sampler.load(in); }, sampler_);
  if (validation_) validation_->load(in);
}

ValidationBatches::ValidationBatches(const data::LabelledSet& set, Index size, std::uint64_t seed)
    : set_(set),
      sampler_(set.size(), {.batch = size == 0 ? set.size() : size, .seed = seed, .purpose = "lab: validation order"}),
      whole_(size == 0 || size == set.size()) {
  if (!whole_) return;
  data::gather_all(set, batch);
  describe();
}
void ValidationBatches::next() {
  if (whole_) return;
  sampler_.next(ids_);
  data::gather(set_, ids_, batch);
  describe();
}
void ValidationBatches::save(std::ostream& out) const {
  mts::detail::StateWriter(out, "ValidationBatches::save", validation_batches).vector(ids_);
  sampler_.save(out);
}
void ValidationBatches::load(std::istream& in) {
  mts::detail::StateReader reader(in, "ValidationBatches::load", validation_batches);
  ids_ = reader.vector<Index>("the last batch");
  for (const Index i : ids_)
    reader.check(i >= 0 && i < set_.size(), "sample of the last batch", mts::detail::text("0 to ", set_.size() - 1), i);
  sampler_.load(in);
  if (ids_.empty()) return;
  data::gather(set_, ids_, batch);
  describe();
}
void ValidationBatches::describe() {
  samples.labels = batch.labels;
  samples.groups.assign(batch.labels.size(), data::real_group);
}

void MeanWeights::add(const Samples& samples, const SampleVector& p) {
  for (Index k = 0; k < p.size(); ++k) {
    const Index i = samples.ids[static_cast<std::size_t>(k)];
    sums_[i] += static_cast<double>(p.size()) * p[k];
    visits_[i] += 1;
  }
}
void MeanWeights::save(std::ostream& out) const {
  mts::detail::StateWriter(out, "MeanWeights::save", mean_weights).vector(sums_).vector(visits_);
}
void MeanWeights::load(std::istream& in) {
  mts::detail::StateReader reader(in, "MeanWeights::load", mean_weights);
  sums_ = reader.sample_vector("sums of weights", sums_.size());
  visits_ = reader.sample_vector("visits", visits_.size());
}
SampleVector MeanWeights::of_first(Index n) const {
  SampleVector means = SampleVector::Ones(n);
  for (Index i = 0; i < n; ++i)
    if (visits_[i] > 0) means[i] = sums_[i] / visits_[i];
  return means;
}

}  // namespace mts::lab
