/* SPDX-License-Identifier: MIT
 *
 * single_threaded.h - simulated threads are many, whatever glibc says of ours.
 */
#ifndef WEFT_TESTS_MODEL_SINGLE_THREADED_H
#define WEFT_TESTS_MODEL_SINGLE_THREADED_H

static const char __libc_single_threaded = 0;

#endif
