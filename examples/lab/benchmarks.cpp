// The benchmarks of real images and edits of them.
#include "lab/benchmarks.hpp"

#include <fmt/format.h>

#include "mts/data/attribute.hpp"
#include "mts/data/domain.hpp"
#include "mts/data/spurious.hpp"
#include "mts/data/texture.hpp"

namespace mts::lab {

namespace {

template <data::Construction B>
class ConstructionSource final : public ProblemSource {
 public:
  ConstructionSource(const Settings& settings, const Session& session, const Preparation& preparation)
      : benchmark_(with(settings)),
        data_(data::fashion_mnist(settings.data)),
        models_(train(data_, settings, session, preparation)) {}

  data::Problem make(std::uint64_t seed) const override {
    return data::construct(benchmark_, data_, models_.generator, models_.embedding, seed);
  }

 private:
  /// The benchmark, with as many validation samples as are asked for.
  static B with(const Settings& settings) {
    B benchmark;
    if (settings.validation > 0) {
      if (settings.validation % benchmark.period() != 0)
        throw UsageError(fmt::format("--validation {}: '{}' is balanced in multiples of {}", settings.validation,
                                     B::name, benchmark.period()));
      benchmark.options.validation = settings.validation;
    }
    return benchmark;
  }
  static data::ConstructionModels train(const data::ImageData& images, const Settings& settings, const Session& session,
                                        const Preparation& preparation) {
    auto options = data::construction_model_options(images);
    options.epochs = settings.generator_epochs;
    return data::construction_models(B{}, images, options, {session.cache, preparation.note, preparation.progress});
  }

  B benchmark_;
  data::ImageData data_;
  data::ConstructionModels models_;
};

template <data::Construction B>
Benchmark benchmark(std::string words) {
  const data::ConstructionOptions o = B{}.options;
  return {std::string(B::name), std::move(words),
          static_cast<Index>(o.classes.size()) * o.real_per_class * (1 + o.edits_per_real), o.validation,
          [](const Settings& settings, const Session& session,
             const Preparation& preparation) -> std::unique_ptr<ProblemSource> {
            return std::make_unique<ConstructionSource<B>>(settings, session, preparation);
          }};
}

}  // namespace

Benchmark spurious_benchmark() {
  return benchmark<data::Spurious>(
      "4 garments before stripes that give the class away in training only; mirrors Waterbirds");
}
Benchmark attribute_benchmark() {
  return benchmark<data::Attribute>(
      "4 garments whose inverted contrast tells two alike ones apart in training only; mirrors CelebA");
}
Benchmark texture_benchmark() {
  return benchmark<data::Texture>(
      "10 garments of textures that give the class away in training only; mirrors the Texture set");
}
Benchmark domain_benchmark() {
  return benchmark<data::Domain>("10 garments, plain where real, sketches in the test; mirrors PACS");
}

}  // namespace mts::lab
