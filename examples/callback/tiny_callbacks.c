/* SPDX-License-Identifier: Apache-2.0 */
#include "tiny_callbacks.h"

#include <string.h>

static int initialize(void* net, uint64_t seed, tiny_real* theta) {
  tiny_initialize(net, seed, theta);
  return TINY_OK;
}

/* Keeps the pass where derivatives may be asked for. */
static int evaluate(void* context, const tiny_real* theta, const void* data, int64_t samples, double* losses,
                    tiny_real* logits, tiny_real* embeddings, void** point) {
  const tiny_net* net = context;
  const size_t n = (size_t)samples;
  tiny_pass* pass;
  const int error = tiny_forward(net, theta, data, n, &pass);
  if (error) return error;
  for (size_t i = 0; i < n; ++i) losses[i] = tiny_loss(pass, i);
  if (logits) memcpy(logits, tiny_logits(pass), n * (size_t)net->widths[net->layers] * sizeof *logits);
  if (embeddings)
    memcpy(embeddings, tiny_embedding(pass), n * (size_t)net->widths[net->layers - 1] * sizeof *embeddings);
  if (point) {
    tiny_backward(pass);
    *point = pass;
  } else {
    tiny_free(pass);
  }
  return TINY_OK;
}

static int weighted_gradient(void* net, const tiny_real* theta, const void* data, int64_t samples, void* pass,
                             const double* u, tiny_real* gradient) {
  (void)net, (void)theta, (void)data, (void)samples; /* the pass knows them */
  tiny_gradient(pass, u, gradient);
  return TINY_OK;
}

static int pushforward(void* net, const tiny_real* theta, const void* data, int64_t samples, void* pass,
                       const tiny_real* v, double* out) {
  (void)net, (void)theta, (void)data, (void)samples;
  return tiny_directional(pass, v, out);
}

static void release(void* net, void* pass) {
  (void)net;
  tiny_free(pass);
}

static const char* explain(void* net, int error) {
  (void)net;
  return tiny_words(error);
}

tiny_callbacks tiny_callbacks_of(tiny_net* net) {
  return (tiny_callbacks){.context = net,
                          .parameters = (int64_t)tiny_parameters(net),
                          .classes = net->widths[net->layers],
                          .embedding = net->widths[net->layers - 1],
                          .initialize = initialize,
                          .evaluate = evaluate,
                          .weighted_gradient = weighted_gradient,
                          .pushforward = pushforward,
                          .release = release,
                          .explain = explain};
}
