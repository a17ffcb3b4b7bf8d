#pragma once
/// \file
/// `CallbackModel`: a `Model` made of C function pointers (mts/adapters/callbacks.h), for every framework that has no adapter
/// of its own. theta is `DenseParameters`, so every optimiser works and it can be saved; the framework reads it as a flat array.
///
///     mts_callbacks_float callbacks = {...};                                 // filled in C or C++
///     mts::CallbackModel<float, mts::CallbackOffers{.pushforward = true}> model(callbacks);
///     mts::MtsStep step(model, model.initialize(stream), mts::Sgd<mts::DenseParameters<float>>(...), ...);
///     step({data, n}, samples, {validation_data, m}, validation_samples);
///
/// What the callbacks offer beyond losses and weighted gradients is part of the type, because algorithms choose by it at
/// compile time: features made of logits or embeddings are refused where there are none, and alignments fall back to
/// central differences where there is no pushforward.
///
/// Cost beside the built-in net, of the callbacks themselves: an evaluation copies its values and, where they are shown, logits and
/// embeddings; a gradient is zeroed first. The rest is the framework's: a step with selection calls `evaluate` with a point twice (train,
/// validation), once more without if a feature reads the validation batch, `weighted_gradient` three times, `pushforward` once.
/// docs/adapters.md has the times.

#include <concepts>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mts/adapters/callbacks.h"
#include "mts/core/concepts.hpp"

namespace mts {

/// What a set of callbacks offers beside losses and weighted gradients.
struct CallbackOffers {
  bool logits = false;
  bool embeddings = false;
  bool pushforward = false;
};

/// The callbacks of a model of scalar S, float or double.
template <std::floating_point S>
  requires std::same_as<S, float> || std::same_as<S, double>
using Callbacks = std::conditional_t<std::same_as<S, float>, mts_callbacks_float, mts_callbacks_double>;

/// N samples, wherever they lie. What `data` points to must outlive every evaluation of it, unchanged.
struct CallbackBatch {
  const void* data = nullptr;
  Index samples = 0;
};

/// A callback returned an error.
class CallbackError : public Error {
 public:
  CallbackError(const std::string& words, int error) : Error(words), code(error) {}
  int code;  ///< what it returned
};

namespace detail {

/// The callbacks of a model, shared by its evaluations, which may outlive it.
template <class S>
struct SharedCallbacks {
  Callbacks<S> call;

  /// \throws CallbackError unless `error` is 0
  void check(const char* which, int error) const {
    if (error == 0) return;
    const char* words = call.explain ? call.explain(call.context, error) : nullptr;
    throw CallbackError(
        text("CallbackModel: ", which, ": expected 0, found error ", error, words ? ": " : "", words ? words : ""),
        error);
  }
};

/// Something that `evaluate` kept, given back when this dies.
template <class S>
class CallbackPoint {
 public:
  explicit CallbackPoint(std::shared_ptr<const SharedCallbacks<S>> callbacks) : callbacks_(std::move(callbacks)) {}
  CallbackPoint(CallbackPoint&& other) noexcept
      : callbacks_(std::move(other.callbacks_)), kept_(std::exchange(other.kept_, nullptr)) {}
  CallbackPoint& operator=(CallbackPoint&& other) noexcept {
    std::swap(callbacks_, other.callbacks_);
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~CallbackPoint() {
    if (kept_ && callbacks_->call.release) callbacks_->call.release(callbacks_->call.context, kept_);
  }
  void** place() { return &kept_; }
  void* kept() const { return kept_; }
  const SharedCallbacks<S>& callbacks() const { return *callbacks_; }

 private:
  std::shared_ptr<const SharedCallbacks<S>> callbacks_;
  void* kept_ = nullptr;
};

}  // namespace detail

/// The values at a point: N losses and, where the callbacks show them, logits (N x C) and embeddings (N x E). Its own copy.
template <class S, CallbackOffers offers>
class CallbackForward {
 public:
  /// Calls `evaluate`. What it leaves unwritten is NaN, which every training step refuses by name.
  CallbackForward(const detail::SharedCallbacks<S>& callbacks, const DenseParameters<S>& theta,
                  const CallbackBatch& batch, void** point)
      : value_(SampleVector::Constant(batch.samples, std::numeric_limits<double>::quiet_NaN())) {
    const auto& call = callbacks.call;
    constexpr S nan = std::numeric_limits<S>::quiet_NaN();
    if constexpr (offers.logits) logits_ = RowMatrix<S>::Constant(batch.samples, call.classes, nan);
    if constexpr (offers.embeddings) embeddings_ = RowMatrix<S>::Constant(batch.samples, call.embedding, nan);
    callbacks.check("evaluate", call.evaluate(call.context, theta.data(), batch.data, batch.samples, value_.data(),
                                              offers.logits ? logits_.data() : nullptr,
                                              offers.embeddings ? embeddings_.data() : nullptr, point));
  }

  const SampleVector& value() const { return value_; }
  const RowMatrix<S>& logits() const
    requires(offers.logits)
  {
    return logits_;
  }
  const RowMatrix<S>& embeddings() const
    requires(offers.embeddings)
  {
    return embeddings_;
  }

 private:
  SampleVector value_;
  RowMatrix<S> logits_, embeddings_;
};

/// The same with derivatives. Movable; gives back what `evaluate` kept when it dies. theta and the batch must outlive it,
/// unchanged. An error that a callback returns is a CallbackError.
template <class S, CallbackOffers offers>
class CallbackLinearization {
 public:
  using Parameters = DenseParameters<S>;

  CallbackLinearization(std::shared_ptr<const detail::SharedCallbacks<S>> callbacks, const Parameters& theta,
                        const CallbackBatch& batch)
      : point_(std::move(callbacks)),
        forward_(point_.callbacks(), theta, batch, point_.place()),
        theta_(&theta),
        batch_(batch) {}

  const SampleVector& value() const { return forward_.value(); }
  const RowMatrix<S>& logits() const
    requires(offers.logits)
  {
    return forward_.logits();
  }
  const RowMatrix<S>& embeddings() const
    requires(offers.embeddings)
  {
    return forward_.embeddings();
  }

  /// out <- J^T u. \throws ShapeError if u has not N numbers, or out not P
  void pullback(const SampleVector& u, Parameters& out) const {
    check_size("CallbackModel::pullback", "length of u", batch_.samples, u.size());
    check_size("CallbackModel::pullback", "length of out", theta_->size(), out.size());
    out.values().setZero();
    const auto& callbacks = point_.callbacks();
    const auto& call = callbacks.call;
    callbacks.check("weighted_gradient", call.weighted_gradient(call.context, theta_->data(), batch_.data,
                                                                batch_.samples, point_.kept(), u.data(), out.data()));
  }
  /// out <- J v. \throws ShapeError if v has not P numbers
  void pushforward(const Parameters& v, SampleVector& out) const
    requires(offers.pushforward)
  {
    check_size("CallbackModel::pushforward", "length of v", theta_->size(), v.size());
    out.setConstant(batch_.samples, std::numeric_limits<double>::quiet_NaN());
    const auto& callbacks = point_.callbacks();
    const auto& call = callbacks.call;
    callbacks.check("pushforward", call.pushforward(call.context, theta_->data(), batch_.data, batch_.samples,
                                                    point_.kept(), v.data(), out.data()));
  }

 private:
  detail::CallbackPoint<S> point_;  // before forward_, whose evaluation fills it
  CallbackForward<S, offers> forward_;
  const Parameters* theta_;
  CallbackBatch batch_;
};

/// Callbacks as `Model`. As thread-safe and as deterministic as they are.
template <class S, CallbackOffers offers = CallbackOffers{}>
class CallbackModel {
 public:
  using Scalar = S;
  using Parameters = DenseParameters<S>;
  using Batch = CallbackBatch;

  /// \param callbacks  copied; the context must outlive the model and all evaluations
  /// \param segments   names and lengths of the parts of theta, and which decay; one part that decays by default
  /// \throws ValueError for a callback that is missing, or offered in the callbacks but not in the type, or the other way round;
  ///         ShapeError for segments that are not P numbers
  explicit CallbackModel(const Callbacks<S>& callbacks, std::vector<Segment> segments = {})
      : callbacks_(std::make_shared<const detail::SharedCallbacks<S>>(detail::SharedCallbacks<S>{callbacks})) {
    check_value(callbacks.parameters >= 1, "CallbackModel", "expected at least 1 parameter, found ",
                callbacks.parameters);
    const auto required = [](const char* name, bool there) {
      check_value(there, "CallbackModel", "the callback ", name, " is required, found a null pointer");
    };
    required("initialize", callbacks.initialize != nullptr);
    required("evaluate", callbacks.evaluate != nullptr);
    required("weighted_gradient", callbacks.weighted_gradient != nullptr);
    const auto agrees = [](const char* name, bool in_type, bool there) {
      check_value(in_type == there, "CallbackModel", "CallbackOffers says ", in_type ? "" : "no ", name,
                  ", but the callbacks have ", there ? "it" : "none");
    };
    agrees("pushforward", offers.pushforward, callbacks.pushforward != nullptr);
    agrees("logits", offers.logits, callbacks.classes != 0);
    agrees("embeddings", offers.embeddings, callbacks.embedding != 0);
    check_value(callbacks.classes >= 0 && callbacks.embedding >= 0, "CallbackModel",
                "widths must not be negative, found ", callbacks.classes, " classes, an embedding of ",
                callbacks.embedding);
    zeros_ = segments.empty() ? Parameters(callbacks.parameters) : Parameters(std::move(segments));
    check_size("CallbackModel", "the segments' length", callbacks.parameters, zeros_.size());
  }

  /// What the callback `initialize` makes of a seed drawn from the stream. \throws NumericalError for an entry that is not finite
  Parameters initialize(RandomStream stream) const {
    Parameters theta = zeros_.clone();
    theta.values().setConstant(std::numeric_limits<S>::quiet_NaN());
    const auto& call = callbacks_->call;
    callbacks_->check("initialize", call.initialize(call.context, stream(), theta.data()));
    check_finite("CallbackModel::initialize", "theta", theta.values());
    return theta;
  }
  /// \throws ShapeError for a theta of another length or a batch of no samples; CallbackError
  CallbackForward<S, offers> forward(const Parameters& theta, const Batch& batch) const {
    check(theta, batch);
    return {*callbacks_, theta, batch, nullptr};
  }
  CallbackLinearization<S, offers> linearize(const Parameters& theta, const Batch& batch) const {
    check(theta, batch);
    return {callbacks_, theta, batch};
  }

 private:
  void check(const Parameters& theta, const Batch& batch) const {
    check_size("CallbackModel", "length of theta", zeros_.size(), theta.size());
    if (batch.samples < 1)
      throw ShapeError(detail::text("CallbackModel: samples of the batch: expected at least 1, found ", batch.samples));
  }

  std::shared_ptr<const detail::SharedCallbacks<S>> callbacks_;
  Parameters zeros_;
};

}  // namespace mts
