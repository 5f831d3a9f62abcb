/* SPDX-License-Identifier: MIT
 *
 * supervisor.c - actors that fail are restarted, but not too often.
 */
#include <stdlib.h>

#include "counter.h"

/* --- supervisors ----------------------------------------------------------------------------- */

static weft_supervisor *supervise(unsigned max_restarts, int64_t period_ns, weft_actor *above)
{
	weft_supervisor_attr attr = { max_restarts, period_ns, above };
	weft_supervisor *supervisor;

	CHECK_EQ(weft_supervisor_new(&supervisor, &attr), 0);
	return supervisor;
}

static weft_actor *spawn_under(weft_supervisor *supervisor)
{
	weft_actor_attr attr = counter_attr();

	attr.supervisor = supervisor;
	return spawn(&attr);
}

TEST(supervisor, restarts_with_fresh_state_and_the_same_mailbox)
{
	weft_supervisor *supervisor = supervise(3, 0, NULL);
	weft_actor *actor = spawn_under(supervisor);
	weft_promise *killer;

	tell(actor, BODY(ADD, 5));
	killer = request(actor, BODY(FAIL, 0));
	tell(actor, BODY(ADD, 6));
	CHECK_EQ(ask(actor, BODY(ADD, 1)), 7);
	CHECK_EQ(outcome(killer), -EIO);
	CHECK_EQ(counter.lives, 2);
	CHECK_EQ(counter.ends, 1);
	CHECK_EQ(weft_supervisor_restarts(supervisor), 1);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_supervisor_wait(supervisor, weft_in_us(1)), -ETIMEDOUT);
	CHECK_EQ(weft_supervisor_stop(supervisor, 0), -EINVAL);
	CHECK_EQ(weft_supervisor_stop(supervisor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), 0);
	CHECK_EQ(join(actor), 0);
	weft_supervisor_free(supervisor);
}

TEST(supervisor, restarts_while_its_actors_drain)
{
	weft_supervisor *supervisor = supervise(1, 0, NULL);
	weft_actor *actor = spawn_under(supervisor);

	tell(actor, BODY(FAIL, 0));
	tell(actor, BODY(ADD, 6));
	CHECK_EQ(weft_supervisor_stop(supervisor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), 0);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.lives, 2);
	CHECK_EQ(counter.sum, 6);
	weft_supervisor_free(supervisor);
}

TEST(supervisor, a_normal_end_is_no_failure)
{
	weft_supervisor *supervisor = supervise(3, 0, NULL);
	weft_actor *actor = spawn_under(supervisor);

	tell(actor, BODY(DONE, 0));
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(weft_supervisor_restarts(supervisor), 0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_supervisor_stop(supervisor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_NOWAIT), 0);
	weft_supervisor_free(supervisor);
}

TEST(supervisor, gives_up)
{
	weft_supervisor *supervisor = supervise(2, weft_in_s(0) + INT64_C(3600000000000), NULL);
	weft_actor *actor = spawn_under(supervisor), *brother = spawn_under(supervisor), *late;
	weft_actor_attr attr = counter_attr();

	CHECK_EQ(ask(brother, BODY(ADD, 0)), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_actor_ask(actor, BODY(FAIL, 0), WEFT_FOREVER, NULL), -EIO);
	CHECK_EQ(ask(actor, BODY(ADD, 1)), 1);
	CHECK_EQ(weft_actor_ask(actor, BODY(EXIT, -8), WEFT_FOREVER, NULL), -8);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), -8);
	CHECK_EQ(weft_supervisor_restarts(supervisor), 2);
	attr.supervisor = supervisor;
	CHECK_EQ(weft_actor_spawn(&late, &attr, count, NULL), -EPIPE);
	CHECK_EQ(weft_supervisor_stop(supervisor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), -8);
	weft_supervisor_free(supervisor);
	CHECK_EQ(join(actor), -8);
	CHECK_EQ(join(brother), 0);
}

TEST(supervisor, without_attributes_the_first_failure_is_the_last)
{
	weft_supervisor *supervisor;
	weft_actor *actor;

	CHECK_EQ(weft_supervisor_new(&supervisor, NULL), 0);
	actor = spawn_under(supervisor);
	tell(actor, BODY(FAIL, 0));
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), -EIO);
	CHECK_EQ(join(actor), -EIO);
	weft_supervisor_free(supervisor);
}

/* Restarts that are long past do not count: here a nanosecond is long. */
TEST(supervisor, forgets_what_is_past)
{
	weft_supervisor *supervisor = supervise(2, 1, NULL);
	weft_actor *actor = spawn_under(supervisor);

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(weft_actor_ask(actor, BODY(FAIL, 0), WEFT_FOREVER, NULL), -EIO);
		CHECK_EQ(ask(actor, BODY(ADD, 3)), 3);
		CHECK_EQ(weft_sleep(1000), 0);
	}
	CHECK_EQ(weft_supervisor_restarts(supervisor), 20);
	weft_supervisor_free(supervisor); /* its actors go on */
	CHECK_EQ(ask(actor, BODY(ADD, 3)), 6);
	quit(actor);
}

/* A tree: an actor whose state is a supervisor with an actor of its own. */
struct branch {
	weft_supervisor *supervisor;
	weft_actor *leaf;
};

static weft_actor *_Atomic trunk;
static _Atomic int branches;

static int branch_init(void *arg, void **ret_state)
{
	struct branch *branch = malloc(sizeof(*branch));

	(void)arg;
	CHECK(branch != NULL);
	while (!trunk)
		CHECK_EQ(weft_task_yield(), 0);
	branch->supervisor = supervise(1, 0, trunk);
	branch->leaf = spawn_under(branch->supervisor);
	branches++;
	*ret_state = branch;
	return 0;
}

static void branch_fini(void *state)
{
	struct branch *branch = state;

	CHECK_EQ(weft_supervisor_stop(branch->supervisor, WEFT_ACTOR_NOW), 0);
	weft_actor_free(branch->leaf);
	weft_supervisor_free(branch->supervisor);
	free(branch);
}

/* Passes the question on. */
static int branch_handle(void *state, weft_message *message)
{
	struct branch *branch = state;
	void *reply;
	int rc = weft_actor_ask(branch->leaf, message->body, WEFT_FOREVER, &reply);

	if (rc == 0)
		weft_promise_resolve(message->promise, reply);
	else
		weft_promise_reject(message->promise, rc);
	return 0;
}

TEST(supervisor, fails_upward)
{
	weft_supervisor *root = supervise(1, 0, NULL);
	weft_actor_attr attr = { .init = branch_init, .fini = branch_fini, .supervisor = root };
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, &attr, branch_handle, NULL), 0);
	trunk = actor;
	CHECK_EQ(ask(actor, BODY(ADD, 1)), 1);
	/* The first failure of the leaf is made good; the second takes the branch with it. */
	CHECK_EQ(weft_actor_ask(actor, BODY(FAIL, 0), WEFT_FOREVER, NULL), -EIO);
	CHECK_EQ(ask(actor, BODY(ADD, 1)), 1);
	CHECK_EQ(branches, 1);
	CHECK_EQ(weft_actor_ask(actor, BODY(FAIL, 0), WEFT_FOREVER, NULL), -EIO);
	while (branches == 1)
		CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(ask(actor, BODY(ADD, 2)), 2);
	CHECK_EQ(weft_supervisor_restarts(root), 1);
	/* And once more: now the root gives up. */
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_actor_ask(actor, BODY(FAIL, 0), WEFT_FOREVER, NULL), -EIO);
	CHECK_EQ(weft_supervisor_wait(root, WEFT_FOREVER), -EIO);
	CHECK_EQ(join(actor), -EIO);
	weft_supervisor_free(root);
}

static int wait_for_supervisor(void *arg)
{
	return weft_supervisor_wait(arg, WEFT_FOREVER);
}

TEST(supervisor, is_awaited_and_stopped_by_plain_threads)
{
	weft_supervisor *supervisor = supervise(0, 0, NULL);
	weft_actor *actor = spawn_under(supervisor);
	struct party parties[KINDS];

	for (int kind = 0; kind < KINDS; kind++)
		party_start(&parties[kind], (enum kind)kind, wait_for_supervisor, supervisor);
	let_others();
	CHECK_EQ(weft_supervisor_stop(supervisor, WEFT_ACTOR_CANCEL), 0);
	for (int kind = 0; kind < KINDS; kind++)
		CHECK_EQ(party_end(&parties[kind]), 0);
	CHECK_EQ(join(actor), -ECANCELED);
	weft_supervisor_free(supervisor);
}
