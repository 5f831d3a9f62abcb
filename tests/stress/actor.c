/* SPDX-License-Identifier: MIT
 *
 * actor.c - actors that fail at random are restarted by a supervisor, while tasks of several
 * workers and plain threads send, ask, request and take back.
 *
 * What must come out: each message that was given away is handled or dropped, once; those of a
 * sender that are handled come in its order; each question has one outcome, and it is answered
 * exactly when the asker is told so; as many lives end as begin, and as many fail as are
 * restarted.
 *
 * WEFT_SEED=n repeats a run's choices; threads still interleave as they please.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <base/rng.h>
#include <weft/actor.h>
#include <weft/task.h>

#include "stress.h"

enum { LIMIT_S = 60, ACTORS = 3, TASKS = 12, THREADS = 3, SENDERS = TASKS + THREADS };

enum deed { COUNT, FAIL, EXIT, WAIT };

struct letter {
	enum deed deed;
	int sender, number;
};

static struct {
	weft_actor *actor;
	int last[SENDERS]; /* its state, but for the test: it outlives lives */
	_Atomic int lives, ends, failures;
} actors[ACTORS];

static weft_supervisor *supervisor;
static uint64_t seed;
static _Atomic long given, handled, dropped, answers, answered;
static _Atomic int threads_ended;
static int per_sender;

/* --- the actors ---------------------------------------------------------------------------- */

static int begin_life(void *arg, void **ret_state)
{
	actors[(intptr_t)arg].lives++;
	*ret_state = arg;
	return 0;
}

static void end_life(void *state)
{
	actors[(intptr_t)state].ends++;
}

static void drop(void *body)
{
	free(body);
	dropped++;
}

static int told_of_end(void *arg, weft_actor *actor, int code)
{
	(void)actor;
	if (code < 0)
		actors[(intptr_t)arg].failures++;
	return WEFT_ACTOR_END; /* the supervisor decides */
}

static int handle(void *state, weft_message *message)
{
	struct letter letter = *(struct letter *)message->body;
	int *last = &actors[(intptr_t)state].last[letter.sender];

	free(message->body);
	handled++;
	CHECK_GT(letter.number, *last);
	*last = letter.number;
	if (letter.deed == FAIL)
		return -EIO;
	if (letter.deed == EXIT)
		weft_exit(-EFAULT);
	if (letter.deed == WAIT)
		CHECK_EQ(weft_sleep(20000), 0);
	if (weft_promise_resolve(message->promise, (void *)(intptr_t)letter.number) == 0)
		answers++;
	return 0;
}

/* --- the senders --------------------------------------------------------------------------- */

static struct letter *letter_new(struct rng *rng, int sender, int number)
{
	struct letter *letter = malloc(sizeof(*letter));
	uint32_t dice = rng_below(rng, 100);

	CHECK(letter != NULL);
	*letter = (struct letter){ .deed = dice == 0   ? FAIL
					   : dice == 1 ? EXIT
					   : dice < 5  ? WAIT
						       : COUNT,
				   .sender = sender,
				   .number = number };
	return letter;
}

static int64_t some_deadline(struct rng *rng)
{
	return rng_below(rng, 3) ? WEFT_FOREVER : weft_in_us(rng_below(rng, 300));
}

static void check_reply(int rc, void *reply, int number)
{
	if (rc == 0) {
		CHECK_EQ(reply, number);
		answered++;
	} else {
		CHECK(rc == -ETIMEDOUT || rc == -EIO || rc == -EFAULT || rc == -EAGAIN ||
		      rc == -ECANCELED);
	}
}

/* Who is cancelled now and then goes on without waiting. */
static void ask(struct rng *rng, weft_actor *actor, struct letter *letter)
{
	int number = letter->number, rc;
	void *reply = NULL;

	given++;
	rc = weft_actor_ask(actor, letter, some_deadline(rng), &reply);
	check_reply(rc, reply, number);
}

static void request(struct rng *rng, weft_actor *actor, struct letter *letter)
{
	int number = letter->number, rc;
	weft_promise *promise;
	void *reply = NULL;

	rc = weft_actor_request(actor, letter, some_deadline(rng), &promise);
	if (rc < 0) {
		CHECK(rc == -ETIMEDOUT || rc == -ECANCELED);
		free(letter);
		return;
	}
	given++;
	if (rng_below(rng, 2))
		weft_task_yield();
	rc = weft_promise_cancel(promise);
	if (rc < 0) {
		rc = weft_await(promise, WEFT_NOWAIT, &reply);
		check_reply(rc, reply, number);
	}
	weft_promise_free(promise);
}

static void send(struct rng *rng, weft_actor *actor, struct letter *letter)
{
	int64_t deadline_ns = rng_below(rng, 4) ? some_deadline(rng) : WEFT_NOWAIT;
	int rc = weft_actor_send(actor, letter, deadline_ns);

	if (rc == 0) {
		given++;
		return;
	}
	CHECK(rc == -ETIMEDOUT || rc == -EAGAIN || rc == -ECANCELED);
	free(letter);
}

static int send_all(void *arg)
{
	int sender = (int)(intptr_t)arg;
	struct rng rng;

	weft__rng_init(&rng, seed + (uint64_t)sender);
	for (int number = 1; number <= per_sender; number++) {
		weft_actor *actor = actors[rng_below(&rng, ACTORS)].actor;
		struct letter *letter = letter_new(&rng, sender, number);

		switch (rng_below(&rng, 4)) {
		case 0:
			ask(&rng, actor, letter);
			break;
		case 1:
			request(&rng, actor, letter);
			break;
		default:
			send(&rng, actor, letter);
		}
	}
	return 0;
}

static void *send_all_in_thread(void *arg)
{
	send_all(arg);
	threads_ended++;
	return NULL;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void spawn_actors(weft_stack_group *group)
{
	static const weft_supervisor_attr often = { 65536, 1000000, NULL };

	CHECK_EQ(weft_supervisor_new(&supervisor, &often), 0);
	for (intptr_t i = 0; i < ACTORS; i++) {
		weft_actor_attr attr = { .mailbox = i == 0 ? 0 : (size_t)(4 * i),
					 .init = begin_life,
					 .fini = end_life,
					 .drop = drop,
					 .on_exit = told_of_end,
					 .on_exit_arg = (void *)i,
					 .supervisor = supervisor };

		attr.task.shared = i == 1 ? group : NULL;
		attr.task.flags = i == 2 ? WEFT_MIGRATE : 0;
		CHECK_EQ(weft_actor_spawn(&actors[i].actor, &attr, handle, (void *)i), 0);
	}
}

static void run_senders(weft_stack_group *group)
{
	weft_task *tasks[TASKS];
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < TASKS; i++) {
		weft_attr attr = { .flags = i % 3 == 1 ? WEFT_MIGRATE : WEFT_SPREAD,
				   .shared = i % 3 == 2 ? group : NULL };

		CHECK_EQ(weft_spawn(&tasks[i], &attr, send_all, (void *)i), 0);
	}
	for (intptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, send_all_in_thread, (void *)(TASKS + i)),
			 0);
	/* One of them goes on as somebody who cannot wait. */
	CHECK_EQ(weft_sleep(3000000), 0);
	CHECK_EQ(weft_cancel(tasks[1]), 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	/* The actors may be on this worker, and the threads wait for them. */
	while (threads_ended < THREADS)
		CHECK_EQ(weft_sleep(200000), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* So that there is something in the mailboxes when they stop. */
static void send_to_the_end(void)
{
	struct rng rng;

	weft__rng_init(&rng, seed);
	for (int i = 0; i < ACTORS; i++)
		for (int number = 1; number < 4; number++)
			send(&rng, actors[i].actor,
			     letter_new(&rng, 0, per_sender + i * 4 + number));
}

static int drive(void *arg)
{
	weft_stack_group *group;

	CHECK_EQ(weft_stack_group_new(&group, 2, 64 << 10), 0);
	spawn_actors(group);
	run_senders(group);
	send_to_the_end();
	CHECK_EQ(
		weft_supervisor_stop(supervisor, (intptr_t)arg ? WEFT_ACTOR_NOW : WEFT_ACTOR_DRAIN),
		0);
	CHECK_EQ(weft_supervisor_wait(supervisor, WEFT_FOREVER), 0);
	for (int i = 0; i < ACTORS; i++) {
		CHECK_EQ(weft_actor_join(actors[i].actor, WEFT_FOREVER, NULL), 0);
		weft_actor_free(actors[i].actor);
	}
	while (weft_stack_group_free(group) == -EBUSY)
		weft_task_yield();
	return 0;
}

static void run_with(unsigned workers, bool stop_now)
{
	long failures = 0, restarts;

	seed = seed_of_run();
	per_sender = scaled(3000);
	CHECK_EQ(weft_run(workers, drive, (void *)(intptr_t)stop_now, NULL), 0);
	restarts = (long)weft_supervisor_restarts(supervisor);
	weft_supervisor_free(supervisor);
	CHECK_EQ(given, handled + dropped);
	CHECK_EQ(answers, answered);
	for (int i = 0; i < ACTORS; i++) {
		CHECK_EQ(actors[i].lives, actors[i].ends);
		CHECK_GT(actors[i].failures, 0);
		failures += actors[i].failures;
	}
	/* The last ones may have come after the stop: those have not been made good. */
	CHECK(failures - ACTORS <= restarts && restarts <= failures);
	CHECK_GT(dropped, 0);
	CHECK_GT(answered, 0);
}

TEST_LIMIT(actor, nothing_is_lost_with_one_worker, LIMIT_S)
{
	run_with(1, false);
}

TEST_LIMIT(actor, nothing_is_lost_with_several_workers, LIMIT_S)
{
	run_with(3, false);
}

TEST_LIMIT(actor, nothing_is_lost_when_they_stop_at_once, LIMIT_S)
{
	run_with(2, true);
}
