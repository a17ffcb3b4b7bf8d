#ifndef MTS_ADAPTERS_CALLBACKS_H
#define MTS_ADAPTERS_CALLBACKS_H
/**
 * \file
 * A model as C function pointers: for what is written in C, or in any language that can make a C function.
 * `mts::CallbackModel` of mts/adapters/callback_model.hpp makes a `Model` of it. Plain C99, no other header of mts.
 *
 * theta, of P numbers, is a flat array that belongs to mts; a call gets it to read and keeps no pointer to it beyond
 * `release`. A batch is whatever `data` points to, with its number N of samples; only the callbacks look into it. Matrices
 * are row-major, one row a sample. Scalars of the model are float (`mts_callbacks_float`) or double
 * (`mts_callbacks_double`); what there is one of for each sample (losses, weights u, J v) is always double.
 *
 *     context             handed to every call; mts never looks at it
 *     parameters          P, at least 1
 *     classes, embedding  C and E, the columns of `logits` and `embeddings`; 0 for what the model does not show
 *     initialize          theta (P) <- the parameters to begin with, a function of the seed alone
 *     evaluate            losses (N) <- l(theta); where not NULL, logits (N x C) and embeddings (N x E), the penultimate
 *                         activations. `point` is NULL where only values are wanted. Else derivatives at this theta and
 *                         batch may be asked for, any number of times, and *point, NULL at first, may be set to what they
 *                         can use again (activations, a graph): it comes back in those calls, and goes to `release` at
 *                         their end, also where this very call fails after setting it
 *     weighted_gradient   gradient (P, zeros at first: to be written or added to) <- sum_i u_i grad l_i; u_i of any sign
 *     pushforward         out (N) <- J v, J the N x P Jacobian of the losses: where samples do not mix, <grad l_i, v>.
 *                         May be NULL: then alignments come from central differences of the losses
 *     release             frees what `evaluate` kept. May be NULL where nothing is to be freed
 *     explain             the words for an error code, valid until the next call, or NULL. May be NULL
 *
 * A function returns 0, or an error code of its own, which becomes an exception (`mts::CallbackError`) with the words of
 * `explain`. It must be a function of its arguments alone: the same arguments, the same bits. mts calls from the thread
 * that takes the step, one call at a time for each step object; a context that several step objects share must stand
 * calls from all their threads. A callback written in C++ may throw: the exception reaches the caller of the step.
 */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MTS_DECLARE_CALLBACKS(NAME, SCALAR)                                                                      \
  typedef struct NAME {                                                                                          \
    void* context;                                                                                               \
    int64_t parameters;                                                                                          \
    int64_t classes;                                                                                             \
    int64_t embedding;                                                                                           \
    int (*initialize)(void* context, uint64_t seed, SCALAR* theta);                                              \
    int (*evaluate)(void* context, const SCALAR* theta, const void* data, int64_t samples, double* losses,       \
                    SCALAR* logits, SCALAR* embeddings, void** point);                                           \
    int (*weighted_gradient)(void* context, const SCALAR* theta, const void* data, int64_t samples, void* point, \
                             const double* u, SCALAR* gradient);                                                 \
    int (*pushforward)(void* context, const SCALAR* theta, const void* data, int64_t samples, void* point,       \
                       const SCALAR* v, double* out);                                                            \
    void (*release)(void* context, void* point);                                                                 \
    const char* (*explain)(void* context, int error);                                                            \
  } NAME

MTS_DECLARE_CALLBACKS(mts_callbacks_float, float);
MTS_DECLARE_CALLBACKS(mts_callbacks_double, double);

#ifdef __cplusplus
}
#endif

#endif
