/* SPDX-License-Identifier: MIT
 *
 * weft/types.h - what every other header speaks of: bodies, attributes,
 * deadlines. Clean C99 and C++98; includes nothing but <stddef>/<stdint>.
 *
 * Conventions of the whole library:
 *   - a function returns >= 0, or a negative errno;
 *   - outputs come last, are named ret_*, and are untouched on failure;
 *   - times are int64_t nanoseconds on the weft_now() clock, and absolute;
 *   - a "cancellation point" returns -ECANCELED once its task is cancelled.
 *
 * Where nothing else is said: any thread; not a cancellation point; not async-signal-safe.
 *
 * @deadline_ns: absolute, in nanoseconds on the weft_now() clock; WEFT_NOWAIT tries once,
 *               WEFT_FOREVER waits without end
 */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>

#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS   }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#define WEFT_API __attribute__((visibility("default")))

WEFT_BEGIN_DECLS

/** A task that the runtime schedules. A handle: never dereference it. */
typedef struct weft_task weft_task;
/** A function that suspends with a value and is resumed by its caller. */
typedef struct weft_coroutine weft_coroutine;
/** A few real stacks on which many coroutines or tasks take turns. */
typedef struct weft_stack_group weft_stack_group;

/** Values from one task to another: chan.h. */
typedef struct weft_chan weft_chan;

/** A task's body; what it returns is what weft_join() delivers. */
typedef int weft_fn(void *arg);

/** Waits without end. */
#define WEFT_FOREVER INT64_MAX
/** Tries once and never waits: every call answers -EAGAIN instead. */
#define WEFT_NOWAIT ((int64_t)0)

enum weft_flags {
	/** The task may go on in another worker's thread whenever it waits or
	 * yields, in a runtime of several workers: no frame of it may keep the
	 * address of a thread-local variable over such a call, and compilers keep
	 * errno's. Without this flag a task stays where it first ran. Ignored
	 * with a shared stack; ends when the task makes a coroutine. */
	WEFT_MIGRATE = 1u << 0,
	/** Rounding and exception control (MXCSR, x87 CW, FPCR) belong to the
	 * task and not to the thread; costs one compare a switch. */
	WEFT_KEEP_FP = 1u << 1,
	/** libc calls of this task are not hooked. */
	WEFT_NO_HOOKS = 1u << 2,
	/** The runtime does not wait for this task: it cancels it at the end. */
	WEFT_DAEMON = 1u << 3,
	/** In a runtime of several workers: the task begins on each of them in
	 * turn, instead of where it is spawned or where there is time. For tasks that
	 * live long and do alike, as one a connection. Ignored with a shared stack. */
	WEFT_SPREAD = 1u << 4
};

/** How to make a task or a coroutine. All zero means: the defaults. */
typedef struct weft_attr {
	/** For dumps and debuggers; copied, 31 bytes kept. NULL: none. */
	const char *name;
	/** Usable stack in bytes, rounded up to a size class. 0: WEFT_STACK of
	 * the environment, or 256 KiB. < 16 KiB or > 1 GiB: -EINVAL. */
	size_t stack_bytes;
	/** Take turns on a stack of this group instead of a private one. */
	weft_stack_group *shared;
	/** A set of enum weft_flags; an unknown bit: -EINVAL. */
	unsigned flags;
} weft_attr;

/**
 * weft_stack_group_new - make a group of stacks to be shared
 * @ret_group:   the new group
 * @count:       how many real stacks; tasks are dealt to them in turn
 * @stack_bytes: usable bytes of each; 0 and bounds as in weft_attr
 *
 * A suspended user of a shared stack keeps only a copy of its live bytes, so
 * no other task may hold a pointer into its frames while it is suspended. Debug
 * builds of the library fill the bytes that it has left with 0xdb: what is read there
 * shows, a pointer that comes from there crashes, and the crash is explained. A
 * group belongs to the thread that made it.
 *
 * Return: 0, -EINVAL (ret_group is NULL, count is 0 or > 65536, stack_bytes out of bounds),
 * -ENOMEM.
 */
WEFT_API int weft_stack_group_new(weft_stack_group **ret_group, unsigned count, size_t stack_bytes);

/**
 * weft_stack_group_free - give the stacks of a group back
 * @group: group, or NULL
 *
 * Return: 0, -EBUSY (a task or coroutine of the group is still alive),
 * -EPERM (another thread made the group). The thread only that made the group.
 */
WEFT_API int weft_stack_group_free(weft_stack_group *group);

/** The place this macro stands at: "file.c:123". */
#define WEFT__STRING2(x) #x
#define WEFT__STRING(x)  WEFT__STRING2(x)
#define WEFT_HERE        __FILE__ ":" WEFT__STRING(__LINE__)

/** The version of the headers. */
#define WEFT_VERSION "0.1.0"

/**
 * weft_version - the version of the library that is linked
 *
 * Return: a string like WEFT_VERSION, which is that of the headers. Async-signal-safe.
 */
WEFT_API const char *weft_version(void);

WEFT_END_DECLS

#endif
