/* SPDX-License-Identifier: MIT
 *
 * promise.c - promises, actors and supervisors without memory: each allocation fails once. An
 * error comes out, and nothing is left behind, lost or doubled.
 */
#include <errno.h>

#include <base/fault.h>
#include <weft/actor.h>
#include <weft/promise.h>
#include <weft/task.h>

#include "../test.h"

/* Each body ends here, or where it came from. */
static _Atomic int given, taken;

static bool is_out_of_memory(int rc)
{
	if (rc == 0)
		return false;
	CHECK_EQ(rc, -ENOMEM);
	return true;
}

/* --- promises ------------------------------------------------------------------------------ */

static void hear(void *arg, int error, void *value)
{
	(void)error, (void)value;
	++*(int *)arg;
}

static void hear_cancel(void *arg)
{
	++*(int *)arg;
}

static int pass(void *arg, int error, void *value, void **ret_value)
{
	++*(int *)arg;
	*ret_value = value;
	return error;
}

static int promises(void)
{
	weft_promise *promise, *derived = NULL;
	int heard = 0, want = 0, rc = weft_promise_new(&promise);

	if (is_out_of_memory(rc))
		return rc;
	want += !is_out_of_memory(weft_promise_then(promise, hear, &heard));
	want += !is_out_of_memory(weft_promise_on_cancel(promise, hear_cancel, &heard));
	rc = weft_promise_chain(promise, pass, &heard, &derived);
	want += !is_out_of_memory(rc);
	CHECK_EQ(derived != NULL, rc == 0);
	CHECK_EQ(weft_promise_cancel(promise), 0);
	CHECK_EQ(heard, want);
	if (derived)
		CHECK_EQ(weft_await(derived, WEFT_NOWAIT, NULL), -ECANCELED);
	weft_promise_free(promise);
	weft_promise_free(derived);
	return rc;
}

enum { MANY = 20 };

static struct {
	weft_promise *list[MANY];
	int rc[3];
} many;

static int await_many(void *arg)
{
	unsigned index;

	many.rc[0] = weft_await_any(many.list, MANY, WEFT_FOREVER, &index);
	many.rc[1] = weft_await_all(many.list, MANY, WEFT_FOREVER);
	many.rc[2] = weft_await(many.list[0], weft_in_s(3600), NULL);
	return (int)(intptr_t)arg;
}

/* A task on a shared stack: what it waits with is on the heap, the timer too. */
static int several(void)
{
	weft_attr attr = { .shared = NULL };
	weft_task *task;
	int rc = 0;

	for (int i = 0; i < MANY && rc == 0; i++)
		rc = weft_promise_new(&many.list[i]);
	if (rc == 0)
		rc = weft_stack_group_new(&attr.shared, 1, 64 << 10);
	if (rc == 0)
		rc = weft_spawn(&task, &attr, await_many, NULL);
	if (rc == 0) {
		weft_task_yield();
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(weft_promise_resolve(many.list[i], NULL), 0);
		while (weft_join(task, WEFT_FOREVER, NULL) == -ENOMEM)
			;
		for (int i = 0; i < 3 && rc == 0; i++)
			rc = many.rc[i];
	}
	for (int i = 0; i < MANY; i++) {
		weft_promise_free(many.list[i]);
		many.list[i] = NULL;
	}
	if (attr.shared)
		CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	return rc;
}

/* --- actors -------------------------------------------------------------------------------- */

static void take(void *body)
{
	(void)body;
	taken++;
}

static int behave(void *state, weft_message *message)
{
	(void)state;
	take(message->body);
	if (message->body)
		return -EIO;
	weft_promise_resolve(message->promise, NULL);
	return 0;
}

static int send(weft_actor *actor, void *body)
{
	int rc = weft_actor_send(actor, body, WEFT_FOREVER);

	given += rc == 0;
	CHECK(rc == 0 || rc == -ENOMEM || rc == -EPIPE);
	return rc;
}

static int ask(weft_actor *actor)
{
	int rc;

	given++;
	rc = weft_actor_ask(actor, NULL, WEFT_FOREVER, NULL);
	CHECK(rc == 0 || rc == -ENOMEM || rc == -EPIPE);
	return rc;
}

static int talk(weft_actor_attr *attr)
{
	weft_actor *actor;
	int rc, code = 1;

	if (is_out_of_memory(rc = weft_actor_spawn(&actor, attr, behave, NULL)))
		return rc;
	rc = ask(actor);
	if (send(actor, "a failure") < 0 || ask(actor) < 0)
		rc = -ENOMEM;
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	while (weft_actor_join(actor, WEFT_FOREVER, &code) == -ENOMEM)
		;
	CHECK(code == 0 || code == -ENOMEM || code == -EIO);
	weft_actor_free(actor);
	return code == -ENOMEM ? code : rc;
}

static int actors(void)
{
	static const weft_supervisor_attr twice = { 2, 0, NULL };
	weft_actor_attr attr = { .task = { .name = "actor" }, .mailbox = 1, .drop = take };
	int rc;

	given = taken = 0;
	if (is_out_of_memory(rc = weft_supervisor_new(&attr.supervisor, &twice)))
		return rc;
	rc = talk(&attr);
	CHECK_EQ(given, taken);
	CHECK_EQ(weft_supervisor_stop(attr.supervisor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(weft_supervisor_wait(attr.supervisor, WEFT_NOWAIT), 0);
	weft_supervisor_free(attr.supervisor);
	return rc;
}

/* --- each allocation once -------------------------------------------------------------------- */

static void fail_everywhere(int (*work)(void), unsigned at_least)
{
	bool fired = true;
	unsigned n;

	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(work(), 0);
	for (n = 0; fired; n++) {
		weft__fault_fail(n + 1);
		work();
		fired = weft__fault_fired();
		weft__fault_fail(0);
	}
	CHECK_EQ(work(), 0);
	CHECK_GT(n, at_least);
}

TEST(memory, promises_survive_any_failure)
{
	fail_everywhere(promises, 4);
}

TEST(memory, waiting_for_several_survives_any_failure)
{
	fail_everywhere(several, MANY + 2);
}

TEST(memory, actors_survive_any_failure)
{
	fail_everywhere(actors, 8);
}
