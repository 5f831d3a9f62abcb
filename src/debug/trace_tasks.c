/* SPDX-License-Identifier: MIT
 *
 * trace_tasks.c - what the records of all threads say together: names and
 * sites of tasks, and which run was caused by which wake.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <debug/trace.h>

enum { TABLE_START = 256 };

/* --- a table by id --------------------------------------------------------- */

/* Its place, or the free one where it would be. Ids are dealt in sequence: their low
 * bits spread well. */
static struct trace_task *find(struct trace_task *tasks, size_t size, uint64_t id)
{
	size_t i = id & (size - 1);

	while (tasks[i].id && tasks[i].id != id)
		i = (i + 1) & (size - 1);
	return &tasks[i];
}

static int grow(struct trace *trace)
{
	size_t size = trace->tasks_size ? trace->tasks_size * 2 : TABLE_START;
	struct trace_task *tasks = weft__calloc(size, sizeof *tasks);

	if (!tasks)
		return -ENOMEM;
	for (size_t i = 0; i < trace->tasks_size; i++)
		if (trace->tasks[i].id)
			*find(tasks, size, trace->tasks[i].id) = trace->tasks[i];
	free(trace->tasks);
	trace->tasks = tasks;
	trace->tasks_size = size;
	return 0;
}

static struct trace_task *get(struct trace *trace, uint64_t id)
{
	struct trace_task *task;

	if (trace->tasks_used * 2 >= trace->tasks_size && grow(trace) < 0)
		return NULL;
	task = find(trace->tasks, trace->tasks_size, id);
	if (!task->id) {
		task->id = id;
		trace->tasks_used++;
	}
	return task;
}

const struct trace_task *weft__trace_task(const struct trace *trace, uint64_t id)
{
	const struct trace_task *task;

	if (!id || !trace->tasks_size)
		return NULL;
	task = find(trace->tasks, trace->tasks_size, id);
	return task->id ? task : NULL;
}

/* --- names ----------------------------------------------------------------- */

static int learn_task(struct trace *trace, const struct trace_record *record)
{
	struct trace_task *task = get(trace, record->task);

	if (!task)
		return -ENOMEM;
	task->site = (const char *)(uintptr_t)record->arg;
	task->main = trace_detail(record);
	return 0;
}

static int learn_name(struct trace *trace, const struct trace_record *record)
{
	struct trace_task *task = get(trace, record->task);
	size_t at = trace_detail(record) * sizeof record->arg;

	if (!task)
		return -ENOMEM;
	if (at + sizeof record->arg <= sizeof task->name)
		memcpy(task->name + at, &record->arg, sizeof record->arg);
	return 0;
}

static int learn_names(struct trace *trace, const struct trace_track *track)
{
	int rc = 0;

	for (size_t i = 0; i < track->count && rc == 0; i++) {
		if (trace_kind(&track->records[i]) == TRACE_TASK)
			rc = learn_task(trace, &track->records[i]);
		else if (trace_kind(&track->records[i]) == TRACE_NAME)
			rc = learn_name(trace, &track->records[i]);
	}
	return rc;
}

/* --- arrows ---------------------------------------------------------------- */

/* Each record of a turn is looked at by the one before it only: linear in all. */
uint64_t weft__trace_runs(const struct trace_track *track, size_t i)
{
	for (size_t n = i + 1; n < track->count; n++) {
		if (trace_kind(&track->records[n]) == TRACE_LEAVE)
			return track->records[n].task;
		if (trace_turns(&track->records[n]))
			return TRACE_NOBODY;
	}
	return trace_aux(&track->records[i]);
}

static int follow_wake(struct trace *trace, uint64_t id, uint32_t *flow, uint32_t *flows)
{
	struct trace_task *task = get(trace, id);

	if (!task)
		return -ENOMEM;
	*flow = task->flow = ++*flows;
	return 0;
}

static int follow(struct trace *trace, struct trace_track *track, size_t i, uint32_t *flows)
{
	const struct trace_record *record = &track->records[i];
	struct trace_task *task;
	uint64_t id;

	switch (trace_kind(record)) {
	case TRACE_SPAWN:
	case TRACE_WAKE:
		return follow_wake(trace, record->task, &track->flows[i], flows);
	case TRACE_INBOX: /* matters when the waker is not recorded */
		task = get(trace, record->task);
		if (task && task->flow)
			return 0;
		return follow_wake(trace, record->task, &track->flows[i], flows);
	case TRACE_ENTER:
	case TRACE_LEAVE:
	case TRACE_LOOKED:
		id = weft__trace_runs(track, i);
		if (id == TRACE_NOBODY || !weft__trace_task(trace, id))
			return 0;
		task = get(trace, id);
		track->flows[i] = task->flow;
		task->flow = 0;
		return 0;
	default:
		return 0;
	}
}

/* The track whose next record is the oldest of all, or NULL. */
static struct trace_track *oldest(const struct trace *trace, const size_t *next)
{
	struct trace_track *best = NULL;
	uint64_t ticks = 0;

	for (size_t i = 0; i < trace->count; i++) {
		struct trace_track *track = &trace->tracks[i];

		if (next[i] == track->count || (best && track->records[next[i]].ticks >= ticks))
			continue;
		best = track;
		ticks = track->records[next[i]].ticks;
	}
	return best;
}

static int learn_flows(struct trace *trace)
{
	size_t *next = weft__calloc(trace->count, sizeof *next);
	struct trace_track *track;
	uint32_t flows = 0;
	int rc = 0;

	if (!next)
		return -ENOMEM;
	while (rc == 0 && (track = oldest(trace, next)) != NULL)
		rc = follow(trace, track, next[track - trace->tracks]++, &flows);
	free(next);
	return rc;
}

int weft__trace_learn(struct trace *trace)
{
	for (size_t i = 0; i < trace->count; i++) {
		int rc = learn_names(trace, &trace->tracks[i]);

		if (rc < 0)
			return rc;
	}
	return trace->count ? learn_flows(trace) : 0;
}
