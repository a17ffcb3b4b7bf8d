// The method `uniform`: every sample of the pool counts the same.
#include "lab/methods.hpp"
#include "lab/training.hpp"
#include "mts/selection/uniform_step.hpp"

namespace mts::lab {

namespace {

class UniformTraining final : public Training {
 public:
  explicit UniformTraining(const Task& task)
      : batches_(task), step_(make_step(make_classifier(task.settings, task.problem), task)) {}

  StepReport step() override {
    batches_.next();
    return step_(batches_.batch, batches_.samples);
  }
  const nn::Classifier<float>& model() const override { return step_.model(); }
  const DenseParameters<float>& theta() const override { return step_.theta(); }
  std::optional<SampleVector> pool_weights() override { return std::nullopt; }

 private:
  using Step = UniformStep<nn::Classifier<float>, Sgd<DenseParameters<float>>>;
  static Step make_step(nn::Classifier<float> model, const Task& task) {
    auto theta = initial_parameters(model, task.seed);
    return Step(std::move(model), std::move(theta), make_optimizer(task.settings));
  }

  PoolBatches batches_;
  Step step_;
};

}  // namespace

std::unique_ptr<Training> start_uniform(const Task& task) { return std::make_unique<UniformTraining>(task); }

}  // namespace mts::lab
