/* SPDX-License-Identifier: MIT
 *
 * compiler.h - the dialect of C that weft is written in.
 */
#ifndef WEFT_BASE_COMPILER_H
#define WEFT_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define noinline __attribute__((__noinline__))
/* gcc: no fact is learnt from the body by callers; clang learns none here. */
#if defined(__clang__)
#define never_noreturn
#else
#define never_noreturn __attribute__((noipa))
#endif
#define always_inline inline __attribute__((always_inline))
#define coldpath      __attribute__((__cold__, __noinline__))

/* Internal, but used by libweft-hook.so: exported by libweft.so under the node
 * WEFT_PRIVATE_0 of src/weft.map, where its name must stand too. */
#define WEFT_PRIVATE __attribute__((visibility("default")))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Known to gcc and clang under different names. */
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#ifndef WEFT_ASAN
#define WEFT_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif
#ifndef WEFT_TSAN
#define WEFT_TSAN 0
#endif

#define no_tsan __attribute__((no_sanitize("thread")))

/* TSan does not see this function at all, not even that it is called: for one that is
 * left by a switch and never returned to (base/sanitizer.h). clang's no_sanitize
 * leaves calls and atomics in. */
#if WEFT_TSAN && defined(__clang__)
#define no_tsan_frame __attribute__((disable_sanitizer_instrumentation, __noinline__))
#elif WEFT_TSAN
#define no_tsan_frame __attribute__((no_sanitize("thread"), __noinline__))
#else
#define no_tsan_frame
#endif

#endif
