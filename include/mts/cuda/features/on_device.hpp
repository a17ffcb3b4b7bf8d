#pragma once
/// \file
/// `on_device`: composed features that are formed in a device's memory, where the weight net reads them.
///
///     auto features = features::paper_features({.classes = 10});
///     features.fit(embeddings, pool);
///     features.fit(dynamics);
///     MtsStep step(model, theta, inner, cuda::on_device(std::move(features), queue), weight_net, phi, meta);

#include <atomic>
#include <tuple>
#include <utility>

#include "mts/cuda/feature_batch.hpp"
#include "mts/cuda/features/batch_z_score.hpp"
#include "mts/cuda/features/class_validation_cosines.hpp"
#include "mts/cuda/features/known_to_host.hpp"
#include "mts/cuda/features/nearest_validation_cosine.hpp"
#include "mts/cuda/features/pool_rows.hpp"
#include "mts/cuda/features/validation_centre_cosine.hpp"
#include "mts/features/compose.hpp"

namespace mts::cuda {

/// Extractors side by side, one form.
template <class... X, class E>
class DeviceForm<features::Composition<X...>, E> {
  using Host = features::Composition<X...>;

 public:
  DeviceForm(const Host& host, const SharedQueue<E>& queue)
      : DeviceForm(host, queue, std::index_sequence_for<X...>()) {}

  template <class Context>
  void extract(const Host& host, const Context& context, Extraction<E>& extraction, FeatureColumns columns,
               std::span<Column<E>> categorical) const {
    Index column = 0;
    std::size_t category = 0;
    const auto one = [&](const auto& x, const auto& form) {
      const FeatureLayout own = x.layout();
      const auto count = static_cast<Index>(own.continuous.size());
      form.extract(x, context, extraction, columns.columns(column, count),
                   categorical.subspan(category, own.categorical.size()));
      column += count;
      category += own.categorical.size();
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (one(host.template part<I>(), std::get<I>(forms_)), ...);
    }(std::index_sequence_for<X...>());
  }

 private:
  template <std::size_t... I>
  DeviceForm(const Host& host, const SharedQueue<E>& queue, std::index_sequence<I...>)
      : forms_(DeviceForm<X, E>(host.template part<I>(), queue)...) {}

  std::tuple<DeviceForm<X, E>...> forms_;
};

/// Features of a composition, formed on a device in double and rounded once, as on the host; the same layout, the same
/// columns up to the order of sums and products. `extract` is thread-safe where the host's is. On one device the same
/// bits at every call.
///
/// A step uploads a place in the pool for each sample where a feature is offline, and the columns that only the host
/// knows (class, group, loss); it brings back one number and one place for each check. Neither logits, embeddings nor
/// features cross to the host. In a steady loop everything that is launched is replayed as one sequence.
///
/// \throws what the host's features throw, in the same words: ValueError and ShapeError for what the host knows;
/// NumericalError that names column and sample where a value is not finite, found by reductions on the device after all
/// was formed
template <class Host, class E>
class DeviceFeatures {
 public:
  /// Uploads the tables of what is fitted; what is not, is refused at the first extraction.
  DeviceFeatures(Host host, SharedQueue<E> queue)
      : host_(std::move(host)), queue_(std::move(queue)), form_(host_, queue_), number_(next_number()) {}

  const FeatureLayout& layout() const { return host_.layout(); }
  static constexpr bool reads_validation() { return Host::reads_validation(); }
  const Host& host() const { return host_; }

  template <class Context, class S>
  void extract(const Context& context, FeatureBatch<S, E>& out) const {
    const Index n = features::detail::sample_count("features", context);
    out.resize(queue_, n, layout());
    Buffer<double, E> formed(queue_, n * out.dimension);
    const FeatureColumns x{formed.data(), n, out.dimension, out.dimension};
    Extraction<E> extraction(queue_, number_);
    extraction.depends_on(n, x.data, out.continuous.data(), static_cast<Index>(sizeof(S)));
    form_.extract(host_, context, extraction, x, out.categorical);
    extraction.template check_finite<S>(Stage::rounded, x, [&](const Finding& f) {
      features::detail::refuse_not_finite("features", layout().continuous[static_cast<std::size_t>(f.place % x.cols)],
                                          f.place / x.cols, f.value, context.samples);
    });
    if (x.size() > 0)
      extraction.then([&] { queue_->each(x.size(), kernels::RoundTo<S>{x.data, out.continuous.data()}); });
    extraction.run();
  }

  /// As the host's, and of the same bytes.
  void save(std::ostream& out) const { host_.save(out); }
  /// \throws DataError as the host's; then nothing has changed
  void load(std::istream& in) {
    host_.load(in);
    form_ = DeviceForm<Host, E>(host_, queue_);
    number_ = next_number();
  }

 private:
  static Index next_number() {
    static std::atomic<Index> last{0};
    return ++last;
  }

  Host host_;
  SharedQueue<E> queue_;
  DeviceForm<Host, E> form_;
  Index number_;  ///< of these features alone, tables included
};

/// The features of a fitted composition, to be formed in the queue's memory. An extractor that has no form there
/// (`DeviceForm`) is refused by the compiler.
template <class... X, class E>
DeviceFeatures<features::Composition<X...>, E> on_device(features::Composition<X...> host, SharedQueue<E> queue) {
  return {std::move(host), std::move(queue)};
}

}  // namespace mts::cuda
