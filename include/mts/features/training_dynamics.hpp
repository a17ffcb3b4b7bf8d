#pragma once
/// \file
/// `TrainingDynamics`: what a run without selection shows of each sample of a pool: how long its gradient is, how wrong
/// its prediction, how often it is forgotten. `GradientNorm`, `ErrorNorm` and `Forgetting` make features of it.
///
///     TrainingDynamics dynamics(pool_size);
///     for (...) {                                                       // any training loop, one seed or several
///       dynamics.observe(samples.ids, lin.logits(), samples.labels);    // a batch as it is trained on: forgetting
///       ...
///     }
///     dynamics.score_pool(model, theta, 256, [&](std::span<const Index> ids, auto& batch, auto& samples) {
///       data::gather(pool, ids, batch, samples);                        // at theta: gradient and error norms
///     });
///     auto features = compose(DatasetZScore{GradientNorm{dynamics}}, DatasetZScore{Forgetting{dynamics}});

#include <numeric>

#include "mts/core/state.hpp"
#include "mts/features/detail/checks.hpp"

namespace mts::features {

/// Three records, one entry for each sample of a pool. Memory: 7 numbers a sample. What is made of them does not depend
/// on the number of threads; sums do on the order of the calls, by round-off. Const calls are thread-safe, others are
/// not.
class TrainingDynamics {
 public:
  /// \throws ValueError if pool_size < 1
  explicit TrainingDynamics(Index pool_size) : samples_(checked(pool_size)) {}

  Index size() const { return static_cast<Index>(samples_.size()); }

  /// A visit: the predictions of a batch as it is trained on, before the parameters move. A sample is forgotten when it
  /// was predicted right at its last visit and is wrong now (the largest logit counts, the first of equal ones). A
  /// sample that comes twice is visited twice. Cost: a pass over N x C.
  /// \param ids  N places in the pool    \param logits  N x C, any Eigen expression    \param labels  N
  /// \throws ShapeError, ValueError, NumericalError that name the first bad sample; then nothing has been recorded
  template <class Derived>
  void observe(std::span<const Index> ids, const Eigen::MatrixBase<Derived>& logits, std::span<const int> labels) {
    check_batch("observe", ids, logits, labels);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      auto& s = samples_[static_cast<std::size_t>(ids[i])];
      const bool right = largest(logits, static_cast<Index>(i)) == labels[i];
      s.forgotten += s.right && !right ? 1 : 0;
      s.right = right;
      s.learned = s.learned || right;
      ++s.visits;
    }
  }

  /// The scores of a batch at theta, added to what was scored before: the features are means over all calls, so that
  /// scores may be taken at several times and of several seeds (Paul et al. ask for early ones, of ten seeds).
  ///   gradient norm  |grad_theta l_i|, of all parameters, the unweighted loss: where the model's linearisation has
  ///                  `per_sample_squared_norm` (PN1); else there is none, and the model is not differentiated
  ///   error norm     |softmax(z_i) - onehot(c_i)|, in double: where the linearisation (the forward, if there is no
  ///                  gradient norm) shows logits (CF1)
  /// Cost: a forward and a back-propagation to the activations (a forward alone without gradient norms).
  /// \param samples  ids and labels of the batch
  /// \throws ShapeError, ValueError, NumericalError that name the first bad sample; then nothing has been recorded
  template <class M>
  void score(const M& model, const typename M::Parameters& theta, const typename M::Batch& batch,
             const Samples& samples) {
    constexpr bool has_norms = PerSampleNormLinearization<LinearizationOf<M>, typename M::Parameters>;
    if constexpr (has_norms) {
      const auto lin = model.linearize(theta, batch);
      lin.per_sample_squared_norm(squared_norms_);
      check_size(name, "score: gradient norms", squared_norms_.size(), static_cast<Index>(samples.ids.size()));
      check_ids("score", samples.ids);
      for (Index i = 0; i < squared_norms_.size(); ++i)
        if (!(std::isfinite(squared_norms_[i]) && squared_norms_[i] >= 0))
          throw NumericalError(mts::detail::text(name, ": score: squared gradient norm of ", in_words(samples.ids, i),
                                                 ": expected a finite number of at least 0, found ",
                                                 squared_norms_[i]));
      if constexpr (ClassifierForward<LinearizationOf<M>>) add_errors(lin.logits(), samples);
      for (std::size_t i = 0; i < samples.ids.size(); ++i) {
        auto& s = samples_[static_cast<std::size_t>(samples.ids[i])];
        s.gradient_norms += std::sqrt(squared_norms_[static_cast<Index>(i)]);
        ++s.gradient_scores;
      }
    } else {
      static_assert(ClassifierForward<ForwardOf<M>>,
                    "mts: TrainingDynamics::score asks for a model whose linearisation has "
                    "per_sample_squared_norm(out)  (PN1) or whose forward shows  logits()  and  embeddings()  (CF1)");
      add_errors(model.forward(theta, batch).logits(), samples);
    }
  }
  /// The same of the whole pool in order, in batches.
  /// \param gather  gather(ids, batch, samples): batch and samples <- those of these places in the pool
  template <class M, class Gather>
  void score_pool(const M& model, const typename M::Parameters& theta, Index batch_size, Gather&& gather) {
    check_value(batch_size >= 1, name, "score_pool: the batch size must be at least 1, found ", batch_size);
    typename M::Batch batch;
    Samples samples;
    std::vector<Index> ids;
    for (Index first = 0; first < size(); first += batch_size) {
      ids.resize(static_cast<std::size_t>(std::min(batch_size, size() - first)));
      std::iota(ids.begin(), ids.end(), first);
      gather(std::span<const Index>(ids), batch, samples);
      score(model, theta, batch, samples);
    }
  }

  /// The mean of |grad l_i| over all scores. \throws ValueError that names the first sample without one
  RowMatrix<double> gradient_norms() const {
    return means("gradient norm", [](const Sample& s) { return std::pair(s.gradient_norms, s.gradient_scores); });
  }
  /// The mean of |softmax(z_i) - onehot(c_i)| over all scores. \throws as above
  RowMatrix<double> error_norms() const {
    return means("error norm", [](const Sample& s) { return std::pair(s.error_norms, s.error_scores); });
  }

  /// What is known of one sample. \throws ValueError if there is no such sample
  Index visits(Index id) const { return at(id).visits; }
  Index forgotten(Index id) const { return at(id).forgotten; }  ///< how often
  bool learned(Index id) const { return at(id).learned; }       ///< whether it was ever predicted right

  /// Writes the three records.
  void save(std::ostream& out) const {
    mts::detail::StateWriter writer(out, "TrainingDynamics::save", kind);
    writer.count(size());
    for (const Sample& s : samples_)
      writer.number(s.gradient_norms)
          .number(s.error_norms)
          .count(s.gradient_scores)
          .count(s.error_scores)
          .count(s.visits)
          .count(s.forgotten)
          .number(s.right)
          .number(s.learned);
  }
  /// \throws DataError if the stream ends early, or holds something else or the records of a pool of another size; then
  ///         nothing has changed
  void load(std::istream& in) {
    mts::detail::StateReader reader(in, "TrainingDynamics::load", kind);
    reader.same("pool size", std::int64_t{size()});
    std::vector<Sample> samples(samples_.size());
    for (Sample& s : samples) {
      s.gradient_norms = reader.finite("sum of gradient norms");
      s.error_norms = reader.finite("sum of error norms");
      s.gradient_scores = reader.count("scores of gradients");
      s.error_scores = reader.count("scores of errors");
      s.visits = reader.count("visits");
      s.forgotten = reader.count("times forgotten");
      s.right = reader.flag("whether predicted right");
      s.learned = reader.flag("whether learned");
    }
    samples_ = std::move(samples);
  }

 private:
  static constexpr std::string_view name = "TrainingDynamics";
  static constexpr mts::detail::StateKind kind = {'m', 't', 's', '-', 'd', 'y', 'n', '1'};

  struct Sample {
    double gradient_norms = 0, error_norms = 0;  ///< sums
    Index gradient_scores = 0, error_scores = 0, visits = 0, forgotten = 0;
    bool right = false, learned = false;
  };

  static std::size_t checked(Index pool_size) {
    check_value(pool_size >= 1, name, "the pool must have at least 1 sample, found ", pool_size);
    return static_cast<std::size_t>(pool_size);
  }
  static std::string in_words(std::span<const Index> ids, Index i) {
    return mts::detail::text("sample ", i, " (id ", ids[static_cast<std::size_t>(i)], ")");
  }
  const Sample& at(Index id) const {
    check_value(id >= 0 && id < size(), name, "id: expected 0 to ", size() - 1, ", found ", id);
    return samples_[static_cast<std::size_t>(id)];
  }
  void check_ids(std::string_view what, std::span<const Index> ids) const {
    for (std::size_t i = 0; i < ids.size(); ++i)
      check_value(ids[i] >= 0 && ids[i] < size(), name, what, ": id of sample ", i, ": expected 0 to ", size() - 1,
                  ", found ", ids[i]);
  }
  template <class Logits>
  void check_batch(std::string_view what, std::span<const Index> ids, const Logits& logits,
                   std::span<const int> labels) const {
    const auto n = static_cast<Index>(ids.size());
    check_size(name, mts::detail::text(what, ": rows of logits"), n, logits.rows());
    check_size(name, mts::detail::text(what, ": labels"), n, static_cast<Index>(labels.size()));
    check_ids(what, ids);
    for (Index i = 0; i < n; ++i) {
      const int label = labels[static_cast<std::size_t>(i)];
      check_value(label >= 0 && label < logits.cols(), name, what, ": label of ", in_words(ids, i), ": expected 0 to ",
                  logits.cols() - 1, ", found ", label);
      for (Index c = 0; c < logits.cols(); ++c)
        if (!std::isfinite(logits(i, c)))
          throw NumericalError(mts::detail::text(name, ": ", what, ": logit ", c, " of ", in_words(ids, i),
                                                 ": expected a finite number, found ", logits(i, c)));
    }
  }
  template <class Logits>
  static int largest(const Logits& logits, Index i) {
    Index best = 0;
    for (Index c = 1; c < logits.cols(); ++c)
      if (logits(i, c) > logits(i, best)) best = c;
    return static_cast<int>(best);
  }
  template <class Logits>
  void add_errors(const Logits& logits, const Samples& samples) {
    check_batch("score", samples.ids, logits, samples.labels);
    const Index classes = logits.cols();
    for (std::size_t k = 0; k < samples.ids.size(); ++k) {
      const auto i = static_cast<Index>(k);
      const auto top = static_cast<double>(logits(i, largest(logits, i)));
      double sum = 0, squares = 0;
      for (Index c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits(i, c)) - top);
      for (Index c = 0; c < classes; ++c) {
        const double error = std::exp(static_cast<double>(logits(i, c)) - top) / sum - (c == samples.labels[k] ? 1 : 0);
        squares += error * error;
      }
      auto& s = samples_[static_cast<std::size_t>(samples.ids[k])];
      s.error_norms += std::sqrt(squares);
      ++s.error_scores;
    }
  }
  template <class SumAndCount>
  RowMatrix<double> means(std::string_view what, SumAndCount&& of) const {
    RowMatrix<double> out(size(), 1);
    for (Index i = 0; i < size(); ++i) {
      const auto [sum, count] = of(samples_[static_cast<std::size_t>(i)]);
      check_value(count > 0, name, "sample ", i, " of ", size(), " has no ", what, ": call score on all of the pool");
      out(i, 0) = sum / static_cast<double>(count);
    }
    return out;
  }

  std::vector<Sample> samples_;
  SampleVector squared_norms_;
};

}  // namespace mts::features
