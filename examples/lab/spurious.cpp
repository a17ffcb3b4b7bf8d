// The benchmark `spurious`: garments before stripe backgrounds.
#include "mts/data/spurious.hpp"

#include "lab/benchmarks.hpp"

namespace mts::lab {

namespace {

class SpuriousSource final : public ProblemSource {
 public:
  SpuriousSource(const Settings& settings, const Session& session, const Preparation& preparation)
      : data_(data::fashion_mnist(settings.data)),
        generator_(train(data::web_images(data_), "the generator", settings, session, preparation)),
        embedding_(train(data::styled_web_images(data_), "the embedding", settings, session, preparation)) {}

  data::Problem make(std::uint64_t seed) const override { return data::spurious(data_, generator_, embedding_, seed); }

 private:
  static data::Generator train(const RowMatrix<float>& images, std::string_view what, const Settings& settings,
                               const Session& session, const Preparation& preparation) {
    data::GeneratorOptions options;
    options.architecture.inputs = images.cols();
    options.epochs = settings.generator_epochs;
    return data::cached_generator(images, options, what, {session.cache, preparation.note, preparation.progress});
  }

  data::ImageData data_;
  data::Generator generator_;
  data::Generator embedding_;
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
