/* SPDX-License-Identifier: MIT
 *
 * thread.h - what weft keeps for each OS thread: who runs on it right now.
 *
 * Written only by the thread itself. Its address must not be kept across a
 * switch by code that may run on a WEFT_MIGRATE task: compilers cache it.
 * Re-read it through weft__thread_now() there.
 */
#ifndef WEFT_BASE_THREAD_H
#define WEFT_BASE_THREAD_H

#include <base/compiler.h>

struct worker;
struct task;
struct coroutine;
struct stack_cache;
struct trace_ring;
struct hop;
struct locals;

struct thread {
	struct task *task;           /* running now; NULL: no runtime, or the worker itself */
	struct coroutine *coroutine; /* innermost one that runs inside task or thread */
	uintptr_t number;            /* 0: not given yet. See thread_number() */
	struct worker *worker;       /* NULL until this thread is a runtime */
	struct task *guest;          /* core/guest.h; of a thread without tasks */
	unsigned worker_index;       /* its index, from 1; 0: none; with THREAD_TRACED */
	uint32_t trace_generation;   /* base/trace.h */
	struct trace_ring *trace;    /* NULL: this thread is not recorded */
	struct stack_cache *stacks;  /* free private stacks; made at first use */
	struct locals *locals;       /* core/local.c: while this thread is no task; or NULL */
	struct hop *hop;             /* core/coroutine.h; NULL: no coroutine needs it */
	unsigned coroutines_rare;    /* alive, with a shared stack or FP words of their own */
	uint32_t coroutine_tag;      /* of the next one */
#if WEFT_ASAN
	struct coroutine *asan_resumed; /* its first frame shall note the stack that was left */
#endif
#if WEFT_TSAN
	void *tsan_crowd, *tsan_crowd_before; /* base/sanitizer.c */
	unsigned tsan_crowd_turns;
#endif
};

/** Set in worker_index while the thread is recorded: it equals no worker's index then. */
#define THREAD_TRACED (1u << 16)

extern __thread struct thread weft__thread __attribute__((tls_model("initial-exec"))) WEFT_PRIVATE;

uintptr_t weft__thread_number_new(void);

/** What tells this thread from all others that ever were: its address may be another's next. Even,
 * and not 0. */
static inline uintptr_t thread_number(struct thread *thread)
{
	if (unlikely(!thread->number))
		thread->number = weft__thread_number_new();
	return thread->number;
}

/** &weft__thread, computed anew: safe after a switch to another thread. */
struct thread *weft__thread_now(void) WEFT_PRIVATE;

/* thread_fresh(): the same, as cheap as this CPU allows. Whatever may run on a movable
 * task uses it after a switch. */
#include <base/thread_cpu.h>

#endif
