/* SPDX-License-Identifier: MIT
 *
 * group.h - tasks that do the same, counted once: what makes a dump of a million
 * tasks one that can be read.
 *
 * Two are alike when they were spawned at the same place and are in the same
 * calls for the same kind of reason. The table has room for so many groups; who
 * comes later and fits none is counted, no more.
 */
#ifndef WEFT_DEBUG_GROUP_H
#define WEFT_DEBUG_GROUP_H

#include <debug/backtrace.h>
#include <debug/describe.h>

enum { GROUPS_MAX = 1024, GROUP_IDS = 8 };

struct group {
	uint64_t key; /* 0: unused */
	uint64_t count;
	uint64_t ids[GROUP_IDS];         /* of the first ones */
	int64_t shortest_ns, longest_ns; /* waits; longest_ns < 0: none waits */
	const struct task *first;
	struct backtrace backtrace;
};

struct groups {
	uint32_t used;
	uint64_t left_over; /* tasks that fit no group */
	struct group table[2 * GROUPS_MAX];
	struct group *order[GROUPS_MAX]; /* by weft__groups_sort() */
};

/** Counts a task in. */
void weft__group_add(struct groups *groups, const struct task *task, const struct task_view *view,
		     const struct backtrace *backtrace, int64_t waiting_ns);

/** The largest first. */
void weft__groups_sort(struct groups *groups);

#endif
