/* SPDX-License-Identifier: MIT
 *
 * helper.h - threads of weft's own that run no tasks.
 */
#ifndef WEFT_BASE_HELPER_H
#define WEFT_BASE_HELPER_H

#include <base/compiler.h>

/** Starts a detached thread that takes no signals, counted in weft__known_threads until it
 * says observe_thread(-1). 0, or -EAGAIN and the like. */
int weft__helper_start(void *(*fn)(void *arg), size_t stack_bytes);

#endif
