// The study after which the benchmarks were frozen (docs/benchmarks.md). It trains a plain classifier on everything, on
// the real images alone, on what helps by construction (oracle), and on what static filters keep, over construction
// seeds 900 to 909. No learned selection method takes part. It checks what is required of each benchmark, and fails by
// its exit status where that does not hold: the headroom, and real images alone below no selection. How far filters
// lie below the oracle is asked of the average of the four benchmarks, so it is only printed.
//
//   freeze_benchmark NAME --study        the study of one benchmark, some 5 minutes on two cores
//   freeze_benchmark NAME --alignments   what one step rewards: mean alignments by class and kind, after the freeze
//   freeze_benchmark [NAME]              a short run of all parts on tiny versions, to see that they work
#include <mts/data/attribute.hpp>
#include <mts/data/domain.hpp>
#include <mts/data/spurious.hpp>
#include <mts/data/texture.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <mts/nn/mlp.hpp>
#include <mts/optim/sgd.hpp>

namespace {

using namespace mts;
using Theta = DenseParameters<float>;
using Ids = std::vector<Index>;
using Scores = std::vector<double>;  // of each sample of the pool, high = keep
using Place = std::size_t;

// ------------------------------------------------------------------------------------------------- plain training

struct Training {
  Index steps = 600, batch = 128;
};

Sgd<Theta> optimizer_of(const Training& training) {
  return Sgd<Theta>({.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 5e-4, .schedule = cosine(training.steps)});
}

Theta train(const nn::Classifier<float>& model, const data::Pool& pool, const Ids& kept, std::uint64_t seed,
            const Training& training) {
  Theta theta = model.initialize(RandomStream(seed, "initial weights"));
  Theta gradient = theta.zeros_like();
  auto optimizer = optimizer_of(training);
  const Index n = std::min<Index>(training.batch, static_cast<Index>(kept.size()));
  data::EpochSampler sampler(static_cast<Index>(kept.size()), {.batch = n, .seed = seed});
  const SampleVector mean = SampleVector::Constant(n, 1.0 / static_cast<double>(n));
  nn::ClassificationBatch<float> batch;
  Ids ids;
  for (Index step = 0; step < training.steps; ++step) {
    sampler.next(ids);
    for (Index& i : ids) i = kept[static_cast<Place>(i)];
    gather(pool, ids, batch);
    model.linearize(theta, batch).pullback(mean, gradient);
    optimizer.step(theta, gradient);
  }
  return theta;
}

double test_accuracy(const nn::Classifier<float>& model, const Theta& theta, const data::LabelledSet& test) {
  nn::ClassificationBatch<float> batch;
  gather_all(test, batch);
  return 100 * nn::accuracy(model, theta, batch);
}

// -------------------------------------------------------------------------------------------------- static scores

RowMatrix<float> directions(const RowMatrix<float>& embeddings) { return embeddings.rowwise().normalized(); }

/// Mean cosine to the 3 nearest references of the own class minus to the 3 nearest of others. A sample that is itself a
/// reference (`own_place`) is left out.
Scores margin(const data::Pool& pool, const RowMatrix<float>& references, const std::vector<int>& labels,
              bool own_place) {
  const RowMatrix<float> cosines = directions(pool.embeddings) * directions(references).transpose();
  const auto mean_of_nearest = [](std::vector<float>& c) {
    const auto k = std::min<std::ptrdiff_t>(3, static_cast<std::ptrdiff_t>(c.size()));
    std::partial_sort(c.begin(), c.begin() + k, c.end(), std::greater<>());
    return std::accumulate(c.begin(), c.begin() + k, 0.0) / static_cast<double>(k);
  };
  Scores scores;
  std::vector<float> same, other;
  for (Index i = 0; i < pool.size(); ++i) {
    same.clear();
    other.clear();
    for (Index j = 0; j < references.rows(); ++j)
      if (!own_place || i != j)
        (labels[static_cast<Place>(j)] == pool.labels[static_cast<Place>(i)] ? same : other).push_back(cosines(i, j));
    scores.push_back(mean_of_nearest(same) - mean_of_nearest(other));
  }
  return scores;
}

/// The cosine-weighted share of the own label among the 5 nearest samples of the whole pool.
Scores neighbour_agreement(const data::Pool& pool) {
  const RowMatrix<float> e = directions(pool.embeddings);
  Scores scores;
  for (Index i = 0; i < pool.size(); ++i) {
    const Eigen::VectorXf cosines = e * e.row(i).transpose();
    Ids order;
    for (Index j = 0; j < pool.size(); ++j)
      if (j != i) order.push_back(j);
    std::partial_sort(order.begin(), order.begin() + 5, order.end(),
                      [&](Index a, Index b) { return cosines[a] > cosines[b]; });
    double own = 0, all = 1e-8;
    for (std::ptrdiff_t k = 0; k < 5; ++k) {
      const double c = static_cast<double>(cosines[order[static_cast<Place>(k)]]);
      all += c;
      if (pool.labels[static_cast<Place>(order[static_cast<Place>(k)])] == pool.labels[static_cast<Place>(i)]) own += c;
    }
    scores.push_back(own / all);
  }
  return scores;
}

/// EL2N, | softmax(z_i) - onehot(y_i) |, under a trained classifier.
Scores error_norm(const nn::Classifier<float>& model, const Theta& theta, const data::Pool& pool) {
  nn::ClassificationBatch<float> batch;
  gather_all(pool, batch);
  const auto forward = model.forward(theta, batch);
  Scores scores;
  for (Index i = 0; i < pool.size(); ++i) {
    const Eigen::VectorXd z = forward.logits().row(i).transpose().cast<double>();
    Eigen::VectorXd p = (z.array() - z.maxCoeff()).exp();
    p /= p.sum();
    p[batch.labels[static_cast<Place>(i)]] -= 1;
    scores.push_back(p.norm());
  }
  return scores;
}

/// All real samples, and of the edits of each class the share with the highest scores.
Ids filter(const data::Pool& pool, const Scores& scores, double share, int classes) {
  Ids kept;
  for (int y = 0; y < classes; ++y) {
    Ids edits;
    for (Index i = 0; i < pool.size(); ++i)
      if (pool.labels[static_cast<Place>(i)] == y)
        (pool.groups[static_cast<Place>(i)] == data::real_group ? kept : edits).push_back(i);
    std::stable_sort(edits.begin(), edits.end(),
                     [&](Index a, Index b) { return scores[static_cast<Place>(a)] > scores[static_cast<Place>(b)]; });
    const auto n = static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(edits.size())));
    kept.insert(kept.end(), edits.begin(), edits.begin() + n);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

// ------------------------------------------------------------------------------------------------------ the study

constexpr double shares[] = {.3, .4, .5, .6, .75, .9};
const std::string whole = "no selection", real = "real only", oracle = "oracle (real + good)";

/// Test accuracy in % of each training, by its name, for one seed.
std::map<std::string, double> study(const data::Problem& problem, std::uint64_t seed, const Training& training) {
  const data::Pool& pool = problem.pool;
  const auto model = nn::mlp<float>({pool.inputs.cols(), 128, problem.classes});
  std::map<std::string, double> accuracy;
  const auto run = [&](const std::string& name, const Ids& kept) {
    Theta theta = train(model, pool, kept, seed, training);
    accuracy[name] = test_accuracy(model, theta, problem.test);
    return theta;
  };
  const auto where = [&](auto&& holds) {
    Ids ids;
    for (Index i = 0; i < pool.size(); ++i)
      if (holds(pool.kinds[static_cast<Place>(i)], pool.labels[static_cast<Place>(i)] % 2 == 0)) ids.push_back(i);
    return ids;
  };
  using data::Kind;
  const Theta trained = run(whole, where([](Kind, bool) { return true; }));
  run(real, where([](Kind k, bool) { return k == Kind::real; }));
  run(oracle, where([](Kind k, bool) { return data::helps(k); }));
  run("all but content edits", where([](Kind k, bool) { return k != Kind::content; }));
  run("all but unchanged edits", where([](Kind k, bool) { return k != Kind::unchanged; }));
  run("oracle + unchanged of even classes",
      where([](Kind k, bool even) { return data::helps(k) || (k == Kind::unchanged && even); }));
  run("oracle + unchanged of odd classes",
      where([](Kind k, bool even) { return data::helps(k) || (k == Kind::unchanged && !even); }));

  const Index reals = static_cast<Index>(std::count(pool.groups.begin(), pool.groups.end(), data::real_group));
  const Scores high = error_norm(model, trained, pool);
  Scores low = high;
  for (double& s : low) s = -s;
  const std::map<std::string, Scores> filters{
      {"EL2N, low first", low},
      {"EL2N, high first", high},
      {"kNN agreement", neighbour_agreement(pool)},
      {"real margin", margin(pool, pool.embeddings.topRows(reals), pool.labels, true)},
      {"validation margin", margin(pool, problem.validation.embeddings, problem.validation.labels, false)}};
  for (const auto& [name, scores] : filters)
    for (const double share : shares) {
      char words[80];
      std::snprintf(words, sizeof words, "filter: %s, keep %.2f", name.c_str(), share);
      run(words, filter(pool, scores, share, problem.classes));
    }
  return accuracy;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const std::vector<double>& x) {
  Moments m;
  for (const double v : x) m.mean += v / static_cast<double>(x.size());
  for (const double v : x) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = x.size() > 1 ? std::sqrt(m.deviation / static_cast<double>(x.size() - 1)) : 0;
  return m;
}

/// Prints a table (mean +- standard deviation over seeds; differences are paired) and says whether what is required of
/// each benchmark holds.
bool report(const std::vector<std::map<std::string, double>>& results) {
  const auto column = [&](const std::string& name, const std::string& minus) {
    std::vector<double> x;
    for (const auto& r : results) x.push_back(r.at(name) - (minus.empty() ? 0 : r.at(minus)));
    return moments(x);
  };
  const auto line = [&](const std::string& name) {
    const Moments a = column(name, ""), d = column(oracle, name);
    std::printf("| %s | %.1f +- %.1f | %.1f +- %.1f |\n", name.c_str(), a.mean, a.deviation, d.mean, d.deviation);
  };
  std::printf("| trained on | test accuracy, %% | oracle minus it |\n|---|---|---|\n");
  std::map<std::string, std::string> best;  // of each filter
  for (const std::string& name : {whole, real, oracle}) line(name);
  for (const auto& [name, accuracy] : results.front()) {
    if (name.rfind("filter", 0) == 0) {
      std::string& b = best[name.substr(0, name.find(", keep"))];
      if (b.empty() || column(name, "").mean > column(b, "").mean) b = name;
    } else if (name != whole && name != real && name != oracle) {
      line(name);
    }
  }
  double best_mean = 0;
  for (const auto& [filter_name, name] : best) {
    line(name);
    best_mean = std::max(best_mean, column(name, "").mean);
  }
  std::printf("\nAll keep shares:");
  for (const double share : shares) std::printf(" %.2f", share);
  for (const auto& [filter_name, unused] : best) {
    std::printf("\n  %-26s", filter_name.c_str());
    for (const auto& [name, accuracy] : results.front())
      if (name.rfind(filter_name, 0) == 0) std::printf(" %.1f", column(name, "").mean);
  }
  const double top = column(oracle, "").mean, none = column(whole, "").mean, alone = column(real, "").mean;
  std::printf("\n\n");
  bool all = true;
  const auto require = [&](const char* what, bool holds) {
    std::printf("%s: %s\n", what, holds ? "holds" : "FAILS");
    all = all && holds;
  };
  require("headroom (oracle - no selection) between 8 and 16 points", top - none >= 8 && top - none <= 16);
  require("real only below no selection", alone < none);
  std::printf("best static filter %.2f points below the oracle; at least 5 are asked of the average of the four\n",
              top - best_mean);
  return all;
}

// ------------------------------------------------------------------------------------------------- alignments

using ByKind = std::vector<std::array<double, 5>>;  // of each class

/// Mean over classes' and kinds' samples of <g_i, Gamma> less its mean in the batch, while a classifier trains on
/// everything. Gamma is the gradient of the loss on the tuning set: what many clean images say, not the noise of a few.
ByKind alignments(const data::Problem& problem, std::uint64_t seed, const Training& training) {
  const auto model = nn::mlp<float>({problem.pool.inputs.cols(), 128, problem.classes});
  Theta theta = model.initialize(RandomStream(seed, "initial weights"));
  Theta gradient = theta.zeros_like(), gamma = theta.zeros_like();
  auto optimizer = optimizer_of(training);
  data::EpochSampler sampler(problem.pool.size(), {.batch = training.batch, .seed = seed});
  nn::ClassificationBatch<float> batch, clean;
  gather_all(problem.tuning, clean);
  const auto mean_of = [](Index n) { return SampleVector::Constant(n, 1.0 / static_cast<double>(n)).eval(); };
  Ids ids;
  SampleVector a(training.batch);
  ByKind sums(static_cast<Place>(problem.classes)), counts(sums);
  for (Index step = 0; step < training.steps; ++step) {
    sampler.next(ids);
    gather(problem.pool, ids, batch);
    const auto lin = model.linearize(theta, batch);
    model.linearize(theta, clean).pullback(mean_of(clean.size()), gamma);
    lin.pushforward(gamma, a);
    const double mean = a.mean();
    for (Index k = 0; k < a.size(); ++k) {
      const auto i = static_cast<Place>(ids[static_cast<Place>(k)]);
      const auto label = static_cast<Place>(problem.pool.labels[i]), kind = static_cast<Place>(problem.pool.kinds[i]);
      sums[label][kind] += a[k] - mean;
      ++counts[label][kind];
    }
    lin.pullback(mean_of(a.size()), gradient);
    optimizer.step(theta, gradient);
  }
  for (Place c = 0; c < sums.size(); ++c)
    for (Place k = 0; k < sums[c].size(); ++k) sums[c][k] /= counts[c][k];
  return sums;
}

void report(const std::vector<ByKind>& seeds) {
  std::printf("mean of <g_i, Gamma> - its batch mean, Gamma on the tuning images, %zu seeds\n", seeds.size());
  std::printf("class       real      good unchanged   content destroyed\n");
  for (Place c = 0; c < seeds.front().size(); ++c) {
    std::printf("%5zu", c);
    for (Place k = 0; k < 5; ++k) {
      double mean = 0;
      for (const ByKind& s : seeds) mean += s[c][k] / static_cast<double>(seeds.size());
      std::printf(" %9.2f", mean);
    }
    std::printf("\n");
  }
}

// ------------------------------------------------------------------------------------------------------ what to run

enum class What { sample, study, alignments };

/// Runs a benchmark; says whether what is required of each holds.
template <data::Construction B>
bool run(B benchmark, What what, const data::ImageData& images) {
  Training training;
  Index seeds = 10;
  data::GeneratorCache cache;
  cache.note = [](std::string_view words) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(words.size()), words.data());
  };
  data::GeneratorOptions models_of = data::construction_model_options(images);
  if (what == What::sample) {
    benchmark.options.real_per_class = 10;
    benchmark.options.tuning = benchmark.options.test = 10 * benchmark.period();
    training = {.steps = 20, .batch = 32};
    seeds = 2;
    models_of.epochs = 0;
    cache.folder = "";
  }
  std::printf("%.*s\n", static_cast<int>(B::name.size()), B::name.data());
  const auto models = data::construction_models(benchmark, images, models_of, cache);
  std::vector<std::map<std::string, double>> results(static_cast<Place>(seeds));
  std::vector<ByKind> by_kind(static_cast<Place>(seeds));
  parallel_tasks(seeds, [&](Index k) {
    const auto seed = 900 + static_cast<std::uint64_t>(k);
    const data::Problem problem = data::construct(benchmark, images, models.generator, models.embedding, seed);
    if (what != What::study) by_kind[static_cast<Place>(k)] = alignments(problem, seed, training);
    if (what != What::alignments) results[static_cast<Place>(k)] = study(problem, seed, training);
    std::string line = mts::detail::text("seed ", seed, " done");
    for (const auto& [trained_on, accuracy] : results[static_cast<Place>(k)])
      line += mts::detail::text("; ", trained_on, ": ", accuracy);
    std::fprintf(stderr, "%s\n", line.c_str());
  });
  if (what != What::study) report(by_kind);
  return what == What::alignments || report(results);
}

/// Runs the benchmarks of that name, all where it is empty. \throws ValueError for an unknown name
template <class... Bs>
bool run_named(const std::string& name, What what) {
  if (!name.empty() && !((name == Bs::name) || ...))
    throw ValueError(mts::detail::text("no benchmark '", name, "'; there are", ((" " + std::string(Bs::name)) + ...)));
  const data::ImageData images = data::fashion_mnist();
  bool holds = true;
  ((name.empty() || name == Bs::name ? void(holds = run(Bs{}, what, images) && holds) : void()), ...);
  return holds;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string name = argc > 1 ? argv[1] : "", option = argc > 2 ? argv[2] : "";
  if (argc > 3 || (argc == 3 && option != "--study" && option != "--alignments")) {
    std::fprintf(stderr, "usage: freeze_benchmark [NAME [--study | --alignments]]\n");
    return 2;
  }
  const What what = option == "--study" ? What::study : option == "--alignments" ? What::alignments : What::sample;
  const bool holds = run_named<data::Spurious, data::Attribute, data::Texture, data::Domain>(name, what);
  return what == What::study && !holds ? 1 : 0;
} catch (const mts::Error& error) {
  std::fprintf(stderr, "freeze_benchmark: %s\n", error.what());
  return 1;
}
