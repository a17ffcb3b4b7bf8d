#pragma once
// A model of some framework with its two ways to take a step, its types forgotten, so that each framework is compiled by
// itself. All begin with the same parameters, features, weight net and optimisers, of MLP 784-256-256-10.

#include <memory>
#include <string>
#include <utility>

#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/uniform_step.hpp"
#include "support/problem.hpp"

namespace bench {

inline constexpr Index adapter_samples = 1024;

class Contender {
 public:
  virtual ~Contender() = default;
  virtual void plain() = 0;
  virtual void select() = 0;
  /// Of the last step with selection.
  virtual const mts::SampleVector& alignments() const = 0;
};

/// \param train, validation  in the model's own form
template <class M, class Theta>
class ContenderOf final : public Contender {
 public:
  using Batch = typename M::Batch;
  ContenderOf(M model, Theta theta, Batch train, Batch validation)
      : train_(std::move(train)),
        validation_(std::move(validation)),
        plain_(model, theta.clone(), sgd()),
        select_(model, theta.clone(), sgd(), features(), weight_net(), weight_net().initialize({0, "phi"}),
                Meta({.learning_rate = meta_learning_rate})) {}

  void plain() override { plain_(train_, samples_); }
  void select() override { select_(train_, samples_, validation_, validation_samples_); }
  const mts::SampleVector& alignments() const override { return select_.alignments(); }

 private:
  using Inner = mts::Sgd<Theta>;
  using Meta = mts::AdamW<Parameters>;
  static Inner sgd() { return Inner({.learning_rate = learning_rate, .momentum = momentum}); }
  static mts::MlpWeightNet<float> weight_net() { return mts::MlpWeightNet<float>(features().layout()); }

  const mts::Samples samples_ = samples_of(adapter_samples), validation_samples_ = samples_of(validation_samples);
  Batch train_, validation_;
  mts::UniformStep<M, Inner> plain_;
  mts::MtsStep<M, mts::MlpWeightNet<float>, Features, Inner, Meta> select_;
};

template <class M, class Theta>
std::unique_ptr<Contender> contender(M model, Theta theta, typename M::Batch train, typename M::Batch validation) {
  return std::make_unique<ContenderOf<M, Theta>>(std::move(model), std::move(theta), std::move(train),
                                                 std::move(validation));
}

// One file each. The batches must outlive the contender.
std::unique_ptr<Contender> built_in(const Images& train, const Images& validation);
std::unique_ptr<Contender> by_hand_in_eigen(const Images& train, const Images& validation);
std::unique_ptr<Contender> net_in_c(const Images& train, const Images& validation);
std::unique_ptr<Contender> built_in_behind_callbacks(const Images& train, const Images& validation);
std::unique_ptr<Contender> torch_module(const Images& train, const Images& validation);

}  // namespace bench
