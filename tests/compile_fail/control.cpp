// expect-success
// The control of the compile-fail tests: types that fit are not refused, and the include paths work.
#include "core/minimal_types.hpp"
#include "mts/features/compose.hpp"
#include "mts/features/dataset_z_score.hpp"
#include "mts/features/real_centre_cosine.hpp"
#include "mts/optim/adam.hpp"
#include "mts/optim/sgd.hpp"

int main() {
  mts::require_parameter_vector<mts::DenseParameters<double>>();
  mts::require_elementwise<minimal::ElementwiseVector>();
  mts::require_model<minimal::Model>();
  mts::require_weight_net<minimal::WeightNet>();
  mts::require_inner_optimizer<mts::Sgd<minimal::Vector>, minimal::Vector>();
  mts::require_inner_optimizer<mts::AdamW<minimal::ElementwiseVector>, minimal::ElementwiseVector>();
  mts::features::compose(minimal::Extractor{}, mts::features::DatasetZScore{mts::features::RealCentreCosine{}});
}
