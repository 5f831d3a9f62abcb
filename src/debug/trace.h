/* SPDX-License-Identifier: MIT
 *
 * trace.h - a recording that has ended, on its way into a file.
 */
#ifndef WEFT_DEBUG_TRACE_H
#define WEFT_DEBUG_TRACE_H

#include <base/trace.h>

/** What one thread has recorded; a copy. */
struct trace_track {
	unsigned serial, worker, tid;
	struct trace_record *records; /* oldest first */
	uint32_t *flows;              /* a number beside each record; 0: no arrow */
	size_t count, bytes;
	uint64_t lost; /* records that were overwritten */
};

/** What the records tell about a task. */
struct trace_task {
	uint64_t id; /* 0: this place is free */
	const char *site;
	char name[32];
	uint32_t flow; /* of the wake that has not been followed by a run yet */
	bool main;
};

struct trace {
	struct trace_track *tracks;
	size_t count;
	unsigned missed;     /* threads that got no ring */
	uint64_t begin, end; /* ticks */
	int64_t begin_ns;    /* weft_now() at that time */
	double ns_per_tick;
	struct trace_task *tasks; /* a hash table: tasks_size is a power of two */
	size_t tasks_size, tasks_used;
};

/** Nobody: the worker looks around, between two tasks. No id. */
#define TRACE_NOBODY UINT64_MAX

/** True for the kinds of records from which on somebody else may run. */
static inline bool trace_turns(const struct trace_record *record)
{
	return trace_kind(record) <= TRACE_LOOKED;
}

/** Who runs from record @i on, which is one of trace_turns(): an id, 0 for the
 * worker's loop (or, at the very end, for nobody knows whom), or TRACE_NOBODY. */
uint64_t weft__trace_runs(const struct trace_track *track, size_t i);

/** Fills in tasks, and flows: which run follows from which wake. 0 or -ENOMEM. */
int weft__trace_learn(struct trace *trace);

/** The task of an id, or NULL when nothing is known of it. */
const struct trace_task *weft__trace_task(const struct trace *trace, uint64_t id);

/** Writes all of it into a file that is open. 0 or -errno. */
int weft__trace_write(const struct trace *trace, int fd);

#endif
