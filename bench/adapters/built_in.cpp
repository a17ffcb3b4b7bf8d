#include "adapters/contender.hpp"

namespace bench {

std::unique_ptr<Contender> built_in(const Images& train, const Images& validation) {
  const auto model = classifier<float>(Net::mlp);
  return contender(model, model.initialize({0, "theta"}), train.batch, validation.batch);
}

}  // namespace bench
