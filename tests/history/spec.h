/* SPDX-License-Identifier: MIT
 *
 * spec.h - what an object may do, as a machine that makes one call at a time.
 *
 * A step function is given a state and a call with its result. It says whether the object may
 * have made that call, with that result, at once and in this state, and changes the state
 * accordingly. A call that never returned has no result: it may have been made with
 * any, and of those only the ones with an effect count, for without an effect it need not be
 * explained at all.
 *
 * A rendezvous has no such machine: a send and a receive happen in one, inside the intervals of
 * both. That is set-linearizability (Neiger, "Set-linearizability", PODC 1994; Hemed, Rinetzky and
 * Vafeiadis, "Modular verification of concurrency-aware linearizability", DISC 2015, call the
 * same thing CA-linearizability): the machine may also make two calls of different parties at
 * once, by the pair function.
 */
#ifndef WEFT_TESTS_SPEC_H
#define WEFT_TESTS_SPEC_H

#include "history.h"

enum { STATE_WORDS = 160 };

/** What the object is; equal states have equal words. */
struct state {
	uint32_t used;
	uint32_t words[STATE_WORDS];
};

/** A call of the history as far as it is looked at. */
struct call {
	struct op op;
	uint64_t taken_from, taken_by; /* of a send: see spec_chan.c */
};

struct problem {
	const struct spec *spec;
	unsigned parties, count;
	struct call *calls;               /* those of party 0, of party 1 ... */
	unsigned first[PARTIES_MOST + 1]; /* of each party; the last is count */
};

enum outcome { IMPOSSIBLE, POSSIBLE, TOO_LARGE };

struct spec {
	const char *name;
	uint32_t size; /* capacity, or first count */
	void (*start)(const struct problem *problem, struct state *state);
	enum outcome (*step)(const struct problem *problem, struct state *state,
			     const struct call *call);
	/* Both at once; NULL: no such object. Leaves the state as it is. */
	bool (*pair)(const struct problem *problem, const struct state *state, const struct call *a,
		     const struct call *b);
	/* Before the search: fill in what helps to see early that an order is wrong. Or NULL. */
	void (*look_ahead)(struct problem *problem);
	void (*show)(const struct problem *problem, const struct state *state, FILE *out);
};

static inline bool call_is_open(const struct call *call)
{
	return call->op.ended == NEVER;
}

#define UNBOUNDED UINT32_MAX

/** A channel of so many values; 0: a rendezvous; UNBOUNDED. */
struct spec spec_channel(uint32_t capacity);

/** Parties own it. lock: 0, or -EDEADLK for its owner, unless it is @recursive. */
struct spec spec_mutex(bool recursive);

/** Any number of readers or one writer. */
struct spec spec_rwlock(void);

/** acquire takes one; release(n) gives n. */
struct spec spec_semaphore(uint32_t count);

#endif
