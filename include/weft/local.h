/* SPDX-License-Identifier: MIT
 *
 * weft/local.h - variables of which each task has its own.
 *
 * WEFT_LOCAL(struct request, request) at file scope declares a function that finds the calling
 * task's variable:
 *
 *	struct request *mine = request();      // zeros at first; freed when the task ends
 *
 * Where a value is the user's to make and to release there are keys:
 *
 *	weft_local_key_new(&key, free);
 *	weft_local_set(key, malloc(100));
 *	weft_local_get(key);
 *
 * Who has values: each task; and each thread that is none. A coroutine has none of its own: it
 * sees those of whoever runs it. The main task of weft_run() is a task like any other, and begins
 * without values; where a call like weft_spawn() makes a runtime of a plain thread, the thread's
 * values stay, and are its main task's. What weft_offload() runs sees those of a helper thread.
 *
 * The end of values: when the task ends, in whatever way (a return from its body, weft_exit(),
 * pthread_exit()), after its cleanups and before its end is told to anyone, each value that is
 * not NULL is set to NULL and given to its key's destructor. Destructors run in the task itself,
 * in no particular order, and may do what a task may: wait (a task that has been cancelled is
 * refused that, as ever), get, and set. Values that they set are given to destructors in another
 * round, up to WEFT_LOCAL_ROUNDS in all; what is left then is lost. A thread's values end with the
 * thread, while it still is a runtime if it ever was one; exit(3) and the return of main() destroy
 * none. In the child of a fork(2) the calling task keeps its values.
 *
 * Where nothing else is said: any task or thread; not a cancellation point; not async-signal-safe.
 */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** What a variable is known by. A handle: never dereference it. NULL is none. */
typedef struct weft_local_key weft_local_key;

enum {
	WEFT_LOCAL_KEYS = 1024, /* so many at a time in a process */
	WEFT_LOCAL_ROUNDS = 4   /* of destructors at a task's end */
};

/**
 * weft_local_key_new - make a key; every task's value is NULL
 * @ret_key:    the key, for all tasks and threads of the process
 * @destructor: called with a task's value at its end; NULL: nothing is
 *
 * No task ever finds a value that was set with another key, also when that has been freed and
 * this one stands in its place.
 *
 * Return: 0, -EINVAL (@ret_key is NULL), or -EAGAIN (there are WEFT_LOCAL_KEYS).
 */
WEFT_API int weft_local_key_new(weft_local_key **ret_key, void (*destructor)(void *value));

/**
 * weft_local_key_free - drop a key
 * @key: NULL does nothing
 *
 * Values that were set with it are lost: no destructor is called for them from now on, as after
 * pthread_key_delete(). One that is being called just now goes on. Return: 0, -EINVAL (stale).
 */
WEFT_API int weft_local_key_free(weft_local_key *key);

/**
 * weft_local_get - the calling task's value
 * @key: of weft_local_key_new()
 *
 * Never fails, never allocates. Return: the value; NULL when none was set, or for a key that is
 * stale.
 */
WEFT_API void *weft_local_get(weft_local_key *key);

/**
 * weft_local_set - set the calling task's value
 * @key:   of weft_local_key_new()
 * @value: replaces the old one, which is the caller's to release: no destructor is called for it
 *
 * Return: 0; with the old value kept: -EINVAL (a key that is stale or NULL), -ENOMEM, -EAGAIN (in
 * a plain thread: it has no pthread key left).
 */
WEFT_API int weft_local_set(weft_local_key *key, void *value);

/* --- typed ------------------------------------------------------------------------------- */

/** What WEFT_LOCAL() declares; its fields are weft's. */
typedef struct weft_local {
	weft_local_key *weft__key; /* made at first use */
	size_t weft__bytes;
} weft_local;

/** Where the calling task's variable is. NULL without memory or keys. Use WEFT_LOCAL(). */
WEFT_API void *weft__local_at(weft_local *local);

/**
 * WEFT_LOCAL - a typed variable of each task, at file scope
 * @type: any object type that needs no constructor, not aligned beyond max_align_t
 * @name: of a static function, `type *name(void)`: where the calling task's variable is
 *
 * The variable is made at its first use in a task, of zeros, and freed when the task ends; a
 * destructor of another key that uses it then finds it, or a new one. Its address is the same
 * for all of the task's life. One of WEFT_LOCAL_KEYS is taken when it is first used at all.
 *
 * The function returns NULL without memory for the variable, or without a key.
 */
#define WEFT_LOCAL(type, name)                                         \
	static weft_local weft__local_##name = { NULL, sizeof(type) }; \
	__attribute__((unused)) static inline type *name(void)         \
	{                                                              \
		return (type *)weft__local_at(&weft__local_##name);    \
	}                                                              \
	struct weft_local /* takes the semicolon */

WEFT_END_DECLS

#endif
