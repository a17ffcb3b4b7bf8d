// The benchmark `spurious`: garments before stripe backgrounds.
#include "mts/data/spurious.hpp"

#include "lab/benchmarks.hpp"

namespace mts::lab {

namespace {

class SpuriousSource final : public ProblemSource {
 public:
  SpuriousSource(const Settings& settings, const Session& session, const Preparation& preparation)
      : data_(data::fashion_mnist(settings.data)), models_(train(data_, settings, session, preparation)) {}

  data::Problem make(std::uint64_t seed) const override {
    return data::spurious(data_, models_.generator, models_.embedding, seed);
  }

 private:
  static data::SpuriousModels train(const data::ImageData& images, const Settings& settings, const Session& session,
                                    const Preparation& preparation) {
    auto options = data::spurious_model_options(images);
    options.epochs = settings.generator_epochs;
    const data::GeneratorCache cache{session.cache, preparation.note, preparation.progress};
    return {data::cached_generator(data::web_images(images), options, "the generator", cache),
            data::cached_generator(data::styled_web_images(images), options, "the embedding", cache)};
  }

  data::ImageData data_;
  data::SpuriousModels models_;
};

}  // namespace

Benchmark spurious_benchmark() {
  const data::SpuriousOptions o;
  return {"spurious", "4 garments before stripes that give the class away in training only; mirrors Waterbirds",
          4 * o.real_per_class * (1 + o.edits_per_real), o.validation,
          [](const Settings& settings, const Session& session,
             const Preparation& preparation) -> std::unique_ptr<ProblemSource> {
            return std::make_unique<SpuriousSource>(settings, session, preparation);
          }};
}

}  // namespace mts::lab
