// Methods in which a weight net learns, while the classifier trains, how much each sample counts.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "lab/device.hpp"
#include "lab/features.hpp"
#include "lab/methods.hpp"
#include "lab/training.hpp"
#include "lab/weight_net.hpp"
#include "mts/methods/cmw_net.hpp"
#include "mts/methods/data_rater.hpp"
#include "mts/methods/mts_paper.hpp"
#include "mts/methods/mw_net.hpp"
#include "mts/selection/group_weight_net.hpp"
#include "mts/selection/linearize.hpp"
#include "mts/selection/mlp_weight_net.hpp"
#include "mts/selection/tabular_weight_net.hpp"

namespace mts::lab {

namespace {

using Model = nn::Classifier<float>;
using Batch = nn::ClassificationBatch<float>;
using Parameters = DenseParameters<float>;
using Features = features::Composition<ChosenFeatures>;

double weight_of(const ChosenWeight& psi, double z) { return std::exp(psi.log_value(z)); }
double weight_of(const ReluWeight& psi, double z) { return psi.value(z); }

template <class W, class A>
using Step = MtsStep<Model, W, Features, Inner, AdamW<Parameters>, A, ChosenAlignment>;

template <class W, class A>
class LearningHostStep final : public HostStep<LearningStep, Step<W, A>> {
 public:
  using HostStep<LearningStep, Step<W, A>>::HostStep;
  StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                        const Samples& validation_samples) override {
    return this->step_(train, samples, validation, validation_samples);
  }
  StepReport operator()(const Batch& train, const Samples& samples, const Batch& validation,
                        const Samples& validation_samples, const Batch& selector,
                        const Samples& selector_samples) override {
    return this->step_(train, samples, validation, validation_samples, selector, selector_samples);
  }
  const Parameters& phi() const override { return this->step_.phi(); }
  const SampleVector& alignments() const override { return this->step_.alignments(); }
};

/// \param options  those of the weight net, where it is an MLP; others learn on the host alone
template <class W, class A>
std::unique_ptr<LearningStep> make_step(const Task& task, const Features& features, const W& weight_net, A activation,
                                        const MlpWeightNetOptions& options) {
  const Settings& s = task.settings;
  if constexpr (std::is_same_v<W, MlpWeightNet<float>>) {
    if (const auto* device = device_of(s)) return device->learning(task, features, options);
  } else {
    check_on_host(s, "--weight-net " + name_of_choice(s.weight_net), "--weight-net mlp");
  }
  auto model = make_classifier(s, task.problem);
  auto theta = initial_parameters(model, task.seed);
  auto phi = weight_net.initialize(initial_weight_net(task.seed));
  return std::make_unique<LearningHostStep<W, A>>(
      Step<W, A>(std::move(model), std::move(theta), make_optimizer(s), features, weight_net, std::move(phi),
                 make_meta_optimizer(s), make_step_options(s), activation, ChosenAlignment{s.alignment}));
}

template <class W, class A>
class WeightNetTraining final : public Training {
 public:
  WeightNetTraining(const Task& task, Features features, W weight_net, A activation, const MlpWeightNetOptions& options)
      : task_(task),
        activation_(activation),
        train_(task),
        validation_(task.problem.validation, task.settings.validation_batch, task.seed),
        features_(std::move(features)),
        weight_net_(std::move(weight_net)),
        step_(make_step(task, features_, weight_net_, activation, options)) {
    if (task.settings.mode == Mode::crossed) selector_.emplace(task, "lab: selector batch order");
  }

  StepReport step() override {
    train_.next();
    validation_.next();
    if (selector_)
      selector_->next(task_.settings.disjoint ? std::span<const Index>(train_.samples.ids) : std::span<const Index>());
    const StepReport report = selector_
                                  ? (*step_)(train_.batch, train_.samples, validation_.batch, validation_.samples,
                                             selector_->batch, selector_->samples)
                                  : (*step_)(train_.batch, train_.samples, validation_.batch, validation_.samples);
    // other steps form no alignments
    if (report.phi_moved)
      features_.part<0>().observe((selector_ ? *selector_ : train_).samples.ids, step_->alignments());
    return report;
  }
  const Model& model() const override { return step_->model(); }
  const Parameters& theta() const override { return step_->theta(); }

  void save(std::ostream& out) const override {
    train_.save(out);
    if (selector_) selector_->save(out);
    validation_.save(out);
    step_->save(out);
  }
  void load(std::istream& in) override {
    train_.load(in);
    if (selector_) selector_->load(in);
    validation_.load(in);
    step_->load(in);
  }

  /// In batches of the training batch's size and random order, as in training, because features normalised over a batch depend
  /// on it. The last one is filled up with samples of the first.
  std::optional<SampleVector> pool_weights() override {
    SampleVector weights(task_.pool->size());
    FeatureBatch<float> f;
    const auto validation = step_->model().forward(step_->theta(), validation_.batch);
    visit_pool(weights.size(), [&](const Batch& batch, const Samples& samples, Index own) {
      features_.begin(task_.batch, samples, f);
      step_->model().forward(step_->theta(), batch, extract_into(f, samples, validation));
      features_.finish(samples, f);
      const auto logits = weight_net_.forward(step_->phi(), f);
      for (Index k = 0; k < own; ++k)
        weights[samples.ids[static_cast<std::size_t>(k)]] = weight_of(activation_, logits.value()[k]);
    });
    return SampleVector(weights.head(task_.problem.pool.size()));
  }

  PoolFeatures pool_features() override {
    const Index n = task_.problem.pool.size();
    PoolFeatures all{features_.layout().continuous, RowMatrix<float>(n, features_.dimension())};
    FeatureBatch<float> f;
    const auto validation = step_->model().forward(step_->theta(), validation_.batch);
    visit_pool(task_.pool->size(), [&](const Batch& batch, const Samples& samples, Index own) {
      features_.begin(task_.batch, samples, f);
      step_->model().forward(step_->theta(), batch, extract_into(f, samples, validation));
      features_.finish(samples, f);
      for (Index k = 0; k < own; ++k)
        if (const Index i = samples.ids[static_cast<std::size_t>(k)]; i < n) all.values.row(i) = f.continuous.row(k);
    });
    return all;
  }

  /// On the same batches, as many as have `samples_looked_at`; validation gradients at the trained classifier, of halves that are drawn
  /// anew for each batch.
  Insight insight() override {
    constexpr Index samples_looked_at = 4096;
    const Model& model = step_->model();
    const Parameters& theta = step_->theta();
    Batch all;
    data::gather_all(task_.problem.validation, all);
    const Index m = task_.problem.validation.size(), half = m / 2;
    const auto at_validation = detail::linearize_unseen("validation set", model, theta, all);
    const auto seen = model.forward(theta, validation_.batch);

    InsightSums sums(features_.layout());
    FeatureBatch<float> f;
    Parameters gamma = theta.zeros_like(), shifted = theta.zeros_like();
    SampleVector u, a, b;
    std::uint64_t round = 0;
    visit_pool(samples_looked_at, [&](const Batch& batch, const Samples& samples, Index) {
      features_.begin(task_.batch, samples, f);
      const auto lin = detail::linearize("batch of the pool", model, theta, batch, extract_into(f, samples, seen));
      features_.finish(samples, f);
      const auto places = RandomStream(task_.seed, "lab: halves of validation", round).permutation(m);
      const auto align = [&](Index begin, Index end, SampleVector& out) {
        u.setZero(m);
        for (Index k = begin; k < end; ++k)
          u[places[static_cast<std::size_t>(k)]] = 1 / static_cast<double>(end - begin);
        at_validation.pullback(u, gamma);
        CheapestAlignment{}(model, theta, batch, lin, gamma, shifted, out);
        check_finite("last look", "alignment", out);
      };
      align(0, half > 0 ? half : m, a);
      if (half > 0) align(half, 2 * half, b);
      sums.add(weight_net_, step_->phi(), activation_, task_.settings.tempering, f, a, b,
               RandomStream(task_.seed, "lab: permuted features", round++));
    });
    const Index of_step = static_cast<Index>(validation_.batch.labels.size());
    return sums.result(2 * static_cast<double>(half) / static_cast<double>(of_step));
  }

 private:
  /// Calls f(batch, samples, how many of them are new) for batches of the pool in random order, until `most` samples or all have been in
  /// one; the last batch of all is filled up with samples of the first.
  template <class F>
  void visit_pool(Index most, F&& f) const {
    const data::Pool& pool = *task_.pool;
    const auto order = RandomStream(task_.seed, "lab: order of the pool's weights").permutation(pool.size());
    Batch batch;
    Samples samples;
    std::vector<Index> ids(static_cast<std::size_t>(task_.batch));
    for (Index begin = 0; begin < std::min(most, pool.size()); begin += task_.batch) {
      for (Index k = 0; k < task_.batch; ++k)
        ids[static_cast<std::size_t>(k)] = order[static_cast<std::size_t>((begin + k) % pool.size())];
      data::gather(pool, ids, batch, samples);
      f(batch, samples, std::min(task_.batch, pool.size() - begin));
    }
  }
  /// An observer that extracts the features of the samples that the model shows.
  template <class V>
  auto extract_into(FeatureBatch<float>& f, const Samples& samples, const V& validation) const {
    return [&, range = Samples()](const Model::Rows& rows) mutable {
      samples.slice_into(rows.begin(), rows.samples(), range);
      features_.extract_rows(FeatureContext<Model::Rows, V>{rows, validation, range, validation_.samples}, rows.begin(),
                             f);
    };
  }

  Task task_;
  A activation_;
  PoolBatches train_;
  std::optional<PoolBatches> selector_;
  ValidationBatches validation_;
  Features features_;  // the step's share its memory
  W weight_net_;
  std::unique_ptr<LearningStep> step_;
};

template <class W>
std::unique_ptr<Training> start(const Task& task, Features features, W weight_net,
                                const MlpWeightNetOptions& options = {}) {
  return with_activation(task.settings, [&]<class A>(A activation) -> std::unique_ptr<Training> {
    return std::make_unique<WeightNetTraining<W, A>>(task, std::move(features), std::move(weight_net), activation,
                                                     options);
  });
}

}  // namespace

std::unique_ptr<Training> start_weight_net(const Task& task) {
  const Settings& s = task.settings;
  const auto features = [&](const std::vector<std::string>& names) { return make_features(names, task); };
  switch (s.weight_net) {
    case WeightNetKind::tabular:
      return start(task, features({}), TabularWeightNet<float>(task.pool->size()));
    case WeightNetKind::group: {
      auto group = features({"group"});
      GroupWeightNet<float> net(group.layout(), "group");
      return start(task, std::move(group), std::move(net));
    }
    case WeightNetKind::mlp:
      break;
  }
  auto chosen = features(s.features);
  const MlpWeightNetOptions options{.hidden = s.weight_net_hidden};
  MlpWeightNet<float> net(chosen.layout(), options);
  return start(task, std::move(chosen), std::move(net), options);
}

// Published methods: their features, weight net and activation, the rest as for any weight net here.

namespace {

template <class F, class A>
std::unique_ptr<Training> start_method(Task task, methods::WeightNetMethod<F, A> method) {
  task.settings.activation = choice_named<WeightActivationKind>("activation", A::name);
  Features features(ChosenFeatures({hold(std::move(method.features), task)}));
  MlpWeightNet<float> net(features.layout(), method.weight_net);
  return start(task, std::move(features), std::move(net), method.weight_net);
}

}  // namespace

std::unique_ptr<Training> start_mts_paper(const Task& task) {
  return start_method(task, methods::mts_paper({.classes = task.problem.classes}));
}
std::unique_ptr<Training> start_mw_net(const Task& task) { return start_method(task, methods::mw_net()); }
std::unique_ptr<Training> start_cmw_net(const Task& task) {
  return start_method(task, methods::cmw_net({.classes = task.problem.classes}));
}
std::unique_ptr<Training> start_data_rater(const Task& task) {
  return start_method(task,
                      methods::data_rater({.width = task.pool->embeddings.cols(), .classes = task.problem.classes}));
}

}  // namespace mts::lab
