/* SPDX-License-Identifier: MIT
 *
 * select.h - a select from inside, and what a case that is no channel must be able to do.
 *
 * S1 All channels of a select are locked, each once, in the order of their addresses, while it
 *    looks for a case that can be done and when it queues: nothing can become ready
 *    unseen in between, and a partner meets it either not yet queued or in all its queues.
 * S2 A partner claims the select's wait under the lock of his channel, as he claims any
 *    other: so one case fires. The others are taken out of their queues afterwards, one
 *    lock at a time, before the next wait is opened (Q2).
 * S3 Everything else - descriptors, ends of tasks, promises - is a level, not a value: it is
 *    only watched. It wakes the select with SELECT_AGAIN, and the select looks again.
 */
#ifndef WEFT_SYNC_SELECT_H
#define WEFT_SYNC_SELECT_H

#include <sync/chan.h>
#include <sync/promise.h>

/** What watching takes, for one case; on the heap, or in the frame of a private stack. */
struct watch {
	union { /* the source's own */
		struct waiter waiter;
		struct promise_watch promise;
	};
	uint32_t tick; /* likewise */
	bool armed;
};

/** A source of levels. The functions run on the select's task, without locks. */
struct select_source {
	/** 1: ready; 0: not; < 0: the select fails. May note in the watch what arm needs. */
	int (*ready)(weft_case *which, struct watch *watch);

	/** From now on readiness wakes @ticket with SELECT_AGAIN (or a negative errno that is this
	 * case's result). 0: armed; 1: ready already; SOURCE_BLIND: nobody will tell, ask again
	 * soon; < 0: the select fails. */
	int (*arm)(weft_case *which, struct watch *watch, uint64_t ticket);

	/** Undoes arm. True: it is the one that has fired, with the error that woke the select. */
	bool (*disarm)(weft_case *which, struct watch *watch);
};

enum { SOURCE_BLIND = 2, SOURCE_LOOK_NS = 4000000 };

/** What a select is called in dumps. */
struct select_name {
	struct waitable waitable;
	unsigned count;
};

/** A select at work. */
struct select {
	struct select_name name;
	weft_case *cases;
	unsigned count;
	unsigned channels; /* in order[], each once */
	unsigned sources;  /* cases that are watched */
	bool has_descriptor;
	bool needs_task; /* descriptors and ends of tasks are for tasks only */
	bool ordered;    /* order is filled in */
	bool alone;      /* at the last look no other thread existed: nothing was locked */
	const struct select_source *descriptors;
	struct task *self;
	bool frames_move;          /* of self, at the beginning: C3 */
	weft_chan **order;         /* S1; room for count */
	struct select_node *nodes; /* one a case */
	struct watch *watches;     /* one a case, with sources */
	int64_t now_ns;            /* of the last look; 0: it was not asked */
	int64_t until_ns;          /* the earliest of the deadline and what else has a time */
};

static inline bool case_is_channel(const weft_case *which)
{
	return (which->kind == WEFT_CASE_RECV || which->kind == WEFT_CASE_SEND) && which->object;
}

static inline size_t case_bytes(const weft_case *which)
{
	return ((const weft_chan *)which->object)->elem_bytes;
}

/** weft_select(); descriptors are the io layer's to watch. */
int weft__select(weft_case *cases, unsigned count, int64_t deadline_ns,
		 const struct select_source *descriptors);

extern const struct select_source weft__select_tasks, weft__select_promises;

#endif
