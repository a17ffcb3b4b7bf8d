#ifndef TINY_NET_H
#define TINY_NET_H
/* The foreign framework of this example, in plain C: multi-layer perceptrons with ReLU between layers and the cross-entropy
   of a softmax as loss. It knows nothing of mts. Scalars are double, or float where TINY_FLOAT is defined.

   Parameters are one flat array: for each layer the weights (outputs x inputs, row-major), then the biases. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef TINY_FLOAT
typedef float tiny_real;
#else
typedef double tiny_real;
#endif

enum { TINY_MAX_LAYERS = 8 };
enum { TINY_OK = 0, TINY_NO_MEMORY = 1, TINY_BAD_LABEL = 2 };
const char* tiny_words(int error);

typedef struct tiny_net {
  int layers;                      /* 1 to TINY_MAX_LAYERS */
  int widths[TINY_MAX_LAYERS + 1]; /* inputs, hidden ..., classes */
} tiny_net;
size_t tiny_parameters(const tiny_net* net);
/* Weights and biases uniform on [-1/sqrt(inputs), 1/sqrt(inputs)]. */
void tiny_initialize(const tiny_net* net, uint64_t seed, tiny_real* theta);

typedef struct tiny_batch {
  const tiny_real* inputs; /* n x inputs */
  const int* labels;       /* n, in [0, classes) */
} tiny_batch;

/* One forward pass, with all that it computed. */
typedef struct tiny_pass tiny_pass;
int tiny_forward(const tiny_net* net, const tiny_real* theta, const tiny_batch* batch, size_t n, tiny_pass** pass);
void tiny_free(tiny_pass* pass);
double tiny_loss(const tiny_pass* pass, size_t sample);
const tiny_real* tiny_logits(const tiny_pass* pass);    /* n x classes */
const tiny_real* tiny_embedding(const tiny_pass* pass); /* n x the last hidden width (the inputs where there is none) */

/* Back-propagation of every sample's own loss; needed once before the two below. */
void tiny_backward(tiny_pass* pass);
/* gradient += sum_i u_i grad l_i */
void tiny_gradient(const tiny_pass* pass, const double* u, tiny_real* gradient);
/* out_i = <grad l_i, v> */
int tiny_directional(const tiny_pass* pass, const tiny_real* v, double* out);

#ifdef __cplusplus
}
#endif

#endif
