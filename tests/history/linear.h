/* SPDX-License-Identifier: MIT
 *
 * linear.h - can the object have behaved as its history says?
 *
 * A history is linearizable (Herlihy and Wing, "Linearizability", TOPLAS 1990) when there is
 * one order of its calls that the machine of spec.h can make, and in which a call that ended
 * before another began stands before that one. Each object can be judged by itself.
 *
 * The search is the one of Wing and Gong ("Testing and verifying concurrent objects", JPDC 1993):
 * take any call that may be the next, go on from there, come back when there is none. What was
 * tried before, the same calls made and the same state reached, is not tried again (Lowe,
 * "Testing for linearizability", CCPE 2017). Two shortcuts are ours: a set of calls made is
 * so many of each party, for a party's calls do not overlap; and a call that can be made and
 * changes nothing is made at once, for later it would do no better.
 *
 * The problem is NP-complete, so there is a bound: beyond STATES_MOST the search gives up, and a
 * test that gave up has failed.
 */
#ifndef WEFT_TESTS_LINEAR_H
#define WEFT_TESTS_LINEAR_H

#include <limits.h>

#include "memo.h"
#include "spec.h"

enum { STATES_MOST = 3 << 20 }; /* 64 MiB of them */

enum verdict { EXPLAINED, REFUSED, GAVE_UP };

/** Where the search has been: the state before a call, or two of a pair, and what comes next. */
struct frame {
	struct state before;
	unsigned call, other; /* indices; other is NONE without a pair */
	unsigned choice;      /* to try after that */
};

#define NONE UINT_MAX

struct search {
	struct problem problem;
	struct memo memo;
	struct frame *frames; /* those of the present attempt */
	unsigned depth;
	struct state state;
	unsigned next[PARTIES_MOST]; /* call of each party */
	uint64_t steps;
	size_t states_most; /* set it to less before linear_check(), if need be */
};

/** For calls of @object that begun no later than stamp @cut; those which ended later have not. */
struct search *search_new(const struct history *history, unsigned object, const struct spec *spec,
			  uint64_t cut);
void search_free(struct search *search);

/** Once a search. EXPLAINED: frames are an order that explains it. */
enum verdict search_run(struct search *search);

/**
 * linear_check - search, and say why not
 * @out: gets a report when it is refused, or given up: the shortest beginning of the history
 *       that cannot be explained, the call that spoils it, and the state before; may be NULL
 */
enum verdict linear_check(const struct history *history, unsigned object, const struct spec *spec,
			  FILE *out);

/** Fails the test, with a report on standard error, unless it is linearizable. It wants a stack of
 * usual size, and nobody who still writes to the history. */
void linear_require(const struct history *history, unsigned object, const struct spec *spec);

#endif
