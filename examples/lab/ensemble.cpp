// Ensembles: classifiers trained by one method from different initial weights and batches, whose predicted probabilities are averaged. What a
// method of one classifier is to be compared with at equal cost.
#include <utility>

#include "lab/methods.hpp"
#include "lab/training.hpp"
#include "mts/core/state.hpp"

namespace mts::lab {

namespace {

using Start = std::unique_ptr<Training> (*)(const Task&);

class EnsembleTraining final : public Training {
 public:
  EnsembleTraining(const Task& task, Start start) : task_(task), start_(start) { add_member(); }

  Index preparations() const override {
    return task_.settings.members * members_.front()->preparations() +
           (task_.settings.members - 1) * task_.settings.steps;
  }
  void prepare() override {
    if (steps_ == task_.settings.steps) add_member();
    if (prepared_ < members_.back()->preparations()) {
      members_.back()->prepare();
      ++prepared_;
    } else {
      members_.back()->step();
      ++steps_;
    }
  }
  /// The last member's.
  StepReport step() override {
    if (steps_ == task_.settings.steps) add_member();
    ++steps_;
    return members_.back()->step();
  }
  /// All members.
  void save(std::ostream& out) const override {
    mts::detail::StateWriter(out, "ensemble: save", kind)
        .count(static_cast<Index>(members_.size()))
        .count(prepared_)
        .count(steps_);
    for (const auto& member : members_) member->save(out);
  }
  void load(std::istream& in) override {
    mts::detail::StateReader reader(in, "ensemble: load", kind);
    const Index members = reader.count("members"), prepared = reader.count("preparations"),
                steps = reader.count("steps");
    reader.check(members >= 1 && members <= task_.settings.members, "members",
                 mts::detail::text("1 to ", task_.settings.members), members);
    while (static_cast<Index>(members_.size()) < members) add_member();
    for (const auto& member : members_) member->load(in);
    prepared_ = prepared;
    steps_ = steps;
  }
  const nn::Classifier<float>& model() const override { return members_.back()->model(); }
  const DenseParameters<float>& theta() const override { return members_.back()->theta(); }
  double accuracy(const data::LabelledSet& set) const override {
    nn::ClassificationBatch<float> batch;
    data::gather_all(set, batch);
    RowMatrix<double> sum = RowMatrix<double>::Zero(set.size(), task_.problem.classes);
    for (const auto& member : members_) sum += probabilities(member->model(), member->theta(), batch);
    return accuracy_of(sum, set.labels);
  }
  /// The mean of the members'.
  std::optional<SampleVector> pool_weights() override {
    std::optional<SampleVector> mean;
    for (const auto& member : members_) {
      const auto weights = member->pool_weights();
      if (!weights) return std::nullopt;
      mean = mean ? SampleVector(*mean + *weights) : *weights;
    }
    *mean /= static_cast<double>(members_.size());
    return mean;
  }

 private:
  static constexpr mts::detail::StateKind kind = {'l', 'a', 'b', '-', 'e', 'n', 's', '1'};

  void add_member() {
    Task own(task_.settings, task_.problem, task_.batch,
             RandomStream(task_.seed, "lab: member of the ensemble", members_.size())());
    own.prepared = task_.prepared;
    members_.push_back(start_(own));
    prepared_ = steps_ = 0;
  }

  Task task_;
  Start start_;
  std::vector<std::unique_ptr<Training>> members_;
  Index prepared_ = 0, steps_ = 0;  // of the last member
};

}  // namespace

std::unique_ptr<Training> start_rho_ensemble(const Task& task) {
  return std::make_unique<EnsembleTraining>(task, &start_rho_loss);
}
std::unique_ptr<Training> start_mts_ensemble(const Task& task) {
  return std::make_unique<EnsembleTraining>(task, &start_mts);
}
std::unique_ptr<Training> start_soft_gate_ensemble(const Task& task) {
  return std::make_unique<EnsembleTraining>(task, &start_soft_gate);
}
std::unique_ptr<Training> start_l2rw_ensemble(const Task& task) {
  return std::make_unique<EnsembleTraining>(task, &start_l2rw);
}

}  // namespace mts::lab
