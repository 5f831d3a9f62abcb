/* SPDX-License-Identifier: MIT
 *
 * select_task.c - the end of a task as a case of a select. It is watched in the way of a
 * join, so one party at a time watches or joins; the handle stays good, for a join.
 */
#include <core/runtime.h>
#include <sync/select.h>

static int ready(weft_case *which, struct watch *watch)
{
	(void)watch;
	return weft__join_ready(which->object);
}

static int arm(weft_case *which, struct watch *watch, uint64_t ticket)
{
	watch->waiter.ticket = ticket;
	return weft__join_watch(which->object, ticket);
}

static bool disarm(weft_case *which, struct watch *watch)
{
	weft__join_unwatch(which->object, watch->waiter.ticket);
	return false;
}

const struct select_source weft__select_tasks = { ready, arm, disarm };
