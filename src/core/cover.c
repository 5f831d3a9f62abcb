/* SPDX-License-Identifier: MIT
 *
 * cover.c - others stand in for a worker whose thread is stuck in one task.
 *
 * What may move is not lost with such a worker: its rings can be stolen from at any time,
 * and the lookout (lookout.c) serves its timers and descriptors. But one thread less runs.
 * So for each worker that is covered one spare is on duty: a worker like the others, at
 * a place behind those that were asked for. The first spare is on duty while one worker is
 * covered, the second while two are, and so on. Off duty it goes on with tasks that
 * began on it, and takes no others.
 */
#include <errno.h>
#include <string.h>

#include <base/lock.h>
#include <base/log.h>
#include <core/park.h>
#include <core/runtime.h>
#include <weft/task.h>

/* Sees to it that the spare of this rank, from 0 on, is there and awake. */
static void call_spare(struct runtime *runtime, unsigned rank)
{
	unsigned place = runtime->count + rank;
	int rc = 0;

	lock_take(&runtime->hiring);
	while (rc == 0 && place >= atomic_load(&runtime->places))
		rc = weft__crew_hire(runtime); /* those of lower ranks may be on their way */
	lock_drop(&runtime->hiring);
	if (rc < 0)
		weft__warn_once("no spare for a worker that is stuck: %s", strerror(-rc));
	else
		weft__worker_wake(runtime->workers[place]);
}

void weft__cover_begin(struct worker *worker, enum cover_reason reason)
{
	struct runtime *runtime = worker->runtime;

	/* One spare for both reasons together. */
	if (runtime && !atomic_fetch_or(&worker->covered, reason))
		call_spare(runtime, atomic_fetch_add(&runtime->covers, 1));
}

void weft__cover_end(struct worker *worker, enum cover_reason reason)
{
	if (worker->runtime &&
	    atomic_fetch_and(&worker->covered, ~(uint32_t)reason) == (uint32_t)reason)
		atomic_fetch_sub(&worker->runtime->covers, 1);
}

/* --- from outside --------------------------------------------------------------------- */

/* Whoever holds it finds a registered worker's runtime alive, if it is open. */
static struct lock outside;

bool weft__cover_stuck(unsigned index, const struct worker *of, bool stuck)
{
	struct worker *worker;
	bool covered = false;

	lock_take(&outside);
	worker = weft__worker(index);
	if (worker && worker == of && worker->runtime && worker->runtime->open) {
		if (stuck)
			weft__cover_begin(worker, COVER_STUCK);
		else
			weft__cover_end(worker, COVER_STUCK);
		covered = stuck;
	}
	lock_drop(&outside);
	return covered;
}

void weft__cover_open(struct runtime *runtime, bool open)
{
	lock_take(&outside);
	runtime->open = open;
	lock_drop(&outside);
}

void weft__cover_forked(void)
{
	outside = (struct lock){ LOCK_FREE };
}

/* --- from inside ----------------------------------------------------------------------- */

int weft_blocking_begin(void)
{
	struct task *self = weft__task_current();

	if (!self)
		return -EPERM;
	if (!weft__thread.worker->blocking++)
		weft__cover_begin(weft__thread.worker, COVER_BLOCKED);
	return 0;
}

int weft_blocking_end(void)
{
	struct task *self = weft__task_current();

	if (!self || !weft__thread.worker->blocking)
		return -EPERM;
	if (!--weft__thread.worker->blocking)
		weft__cover_end(weft__thread.worker, COVER_BLOCKED);
	return 0;
}
