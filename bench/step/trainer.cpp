#include "step/trainer.hpp"

#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/uniform_step.hpp"
#include "support/problem.hpp"

namespace bench {

namespace {

using mts::MlpWeightNet;
using Model = mts::nn::Classifier<float>;
using Inner = mts::Sgd<Parameters>;
using Meta = mts::AdamW<Parameters>;

template <class E>
class TrainerOf final : public Trainer {
 public:
  TrainerOf(const Case& c, const Images& train, const Images& validation)
      : train_(train),
        validation_(validation),
        plain_(classifier<float>(c.net, c.keeps), initial_theta(c.net), sgd()),
        select_(classifier<float>(c.net, c.keeps), initial_theta(c.net), sgd(), features(),
                MlpWeightNet<float>(features().layout(), {.workspace_budget = budget(c.keeps)}), initial_phi(),
                Meta({.learning_rate = meta_learning_rate})) {}

  mts::StepReport plain() override { return plain_(train_.batch, train_.samples); }
  mts::StepReport select() override {
    return select_(train_.batch, train_.samples, validation_.batch, validation_.samples);
  }
  const mts::SampleVector& alignments() const override { return select_.alignments(); }
  const mts::SampleVector& weights_before() const override { return select_.selector_weights().p; }
  const mts::SampleVector& weights() const override { return select_.weights().p; }
  const Parameters& hypergradient() const override { return select_.hypergradient(); }
  const Parameters& theta() const override { return select_.theta(); }

 private:
  static Inner sgd() { return Inner({.learning_rate = learning_rate, .momentum = momentum}); }

  const Images& train_;
  const Images& validation_;
  mts::UniformStep<Model, Inner> plain_;
  mts::MtsStep<Model, MlpWeightNet<float>, Features, Inner, Meta, mts::SigmoidWeight, E> select_;
};

}  // namespace

Parameters initial_theta(Net net) { return classifier<float>(net).initialize(mts::RandomStream(0, "theta")); }
Parameters initial_phi() { return MlpWeightNet<float>(features().layout()).initialize(mts::RandomStream(0, "phi")); }

std::unique_ptr<Trainer> make_trainer(const Case& c, const Images& train, const Images& validation,
                                      Estimator estimator) {
  switch (estimator) {
    case Estimator::pushforward:
      return std::make_unique<TrainerOf<mts::Pushforward>>(c, train, validation);
    case Estimator::central_difference:
      return std::make_unique<TrainerOf<mts::CentralDifference>>(c, train, validation);
    case Estimator::per_sample_dot:
      break;
  }
  return std::make_unique<TrainerOf<mts::PerSampleDot>>(c, train, validation);
}

}  // namespace bench
