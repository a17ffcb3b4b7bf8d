/* SPDX-License-Identifier: Apache-2.0 */
#include "tiny_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tiny_pass {
  const tiny_net* net;
  const tiny_real* theta;
  size_t n;
  const tiny_real* values[TINY_MAX_LAYERS + 1]; /* [0]: the inputs; [l]: after layer l and its ReLU, n x widths[l] */
  tiny_real* deltas[TINY_MAX_LAYERS + 1]; /* [l]: derivative of each loss in what layer l adds up, n x widths[l] */
  double* losses;
  tiny_real memory[]; /* values, then deltas */
};

const char* tiny_words(int error) {
  switch (error) {
    case TINY_NO_MEMORY:
      return "out of memory";
    case TINY_BAD_LABEL:
      return "a label is not a class";
    default:
      return "no error";
  }
}

static void axpy(size_t n, tiny_real a, const tiny_real* restrict x, tiny_real* restrict y) {
  for (size_t k = 0; k < n; ++k) y[k] += a * x[k];
}

/* Layer l (from 1) of a net: its sizes, and where its parameters begin. */
static size_t inputs_of(const tiny_net* net, int l) { return (size_t)net->widths[l - 1]; }
static size_t outputs_of(const tiny_net* net, int l) { return (size_t)net->widths[l]; }
static size_t begin_of(const tiny_net* net, int l) {
  size_t begin = 0;
  for (int k = 1; k < l; ++k) begin += outputs_of(net, k) * (inputs_of(net, k) + 1);
  return begin;
}
size_t tiny_parameters(const tiny_net* net) { return begin_of(net, net->layers + 1); }

static uint64_t next_bits(uint64_t* state) { /* splitmix64 */
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
void tiny_initialize(const tiny_net* net, uint64_t seed, tiny_real* theta) {
  for (int l = 1; l <= net->layers; ++l) {
    const double bound = 1 / sqrt((double)inputs_of(net, l));
    for (size_t k = 0; k < outputs_of(net, l) * (inputs_of(net, l) + 1); ++k)
      *theta++ = (tiny_real)(bound * (2 * (double)(next_bits(&seed) >> 11) * 0x1.0p-53 - 1));
  }
}

/* y (n x outputs) <- x weights^T, plus the biases of those parameters. By columns of the weights, which are brought together
   first: a sum over contiguous numbers is what a C compiler makes fast. */
static int affine(const tiny_net* net, int l, const tiny_real* parameters, size_t n, const tiny_real* x, tiny_real* y) {
  const size_t in = inputs_of(net, l), out = outputs_of(net, l);
  tiny_real* columns = malloc(in * out * sizeof *columns);
  if (!columns) return TINY_NO_MEMORY;
  for (size_t o = 0; o < out; ++o)
    for (size_t k = 0; k < in; ++k) columns[k * out + o] = parameters[o * in + k];
  for (size_t i = 0; i < n; ++i) {
    memcpy(y + i * out, parameters + in * out, out * sizeof *y);
    for (size_t k = 0; k < in; ++k) axpy(out, x[i * in + k], columns + k * out, y + i * out);
  }
  free(columns);
  return TINY_OK;
}

int tiny_forward(const tiny_net* net, const tiny_real* theta, const tiny_batch* batch, size_t n, tiny_pass** pass) {
  const size_t classes = outputs_of(net, net->layers);
  for (size_t i = 0; i < n; ++i)
    if (batch->labels[i] < 0 || (size_t)batch->labels[i] >= classes) return TINY_BAD_LABEL;
  size_t width = 0;
  for (int l = 1; l <= net->layers; ++l) width += outputs_of(net, l);
  tiny_pass* p = malloc(sizeof *p + 2 * n * width * sizeof(tiny_real));
  if (!p) return TINY_NO_MEMORY;
  *p = (tiny_pass){.net = net, .theta = theta, .n = n, .losses = malloc(n * sizeof(double))};
  if (!p->losses) {
    tiny_free(p);
    return TINY_NO_MEMORY;
  }
  p->values[0] = batch->inputs;
  tiny_real* memory = p->memory;
  for (int l = 1; l <= net->layers; ++l) {
    const size_t size = n * outputs_of(net, l);
    tiny_real* y = memory;
    p->values[l] = y;
    p->deltas[l] = y + n * width;
    memory += size;
    const int error = affine(net, l, theta + begin_of(net, l), n, p->values[l - 1], y);
    if (error) {
      tiny_free(p);
      return error;
    }
    if (l < net->layers)
      for (size_t k = 0; k < size; ++k) y[k] = y[k] > 0 ? y[k] : 0;
  }
  /* Losses, and the deltas of the last layer: softmax minus the one of the label. */
  for (size_t i = 0; i < n; ++i) {
    const tiny_real* z = p->values[net->layers] + i * classes;
    tiny_real* delta = p->deltas[net->layers] + i * classes;
    double most = z[0], sum = 0;
    for (size_t c = 1; c < classes; ++c) most = z[c] > most ? z[c] : most;
    for (size_t c = 0; c < classes; ++c) sum += exp(z[c] - most);
    for (size_t c = 0; c < classes; ++c)
      delta[c] = (tiny_real)(exp(z[c] - most) / sum - ((size_t)batch->labels[i] == c ? 1 : 0));
    p->losses[i] = log(sum) + most - z[batch->labels[i]];
  }
  *pass = p;
  return TINY_OK;
}
void tiny_free(tiny_pass* pass) {
  if (!pass) return;
  free(pass->losses);
  free(pass);
}
double tiny_loss(const tiny_pass* pass, size_t sample) { return pass->losses[sample]; }
const tiny_real* tiny_logits(const tiny_pass* pass) { return pass->values[pass->net->layers]; }
const tiny_real* tiny_embedding(const tiny_pass* pass) { return pass->values[pass->net->layers - 1]; }

void tiny_backward(tiny_pass* pass) {
  const tiny_net* net = pass->net;
  for (int l = net->layers; l > 1; --l) {
    const size_t in = inputs_of(net, l), out = outputs_of(net, l);
    const tiny_real* weights = pass->theta + begin_of(net, l);
    for (size_t i = 0; i < pass->n; ++i) {
      tiny_real* below = pass->deltas[l - 1] + i * in;
      memset(below, 0, in * sizeof *below);
      for (size_t o = 0; o < out; ++o) axpy(in, pass->deltas[l][i * out + o], weights + o * in, below);
      for (size_t k = 0; k < in; ++k)
        if (pass->values[l - 1][i * in + k] <= 0) below[k] = 0;
    }
  }
}

void tiny_gradient(const tiny_pass* pass, const double* u, tiny_real* gradient) {
  const tiny_net* net = pass->net;
  for (int l = 1; l <= net->layers; ++l) {
    const size_t in = inputs_of(net, l), out = outputs_of(net, l);
    tiny_real *weights = gradient + begin_of(net, l), *biases = weights + in * out;
    for (size_t i = 0; i < pass->n; ++i) {
      const tiny_real* delta = pass->deltas[l] + i * out;
      for (size_t o = 0; o < out; ++o) {
        const tiny_real d = (tiny_real)u[i] * delta[o];
        axpy(in, d, pass->values[l - 1] + i * in, weights + o * in);
        biases[o] += d;
      }
    }
  }
}

int tiny_directional(const tiny_pass* pass, const tiny_real* v, double* out) {
  const tiny_net* net = pass->net;
  size_t widest = 0;
  for (int l = 1; l <= net->layers; ++l) widest = outputs_of(net, l) > widest ? outputs_of(net, l) : widest;
  tiny_real* y = malloc(pass->n * widest * sizeof *y);
  if (!y) return TINY_NO_MEMORY;
  memset(out, 0, pass->n * sizeof *out);
  int error = TINY_OK;
  for (int l = 1; l <= net->layers && !error; ++l) { /* each layer: delta . (V x + b) */
    const size_t width = outputs_of(net, l);
    error = affine(net, l, v + begin_of(net, l), pass->n, pass->values[l - 1], y);
    if (error) break;
    for (size_t i = 0; i < pass->n; ++i)
      for (size_t o = 0; o < width; ++o) out[i] += (double)pass->deltas[l][i * width + o] * (double)y[i * width + o];
  }
  free(y);
  return error;
}
