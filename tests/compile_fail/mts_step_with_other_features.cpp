// expect: mts: MtsStep asks its features for  static constexpr bool reads_validation()  (FE3)
// expect: mts: MtsStep asks its features for  void extract(const Context&, Features&) const;
// expect: mts::features::compose makes such features of extractors
// Features that do not say what they read; and an extractor that was not composed.
#include "core/minimal_types.hpp"
#include "mts/selection/step.hpp"

struct Silent {
  template <class Context>
  void extract(const Context&, minimal::WeightNet::Features&) const {}
};
template <class F>
using Step = mts::MtsStep<minimal::Model, minimal::WeightNet, F, minimal::UnitStep, minimal::UnitStep>;

int use(Step<minimal::Extractor>& step, const Eigen::MatrixXd& batch) {
  step(batch, {}, batch, {});
  return sizeof(Step<Silent>);
}
