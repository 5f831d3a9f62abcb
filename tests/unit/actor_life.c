/* SPDX-License-Identifier: MIT
 *
 * actor_life.c - how actors end, and begin again.
 */
#include <string.h>

#include <weft/coroutine.h>
#include <weft/debug.h>

#include "counter.h"

/* --- stopping ------------------------------------------------------------------------------ */

TEST(actor, drains)
{
	weft_actor *actor = spawn(NULL);
	weft_promise *promise;

	for (int i = 0; i < 10; i++)
		tell(actor, BODY(ADD, 1));
	promise = request(actor, BODY(ADD, 1));
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(weft_actor_send(actor, BODY(ADD, 1), WEFT_FOREVER), -EPIPE);
	CHECK_EQ(weft_actor_ask(actor, BODY(ADD, 1), WEFT_FOREVER, NULL), -EPIPE);
	CHECK_EQ(outcome(promise), 0);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.handled, 11);
	CHECK_EQ(counter.dropped, 1);
}

TEST(actor, stops_now)
{
	weft_actor *actor = spawn_full();
	struct sending sending = { actor, BODY(ADD, 10), WEFT_FOREVER };
	struct party parties[KINDS];

	for (int kind = 0; kind < KINDS; kind++)
		party_start(&parties[kind], (enum kind)kind, send_one, &sending);
	let_others();
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0); /* never softer */
	for (int kind = 0; kind < KINDS; kind++)
		CHECK_EQ(party_end(&parties[kind]), -EPIPE);
	CHECK_EQ(weft_actor_join(actor, weft_in_ms(1), NULL), -ETIMEDOUT);
	open_gate();
	CHECK_EQ(weft_actor_ref(actor), actor);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.handled, 1);
	CHECK_EQ(counter.dropped, 2);
	/* And after its end: */
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(weft_actor_fail(actor, -EIO), -EPIPE);
	CHECK_EQ(weft_actor_send(actor, BODY(ADD, 10), WEFT_FOREVER), -EPIPE);
	CHECK_EQ(join(actor), 0);
	weft_promise_free(counter.gate);
}

TEST(actor, what_is_left_is_rejected)
{
	weft_actor *actor = spawn_bounded(0);
	weft_promise *first, *second;

	first = request(actor, BODY(DONE, 0));
	second = request(actor, BODY(ADD, 0));
	CHECK_EQ(outcome(first), 0);
	CHECK_EQ(outcome(second), -EPIPE);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.dropped, 1);
}

TEST(actor, stops_by_cancel)
{
	weft_actor *actor = spawn(NULL);

	tell(actor, BODY(SLEEP, 0));
	tell(actor, BODY(ADD, 0));
	while (!counter.handled)
		weft_task_yield();
	let_others();
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_CANCEL), 0);
	CHECK_EQ(join(actor), -ECANCELED);
	CHECK_EQ(counter.codes[7], -ECANCELED);
	CHECK_EQ(counter.dropped, 1);
}

/* It has not begun yet. */
TEST(actor, stops_by_cancel_at_once)
{
	weft_actor *actor = spawn(NULL);

	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_CANCEL), 0);
	CHECK_EQ(join(actor), -ECANCELED);
}

TEST(actor, the_last_reference_stops_it)
{
	weft_actor *actor = spawn(NULL);

	CHECK_EQ(weft_actor_ref(actor), actor);
	tell(actor, BODY(ADD, 1));
	weft_actor_free(actor);
	tell(actor, BODY(ADD, 1));
	weft_actor_free(actor);
	while (!counter.ends)
		CHECK_EQ(weft_sleep(100000), 0);
	let_others(); /* for the rest of its end */
	CHECK_EQ(counter.handled, 2);
	CHECK_EQ(counter.sum, 2);
}

TEST(actor, is_joined_by_many)
{
	weft_actor *actor = spawn(NULL);
	struct party parties[KINDS];

	for (int kind = 0; kind < KINDS; kind++)
		party_start(&parties[kind], (enum kind)kind, join_it, actor);
	let_others();
	tell(actor, BODY(FAIL, 0));
	for (int kind = 0; kind < KINDS; kind++)
		CHECK_EQ(party_end(&parties[kind]), -EIO);
	CHECK_EQ(join(actor), -EIO);
}

static int spawn_daemon(void *arg)
{
	weft_actor_attr attr = counter_attr();

	attr.task.flags = WEFT_DAEMON;
	*(weft_actor **)arg = spawn(&attr);
	return (int)ask(*(weft_actor **)arg, BODY(ADD, 4));
}

/* A runtime that ends does not wait for a daemon, and no hook brings it back. */
TEST(actor, a_daemon_ends_with_its_runtime)
{
	weft_actor *actor;
	int ret = 0;

	CHECK_EQ(weft_run(2, spawn_daemon, &actor, &ret), 0);
	CHECK_EQ(ret, 4);
	CHECK_EQ(join(actor), -ECANCELED);
}

/* --- lives --------------------------------------------------------------------------------- */

static int note_exit(void *arg, weft_actor *actor, int code)
{
	static int number;

	CHECK(actor != NULL);
	counter.codes[number++] = code;
	return (intptr_t)arg >= number ? WEFT_ACTOR_RESTART : WEFT_ACTOR_END;
}

static weft_actor *spawn_hooked(intptr_t restarts)
{
	weft_actor_attr attr = counter_attr();

	attr.on_exit = note_exit;
	attr.on_exit_arg = (void *)restarts;
	return spawn(&attr);
}

TEST(actor, the_hook_decides)
{
	weft_actor *actor = spawn_hooked(3);
	weft_promise *promise[4];

	promise[0] = request(actor, BODY(FAIL, 0));
	promise[1] = request(actor, BODY(EXIT, -7));
	promise[2] = request(actor, BODY(DONE, 0));
	promise[3] = request(actor, BODY(ADD, 5));
	CHECK_EQ(outcome(promise[0]), -EIO);
	CHECK_EQ(outcome(promise[1]), -7);
	CHECK_EQ(outcome(promise[2]), 0);
	/* Messages survive, and the state is fresh. */
	CHECK_EQ(outcome(promise[3]), 0);
	CHECK_EQ(counter.sum, 5);
	CHECK_EQ(counter.lives, 4);
	CHECK_EQ(weft_actor_ask(actor, BODY(EXIT, 3), WEFT_FOREVER, NULL), -EPIPE);
	CHECK_EQ(join(actor), 3);
	CHECK_EQ(counter.codes[0], -EIO);
	CHECK_EQ(counter.codes[1], -7);
	CHECK_EQ(counter.codes[2], 0);
	CHECK_EQ(counter.codes[3], 3);
	CHECK_EQ(counter.dropped, 0);
}

TEST(actor, a_stopped_one_does_not_begin_again)
{
	weft_actor *actor = spawn_hooked(100);

	tell(actor, BODY(FAIL, 0));
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(join(actor), -EIO);
	CHECK_EQ(counter.lives, 1);
}

/* Unless there is work left that was sent before. */
TEST(actor, a_draining_one_begins_again)
{
	weft_actor *actor = spawn_hooked(100);

	tell(actor, BODY(FAIL, 0));
	tell(actor, BODY(ADD, 7));
	tell(actor, BODY(FAIL, 0));
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(join(actor), -EIO);
	CHECK_EQ(counter.lives, 2);
	CHECK_EQ(counter.sum, 7);
	CHECK_EQ(counter.dropped, 0);
}

TEST(actor, fails_from_outside)
{
	weft_actor *actor = spawn_hooked(1);

	CHECK_EQ(ask(actor, BODY(ADD, 1)), 1);
	CHECK_EQ(weft_actor_fail(actor, -ENODEV), 0);
	CHECK_EQ(ask(actor, BODY(ADD, 1)), 1);
	CHECK_EQ(counter.codes[0], -ENODEV);
	CHECK_EQ(weft_actor_fail(actor, -ENODEV), 0);
	CHECK_EQ(join(actor), -ENODEV);
}

static int refuse_to_begin(void *arg, void **ret_state)
{
	(void)arg, (void)ret_state;
	return -ENOSPC;
}

TEST(actor, init_may_fail)
{
	weft_actor_attr attr = { .init = refuse_to_begin, .fini = end_life };
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, &attr, count, NULL), 0);
	CHECK_EQ(weft_actor_ask(actor, NULL, WEFT_FOREVER, NULL), -EPIPE);
	CHECK_EQ(join(actor), -ENOSPC);
	CHECK_EQ(counter.ends, 0);
}

static void *exit_in_coroutine(void *arg, void *value)
{
	(void)arg, (void)value;
	weft_exit(-9);
}

static int call_coroutine(void *state, weft_message *message)
{
	weft_coroutine *co;

	(void)state, (void)message;
	CHECK_EQ(weft_coroutine_new(&co, exit_in_coroutine, NULL, NULL), 0);
	weft_resume(co, NULL, NULL);
	return 0;
}

TEST(actor, exits_inside_a_coroutine)
{
	weft_actor *actor;

	test_leaves_tasks(); /* the coroutine */
	CHECK_EQ(weft_actor_spawn(&actor, NULL, call_coroutine, NULL), 0);
	CHECK_EQ(weft_actor_ask(actor, NULL, WEFT_FOREVER, NULL), -9);
	CHECK_EQ(join(actor), -9);
}

TEST(actor, on_a_shared_stack)
{
	weft_actor_attr attr = counter_attr();
	weft_actor *actors[2];

	attr.task.shared = party_group();
	attr.mailbox = 1;
	for (int i = 0; i < 2; i++) {
		weft_actor_attr mine = attr;

		mine.init = NULL;
		mine.fini = NULL;
		CHECK_EQ(weft_actor_spawn(&actors[i], &mine, count, &counter.codes[i * 2]), 0);
	}
	for (int i = 0; i < 10; i++)
		CHECK_EQ(ask(actors[i % 2], BODY(ADD, 1)), i / 2 + 1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(weft_actor_stop(actors[i], WEFT_ACTOR_DRAIN), 0);
		CHECK_EQ(join(actors[i]), 0);
	}
}

/* --- what dumps say -------------------------------------------------------------------------- */

static void dump_actor(void *arg)
{
	weft_actor *actor = spawn_full();
	struct sending sending = { actor, BODY(ADD, 1), WEFT_FOREVER };
	weft_actor *idle = spawn(NULL);
	struct party parties[2];

	(void)arg;
	party_start(&parties[0], PRIVATE, send_one, &sending);
	party_start(&parties[1], PRIVATE, join_it, idle);
	let_others();
	weft_dump(2);
	open_gate();
	CHECK_EQ(party_end(&parties[0]), 0);
	CHECK_EQ(weft_actor_stop(idle, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(party_end(&parties[1]), 0);
	weft_actor_free(idle);
	weft_actor_free(actor);
}

TEST(actor, names_itself_in_dumps)
{
	struct death death = run_to_death(dump_actor, NULL);

	CHECK_EQ(death.code, 0);
	CHECK(strstr(death.text, "full mailbox 0x") != NULL);
	CHECK(strstr(death.text, " of actor \"counter\" (2 of 2), expected of task ") != NULL);
	CHECK(strstr(death.text, " of actor \"counter\" (0)") != NULL);
	CHECK(strstr(death.text, "end of an actor 0x") != NULL);
}
