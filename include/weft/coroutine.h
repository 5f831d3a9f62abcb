/* SPDX-License-Identifier: MIT
 *
 * weft/coroutine.h - functions that suspend. They need no runtime.
 *
 *   READY --resume--> RUNNING --yield--> SUSPENDED --resume--> RUNNING
 *                        |                                        |
 *                        +---------------- returns ---------------+--> DEAD
 *
 * Asymmetric: weft_resume() runs a coroutine until it yields or returns;
 * weft_yield() goes back to its resumer. Symmetric: weft_transfer() leaves
 * the running coroutine suspended and continues a peer in its place, under
 * the same resumer. A coroutine that resumes another one stays RUNNING to
 * weft_coroutine_status(): it cannot be resumed again (-EBUSY).
 *
 * A coroutine belongs to the thread that made it; in a runtime of several workers,
 * to that worker's, and a task of another one gets -EPERM. Resumed inside a task it may
 * call anything that blocks: the whole task parks, and comes back there.
 *
 * The functions that switch are expanded in place where that is possible: see
 * weft/coroutine_inline.h. WEFT_NO_INLINE, defined before, prevents it.
 *
 * A handle carries a generation: after weft_coroutine_free() every call with
 * it answers -ESRCH, also when its memory serves another coroutine by now.
 *
 * Where nothing else is said: the thread only that made the coroutine; not a cancellation
 * point; not async-signal-safe.
 *
 * @co:   its handle
 * @gen:  its handle
 * @attr: stack, name, WEFT_KEEP_FP (it begins with the words of now); NULL: the defaults
 */
#ifndef WEFT_COROUTINE_H
#define WEFT_COROUTINE_H

#include <weft/context.h>
#include <weft/types.h>

WEFT_BEGIN_DECLS

/**
 * A coroutine's body
 * @arg:   as given to weft_coroutine_new()
 * @value: what the first weft_resume() or weft_transfer() passed in
 *
 * Return: the last value, delivered to the resumer.
 */
typedef void *weft_coroutine_fn(void *arg, void *value);

enum weft_status {
	WEFT_READY = 0,     /* made or reset, not yet resumed */
	WEFT_RUNNING = 1,   /* runs, or waits for one that it resumed */
	WEFT_SUSPENDED = 2, /* yielded or transferred away */
	WEFT_DEAD = 3       /* returned */
};

/**
 * weft_coroutine_new - make a coroutine; it does not run yet
 * @ret_co: its handle
 * @fn:     body
 * @arg:    passed to @fn
 *
 * A task with WEFT_MIGRATE stays where it is from then on, as by weft_task_pin().
 *
 * Return: 0, -EINVAL (@ret_co or @fn is NULL, or @attr is not valid), -ENOMEM, -EPERM (the shared
 * group of @attr belongs to another thread), -ENOTSUP (this process runs with
 * shadow stacks). Any thread.
 */
WEFT_API int weft_coroutine_new(weft_coroutine **ret_co, weft_coroutine_fn *fn, void *arg,
				const weft_attr *attr);

/**
 * weft_resume - run a coroutine until it yields or returns
 * @co:      a READY or SUSPENDED coroutine of this thread
 * @value:   becomes the body's second argument, or the result of its yield
 * @ret_out: what it yielded or returned; may be NULL
 *
 * After a transfer it is the peer, who then has this resumer, that yields or
 * returns here.
 *
 * Return: 1 when it yielded, 0 when it returned (it is DEAD now), or -ESRCH
 * (stale handle, NULL or DEAD), -EDEADLK (the caller itself), -EBUSY (it runs
 * already: a resumer further up), -EPERM (another thread's), -ENOMEM (its
 * shared stack's occupant could not be saved; nothing changed).
 */
WEFT_API int weft_resume(weft_coroutine *co, void *value, void **ret_out);

/**
 * weft_yield - suspend the running coroutine and hand @value to its resumer
 * @value: becomes *ret_out of the weft_resume() that runs it
 *
 * Return: the value of the resume or transfer that continues it. Where
 * weft_yield_with() reports an error nothing happens, and NULL is returned.
 *
 * Inside a coroutine only.
 */
WEFT_API void *weft_yield(void *value);

/**
 * weft_yield_with - weft_yield() with an error code
 * @value:  handed to the resumer
 * @ret_in: value of the next resume; may be NULL
 *
 * Return: 0, -EPERM (outside a coroutine; in a cleanup of one that is freed or
 * reset), or -ENOMEM (its resumer's frames were taken off a shared stack, whose
 * occupant could not be saved; nothing changed). Inside a coroutine only.
 */
WEFT_API int weft_yield_with(void *value, void **ret_in);

/**
 * weft_transfer - suspend the running coroutine and continue a peer
 * @co:     READY or SUSPENDED, of this thread; it inherits our resumer
 * @value:  passed to it as by weft_resume()
 * @ret_in: value that continues us later; may be NULL
 *
 * Return: 0 once continued, or the errors of weft_resume(), -EPERM (where
 * weft_yield_with() says so). A transfer to the caller itself returns 0 at once,
 * with *ret_in = value. Inside a coroutine only.
 */
WEFT_API int weft_transfer(weft_coroutine *co, void *value, void **ret_in);

/**
 * weft_coroutine_self - the running coroutine
 *
 * Return: its handle, or NULL outside of one. Any thread.
 */
WEFT_API weft_coroutine *weft_coroutine_self(void);

/**
 * weft_coroutine_status - what a coroutine is doing
 *
 * Return: an enum weft_status, or -ESRCH (stale handle or NULL).
 */
WEFT_API int weft_coroutine_status(weft_coroutine *co);

/**
 * weft_coroutine_reset - make a coroutine READY again, with a new body
 * @co:  READY, SUSPENDED (its cleanups run first) or DEAD
 * @fn:  new body; NULL keeps the old one
 * @arg: new argument
 *
 * Keeps the stack and the handle. Return: 0, -EBUSY (RUNNING), -EPERM (another
 * thread's), -ESRCH, -ENOMEM (shared stack: no memory to bring back the frames that its
 * cleanups lie in; nothing changed).
 */
WEFT_API int weft_coroutine_reset(weft_coroutine *co, weft_coroutine_fn *fn, void *arg);

/**
 * weft_coroutine_free - run the cleanups of a suspended one, give its memory back
 * @co: coroutine or NULL (which does nothing)
 *
 * C++ destructors and other frames are not unwound: use cleanups. They run on
 * the coroutine's stack, as part of it: it is weft_coroutine_self(), and it can
 * do everything but suspend.
 *
 * Return: 0, -EBUSY (RUNNING), -EPERM (another thread's), -ESRCH (stale),
 * -ENOMEM (as of weft_coroutine_reset()).
 */
WEFT_API int weft_coroutine_free(weft_coroutine *co);

/**
 * weft_coroutine_name - the name that its attributes gave it
 *
 * Return: the name, "" when it has none, NULL for a stale handle. It lives as long as @co.
 */
WEFT_API const char *weft_coroutine_name(weft_coroutine *co);

/* --- cleanups ----------------------------------------------------------- */

/** A cleanup. Lives in the frame that pushes it; its fields are private. */
typedef struct weft_cleanup {
	struct weft_cleanup *weft__next;
	void (*weft__fn)(void *arg);
	void *weft__arg;
} weft_cleanup;

/**
 * weft_cleanup_push - have fn(arg) called if this frame is never left properly
 * @node: in the caller's frame; must be popped before it returns
 * @fn:   called at the end of the coroutine or task, on its stack
 * @arg:  handed to @fn
 *
 * Cleanups run newest first when a suspended coroutine is freed or reset, and
 * when a task ends by weft_exit(). They belong to the running coroutine, or else to the
 * calling task.
 *
 * Return: 0, -EPERM (outside of a coroutine or task), -ENOMEM (the first one of a
 * task). Any thread.
 */
WEFT_API int weft_cleanup_push(weft_cleanup *node, void (*fn)(void *arg), void *arg);

/**
 * weft_cleanup_pop - take the newest cleanup back
 * @node: the newest one
 * @run:  non-zero: also call it now
 *
 * Return: 0, -EINVAL (@node is not the newest one), -EPERM (outside of a coroutine or
 * task). Any thread.
 */
WEFT_API int weft_cleanup_pop(weft_cleanup *node, int run);

/* --- generators: coroutines that are read like a sequence ----------------- */

/** A sequence whose values are computed when they are asked for. A handle. */
typedef struct weft_generator weft_generator;

/** A generator's body: calls weft_yield(value) for each value, then returns. */
typedef void weft_generator_fn(void *arg);

/**
 * weft_generator_new - make a generator; nothing of it runs yet
 * @ret_gen: its handle
 * @fn:      body
 * @arg:     passed to @fn
 *
 * Return: 0, or the errors of weft_coroutine_new(). Any thread.
 */
WEFT_API int weft_generator_new(weft_generator **ret_gen, weft_generator_fn *fn, void *arg,
				const weft_attr *attr);

/**
 * weft_generator_next - compute the next value
 * @gen:       generator
 * @ret_value: the value that its body yielded
 *
 * Return: 1 with a value, 0 at the end (and on every later call; *ret_value
 * stays as it is), or the errors of weft_resume().
 */
WEFT_API int weft_generator_next(weft_generator *gen, void **ret_value);

/**
 * weft_generator_next_with - compute the next value, and tell the body something
 * @in:        result of the weft_yield() that the body stands in; of the first call: lost
 * @ret_value: the value that its body yielded
 *
 * Return: 1, 0, and errors, as of weft_generator_next().
 */
WEFT_API int weft_generator_next_with(weft_generator *gen, void *in, void **ret_value);

/**
 * weft_generator_free - run the cleanups of its body, give its memory back
 * @gen: generator or NULL (which does nothing)
 *
 * Return: 0, or the errors of weft_coroutine_free().
 */
WEFT_API int weft_generator_free(weft_generator *gen);

/**
 * weft_foreach - a loop over the values of a generator
 * @type: type of @var: a pointer, or an integer of that size
 * @var:  name of the variable, declared by the loop
 *
 * break and continue do what they do in a loop. The generator is not freed by it, and goes
 * on where it was left.
 *
 *	weft_foreach(char *, word, gen)
 *		puts(word);
 */
#define weft_foreach(type, var, gen)                                                        \
	for (void *weft__v_##var = 0, *weft__go_##var = (void *)1;                          \
	     weft__go_##var && weft_generator_next((gen), &weft__v_##var) == 1;)            \
		for (type var = (weft__go_##var = 0, (type)weft__v_##var); !weft__go_##var; \
		     weft__go_##var = (void *)1)

#include <weft/coroutine_inline.h>

WEFT_END_DECLS

#endif
