#pragma once
/// \file
/// Features chosen by name when the program runs. The library composes extractors at compile time; this is the one extractor
/// that holds others behind a pointer, for the lab's one kind of context.

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

/// What the features of the lab look at.
using LabContext = FeatureContext<nn::Classifier<float>::Rows, ForwardOf<nn::Classifier<float>>>;

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
  void extract(const LabContext& context, Rows<double> rows, std::span<std::vector<int>> columns) const {
    extract_rows(context, rows, columns);
    finish(rows, context.samples);
  }
  void extract_rows(const LabContext& context, Rows<double> rows, std::span<std::vector<int>> columns) const;
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
