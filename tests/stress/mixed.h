/* SPDX-License-Identifier: MIT
 *
 * mixed.h - parties of every kind at one thing: tasks of one worker and of several, those that
 * move, those on shared stacks, and plain threads.
 */
#ifndef WEFT_TESTS_MIXED_H
#define WEFT_TESTS_MIXED_H

#include <stdatomic.h>
#include <time.h>

#include <base/rng.h>
#include <weft/weft.h>

#include "stress.h"

enum party_kind {
	PARTY_LONE,         /* a task of a runtime with one worker */
	PARTY_LONE_SHARED,  /* ... on a shared stack */
	PARTY_CREW,         /* a task of a runtime with three workers */
	PARTY_CREW_MOVABLE, /* ... with WEFT_MIGRATE */
	PARTY_CREW_SHARED,
	PARTY_THREAD,
	PARTY_KINDS
};

struct party {
	unsigned number;
	enum party_kind kind;
	struct rng rng;
	bool canceled; /* a weft_cancel() was asked for; to be read when all have ended */
	void *arg;
};

enum { MIXED_MOST = 24 };

struct mix {
	unsigned count;
	const enum party_kind *kinds; /* of each party: kinds[i % kinds_count] */
	unsigned kinds_count;
	int (*body)(struct party *party);
	void *arg; /* of each party */
	uint64_t seed;
	unsigned cancel_one_of; /* so many tasks, one is cancelled at some time; 0: none */
	unsigned cancel_within_us;
	unsigned spared; /* the last so many are never cancelled */
	struct party parties[MIXED_MOST];
};

/** Runs them all at once, and waits for their ends. */
void mixed_run(struct mix *mix);

/** Now and then lets others run. */
void mixed_pause(struct party *party);

/** A deadline: at once, soon, or later. */
int64_t mixed_deadline(struct party *party);

/** The time of @clock in less than 0.2 ms. */
struct timespec mixed_soon(struct party *party, clockid_t clock);

/* Mixtures. */
struct kinds {
	const char *name;
	unsigned count;
	enum party_kind kinds[PARTY_KINDS];
};
extern const struct kinds mixed_kinds[];
extern const unsigned mixed_kinds_count;

#endif
