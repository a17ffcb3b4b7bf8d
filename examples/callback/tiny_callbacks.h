#ifndef TINY_CALLBACKS_H
#define TINY_CALLBACKS_H
/* The net of tiny_net.h as callbacks of mts: all that has to be written to bring a framework, here in C. A batch of mts is a
   `tiny_batch`. */
#include <mts/adapters/callbacks.h>

#include "tiny_net.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef TINY_FLOAT
typedef mts_callbacks_float tiny_callbacks;
#else
typedef mts_callbacks_double tiny_callbacks;
#endif

/* The net must outlive the callbacks. */
tiny_callbacks tiny_callbacks_of(tiny_net* net);

#ifdef __cplusplus
}
#endif

#endif
