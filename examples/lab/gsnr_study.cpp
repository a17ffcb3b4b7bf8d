// The study of mts-lab gsnr: one frozen network, what one pool forecasts of it, and what fresh batches show.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "lab/gsnr.hpp"
#include "lab/interrupt.hpp"
#include "mts/core/random.hpp"
#include "mts/diagnostics/gsnr_accumulator.hpp"
#include "mts/nn/mlp.hpp"
#include "mts/optim/sgd.hpp"
#include "mts/theory/activation.hpp"
#include "mts/theory/gsnr_forecast.hpp"
#include "mts/theory/gsnr_uniform.hpp"
#include "mts/theory/hypergradient.hpp"
#include "mts/theory/quantiles.hpp"

namespace mts::lab {

namespace {

using diagnostics::GsnrAccumulator;
using theory::ForecastSamples;
using theory::GsnrForecast;
using Model = nn::Classifier<float>;
using Linearization = autodiff::NetworkLinearization<float>;
using Batch = nn::ClassificationBatch<float>;
using Parameters = DenseParameters<float>;
using Ids = std::span<const Index>;

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double family_error = 0.01;  // of each panel's verdicts together
constexpr double least_gsnr =
    0.25;  // below it the precision is absolute: a GSNR of 0 takes for ever to measure relatively
constexpr Index round_size = 64;  // replicates between two looks at the precision
constexpr Index chunk = 2048;     // samples linearised at once where a whole population is

// The weight net of the study: z = phi . f, of features of the sample alone.
constexpr double flipped = 0.25;  // share of samples whose noisy label of quality is wrong
constexpr std::array phi = {0.5, -0.4, 0.5, 0.2};

/// k of {0, ..., n-1}, without replacement (the first k of Fisher and Yates).
std::vector<Index> draw(Index n, Index k, RandomStream stream) {
  std::vector<Index> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), Index{0});
  for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i)
    std::swap(ids[i], ids[i + stream.below(static_cast<std::uint64_t>(n) - i)]);
  ids.resize(static_cast<std::size_t>(k));
  return ids;
}

SampleVector standardised(SampleVector x) {
  x.array() -= x.mean();
  const double deviation = std::sqrt(x.squaredNorm() / static_cast<double>(x.size()));
  if (deviation > 0) x /= deviation;
  return x;
}
/// Of two standardised vectors.
double correlation(const SampleVector& x, const SampleVector& y) { return x.dot(y) / static_cast<double>(x.size()); }

ForecastSamples rows_of(const ForecastSamples& all, Ids ids) {
  ForecastSamples part;
  const auto n = static_cast<Index>(ids.size());
  part.w.resize(n);
  part.s.resize(n);
  part.jacobian.resize(n, all.jacobian.cols());
  for (Index i = 0; i < n; ++i) {
    const Index from = ids[static_cast<std::size_t>(i)];
    part.w[i] = all.w[from];
    part.s[i] = all.s[from];
    part.jacobian.row(i) = all.jacobian.row(from);
  }
  return part;
}
SampleVector entries_of(const SampleVector& x, Ids ids) {
  SampleVector part(static_cast<Index>(ids.size()));
  for (std::size_t i = 0; i < ids.size(); ++i) part[static_cast<Index>(i)] = x[ids[i]];
  return part;
}
/// L2, of the first n of a batch; in units of eta.
SampleVector hypergradient(const ForecastSamples& batch, const SampleVector& a, Index n) {
  const SampleVector p = batch.w.head(n) / batch.w.head(n).sum();
  return theory::covariance_hypergradient(p, batch.s.head(n), a.head(n), batch.jacobian.topRows(n));
}
/// w = exp(beta f), one feature.
ForecastSamples tilted(const SampleVector& feature, double beta) {
  const theory::Softmax psi;
  ForecastSamples samples;
  samples.w = (beta * feature).unaryExpr([&](double z) { return std::exp(psi.log_value(z)); });
  samples.s = (beta * feature).unaryExpr([&](double z) { return psi.log_slope(z); });
  samples.jacobian = feature;
  return samples;
}
double b_eff_share(const SampleVector& w) {
  return w.sum() * w.sum() / (w.squaredNorm() * static_cast<double>(w.size()));
}

/// What is measured of one point.
struct Cell {
  GsnrPoint* point;
  GsnrAccumulator measured;
};

class Study {
 public:
  Study(const GsnrPopulation& population, const GsnrDesign& design, std::uint64_t seed, double precision,
        Progress& progress, const std::atomic<bool>& stop)
      : population_(population),
        design_(fitting(design, population)),
        root_(seed, "lab: gsnr"),
        precision_(precision),
        progress_(progress),
        stop_(stop),
        model_(nn::mlp<float>({population.train.inputs.cols(), design.hidden, population.classes})),
        theta_(model_.initialize(root_.substream("initial parameters"))) {}

  GsnrStudy operator()() {
    study_.benchmark = population_.name;
    study_.train_size = train();
    study_.validation_size = validation();
    train_network();
    look_at_samples();
    study_.pool = design_.pool;
    study_.pool_validation = design_.groups * design_.group;
    study_.curvature_pool = design_.curvature_pool;
    pool_ids_ = draw(train(), design_.pool, root_.substream("pool"));
    group_ids_ = draw(validation(), design_.groups * design_.group, root_.substream("validation pool"));
    at_fixed_gamma();
    in_the_real_step();
    against_informativeness();
    against_concentration();
    judge();
    return std::move(study_);
  }

 private:
  Index train() const { return population_.train.size(); }
  Index validation() const { return population_.validation.size(); }

  /// The design cut to what the populations hold: pools of at most half of each, batches of at most all.
  static GsnrDesign fitting(GsnrDesign d, const GsnrPopulation& p) {
    const auto cut = [](std::vector<Index>& sizes, Index most) {
      std::erase_if(sizes, [&](Index n) { return n > most; });
    };
    cut(d.batches, p.train.size());
    cut(d.batches_for_all, p.train.size());
    cut(d.validations, p.validation.size());
    cut(d.validations_for_all, p.validation.size());
    d.pool = std::min(d.pool, p.train.size() / 2);
    d.curvature_pool = std::min(d.curvature_pool, d.pool);
    d.groups = std::min(d.groups, p.validation.size() / 2 / d.group);
    d.curvature_validation = std::min(d.curvature_validation, d.groups * d.group);
    d.real_validation = std::min(d.real_validation, p.validation.size());
    return d;
  }

  theory::PoolSizes pools() const { return {static_cast<double>(train()), static_cast<double>(validation())}; }
  /// The same where a validation sample is a group.
  theory::PoolSizes pools_of_groups() const {
    return {static_cast<double>(train()), static_cast<double>(validation()) / static_cast<double>(design_.group)};
  }
  theory::ForecastOptions options() const { return {design_.blocks, design_.blocks}; }

  void check_stop() const {
    if (stop_) throw Interrupted();
  }

  static Batch batch_of(const data::LabelledSet& set, Ids ids) {
    Batch batch;
    data::gather(set, ids, batch);
    return batch;
  }
  static Parameters mean_gradient(const Linearization& lin, Parameters out) {
    lin.pullback(SampleVector::Constant(lin.samples(), 1 / static_cast<double>(lin.samples())), out);
    return out;
  }
  Parameters mean_gradient(const Parameters& theta, const data::LabelledSet& set, Ids ids) const {
    const Batch batch = batch_of(set, ids);
    return mean_gradient(model_.linearize(theta, batch), theta_.zeros_like());
  }

  void train_network() {
    progress_.begin("training the network", static_cast<double>(design_.training_steps));
    Sgd<Parameters> optimizer({.learning_rate = Settings().learning_rate, .momentum = Settings().momentum});
    for (Index k = 0; k < design_.training_steps; ++k) {
      check_stop();
      const auto ids = draw(train(), std::min(design_.training_batch, train()),
                            root_.substream("training batch", static_cast<std::uint64_t>(k)));
      optimizer.step(theta_, mean_gradient(theta_, population_.train, ids));
      progress_.advance(1);
    }
    Batch reference;
    data::gather_all(population_.reference, reference);
    study_.theta_accuracy = nn::accuracy(model_, theta_, reference);
  }

  /// Calls f(ids) on parts of {0, ..., n-1}.
  template <class F>
  static void in_parts(Index n, F&& f) {
    std::vector<Index> ids;
    for (Index begin = 0; begin < n; begin += chunk) {
      ids.resize(static_cast<std::size_t>(std::min(chunk, n - begin)));
      std::iota(ids.begin(), ids.end(), begin);
      f(Ids(ids), begin);
    }
  }

  /// Features of all training samples, the weights they give, and the alignments with the whole validation population.
  void look_at_samples() {
    progress_.begin("features", static_cast<double>(train() + validation()));
    whole_gamma_ = theta_.zeros_like();
    in_parts(validation(), [&](Ids ids, Index) {
      check_stop();
      whole_gamma_.axpy(static_cast<double>(ids.size()) / static_cast<double>(validation()),
                        mean_gradient(theta_, population_.validation, ids));
      progress_.advance(static_cast<double>(ids.size()));
    });
    SampleVector loss(train());
    whole_a_.resize(train());
    in_parts(train(), [&](Ids ids, Index begin) {
      check_stop();
      const Batch batch = batch_of(population_.train, ids);
      const Linearization lin = model_.linearize(theta_, batch);
      SampleVector a;
      lin.per_sample_dot(whole_gamma_, a);
      whole_a_.segment(begin, lin.samples()) = a;
      loss.segment(begin, lin.samples()) = lin.value();
      progress_.advance(static_cast<double>(ids.size()));
    });

    SampleVector good(train()), noisy(train()), first_class(train());
    const RandomStream flips = root_.substream("noisy quality");
    for (Index i = 0; i < train(); ++i) {
      const auto k = static_cast<std::size_t>(i);
      const bool is_good = population_.good[k] != 0;
      RandomStream stream = flips.substream("sample", k);
      good[i] = is_good;
      noisy[i] = is_good != stream.chance(flipped);
      first_class[i] = population_.train.labels[k] == 0;
    }
    good_ = standardised(std::move(good));
    study_.effect = correlation(good_, standardised(whole_a_));
    samples_.jacobian.resize(train(), static_cast<Index>(phi.size()));
    samples_.jacobian.col(0) = standardised(std::move(noisy));
    samples_.jacobian.col(1) = standardised(std::move(loss));
    samples_.jacobian.col(2) = standardised(cosine_to_class());
    samples_.jacobian.col(3) = standardised(std::move(first_class));
    const SampleVector z = samples_.jacobian * Eigen::Map<const SampleVector>(phi.data(), phi.size());
    const theory::Sigmoid psi;
    samples_.w = z.unaryExpr([&](double x) { return std::exp(psi.log_value(x)); });
    samples_.s = z.unaryExpr([&](double x) { return psi.log_slope(x); });
  }
  /// Of each training image and the mean reference image of its label; 0 where there is none.
  SampleVector cosine_to_class() const {
    RowMatrix<float> centres = RowMatrix<float>::Zero(population_.classes, population_.train.inputs.cols());
    for (Index i = 0; i < population_.reference.size(); ++i)
      centres.row(population_.reference.labels[static_cast<std::size_t>(i)]) += population_.reference.inputs.row(i);
    SampleVector cosine = SampleVector::Zero(train());
    for (Index i = 0; i < train(); ++i) {
      const auto centre = centres.row(population_.train.labels[static_cast<std::size_t>(i)]);
      const auto image = population_.train.inputs.row(i);
      const double length = static_cast<double>(centre.norm()) * static_cast<double>(image.norm());
      if (length > 0) cosine[i] = static_cast<double>(centre.dot(image)) / length;
    }
    return cosine;
  }

  /// Alignments of the samples of `lin` with the gradient at `theta` of each group of validation samples, n x groups.
  RowMatrix<double> alignments_with_groups(const Linearization& lin, const Parameters& theta) {
    RowMatrix<double> columns(design_.groups, lin.samples());
    parallel_tasks(design_.groups, [&](Index j) {
      check_stop();
      const Ids ids =
          Ids(group_ids_).subspan(static_cast<std::size_t>(j * design_.group), static_cast<std::size_t>(design_.group));
      SampleVector a;
      lin.per_sample_dot(mean_gradient(theta, population_.validation, ids), a);
      columns.row(j) = a.transpose();
      progress_.advance(1);
    });
    return columns.transpose();
  }

  GsnrPoint& add_point(GsnrPanel panel, Index n, Index m) {
    GsnrPoint p;
    p.panel = panel;
    p.n = n;
    p.m = m;
    p.r = p.beta = p.eta = p.b_eff = p.forecast_noise = none;
    study_.points.push_back(p);
    return study_.points.back();
  }
  std::vector<Cell> cells_of(GsnrPanel panel, Index parameters, const std::function<bool(const GsnrPoint&)>& belongs) {
    std::vector<Cell> cells;
    for (GsnrPoint& p : study_.points)
      if (p.panel == panel && belongs(p)) cells.push_back({&p, GsnrAccumulator(parameters, design_.blocks)});
    return cells;
  }
  void set_forecast(GsnrPoint& p, const theory::ForecastPoint& f) const {
    p.forecast = f.gsnr;
    p.forecast_error = f.standard_error;
    p.forecast_noise = f.variance;
  }

  /// Draws replicates, at most `most`, until every cell is as precise as was asked for. `observe(stream, g)` sets g[k] to the
  /// hypergradient of cell k.
  template <class F>
  void replicate(const char* what, std::vector<Cell> cells, Index most, const RandomStream& streams, F&& observe) {
    if (cells.empty()) return;
    progress_.begin(what, static_cast<double>(most));
    std::vector<std::vector<SampleVector>> g(round_size, std::vector<SampleVector>(cells.size()));
    const Index least = std::min(most, 4 * design_.blocks);
    bool enough = false;
    for (Index first = 0; first < most && !enough; first += round_size) {
      const Index count = std::min(round_size, most - first);
      parallel_tasks(count, [&](Index k) {
        check_stop();
        observe(streams.substream("replicate", static_cast<std::uint64_t>(first + k)), g[static_cast<std::size_t>(k)]);
      });
      for (Index k = 0; k < count; ++k)
        for (std::size_t c = 0; c < cells.size(); ++c)
          cells[c].measured.add(g[static_cast<std::size_t>(k)][c], first + k);
      progress_.advance(static_cast<double>(count));
      enough = first + count >= least;
      for (auto& [point, measured] : cells) {
        const auto estimate = measured.estimate();
        point->measured = estimate.ratio;
        point->measured_error = estimate.standard_error;
        point->measured_noise = estimate.noise;
        point->replicates = estimate.replicates;
        enough = enough && estimate.standard_error <= precision_ * std::max(least_gsnr, std::abs(point->forecast));
      }
    }
  }

  /// (a) at fixed theta: batches of N and M, all fresh in each replicate; within one, smaller batches begin larger ones.
  void at_fixed_gamma() {
    for (const Index m : design_.validations_for_all)
      for (const Index n : design_.batches) add_point(GsnrPanel::fixed, n, m);
    for (const Index n : design_.batches_for_all)
      for (const Index m : design_.validations)
        if (std::find(design_.validations_for_all.begin(), design_.validations_for_all.end(), m) ==
            design_.validations_for_all.end())
          add_point(GsnrPanel::fixed, n, m);

    progress_.begin("forecast", static_cast<double>(design_.groups));
    const Batch batch = batch_of(population_.train, pool_ids_);
    const GsnrForecast forecast(rows_of(samples_, pool_ids_),
                                alignments_with_groups(model_.linearize(theta_, batch), theta_), nullptr, options());
    const auto at = [&](Index n, Index m) {
      return forecast.at(static_cast<double>(n), static_cast<double>(m) / static_cast<double>(design_.group),
                         theory::GsnrOrder::next, pools_of_groups());
    };
    for (GsnrPoint& p : study_.points) set_forecast(p, at(p.n, p.m));
    for (const Index m : design_.validations)
      for (const Index n : design_.batches) {
        GsnrPoint p;
        p.n = n;
        p.m = m;
        set_forecast(p, at(n, m));
        study_.curves.push_back(p);
      }
    for (const bool small : {true, false}) {
      auto cells = cells_of(GsnrPanel::fixed, samples_.jacobian.cols(),
                            [&](const GsnrPoint& p) { return (p.n <= design_.small_batch) == small; });
      std::vector<std::array<Index, 2>> sizes;
      for (const Cell& c : cells) sizes.push_back({c.point->n, c.point->m});
      replicate(small ? "measuring, small batches" : "measuring, large batches", std::move(cells),
                small ? design_.most_small : design_.most_large,
                root_.substream(small ? "small batches" : "large batches"),
                [&](const RandomStream& stream, std::vector<SampleVector>& g) { observe_fixed(stream, sizes, g); });
    }
  }
  void observe_fixed(const RandomStream& stream, const std::vector<std::array<Index, 2>>& sizes,
                     std::vector<SampleVector>& g) const {
    std::vector<Index> ns, ms;
    for (const auto& [n, m] : sizes) {
      ns.push_back(n);
      ms.push_back(m);
    }
    for (auto* list : {&ns, &ms}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    const auto validation_ids = draw(validation(), ms.back(), stream.substream("V"));
    const auto train_ids = draw(train(), ns.back(), stream.substream("B"));

    // Gamma of each M, from sums over what M has and the one before it has not.
    std::vector<Parameters> gammas;
    Parameters sum = theta_.zeros_like(), part = theta_.zeros_like();
    for (std::size_t k = 0; k < ms.size(); ++k) {
      const Index begin = k == 0 ? 0 : ms[k - 1];
      const Batch batch = batch_of(population_.validation, between(validation_ids, begin, ms[k]));
      model_.linearize(theta_, batch).pullback(SampleVector::Ones(ms[k] - begin), part);
      sum.axpy(1, part);
      gammas.push_back(sum.clone());
      gammas.back().scale(1 / static_cast<double>(ms[k]));
    }
    // Alignments likewise, with those Gammas that a batch as large is to meet.
    std::vector<SampleVector> a(ms.size(), SampleVector::Zero(ns.back()));
    SampleVector values;
    for (std::size_t k = 0; k < ns.size(); ++k) {
      const Index begin = k == 0 ? 0 : ns[k - 1];
      const Batch batch = batch_of(population_.train, between(train_ids, begin, ns[k]));
      const Linearization lin = model_.linearize(theta_, batch);
      for (std::size_t j = 0; j < ms.size(); ++j) {
        const bool wanted = std::any_of(sizes.begin(), sizes.end(),
                                        [&](const auto& size) { return size[0] >= ns[k] && size[1] == ms[j]; });
        if (!wanted) continue;
        lin.per_sample_dot(gammas[j], values);
        a[j].segment(begin, ns[k] - begin) = values;
      }
    }
    const ForecastSamples batch = rows_of(samples_, train_ids);
    for (std::size_t c = 0; c < sizes.size(); ++c) {
      const auto j = static_cast<std::size_t>(std::find(ms.begin(), ms.end(), sizes[c][1]) - ms.begin());
      g[c] = hypergradient(batch, a[j], sizes[c][0]);
    }
  }
  static Ids between(const std::vector<Index>& ids, Index begin, Index end) {
    return Ids(ids).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }

  /// (a) in the real step: Gamma at theta - eta sum p_i g_i of the same batch.
  void in_the_real_step() {
    const Ids ids = Ids(pool_ids_).first(static_cast<std::size_t>(design_.curvature_pool));
    const ForecastSamples samples = rows_of(samples_, ids);
    const Batch batch = batch_of(population_.train, ids);
    const Linearization lin = model_.linearize(theta_, batch);
    Parameters gradient = theta_.zeros_like(), there = theta_.zeros_like();
    lin.pullback(samples.w / samples.w.sum(), gradient);
    for (const double eta : design_.rates) {
      sgd(eta).virtual_step(theta_, gradient, there);
      progress_.begin(mts::detail::text("forecast, real step at eta = ", eta),
                      static_cast<double>(design_.groups + design_.curvature_pool));
      const RowMatrix<double> alignments = alignments_with_groups(lin, there);
      const theory::ForecastVirtualStep step{curvature(lin, there), eta};
      const GsnrForecast with(samples, alignments, &step, options()), without(samples, alignments, nullptr, options());
      for (const GsnrPanel panel : {GsnrPanel::real_step, GsnrPanel::real_step_without})
        for (const Index n : design_.real_batches) {
          GsnrPoint& p = add_point(panel, n, design_.real_validation);
          p.eta = eta;
          set_forecast(p, (panel == GsnrPanel::real_step ? with : without)
                              .at(static_cast<double>(n), static_cast<double>(p.m) / static_cast<double>(design_.group),
                                  theory::GsnrOrder::next, pools_of_groups()));
        }
    }
    auto cells = cells_of(GsnrPanel::real_step, samples_.jacobian.cols(), [](const GsnrPoint&) { return true; });
    replicate("measuring, real step", std::move(cells), design_.most_real, root_.substream("real step"),
              [&](const RandomStream& stream, std::vector<SampleVector>& g) { observe_real(stream, g); });
    for (GsnrPoint& p : study_.points)
      for (const GsnrPoint& q : study_.points)
        if (p.panel == GsnrPanel::real_step_without && q.panel == GsnrPanel::real_step && q.n == p.n && q.eta == p.eta)
          copy_measurement(q, p);
  }
  static void copy_measurement(const GsnrPoint& from, GsnrPoint& to) {
    to.measured = from.measured;
    to.measured_error = from.measured_error;
    to.measured_noise = from.measured_noise;
    to.replicates = from.replicates;
  }
  static Sgd<Parameters> sgd(double eta) { return Sgd<Parameters>({.learning_rate = eta}); }

  /// g_i^T H g_j, H the Hessian of the mean loss of some validation samples at `there`: H g_i by central differences of
  /// gradients, a fixed length to both sides.
  RowMatrix<double> curvature(const Linearization& lin, const Parameters& there) {
    constexpr double length = 0.05;
    const Index n = lin.samples();
    const Batch batch =
        batch_of(population_.validation, Ids(group_ids_).first(static_cast<std::size_t>(design_.curvature_validation)));
    RowMatrix<double> products(n, n);
    parallel_tasks(n, [&](Index i) {
      check_stop();
      Parameters g = theta_.zeros_like();
      lin.pullback(SampleVector::Unit(n, i), g);
      const double norm = std::sqrt(g.dot(g));
      if (norm > 0) {
        const auto gradient_at = [&](double way) {
          Parameters moved = there.clone();
          moved.axpy(way * length / norm, g);
          return mean_gradient(model_.linearize(moved, batch), theta_.zeros_like());
        };
        Parameters bend = gradient_at(1);
        bend.axpy(-1, gradient_at(-1));
        bend.scale(norm / (2 * length));
        SampleVector row;
        lin.per_sample_dot(bend, row);
        products.row(i) = row.transpose();
      } else {
        products.row(i).setZero();
      }
      progress_.advance(1);
    });
    return (products + products.transpose()) / 2;
  }
  /// Cells: for each rate, for each N.
  void observe_real(const RandomStream& stream, std::vector<SampleVector>& g) const {
    const std::vector<Index>& ns = design_.real_batches;
    const auto train_ids = draw(train(), ns.back(), stream.substream("B"));
    const Batch validation_batch =
        batch_of(population_.validation, draw(validation(), design_.real_validation, stream.substream("V")));
    const ForecastSamples samples = rows_of(samples_, train_ids);
    std::vector<Batch> batches(ns.size());
    std::vector<Linearization> linearizations;
    Parameters sum = theta_.zeros_like(), part = theta_.zeros_like(), there = theta_.zeros_like();
    SampleVector a(ns.back()), values;
    for (std::size_t k = 0; k < ns.size(); ++k) {
      const Index begin = k == 0 ? 0 : ns[k - 1];
      batches[k] = batch_of(population_.train, between(train_ids, begin, ns[k]));
      linearizations.push_back(model_.linearize(theta_, batches[k]));
      linearizations.back().pullback(samples.w.segment(begin, ns[k] - begin), part);
      sum.axpy(1, part);
      Parameters gradient = sum.clone();
      gradient.scale(1 / samples.w.head(ns[k]).sum());
      for (std::size_t e = 0; e < design_.rates.size(); ++e) {
        sgd(design_.rates[e]).virtual_step(theta_, gradient, there);
        const Parameters gamma = mean_gradient(model_.linearize(there, validation_batch), theta_.zeros_like());
        for (std::size_t l = 0; l <= k; ++l) {
          linearizations[l].per_sample_dot(gamma, values);
          a.segment(l == 0 ? 0 : ns[l - 1], values.size()) = values;
        }
        g[e * ns.size() + k] = hypergradient(samples, a, ns[k]);
      }
    }
  }

  /// A feature of given correlation with the truth.
  SampleVector feature_of(double r) const {
    SampleVector f(train());
    const RandomStream streams = root_.substream("feature noise");
    for (Index i = 0; i < train(); ++i) {
      RandomStream stream = streams.substream("sample", static_cast<std::uint64_t>(i));
      f[i] = r * good_[i] + std::sqrt(1 - r * r) * stream.normal();
    }
    return standardised(std::move(f));
  }

  /// (b) uniform weights and one feature, beside L11. Samples are drawn with replacement, so that L11 is exact.
  void against_informativeness() {
    const std::size_t begin = study_.points.size();
    std::vector<SampleVector> features;
    for (const double r : design_.informativeness) {
      features.push_back(feature_of(r));
      const SampleVector f = entries_of(features.back(), pool_ids_), a = entries_of(whole_a_, pool_ids_);
      for (const Index n : design_.informative_batches) {
        GsnrPoint& p = add_point(GsnrPanel::informativeness, n, 0);
        p.r = r;
        p.b_eff = 1;
        std::tie(p.forecast, p.forecast_error) = forecast_uniform(f, a, static_cast<double>(n));
      }
    }
    const Index most = *std::max_element(design_.informative_batches.begin(), design_.informative_batches.end());
    replicate("measuring, informativeness",
              cells_of(GsnrPanel::informativeness, 1, [](const GsnrPoint&) { return true; }), design_.most_cheap,
              root_.substream("informativeness"), [&](RandomStream stream, std::vector<SampleVector>& g) {
                std::vector<Index> ids(static_cast<std::size_t>(most));
                for (Index& i : ids) i = static_cast<Index>(stream.below(static_cast<std::uint64_t>(train())));
                const SampleVector a = entries_of(whole_a_, ids);
                for (std::size_t c = 0; c < g.size(); ++c) {
                  const Index n = study_.points[begin + c].n;
                  const SampleVector f = entries_of(features[c / design_.informative_batches.size()], ids);
                  g[c] = SampleVector::Constant(1, covariance(f.head(n), a.head(n)));
                }
              });
  }
  static double covariance(const SampleVector& x, const SampleVector& y) {
    return (x.array() - x.mean()).matrix().dot(y) / static_cast<double>(x.size());
  }
  /// L11 of a pool's r and k22, jackknifed; samples that are a part of the population know it better by that part.
  std::pair<double, double> forecast_uniform(const SampleVector& x, const SampleVector& y, double batch) const {
    const Index n = x.size(), blocks = design_.blocks;
    std::vector<double> left;
    for (Index b = -1; b < blocks; ++b) {
      std::vector<Index> kept;
      for (Index i = 0; i < n; ++i)
        if (b < 0 || i % blocks != b) kept.push_back(i);
      const SampleVector u = standardised(entries_of(x, kept)), v = standardised(entries_of(y, kept));
      const double r = correlation(u, v);
      left.push_back(theory::gsnr_uniform(batch, r, correlation(u.cwiseAbs2(), v.cwiseAbs2()) - 1 - 2 * r * r));
    }
    const double whole = left.front(), count = static_cast<double>(blocks);
    const double mean = std::accumulate(left.begin() + 1, left.end(), 0.0) / count;
    double squares = 0;
    for (std::size_t k = 1; k < left.size(); ++k) squares += (left[k] - mean) * (left[k] - mean);
    const double unseen = 1 - static_cast<double>(n) / static_cast<double>(train());
    // Where r is 0 within its error, r^2 is no longer linear in it: its bias, and a variance of twice the bias squared.
    const double bias = (count - 1) * (mean - whole) * unseen;
    return {whole - bias, std::sqrt(squares * (count - 1) / count * unseen + 2 * bias * bias)};
  }

  /// (c) w = exp(beta f), one feature, beside L10 to leading and next order.
  void against_concentration() {
    const SampleVector feature = feature_of(design_.tilted_informativeness);
    const Index n = design_.tilted_batch;
    // Gamma is given: four validation samples that are all alike, so that none of them makes noise.
    const RowMatrix<double> alignments = entries_of(whole_a_, pool_ids_).replicate(1, 4);
    std::vector<ForecastSamples> weighted;
    for (const double beta : design_.tilts) {
      weighted.push_back(tilted(feature, beta));
      const GsnrForecast forecast(rows_of(weighted.back(), pool_ids_), alignments, nullptr, {design_.blocks, 2});
      for (const auto& [panel, order] : {std::pair(GsnrPanel::concentration, theory::GsnrOrder::next),
                                         std::pair(GsnrPanel::concentration_leading, theory::GsnrOrder::leading)}) {
        GsnrPoint& p = add_point(panel, n, 0);
        p.beta = beta;
        p.r = design_.tilted_informativeness;
        p.b_eff = b_eff_share(weighted.back().w);
        set_forecast(p, forecast.at(static_cast<double>(n), static_cast<double>(validation()), order, pools()));
      }
    }
    replicate("measuring, concentration", cells_of(GsnrPanel::concentration, 1, [](const GsnrPoint&) { return true; }),
              design_.most_cheap, root_.substream("concentration"),
              [&](const RandomStream& stream, std::vector<SampleVector>& g) {
                const auto ids = draw(train(), n, stream.substream("B"));
                const SampleVector a = entries_of(whole_a_, ids);
                for (std::size_t c = 0; c < g.size(); ++c) g[c] = hypergradient(rows_of(weighted[c], ids), a, n);
              });
    for (std::size_t k = 1; k < study_.points.size(); ++k)  // a point of the one panel follows that of the other
      if (study_.points[k].panel == GsnrPanel::concentration_leading)
        copy_measurement(study_.points[k - 1], study_.points[k]);
  }

  void judge() {
    for (const GsnrPanel panel :
         {GsnrPanel::fixed, GsnrPanel::real_step, GsnrPanel::real_step_without, GsnrPanel::informativeness,
          GsnrPanel::concentration, GsnrPanel::concentration_leading}) {
      const auto points = std::count_if(study_.points.begin(), study_.points.end(),
                                        [&](const GsnrPoint& p) { return p.panel == panel; });
      if (points == 0) continue;
      study_.critical.emplace_back(panel,
                                   theory::student_upper_quantile(family_error / (2 * static_cast<double>(points)),
                                                                  static_cast<double>(design_.blocks - 1)));
    }
    for (GsnrPoint& p : study_.points) {
      p.z = (p.measured - p.forecast) / std::hypot(p.measured_error, p.forecast_error);
      p.agrees = std::abs(p.z) <= study_.critical_of(p.panel);
    }
  }

  const GsnrPopulation& population_;
  GsnrDesign design_;
  RandomStream root_;
  double precision_;
  Progress& progress_;
  const std::atomic<bool>& stop_;
  Model model_;
  Parameters theta_, whole_gamma_;
  SampleVector whole_a_;     ///< alignments of all training samples with the whole validation population
  SampleVector good_;        ///< the truth, standardised
  ForecastSamples samples_;  ///< of the training population
  std::vector<Index> pool_ids_, group_ids_;
  GsnrStudy study_;
};

}  // namespace

GsnrDesign default_design() { return {}; }
GsnrDesign quick_design() {
  GsnrDesign d;
  d.batches = {32, 64, 128, 256, 512, 1024};
  d.batches_for_all = {128};
  d.validations = {32, 64, 128, 256};
  d.validations_for_all = {128};
  d.pool = 4096;
  d.groups = 256;
  d.real_batches = {32, 128};
  d.real_validation = 128;
  d.curvature_pool = 384;
  d.curvature_validation = 128;
  d.most_small = 1024;
  d.most_large = 256;
  d.most_real = 384;
  d.most_cheap = 4096;
  return d;
}

GsnrStudy gsnr_study(const GsnrPopulation& population, const GsnrDesign& design, std::uint64_t seed, double precision,
                     Progress& progress, const std::atomic<bool>& stop) {
  GsnrStudy study = Study(population, design, seed, precision, progress, stop)();
  progress.end();
  return study;
}

}  // namespace mts::lab
