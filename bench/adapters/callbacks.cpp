// Two models behind C callbacks: a net in plain C, and the built-in net, which shows what the callbacks themselves cost.
#include "mts/adapters/callback_model.hpp"

#include "adapters/contender.hpp"
#include "tiny_callbacks.h"

namespace bench {

namespace {

using Model = mts::CallbackModel<float, mts::CallbackOffers{.logits = true, .embeddings = true, .pushforward = true}>;
using BuiltIn = mts::nn::Classifier<float>;

/// What an evaluation of the built-in net keeps. Its parameters are a copy: what a callback gets is a flat array.
struct Point {
  Parameters theta, scratch;
  mts::LinearizationOf<BuiltIn> lin;
  Point(const BuiltIn& model, Parameters at, const Batch& batch)
      : theta(std::move(at)), scratch(theta.zeros_like()), lin(model.linearize(theta, batch)) {}
  Point(const Point&) = delete;
};

struct Context {
  BuiltIn model = classifier<float>(Net::mlp);
  Parameters zeros = model.initialize({0, "theta"}).zeros_like();

  Parameters parameters(const float* theta) const {
    Parameters p = zeros.clone();
    std::copy_n(theta, p.size(), p.data());
    return p;
  }
};

template <class Evaluation>
void show(const Evaluation& e, double* losses, float* logits, float* embeddings) {
  std::copy_n(e.value().data(), e.value().size(), losses);
  if (logits) Eigen::Map<mts::RowMatrix<float>>(logits, e.logits().rows(), e.logits().cols()) = e.logits();
  if (embeddings)
    Eigen::Map<mts::RowMatrix<float>>(embeddings, e.embeddings().rows(), e.embeddings().cols()) = e.embeddings();
}

int evaluate(void* context, const float* theta, const void* data, std::int64_t, double* losses, float* logits,
             float* embeddings, void** point) {
  const auto& c = *static_cast<const Context*>(context);
  const auto& batch = *static_cast<const Batch*>(data);
  if (!point) {
    const Parameters p = c.parameters(theta);
    show(c.model.forward(p, batch), losses, logits, embeddings);
    return 0;
  }
  auto* kept = new Point(c.model, c.parameters(theta), batch);
  *point = kept;
  show(kept->lin, losses, logits, embeddings);
  return 0;
}

Context& shared_context() {
  static Context c;
  return c;
}

mts_callbacks_float callbacks_of_built_in() {
  mts_callbacks_float c{};
  c.context = &shared_context();
  c.parameters = shared_context().zeros.size();
  c.classes = classes;
  c.embedding = 256;
  c.initialize = [](void* context, std::uint64_t seed, float* theta) {
    const auto p = static_cast<Context*>(context)->model.initialize({seed, "theta"});
    std::copy_n(p.data(), p.size(), theta);
    return 0;
  };
  c.evaluate = evaluate;
  c.weighted_gradient = [](void*, const float*, const void*, std::int64_t n, void* point, const double* u,
                           float* gradient) {
    auto& p = *static_cast<Point*>(point);
    p.lin.pullback(Eigen::Map<const mts::SampleVector>(u, n), p.scratch);
    std::copy_n(p.scratch.data(), p.scratch.size(), gradient);
    return 0;
  };
  c.pushforward = [](void*, const float*, const void*, std::int64_t n, void* point, const float* v, double* out) {
    auto& p = *static_cast<Point*>(point);
    std::copy_n(v, p.scratch.size(), p.scratch.data());
    mts::SampleVector dots;
    p.lin.per_sample_dot(p.scratch, dots);
    std::copy_n(dots.data(), n, out);
    return 0;
  };
  c.release = [](void*, void* point) { delete static_cast<Point*>(point); };
  return c;
}

/// The parameters that all contenders begin with.
Parameters beginning() { return shared_context().model.initialize({0, "theta"}); }

}  // namespace

std::unique_ptr<Contender> built_in_behind_callbacks(const Images& train, const Images& validation) {
  return contender(Model(callbacks_of_built_in()), beginning(), {&train.batch, train.batch.size()},
                   {&validation.batch, validation.batch.size()});
}

std::unique_ptr<Contender> net_in_c(const Images& train, const Images& validation) {
  static tiny_net net{3, {pixels, 256, 256, classes}};
  static tiny_batch views[2];  // until the program ends, as the net
  views[0] = {train.batch.inputs.data(), train.batch.labels.data()};
  views[1] = {validation.batch.inputs.data(), validation.batch.labels.data()};
  return contender(Model(tiny_callbacks_of(&net)), beginning(), {&views[0], train.batch.size()},
                   {&views[1], validation.batch.size()});
}

}  // namespace bench
