// The method `mts`: weights from cross-fitted evidence and the ratio of densities (docs/design.md says why).
//
//     for each fold of pool and validation:     RHO-loss (--fold-method) of the model or its --proxy on the rest; P_i of the fold's samples, pool's and validation's
//     e_i, right_i = label evidence of P        an EM of what wrong samples of each label show
//     r_i  = density ratio validation : pool    of e_i and of where i lies among the real samples
//     w_i  = r_i right_i, scaled class by class to validation's shares
//     theta: batches drawn in proportion to w
//
// Validation samples decide twice, and each time what they can bear: which labels are believed by a model that has seen them, and a few
// coefficients of the ratio. The hypergradient asks them at every step for as many directions as the weight net has (law L14).
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "lab/methods.hpp"
#include "lab/registry.hpp"
#include "lab/training.hpp"
#include "mts/core/state.hpp"
#include "mts/data/folds.hpp"
#include "mts/features/nearest_real_cosine.hpp"
#include "mts/features/real_margin.hpp"
#include "mts/selection/evidence_weights.hpp"

namespace mts::lab {

namespace {

using Model = nn::Classifier<float>;
using Parameters = DenseParameters<float>;

/// The problem with parts of its pool and of its validation set. What is judged on is left out.
data::Problem restricted(const data::Problem& problem, std::span<const Index> pool, std::span<const Index> validation) {
  data::Problem part;
  part.name = problem.name;
  part.classes = problem.classes;
  part.image = problem.image;
  static_cast<data::LabelledSet&>(part.pool) = data::subset(problem.pool, pool);
  part.validation = data::subset(problem.validation, validation);
  for (const Index i : pool) {
    part.pool.groups.push_back(problem.pool.groups[static_cast<std::size_t>(i)]);
    part.pool.kinds.push_back(problem.pool.kinds[static_cast<std::size_t>(i)]);
    part.pool.origins.push_back(problem.pool.origins[static_cast<std::size_t>(i)]);
  }
  return part;
}

/// Rows `ids` of `out` <- the model's probabilities for these samples of a set.
void predict(const Model& model, const Parameters& theta, const data::LabelledSet& set, std::span<const Index> ids,
             RowMatrix<double>& out) {
  nn::ClassificationBatch<float> batch;
  for (std::size_t begin = 0; begin < ids.size(); begin += samples_at_once) {
    const auto some = ids.subspan(begin, std::min<std::size_t>(samples_at_once, ids.size() - begin));
    data::gather(set, some, batch);
    const RowMatrix<double> p = probabilities(model, theta, batch);
    for (std::size_t k = 0; k < some.size(); ++k) out.row(some[k]) = p.row(static_cast<Index>(k));
  }
}

/// One fold: nothing is left out, and every sample is judged by a model that was trained on it.
std::vector<data::Fold> folds_of(const Task& task, Index samples, const char* purpose) {
  if (task.settings.folds > 1) return data::folds(samples, task.settings.folds, {task.seed, purpose});
  data::Fold all;
  for (Index i = 0; i < samples; ++i) all.rest.push_back(i);
  all.held_out = all.rest;
  return {all};
}

class MtsTraining final : public Training {
 public:
  explicit MtsTraining(const Task& task)
      : task_(with_validation_rows(task)),
        fold_steps_(
            std::max<Index>(1, std::llround(task.settings.fold_share * static_cast<double>(task.settings.steps)))),
        pool_folds_(folds_of(task, task.problem.pool.size(), "lab: folds of the pool")),
        validation_folds_(folds_of(task, task.problem.validation.size(), "lab: folds of validation")),
        step_(make_plain_step(task_, task_.seed)) {
    pool_.probabilities.resize(task.problem.pool.size(), task.problem.classes);
    pool_.samples = samples_of(task.problem.pool);
    validation_.probabilities.resize(task.problem.validation.size(), task.problem.classes);
    validation_.samples.labels = task.problem.validation.labels;
  }

  Index preparations() const override { return task_.settings.folds * fold_steps_; }
  void prepare() override {
    const auto f = static_cast<std::size_t>(prepared_ / fold_steps_);
    if (prepared_ % fold_steps_ == 0) begin_fold(f);
    in_fold_->step();
    if (++prepared_ % fold_steps_ == 0) end_fold(f);
    if (prepared_ == preparations()) weigh();
  }
  StepReport step() override {
    batches_->next();
    return (*step_)(batches_->batch, batches_->samples);
  }
  const Model& model() const override { return step_->model(); }
  const Parameters& theta() const override { return step_->theta(); }
  /// Within a fold, that of its training too.
  void save(std::ostream& out) const override {
    mts::detail::StateWriter writer(out, "mts: save", kind);
    writer.count(prepared_);
    for (const auto* p : {&pool_.probabilities, &validation_.probabilities})
      writer.vector(std::span<const double>(p->data(), static_cast<std::size_t>(p->size())));
    writer.vector(weights_ ? *weights_ : SampleVector());
    if (in_fold_) in_fold_->save(out);
    if (batches_) batches_->save(out);
    step_->save(out);
  }
  void load(std::istream& in) override {
    mts::detail::StateReader reader(in, "mts: load", kind);
    prepared_ = reader.count("preparations");
    reader.check(prepared_ <= preparations(), "preparations", mts::detail::text("at most ", preparations()), prepared_);
    for (auto* p : {&pool_.probabilities, &validation_.probabilities}) {
      const auto entries = reader.vector<double>("predictions", p->size());
      std::copy(entries.begin(), entries.end(), p->data());
    }
    const bool weighed = prepared_ == preparations();
    const SampleVector weights = reader.sample_vector("weights", weighed ? task_.problem.pool.size() : 0);
    if (weighed) {
      weights_ = weights;
      batches_.emplace(task_, *weights_);
      batches_->load(in);
    } else if (prepared_ % fold_steps_ != 0) {
      begin_fold(static_cast<std::size_t>(prepared_ / fold_steps_));
      in_fold_->load(in);
    }
    step_->load(in);
  }
  std::optional<SampleVector> pool_weights() override { return weights_; }
  /// How much of the weight goes to other samples where what is known of a sample is permuted among those of its class, and the ratio of
  /// densities fitted again (Hooker, Mentch and Zhou 2021, arXiv:1905.03151: a fit that does not know of the permutation extrapolates).
  Insight insight() override {
    place();
    Insight insight;
    const SampleVector p = *weights_ / weights_->sum();
    std::map<int, std::vector<Index>> classes;
    for (Index i = 0; i < p.size(); ++i) classes[pool_.samples.labels[static_cast<std::size_t>(i)]].push_back(i);
    const auto look = [&](const char* name, auto&& rows_of) {
      EvidenceSamples permuted = pool_;
      for (const auto& [label, members] : classes) {
        const auto places =
            RandomStream(task_.seed, std::string("lab: permuted ") + name, static_cast<std::uint64_t>(label))
                .permutation(static_cast<Index>(members.size()));
        for (std::size_t k = 0; k < members.size(); ++k)
          rows_of(permuted).row(members[k]) = rows_of(pool_).row(members[static_cast<std::size_t>(places[k])]);
      }
      const SampleVector w = weights_of(permuted);
      insight.features.push_back({name, (p - w / w.sum()).cwiseAbs().sum() / 2, {}});
    };
    if (has(Part::evidence))
      look("out_of_fold_prediction",
           [](auto& samples) { return samples.probabilities.leftCols(samples.probabilities.cols()); });
    if (has(Part::position) && has(Part::ratio)) {
      look("nearest_real_cosine", [](auto& samples) { return samples.position.leftCols(3); });
      look("real_margin", [](auto& samples) { return samples.position.rightCols(1); });
    }
    return insight;
  }
  /// The probability of its label by models that have not seen it, and where it lies among real samples.
  PoolFeatures pool_features() override {
    place();
    PoolFeatures all{{"out_of_fold_prediction", "nearest_real_cosine_1", "nearest_real_cosine_2",
                      "nearest_real_cosine_3", "real_margin"},
                     RowMatrix<float>(pool_.position.rows(), 5)};
    for (Index i = 0; i < all.values.rows(); ++i)
      all.values(i, 0) = static_cast<float>(pool_.probabilities(i, pool_.samples.labels[static_cast<std::size_t>(i)]));
    all.values.rightCols(4) = pool_.position.cast<float>();
    return all;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'l', 'a', 'b', '-', 'm', 't', 's', '1'};

  void begin_fold(std::size_t f) {
    part_ = restricted(task_.problem, pool_folds_[f].rest, validation_folds_[f].rest);
    Settings s = proxy_of(task_.settings);
    s.steps = fold_steps_;
    Task own(std::move(s), part_, task_.batch, RandomStream(task_.seed, "lab: fold", f)());
    own.prepared = task_.prepared;
    in_fold_ = method_named(task_.settings.fold_method).start(own);
    for (Index k = 0; k < in_fold_->preparations(); ++k) in_fold_->prepare();
  }
  void end_fold(std::size_t f) {
    predict(in_fold_->model(), in_fold_->theta(), task_.problem.pool, pool_folds_[f].held_out, pool_.probabilities);
    predict(in_fold_->model(), in_fold_->theta(), task_.problem.validation, validation_folds_[f].held_out,
            validation_.probabilities);
    in_fold_.reset();
    part_ = {};
  }

  /// The weights, of the out-of-fold predictions.
  void weigh() {
    place();
    weights_ = weights_of(pool_);
    batches_.emplace(task_, *weights_);
  }
  /// Where samples lie, unless that is known: a run that goes on after it has weighed does not ask before it ends.
  void place() {
    if (pool_.position.rows() > 0) return;
    const data::Problem& problem = task_.problem;
    const Index n = problem.pool.size(), m = problem.validation.size();
    // Positions of both sides among the same real samples: the pool's and the validation's, each without itself.
    features::NearestRealCosine nearest(3);
    features::RealMargin margin(3);
    nearest.fit(task_.pool->embeddings, samples_of(*task_.pool));
    margin.fit(task_.pool->embeddings, samples_of(*task_.pool));
    RowMatrix<double> position(n + m, 4);
    position << nearest.table().values(), margin.table().values();
    pool_.position = position.topRows(n);
    validation_.position = position.bottomRows(m);
  }
  bool has(Part part) const { return task_.settings.without != part; }
  SampleVector weights_of(const EvidenceSamples& pool) const {
    return evidence_weights(pool, validation_,
                            {.use_evidence = has(Part::evidence),
                             .use_position = has(Part::position),
                             .use_ratio = has(Part::ratio),
                             .balance = has(Part::balance)});
  }

  Task task_;
  Index fold_steps_, prepared_ = 0;
  std::vector<data::Fold> pool_folds_, validation_folds_;
  EvidenceSamples pool_, validation_;
  data::Problem part_;
  std::unique_ptr<Training> in_fold_;
  std::optional<SampleVector> weights_;
  std::optional<PoolBatches> batches_;
  std::unique_ptr<PlainStep> step_;
};

}  // namespace

std::unique_ptr<Training> start_mts(const Task& task) { return std::make_unique<MtsTraining>(task); }

}  // namespace mts::lab
