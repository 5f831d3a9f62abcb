/* SPDX-License-Identifier: MIT
 *
 * trace.h - the flight recorder: a ring of records for each thread that is a
 * runtime, written by that thread alone. weft/debug.h starts and stops it.
 *
 * R1 Off costs one compare of weft__thread.trace at the places that are not
 *    hot, and nothing in a switch and a wake. For these, while a thread is
 *    recorded: each pick takes the slow path (its budget is 1; core/trace.c
 *    keeps the real one), and weft__thread.worker_index matches no task's
 *    worker (THREAD_TRACED), so that each wake takes the slow path.
 * R2 A thread finds out by itself that recording began or ended: it compares
 *    two generations when it looks around, and when it comes back from its
 *    poller (trace_look). So nobody else writes its ring or its struct thread.
 * R3 A ring belongs to the recording and to its thread. Whoever lets go last unmaps it:
 *    a thread that has not looked yet writes on into memory that is there.
 * R4 The reader copies while the writer may be writing. Record n lies in
 *    slot n & mask, and head is n + 1 once it is complete. Each word is stored
 *    with release and read with acquire: who reads a word of record n sees
 *    a head >= n. So after the copy the reader takes head again, and what lies a
 *    whole ring or more before the record that may be in work then is dropped.
 * R5 Records carry ids and addresses of string literals; nothing that may
 *    be freed before the trace is written.
 */
#ifndef WEFT_BASE_TRACE_H
#define WEFT_BASE_TRACE_H

#include <base/atomic.h>
#include <base/probe.h>
#include <base/thread.h>

/** What a record tells. "next" is the task that runs from here on; 0: the
 * worker's loop, or not known. */
enum trace_kind {
	TRACE_ENTER,  /* recording begins here; aux: next */
	TRACE_LEAVE,  /* task (0: the loop) leaves the CPU; detail: state, arg: object, aux: next */
	TRACE_LOOKED, /* the worker has looked around in between; aux: next */
	TRACE_TASK,   /* is known from here on; arg: spawn site, detail: 1 for "main" */
	TRACE_NAME,   /* follow TRACE_TASK; arg: eight bytes of the name; detail: 0, 1, 2 ... */
	TRACE_SPAWN,  /* arg: by whom */
	TRACE_WAKE,   /* arg: by whom, aux: the wait's result */
	TRACE_INBOX,  /* woken by another thread, has come to its worker */
	TRACE_STEAL,  /* arg: how many, aux: from which worker */
	TRACE_POLL,   /* asks the poller; arg: timeout in ns, < 0: none */
	TRACE_POLLED, /* arg: events, or -errno */
	TRACE_TIMER,  /* arg: how late in ns */
	TRACE_CANCEL, /* arg: by whom */
	TRACE_KINDS
};

enum {
	TRACE_EVENTS_MIN = 64,
	TRACE_EVENTS_MAX = 1 << 24,
	TRACE_EVENTS_DEFAULT = 1 << 16,
	TRACE_AUX_BITS = 48
};

struct trace_record {
	uint64_t ticks; /* weft__trace_ticks() */
	uint64_t what;  /* kind 8 | detail 8 | aux 48 */
	uint64_t task;  /* id */
	uint64_t arg;
};

enum { TRACE_WORDS = sizeof(struct trace_record) / sizeof(uint64_t) };

/** A task that the ring tells about, and where. A plain cache: by the low bits of its id. */
struct trace_known {
	uint64_t id, at;
};

struct trace_ring {
	_Atomic uint64_t head; /* records ever written */
	uint64_t mask;
	struct trace_known *known; /* the writer's; a quarter as many as records */
	struct trace_ring *next;   /* of the same recording */
	_Atomic uint32_t owners;   /* R3 */
	unsigned serial, worker, tid;
	size_t bytes;
	_Alignas(64) _Atomic uint64_t words[];
};

static inline enum trace_kind trace_kind(const struct trace_record *record)
{
	return (enum trace_kind)(record->what & 0xff);
}

static inline unsigned trace_detail(const struct trace_record *record)
{
	return record->what >> 8 & 0xff;
}

static inline uint64_t trace_aux(const struct trace_record *record)
{
	return record->what >> 16;
}

static inline uint64_t trace_what(enum trace_kind kind, unsigned detail, uint64_t aux)
{
	return (uint64_t)kind | (uint64_t)(detail & 0xff) << 8 | aux << 16;
}

/* --- writing --------------------------------------------------------------- */

/** Odd while recording. */
extern _Atomic uint32_t weft__trace_generation;

void weft__trace_put(struct trace_ring *ring, uint64_t what, uint64_t task, uint64_t arg);

/** Takes up the present generation: gets this thread a ring, or drops it. */
void weft__trace_follow(void);

/** This thread stops being a runtime. */
void weft__trace_end_thread(void);

/** Has recording begun or ended? Where a thread looks around (R2). */
static always_inline void trace_look(void)
{
	/* relaxed: weft__trace_follow() looks again under its lock */
	if (unlikely(weft__thread.trace_generation !=
		     atomic_load_explicit(&weft__trace_generation, memory_order_relaxed)))
		weft__trace_follow();
}

/** One record, when this thread is recorded. */
static always_inline void trace_event(enum trace_kind kind, uint64_t aux, uint64_t task,
				      uint64_t arg)
{
	struct trace_ring *ring = weft__thread.trace;

	if (unlikely(ring != NULL))
		weft__trace_put(ring, trace_what(kind, 0, aux), task, arg);
}

/** This worker has taken @count tasks of another's queue. */
static always_inline void trace_steal(unsigned from_worker, uint64_t count)
{
	probe2(steal, from_worker, count);
	trace_event(TRACE_STEAL, from_worker, 0, count);
}

/** Around the system call of a poller. */
static always_inline void trace_poll(int64_t timeout_ns)
{
	trace_event(TRACE_POLL, 0, 0, (uint64_t)timeout_ns);
}

static always_inline void trace_polled(int64_t timeout_ns, int64_t count)
{
	probe2(poll, timeout_ns, count);
	trace_look();
	trace_event(TRACE_POLLED, 0, 0, (uint64_t)count);
}

/* --- for weft/debug.h ------------------------------------------------------- */

/** The time of a record: ticks of the CPU's counter, or nanoseconds where that
 * one is not steady. */
uint64_t weft__trace_ticks(void);
bool weft__trace_counts_ticks(void);

static inline bool weft__trace_recording(void)
{
	return atomic_load_explicit(&weft__trace_generation, memory_order_relaxed) & 1;
}

/** Begins a recording, with rings of @events (a power of two). 0 or -EBUSY. */
int weft__trace_begin(size_t events);

/** Ends it. Return: its rings, in the order they were made, each to be copied and
 * let go; *ret_missed: threads that got none for want of memory. -EALREADY when none is
 * under way. */
int weft__trace_end(struct trace_ring **ret_rings, unsigned *ret_missed);

/** Copies what is left of a ring, oldest first, into room for mask + 1 records (R4).
 * Return: how many; *ret_lost: older ones that have been overwritten. */
size_t weft__trace_copy(struct trace_ring *ring, struct trace_record *to, uint64_t *ret_lost);
void weft__trace_let_go(struct trace_ring *ring);

/** Called once, by the first runtime of the process: $WEFT_TRACE. debug/trace.c */
void weft__trace_init(void);

#endif
