/* SPDX-License-Identifier: MIT
 *
 * trace.h - what the core tells the flight recorder (base/trace.h), and the
 * static probes beside it. One line at each place.
 */
#ifndef WEFT_CORE_TRACE_H
#define WEFT_CORE_TRACE_H

#include <base/trace.h>
#include <core/task.h>

struct worker;

/** A recorded thread has entered its runtime, or its recording has just begun: from
 * now on each pick is recorded. Also when it is not recorded. */
void weft__trace_enter(struct worker *worker);

/* The slow halves, of a thread that is recorded. */
void weft__trace_spawned(struct task *task);
void weft__trace_canceled(struct task *task);
void weft__trace_timer(uint64_t ticket, int64_t late_ns);

/** Records a wake. True: the task is the caller's worker's own, and must be queued by
 * the caller; it was taken for another's because of THREAD_TRACED. */
bool weft__trace_ready(struct task *task);

/* In the rare way to spawn, which a recorded thread always takes: in the quick one the
 * call, not made, would cost ten instructions. */
static always_inline void trace_spawned(struct task *task)
{
	if (unlikely(weft__thread.trace != NULL))
		weft__trace_spawned(task);
}

static always_inline void trace_canceled(struct task *task)
{
	probe1(cancel, task_id(task));
	if (unlikely(weft__thread.trace != NULL))
		weft__trace_canceled(task);
}

static always_inline void trace_timer(uint64_t ticket, int64_t late_ns)
{
	if (unlikely(weft__thread.trace != NULL))
		weft__trace_timer(ticket, late_ns);
}

/* Only the probes: leaving is recorded by the pick that follows, and a wake in
 * weft__trace_ready(). */

static always_inline void probe_spawn(struct task *task)
{
	probe2(spawn, task_id(task), task->origin);
}

static always_inline void probe_park(struct task *self, unsigned kind)
{
	probe2(park, task_id(self), kind);
}

static always_inline void probe_wake(struct task *task, int result)
{
	probe2(wake, task_id(task), result);
}

#endif
