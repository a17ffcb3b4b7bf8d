#pragma once
// The cases of case.hpp on a device: the plain step and the step with selection by turns, batches in the device's memory.

#include <memory>
#include <vector>

#include "cuda/ceilings.hpp"
#include "cuda/rounds.hpp"
#include "cuda/traffic.hpp"
#include "mts/cuda/classifier.hpp"
#include "mts/cuda/features/on_device.hpp"
#include "mts/cuda/mlp_weight_net.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/selection/step.hpp"
#include "mts/selection/uniform_step.hpp"
#include "support/problem.hpp"

namespace bench {

/// The four cases whose ratios are required of the CPU, and batches that only a device is for.
inline std::vector<Case> device_cases() {
  auto all = cases();
  for (const Index n : {16384, 65536, 262144}) all.push_back({Net::mlp, n});
  return all;
}

/// One case, its batches in the queue's memory, and the ways to take a step on it; each way has parameters of its own.
template <class E>
class DeviceProblem {
  using Model = mts::cuda::Classifier<float, E>;
  using WeightNet = mts::cuda::MlpWeightNet<float, E>;
  using Theta = mts::cuda::Parameters<float, E>;
  using Inner = mts::Sgd<Theta>;

 public:
  DeviceProblem(mts::cuda::SharedQueue<E> queue, const Case& c, Index validation_size)
      : queue_(std::move(queue)),
        case_(c),
        model_(classifier<float>(c.net), queue_),
        train_(queue_),
        validation_(queue_) {
    const Images train(c.samples, "train"), validation(validation_size, "validation");
    train_.assign(train.batch);
    validation_.assign(validation.batch);
    known_ = train.samples;
    validation_known_ = validation.samples;
  }

  std::vector<Way> ways() {
    return {plain(), selecting("MTS", mts::cuda::on_device(features(), queue_)),
            selecting("MTS, features on the host", mts::cuda::FromHost(features(), queue_))};
  }

 private:
  static Inner sgd() { return Inner({.learning_rate = learning_rate, .momentum = momentum}); }
  Theta theta() const { return model_.initialize(mts::RandomStream(0, "theta")); }

  Way plain() {
    using Step = mts::UniformStep<Model, Inner>;
    auto step = std::make_shared<Step>(model_, theta(), sgd());
    const double n = static_cast<double>(case_.samples);
    return {"plain", {plain_flops(case_.layers(), n), plain_bytes(case_.net, n)}, [this, step] {
              return (*step)(train_, known_).train_loss;
            }};
  }
  template <class F>
  Way selecting(const char* name, F extractors) {
    using Meta = mts::AdamW<Theta>;
    using Step = mts::MtsStep<Model, WeightNet, F, Inner, Meta>;
    WeightNet net(extractors.layout(), queue_);
    auto phi = net.initialize(mts::RandomStream(0, "phi"));
    auto step = std::make_shared<Step>(model_, theta(), sgd(), std::move(extractors), std::move(net), std::move(phi),
                                       Meta({.learning_rate = meta_learning_rate}));
    const double n = static_cast<double>(case_.samples), m = static_cast<double>(validation_.size());
    return {name, {floor_flops(case_.layers(), n, m), floor_bytes(case_.net, n, m)}, [this, step] {
              return (*step)(train_, known_, validation_, validation_known_).train_loss;
            }};
  }

  mts::cuda::SharedQueue<E> queue_;
  Case case_;
  Model model_;
  mts::cuda::ClassificationBatch<float, E> train_, validation_;
  mts::Samples known_, validation_known_;
};

/// One case after another. One that has no room, or fails, says so, and the next is measured.
template <class E>
void measure_cases(const mts::cuda::SharedQueue<E>& queue, const std::vector<Case>& cases, Index validation_size,
                   const RoundLimits& limits, Results& results) {
  for (const Case& c : cases) {
    CaseResult result{.name = c.name()};
    try {
      DeviceProblem<E> problem(queue, c, validation_size);
      result.found = by_turns(queue, problem.ways(), limits);
    } catch (const std::exception& error) {
      result.error = error.what();
      result.fits = dynamic_cast<const mts::cuda::OutOfMemory*>(&error) == nullptr;
    }
    results.cases.push_back(std::move(result));
    queue->trim();  // the next case has other sizes
  }
}

}  // namespace bench
