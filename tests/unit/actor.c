/* SPDX-License-Identifier: MIT
 *
 * actor.c - messages to actors: sent, asked, taken back; by tasks, by tasks on shared stacks, and
 * by plain threads.
 */

#include "counter.h"

/* --- messages ------------------------------------------------------------------------------ */

TEST(actor, handles_messages_in_order)
{
	weft_actor *actor = spawn(NULL);

	tell(actor, BODY(ADD, 5));
	tell(actor, BODY(ADD, 6));
	CHECK_EQ(weft_actor_len(actor), 2);
	CHECK_EQ(ask(actor, BODY(ADD, -1)), 10);
	CHECK_EQ(weft_actor_len(actor), 0);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.dropped, 0);
}

static int ask_often(void *arg)
{
	for (int i = 0; i < 50; i++) {
		void *reply = NULL;
		int rc = weft_actor_ask(arg, BODY(ADD, 1), i % 2 ? WEFT_FOREVER : weft_in_s(3600),
					&reply);

		CHECK_EQ(rc, 0);
		CHECK_GT((intptr_t)reply, 0);
		CHECK_EQ(weft_actor_send(arg, BODY(ADD, 1), WEFT_FOREVER), 0);
	}
	return 0;
}

TEST(actor, is_asked_by_all_kinds_of_parties)
{
	weft_actor_attr attr = counter_attr();
	struct party parties[KINDS];
	weft_actor *actor;

	attr.mailbox = 1;
	actor = spawn(&attr);
	for (int kind = 0; kind < KINDS; kind++)
		party_start(&parties[kind], (enum kind)kind, ask_often, actor);
	for (int kind = 0; kind < KINDS; kind++)
		CHECK_EQ(party_end(&parties[kind]), 0);
	CHECK_EQ(ask(actor, BODY(ADD, 0)), 100 * KINDS);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_NOW), 0);
	CHECK_EQ(join(actor), 0);
}

TEST(actor, answers_later)
{
	weft_actor *actor = spawn(NULL);
	weft_promise *promise = request(actor, BODY(LATER, 0));

	CHECK_EQ(weft_await(promise, weft_in_ms(1), NULL), -ETIMEDOUT);
	tell(actor, BODY(ADD, 9));
	CHECK_EQ(outcome(promise), 0);
	quit(actor);
}

TEST(actor, refuses_and_goes_on)
{
	weft_actor *actor = spawn(NULL);
	void *reply = actor;

	CHECK_EQ(weft_actor_ask(actor, BODY(REFUSE, 0), WEFT_FOREVER, &reply), -ERANGE);
	CHECK_EQ(reply, actor);
	tell(actor, BODY(REFUSE, 0)); /* nobody asks */
	CHECK_EQ(ask(actor, BODY(ADD, 3)), 3);
	CHECK_EQ(counter.lives, 1);
	quit(actor);
}

/* What the behaviour leaves open is settled for it. */
TEST(actor, no_answer_is_an_answer)
{
	weft_actor *actor = spawn(NULL);
	void *reply = actor;

	CHECK_EQ(weft_actor_ask(actor, BODY(DONE, 0), WEFT_FOREVER, &reply), 0);
	CHECK_EQ(reply, NULL);
	CHECK_EQ(join(actor), 0);
}

TEST(actor, without_attributes)
{
	intptr_t sum = 40;
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, NULL, count, &sum), 0);
	CHECK_EQ(ask(actor, BODY(ADD, 2)), 42);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(sum, 42);
}

TEST(actor, misuse)
{
	weft_actor_attr attr = counter_attr();
	weft_actor *actor = NULL;
	weft_promise *promise;
	weft_supervisor *supervisor;

	CHECK_EQ(weft_actor_spawn(&actor, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(weft_actor_spawn(NULL, NULL, count, NULL), -EINVAL);
	attr.task.stack_bytes = 1;
	CHECK_EQ(weft_actor_spawn(&actor, &attr, count, NULL), -EINVAL);
	CHECK_EQ(actor, NULL);
	CHECK_EQ(weft_actor_ref(NULL), NULL);
	weft_actor_free(NULL);
	CHECK_EQ(weft_actor_send(NULL, NULL, WEFT_FOREVER), -EINVAL);
	CHECK_EQ(weft_actor_request(NULL, NULL, WEFT_FOREVER, &promise), -EINVAL);
	CHECK_EQ(weft_actor_ask(NULL, NULL, WEFT_FOREVER, NULL), -EINVAL);
	CHECK_EQ(weft_actor_stop(NULL, WEFT_ACTOR_NOW), -EINVAL);
	CHECK_EQ(weft_actor_fail(NULL, -EIO), -EINVAL);
	CHECK_EQ(weft_actor_join(NULL, WEFT_NOWAIT, NULL), -EINVAL);
	CHECK_EQ(weft_actor_len(NULL), 0);
	actor = spawn(NULL);
	CHECK_EQ(weft_actor_request(actor, NULL, WEFT_FOREVER, NULL), -EINVAL);
	CHECK_EQ(weft_actor_stop(actor, 0), -EINVAL);
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_CANCEL + 1), -EINVAL);
	CHECK_EQ(weft_actor_fail(actor, 0), -EINVAL);
	CHECK_EQ(weft_actor_fail(actor, -4096), -EINVAL);
	CHECK_EQ(weft_actor_join(actor, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(weft_actor_join(actor, weft_in_us(1), NULL), -ETIMEDOUT);
	CHECK_EQ(weft_actor_ask(actor, BODY(ADD, 1), WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(counter.dropped, 1);
	quit(actor);
	CHECK_EQ(weft_supervisor_new(NULL, NULL), -EINVAL);
	CHECK_EQ(weft_supervisor_new(&supervisor, &(weft_supervisor_attr){ 65537, 0, NULL }),
		 -EINVAL);
	CHECK_EQ(weft_supervisor_new(&supervisor, &(weft_supervisor_attr){ 1, -1, NULL }), -EINVAL);
	CHECK_EQ(weft_supervisor_ref(NULL), NULL);
	weft_supervisor_free(NULL);
	CHECK_EQ(weft_supervisor_stop(NULL, WEFT_ACTOR_NOW), -EINVAL);
	CHECK_EQ(weft_supervisor_wait(NULL, WEFT_NOWAIT), -EINVAL);
	CHECK_EQ(weft_supervisor_restarts(NULL), 0);
}

/* --- a bounded mailbox ----------------------------------------------------------------------- */

TEST(actor, a_full_mailbox_says_so)
{
	weft_actor *actor = spawn_full();
	weft_promise *promise;

	CHECK_EQ(weft_actor_send(actor, BODY(ADD, 4), WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_actor_request(actor, BODY(ADD, 4), WEFT_NOWAIT, &promise), -EAGAIN);
	CHECK_EQ(weft_actor_send(actor, BODY(ADD, 4), weft_in_us(10)), -ETIMEDOUT);
	CHECK_EQ(weft_actor_ask(actor, BODY(ADD, 4), weft_in_us(10), NULL), -ETIMEDOUT);
	CHECK_EQ(counter.dropped, 1); /* what was asked; the others are the senders' */
	CHECK_EQ(weft_actor_len(actor), 2);
	open_gate();
	CHECK_EQ(ask(actor, BODY(ADD, 0)), 3);
	quit(actor);
	weft_promise_free(counter.gate);
}

/* Nobody overtakes, and nothing is lost. */
TEST(actor, senders_wait_for_room_in_order)
{
	weft_actor *actor = spawn_full();
	struct party parties[2 * KINDS];
	struct sending sending = { actor, BODY(ADD, 10), WEFT_FOREVER };

	for (int i = 0; i < 2 * KINDS; i++)
		party_start(&parties[i], (enum kind)(i % KINDS), send_one, &sending);
	let_others();
	CHECK_EQ(weft_actor_len(actor), 2);
	CHECK_EQ(weft_actor_send(actor, BODY(ADD, 100), WEFT_NOWAIT), -EAGAIN);
	open_gate();
	for (int i = 0; i < 2 * KINDS; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(ask(actor, BODY(ADD, 0)), 3 + 20 * KINDS);
	quit(actor);
	weft_promise_free(counter.gate);
}

TEST(actor, a_sender_that_waits_can_be_cancelled)
{
	weft_actor *actor = spawn_full();
	struct sending sending = { actor, BODY(ADD, 10), WEFT_FOREVER };
	struct party party;

	party_start(&party, PRIVATE, send_one, &sending);
	let_others();
	CHECK_EQ(weft_cancel(party.task), 0);
	CHECK_EQ(party_end(&party), -ECANCELED);
	open_gate();
	CHECK_EQ(ask(actor, BODY(ADD, 0)), 3);
	quit(actor);
	weft_promise_free(counter.gate);
}

static int talk_to_itself(void *state, weft_message *message)
{
	weft_actor *self = message->actor;
	void *reply;

	(void)state;
	CHECK_EQ(weft_actor_send(self, message->body, WEFT_FOREVER), 0);
	CHECK_EQ(weft_actor_send(self, message->body, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_actor_send(self, message->body, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_actor_ask(self, message->body, WEFT_FOREVER, &reply), -EDEADLK);
	CHECK_EQ(weft_actor_join(self, WEFT_FOREVER, NULL), -EDEADLK);
	return WEFT_ACTOR_DONE;
}

TEST(actor, talks_to_itself)
{
	weft_actor_attr attr = { .mailbox = 1, .drop = drop };
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, &attr, talk_to_itself, NULL), 0);
	CHECK_EQ(weft_actor_ask(actor, NULL, WEFT_FOREVER, NULL), 0);
	CHECK_EQ(join(actor), 0);
	CHECK_EQ(counter.dropped, 2); /* the one that was left, and the one that was asked */
}

/* --- asking, and losing patience ------------------------------------------------------------- */

/* Its turn has not come: it never does. */
TEST(actor, a_question_that_is_taken_back_is_dropped)
{
	weft_actor *actor = spawn_bounded(0);
	weft_promise *promise;

	shut_gate();
	tell(actor, BODY(GATE, 0));
	CHECK_EQ(weft_actor_ask(actor, BODY(ADD, 1), weft_in_ms(1), NULL), -ETIMEDOUT);
	promise = request(actor, BODY(ADD, 1));
	CHECK_EQ(weft_promise_cancel(promise), 0);
	weft_promise_free(promise);
	open_gate();
	CHECK_EQ(ask(actor, BODY(ADD, 7)), 7);
	CHECK_EQ(counter.dropped, 2);
	CHECK_EQ(counter.handled, 2);
	quit(actor);
	weft_promise_free(counter.gate);
}

/* It is at it: the behaviour is told when it answers. */
TEST(actor, an_answer_that_nobody_waits_for_is_refused)
{
	weft_actor *actor = spawn(NULL);

	CHECK_EQ(weft_actor_ask(actor, BODY(SLEEP, 0), weft_in_us(100), NULL), -ETIMEDOUT);
	CHECK_EQ(ask(actor, BODY(ADD, 7)), 7);
	CHECK_EQ(counter.codes[7], -EALREADY);
	CHECK_EQ(counter.dropped, 0);
	quit(actor);
}

static int ask_forever(void *arg)
{
	return weft_actor_ask(arg, BODY(LATER, 0), WEFT_FOREVER, NULL);
}

TEST(actor, who_asks_can_be_cancelled)
{
	weft_actor *actor = spawn(NULL);
	struct party party;

	party_start(&party, PRIVATE, ask_forever, actor);
	let_others();
	CHECK_EQ(weft_cancel(party.task), 0);
	CHECK_EQ(party_end(&party), -ECANCELED);
	CHECK_EQ(weft_promise_state(counter.later), WEFT_PROMISE_CANCELLED);
	CHECK_EQ(ask(actor, BODY(ADD, 0)), 0);
	quit(actor);
}
