/* SPDX-License-Identifier: MIT
 *
 * select_level.c - the end of a task, and the settle of a promise, as cases of a select. A task is
 * watched in the way of a join, so one party at a time watches or joins; the handle stays
 * good, for a join. A promise is watched by any number.
 */
#include <core/runtime.h>
#include <sync/select.h>

/* --- tasks --------------------------------------------------------------------------------- */

static int task_ended(weft_case *which, struct watch *watch)
{
	(void)watch;
	return weft__join_ready(which->object);
}

static int task_arm(weft_case *which, struct watch *watch, uint64_t ticket)
{
	watch->waiter.ticket = ticket;
	return weft__join_watch(which->object, ticket);
}

static bool task_disarm(weft_case *which, struct watch *watch)
{
	weft__join_unwatch(which->object, watch->waiter.ticket);
	return false;
}

const struct select_source weft__select_tasks = { task_ended, task_arm, task_disarm };

/* --- promises ------------------------------------------------------------------------------ */

static int promise_ready(weft_case *which, struct watch *watch)
{
	(void)watch;
	return promise_settled(which->object);
}

static int promise_arm(weft_case *which, struct watch *watch, uint64_t ticket)
{
	return weft__promise_watch(which->object, &watch->promise, ticket, SELECT_AGAIN);
}

static bool promise_disarm(weft_case *which, struct watch *watch)
{
	weft__promise_unwatch(which->object, &watch->promise);
	return false;
}

const struct select_source weft__select_promises = { promise_ready, promise_arm, promise_disarm };
