/* SPDX-License-Identifier: MIT
 *
 * coroutine.h - the coroutine control block, and what its owner thread does
 * with it quickly. The semantics are those of weft/coroutine.h.
 *
 * A private coroutine's block lies at the top of the slot it runs on; one with
 * a shared stack has a block by itself. Both kinds of memory are type-stable:
 * a stale handle may be looked at.
 *
 * C1 The word is the handle while the coroutine may be resumed (READY,
 *    SUSPENDED), the handle with BUSY set while it may not (RUNNING, DEAD), and
 *    0 when the block is free. So one compare tells that a handle is good.
 * C2 owner is the thread's number, plus OWNER_RARE when resuming needs care
 *    (a shared stack, FP words). So one compare tells that the quick path is
 *    right.
 * C3 Whoever resumes is suspended in its own frame: caller points there. The
 *    frame may lie on a shared stack, and be away: before caller is looked at,
 *    it must be brought back. RARE_EVICTABLE says so.
 * C4 Blocks of tasks and coroutines share memory over time. no_wait and
 *    no_task_id lie where a task has its wait word and its id, and are 0: a
 *    stale ticket or task handle matches no coroutine. What a task
 *    has in place of word is a count of references in its upper half, where a
 *    handle has address bits: too small to match.
 */
#ifndef WEFT_CORE_COROUTINE_H
#define WEFT_CORE_COROUTINE_H

#include <base/atomic.h>
#include <base/handle.h>
#include <base/sanitizer.h>
#include <base/thread.h>
#include <stack/shared.h>
#include <stack/stack.h>
#include <weft/coroutine.h>
#include <weft/coroutine_inline.h>

#define COROUTINE_BUSY UINT64_C(1) /* in the word; the lowest bit of the tag is kept free for it */
#define OWNER_RARE     ((uintptr_t)1)

/** Why leaving a coroutine, or coming to it, needs care. */
enum coroutine_rare {
	RARE_KEEP_FP = 1u << 0,
	RARE_SHARED = 1u << 1,
	RARE_CANARY = 1u << 2,    /* the guard of its stack is a canary: look at it */
	RARE_EVICTABLE = 1u << 3, /* its resumer's frames may have been taken off their stack */
	RARE_UNWINDING = 1u << 4  /* runs its cleanups for the last time: it cannot suspend */
};

enum coroutine_state { COROUTINE_READY, COROUTINE_STARTED, COROUTINE_DEAD };

/** What only few coroutines need. */
struct coroutine_ext {
	char name[32];
	struct fp_control fp;    /* KEEP_FP: its own words, while it does not run */
	struct fp_control outer; /* its resumer's, while it runs */
};

struct coroutine {
	struct strand strand;     /* 40 bytes */
	weft_context *caller;     /* while RUNNING: where to go on yield (C3) */
	_Atomic uint32_t no_wait; /* C4: 0 */
	uint8_t rare;             /* enum coroutine_rare */
	uint8_t state;            /* enum coroutine_state */
	uint8_t stack_class;
	bool generator;        /* fn is a weft_generator_fn */
	_Atomic uint64_t word; /* C1; atomic because any thread may ask with a handle */
	/* --- second line --- */
	_Atomic uint64_t no_task_id; /* C4: 0 */
	struct coroutine *resumer;   /* while RUNNING; NULL: the task, or the plain thread */
	uintptr_t owner;             /* C2 */
	void **ret_out;              /* while RUNNING: for the resumer's value; or NULL */
	weft_coroutine_fn *fn;
	void *arg;
	weft_cleanup *cleanups;    /* newest first */
	struct coroutine_ext *ext; /* or NULL; see coroutine_has_room() */
#if WEFT_ASAN
	const void *caller_low; /* the stack that caller is on */
	size_t caller_bytes;
#endif
#if WEFT_TSAN
	void *caller_fiber;
#endif
};

_Static_assert(sizeof(struct coroutine) <= BLOCK_BYTES, "fits weft__block_take()");
_Static_assert(sizeof(struct coroutine) <= STACK_BLOCK_BYTES, "fits its slot");

/** True when ext lies right behind @co, false when it needs memory of its own. */
static inline bool coroutine_has_room(const struct coroutine *co)
{
	return !(co->rare & RARE_SHARED) &&
	       sizeof(struct coroutine) + sizeof(struct coroutine_ext) <= STACK_BLOCK_BYTES;
}

/* --- handles --------------------------------------------------------------- */

static inline uint64_t coroutine_word(const struct coroutine *co)
{
	/* relaxed: for its owner it is plain, for others only a diagnosis */
	return atomic_load_explicit(&((struct coroutine *)co)->word, memory_order_relaxed);
}

static inline void coroutine_set_word(struct coroutine *co, uint64_t word)
{
	atomic_store_explicit(&co->word, word, memory_order_relaxed);
}

/** Where the block of a word is, BUSY or not. */
static inline void *coroutine_block(uint64_t word)
{
	return handle_pointer((uintptr_t)word);
}

static inline struct coroutine *coroutine_at(const weft_coroutine *handle)
{
	return handle_pointer((uintptr_t)handle);
}

/** The coroutine behind a handle, or NULL when the handle is stale or NULL. */
static inline struct coroutine *coroutine_of(const weft_coroutine *handle)
{
	struct coroutine *co = coroutine_at(handle);

	if (unlikely(!co) || unlikely((coroutine_word(co) & ~COROUTINE_BUSY) != (uintptr_t)handle))
		return NULL;
	return co;
}

static inline weft_coroutine *coroutine_handle(const struct coroutine *co)
{
	return (weft_coroutine *)(uintptr_t)(coroutine_word(co) & ~COROUTINE_BUSY);
}

static inline bool coroutine_busy(const struct coroutine *co)
{
	return coroutine_word(co) & COROUTINE_BUSY;
}

/** True for a coroutine of the calling thread. */
static inline bool coroutine_ours(const struct coroutine *co)
{
	return (co->owner & ~OWNER_RARE) == weft__thread.number;
}

static inline const char *coroutine_name(const struct coroutine *co)
{
	return co->ext ? co->ext->name : "";
}

/* --- changing over --------------------------------------------------------- */

/** @co becomes the innermost one; whoever runs is suspended in @here. */
static always_inline void coroutine_enter(struct thread *thread, struct coroutine *co,
					  uint64_t word, weft_context *here, void **ret_out)
{
	coroutine_set_word(co, word | COROUTINE_BUSY);
	co->caller = here;
	co->ret_out = ret_out;
	/* Mostly it is the same as last time. Not to store it then takes two
	 * store-to-load forwards out of the chain from one resume to the next. */
	if (unlikely(co->resumer != thread->coroutine))
		co->resumer = thread->coroutine;
#if WEFT_TSAN
	co->caller_fiber = weft__tsan_self();
#endif
	thread->coroutine = co;
}

/** @self is suspended: its resumer is the innermost one again. */
static always_inline void coroutine_leave(struct thread *thread, struct coroutine *self)
{
	coroutine_set_word(self, coroutine_word(self) & ~COROUTINE_BUSY);
	thread->coroutine = self->resumer;
}

/** Gives the resumer its value. Its frames must be in place (C3). */
static always_inline void coroutine_deliver(const struct coroutine *self, void *value)
{
	if (likely(self->ret_out != NULL))
		*self->ret_out = value;
}

/** @self is suspended, and @co continues in its place, for the same resumer. */
static always_inline void coroutine_hand_over(struct thread *thread, struct coroutine *self,
					      struct coroutine *co)
{
	coroutine_set_word(co, coroutine_word(co) | COROUTINE_BUSY);
	co->caller = self->caller;
	co->ret_out = self->ret_out;
	co->resumer = self->resumer;
#if WEFT_ASAN
	co->caller_low = self->caller_low;
	co->caller_bytes = self->caller_bytes;
#endif
#if WEFT_TSAN
	co->caller_fiber = self->caller_fiber;
#endif
	coroutine_set_word(self, coroutine_word(self) & ~COROUTINE_BUSY);
	thread->coroutine = co;
}

/* What the switch itself carries: to a coroutine its value, and to a resumer
 * what weft_resume() returns. */
#define YIELDED ((void *)1)
#define ENDED   ((void *)0)

/* --- the switch, announced to the sanitizers --------------------------------- */

/** Where a switch lands. Empty in every other build. */
struct landing {
#if WEFT_ASAN
	const void *low;
	size_t bytes;
#endif
#if WEFT_TSAN
	void *fiber;
#endif
};

/** On the stack of @co, to go on or to begin. */
static always_inline struct landing landing_at(struct coroutine *co)
{
	struct landing landing = {};

#if WEFT_ASAN
	landing.low = co->strand.asan_low;
	landing.bytes = co->strand.asan_bytes;
#endif
#if WEFT_TSAN
	if (!co->strand.fiber)
		co->strand.fiber = weft__tsan_new();
	landing.fiber = co->strand.fiber;
#endif
	(void)co;
	return landing;
}

/** Where @co was resumed. */
static always_inline struct landing landing_at_caller(const struct coroutine *co)
{
	struct landing landing = {};

#if WEFT_ASAN
	landing.low = co->caller_low;
	landing.bytes = co->caller_bytes;
#endif
#if WEFT_TSAN
	landing.fiber = co->caller_fiber;
#endif
	(void)co;
	return landing;
}

/* The last thing before a switch. @fake: see base/sanitizer.h. */
static always_inline void coroutine_announce(void **fake, struct landing landing)
{
#if WEFT_ASAN
	weft__asan_leave(fake, landing.low, landing.bytes);
#else
	weft__asan_leave(fake, NULL, 0);
#endif
#if WEFT_TSAN
	weft__tsan_switch(landing.fiber);
#endif
	(void)landing;
}

/** First thing after a switch. The first one to arrive after a resume is told
 * which stack the resumer is on, and notes it for the way back. */
static always_inline void coroutine_arrived(void *fake)
{
#if WEFT_ASAN
	struct coroutine *resumed = weft__thread.asan_resumed;
	const void *low;
	size_t bytes;

	weft__asan_arrive(fake, &low, &bytes);
	if (resumed) {
		resumed->caller_low = low;
		resumed->caller_bytes = bytes;
		weft__thread.asan_resumed = NULL;
	}
#else
	(void)fake;
#endif
}

static always_inline void *coroutine_switch(weft_context *from, weft_context *to, void *value,
					    struct landing landing)
{
	void *fake;

	coroutine_announce(&fake, landing);
	value = weft_context_switch(from, to, value);
	coroutine_arrived(fake);
	return value;
}

/** As coroutine_switch(), from a stack that is not needed any more. */
static always_inline void __attribute__((noreturn))
coroutine_switch_last(weft_context *from, weft_context *to, void *value, struct landing landing)
{
	coroutine_announce(NULL, landing);
	weft_context_switch(from, to, value);
	__builtin_unreachable();
}

/** Says that the coming switch is a resume of @co. */
static always_inline void coroutine_asan_resume(struct coroutine *co)
{
#if WEFT_ASAN
	weft__thread.asan_resumed = co;
#else
	(void)co;
#endif
}

/* --- coroutine.c ------------------------------------------------------------- */

/** weft_coroutine_new(), and for generators. */
int weft__coroutine_new(struct coroutine **ret_co, weft_coroutine_fn *fn, void *arg,
			const weft_attr *attr, bool generator);

/** Ends @self, on its own stack: the next one is its resumer. */
void weft__coroutine_finish(struct coroutine *self, void *value) __attribute__((noreturn));

/* --- coroutine_rare.c: what the quick paths leave to others ------------------ */

/* What needs care, up to the switch; NULL when it needs more than that. */
weft_context *weft__begin_resume_rare(weft_coroutine *handle, weft_context *here, void **ret_out);
struct weft__way weft__begin_yield_rare(void *value);
struct weft__way weft__begin_transfer_rare(weft_coroutine *handle);

void weft__coroutine_finish_rare(struct coroutine *self, void *value) __attribute__((noreturn));

/** Runs the cleanups of a SUSPENDED one, on its stack; it is DEAD then. 0 or -ENOMEM. */
int weft__coroutine_unwind(struct coroutine *co);

/** Ends every coroutine of the running task, innermost first; then weft_exit(@value)
 * on the task's own stack. Must be called inside of one. */
void weft__coroutine_exit(int value) __attribute__((noreturn));

/** Blocks the thread for a moment: other threads may free some. */
void weft__wait_for_memory(void);

/* --- coroutine_park.c -------------------------------------------------------- */

struct worker;
struct task;

/**
 * weft__coroutine_park - the task leaves the CPU inside a coroutine
 *
 * Called by worker_leave() first of all. Notes how far the frames of shared
 * stacks reach, so that others can take them off while the task is parked.
 *
 * Return: true when it has left, in a way that needs care, and is back.
 */
bool weft__coroutine_park(struct worker *worker, struct task *self);

/** Lies in the frame of a detour: for onlookers, who see a task parked there and want
 * to know in which coroutine it really is. */
struct detour_mark {
	uint64_t magic; /* DETOUR_MARK ^ inner: old bytes do not look like it */
	struct coroutine *inner;
};
#define DETOUR_MARK UINT64_C(0x7765667444657472)

/* --- coroutine_hop.c --------------------------------------------------------- */

/** What is to be done on the small stack. */
struct hop_request {
	struct strand *newcomer; /* becomes the occupant of its stack */
	/* Called, unless it is NULL, when the newcomer is there. */
	void (*then)(const struct hop_request *);
	void *arg, *note;
	/* At last: go on here, on that stack. */
	weft_context *target;
	void *value;
	struct landing landing; /* the target's */
};

/**
 * A change of a shared stack's occupant, by one who stands on that very stack:
 * it goes on for a moment on a small stack of the thread. That exists while the
 * thread has coroutines with shared stacks; this lies at its top.
 */
struct hop {
	weft_context ctx;
	char *low;
	unsigned users;
	unsigned class;
	uint64_t no_handle[6]; /* C4: 0 where others have wait, word and id */
	bool failed;
	weft_context *back; /* where to go on when memory is short */
#if WEFT_TSAN
	void *back_fiber;
#endif
	struct hop_request request;
	weft_context detour; /* coroutine_park.c */
};

_Static_assert(sizeof(struct hop) <= STACK_BLOCK_BYTES, "lies in the block of its slot");

/** A coroutine with a shared stack is made, or gone. 0 or -ENOMEM. */
int weft__hop_hold(struct thread *thread);
void weft__hop_release(struct thread *thread);

/**
 * weft__hop - make the newcomer the occupant of the stack we stand on, go there
 * @from:      where we are kept
 * @ret_value: what whoever continues @from passes; may be NULL
 *
 * Return: 0 once continued, or -ENOMEM (the occupant is the same still).
 */
int weft__hop(struct thread *thread, weft_context *from, const struct hop_request *request,
	      void **ret_value);

#endif
