// The populations of mts-lab gsnr.
#include <fmt/format.h>

#include <algorithm>

#include "lab/gsnr.hpp"
#include "mts/core/random.hpp"
#include "mts/data/image_set.hpp"

namespace mts::lab {

namespace {

constexpr double noise = 0.4;  // share of corrupted labels

data::LabelledSet part_of(const data::ImageSet& images, Index begin, Index end) {
  data::LabelledSet set;
  set.inputs = images.rows().middleRows(begin, end - begin);
  set.labels.assign(images.labels().begin() + begin, images.labels().begin() + end);
  set.attributes.assign(set.labels.size(), 0);
  return set;
}

GsnrPopulation population_of_noisy_labels(const GsnrSettings& settings) {
  const data::ImageData images = data::fashion_mnist(settings.data);
  const Index all = images.train.size(), split = all / 3 * 2;
  GsnrPopulation p;
  p.name = noisy_labels;
  p.classes = images.train.classes();
  check_value(p.classes >= 2, noisy_labels, "expected at least 2 classes, found ", p.classes);
  p.train = part_of(images.train, 0, split);
  p.validation = part_of(images.train, split, all);
  p.reference = part_of(images.test, 0, images.test.size());
  p.good.assign(p.train.labels.size(), 1);
  const RandomStream root(settings.seed, "lab: noisy labels");
  for (std::size_t i = 0; i < p.good.size(); ++i) {
    RandomStream stream = root.substream("label", i);
    if (!stream.chance(noise)) continue;
    const auto shift = 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(p.classes - 1)));
    p.train.labels[i] = (p.train.labels[i] + shift) % p.classes;
    p.good[i] = 0;
  }
  return p;
}

GsnrPopulation population_of_benchmark(const GsnrSettings& settings, const Preparation& preparation) {
  Settings own;
  own.data = settings.data;
  own.generator_epochs = settings.generator_epochs;
  const auto source = benchmark_named(settings.benchmark).open(own, settings.session, preparation);
  data::Problem problem = source->make(settings.seed);
  GsnrPopulation p;
  p.name = settings.benchmark;
  p.classes = problem.classes;
  for (const data::Kind kind : problem.pool.kinds) p.good.push_back(data::helps(kind));
  p.train = std::move(static_cast<data::LabelledSet&>(problem.pool));
  p.validation = std::move(problem.tuning);
  p.reference = std::move(problem.test);
  return p;
}

}  // namespace

void check(const GsnrSettings& settings) {
  std::vector<std::string> known = names_of(benchmarks());
  known.insert(known.begin(), noisy_labels);
  if (std::find(known.begin(), known.end(), settings.benchmark) == known.end())
    throw unknown("benchmark", settings.benchmark, known);
  if (settings.session.out.empty()) throw UsageError("mts-lab gsnr: where should the results go? Add --out DIR");
}

GsnrPopulation gsnr_population(const GsnrSettings& settings, const Preparation& preparation) {
  check(settings);
  return settings.benchmark == noisy_labels ? population_of_noisy_labels(settings)
                                            : population_of_benchmark(settings, preparation);
}

}  // namespace mts::lab
