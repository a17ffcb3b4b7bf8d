#pragma once
/// \file
/// Features chosen by name when the program runs. The library composes extractors at compile time; this is the one extractor
/// that holds others behind a pointer, for the lab's one kind of context.

#include <concepts>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "lab/training.hpp"
#include "mts/core/feature_context.hpp"
#include "mts/data/pool.hpp"
#include "mts/features/compose.hpp"
#include "mts/nn/classifier.hpp"

namespace mts::lab {

/// What a forward shows, whoever made it: the rows of one on the host where they lie; those of one on a device once they were brought. A
/// view: copies nothing, and looks at logits and embeddings only when it is asked for them.
class Shown {
 public:
  template <class F>
    requires(!std::same_as<F, Shown>)
  explicit Shown(const F& forward)
      : forward_(&forward),
        value_([](const void* f) -> const SampleVector& { return static_cast<const F*>(f)->value(); }),
        logits_([](const void* f) { return rows_of(static_cast<const F*>(f)->logits()); }),
        embeddings_([](const void* f) { return rows_of(static_cast<const F*>(f)->embeddings()); }) {}

  const SampleVector& value() const { return value_(forward_); }
  ConstRows<float> logits() const { return logits_(forward_); }
  ConstRows<float> embeddings() const { return embeddings_(forward_); }

 private:
  /// \param m  a view, or a matrix that outlives this
  template <class M>
  static ConstRows<float> rows_of(const M& m) {
    return {m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.outerStride())};
  }

  const void* forward_;
  const SampleVector& (*value_)(const void*);
  ConstRows<float> (*logits_)(const void*);
  ConstRows<float> (*embeddings_)(const void*);
};

/// What the features of the lab look at.
using LabContext = FeatureContext<Shown, Shown>;

/// An extractor of whatever type, fitted.
class AnyFeature {
 public:
  virtual ~AnyFeature() = default;
  virtual FeatureLayout layout() const = 0;
  virtual void extract_rows(const LabContext& context, Rows<double> rows,
                            std::span<std::vector<int>> columns) const = 0;
  virtual void finish(Rows<double> rows, const Samples& samples) const = 0;
  /// What a step measured of these samples of the pool; most features remember nothing.
  virtual void observe(std::span<const Index> /*ids*/, const SampleVector& /*alignments*/) {}
  /// Tables that were fitted, and what is remembered; most features have neither.
  virtual void save(std::ostream& /*out*/) const {}
  virtual void load(std::istream& /*in*/) {}
};

/// An extractor of a type known when compiled; fitted on the task's pool, and on a run without selection, where it asks for it.
template <class E>
class Held : public AnyFeature {
 public:
  Held(E extractor, const Task& task) : extractor_(std::move(extractor)) {
    if constexpr (requires(Samples samples) { extractor_.fit(task.pool->embeddings, samples); })
      extractor_.fit(task.pool->embeddings, samples_of(*task.pool));
    if constexpr (requires { extractor_.fit(task.dynamics()); }) extractor_.fit(task.dynamics());
  }
  FeatureLayout layout() const override { return extractor_.layout(); }
  void extract_rows(const LabContext& context, Rows<double> rows, std::span<std::vector<int>> columns) const override {
    features::detail::extract_rows(extractor_, context, rows, columns);
  }
  void finish(Rows<double> rows, const Samples& samples) const override {
    if constexpr (features::detail::Finishes<E>) extractor_.finish(rows, samples);
  }
  void save(std::ostream& out) const override {
    if constexpr (Stateful<E>) extractor_.save(out);
  }
  void load(std::istream& in) override {
    if constexpr (Stateful<E>) extractor_.load(in);
  }

 private:
  E extractor_;
};

template <class E>
std::shared_ptr<AnyFeature> hold(E extractor, const Task& task) {
  return std::make_shared<Held<E>>(std::move(extractor), task);
}

/// Extractors side by side. Satisfies `FeatureExtractor`; const calls are thread-safe, copies share the extractors and what
/// these remember.
class ChosenFeatures {
 public:
  explicit ChosenFeatures(std::vector<std::shared_ptr<AnyFeature>> features) : features_(std::move(features)) {}

  FeatureLayout layout() const;
  /// Not known before the program runs; to say yes costs one forward of the validation batch where none reads it.
  static constexpr bool reads_validation() { return true; }
  static constexpr bool by_rows() { return true; }
  template <class Context>
  void extract(const Context& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    extract_rows(context, rows, columns);
    finish(rows, context.samples);
  }
  void extract_rows(const LabContext& context, Rows<double> rows, std::span<std::vector<int>> columns) const;
  template <class T, class V>
  void extract_rows(const FeatureContext<T, V>& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    const Shown train(context.train), validation(context.validation);
    extract_rows(LabContext{train, validation, context.samples, context.validation_samples}, rows, columns);
  }
  void finish(Rows<double> rows, const Samples& samples) const;
  /// To be called after each step that formed alignments, not while features are extracted.
  void observe(std::span<const Index> ids, const SampleVector& alignments) {
    for (const auto& feature : features_) feature->observe(ids, alignments);
  }
  void save(std::ostream& out) const {
    for (const auto& feature : features_) feature->save(out);
  }
  /// \throws DataError if one does not fit; then nothing has changed
  void load(std::istream& in) {
    all_or_none(
        [&] {
          for (const auto& feature : features_) feature->load(in);
        },
        *this);
  }

 private:
  template <class F>
  void for_each_part(Rows<double> rows, F&& f) const;

  std::vector<std::shared_ptr<AnyFeature>> features_;
};

/// The features of these names (and sets' names), fitted on the task's pool where they are offline. \throws UsageError for an unknown name
features::Composition<ChosenFeatures> make_features(std::span<const std::string> names, const Task& task);

}  // namespace mts::lab
