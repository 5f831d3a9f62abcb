/* SPDX-License-Identifier: MIT
 *
 * promise.c - promises are settled, rejected and cancelled by plain threads at the same moment,
 * while tasks of several workers (private, shared and movable stacks) and plain threads await
 * them one by one, all, any, and their progress, with deadlines and cancels.
 *
 * What must come out: of all who settle a promise exactly one wins, everybody who is told
 * an outcome is told that one, each callback is called once, and each value that was made
 * was refused, delivered or destroyed, and is there no longer.
 *
 * WEFT_SEED=n repeats a run's choices; threads still interleave as they please.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <base/rng.h>
#include <weft/promise.h>
#include <weft/task.h>

#include "stress.h"

enum { LIMIT_S = 60, SETTLERS = 3, PER_ROUND = 5, ROUNDS_MAX = 25000, BATCH = 100, SPAN = 3 };

struct token {
	int round;
};

static struct round {
	weft_promise *promise;
	_Atomic int winners, state, error, told, cancels, late_asked, late_told;
	struct token *_Atomic value;
} rounds[ROUNDS_MAX];

static int round_count;
static uint64_t seed;
static _Atomic int published, tokens;

static uint32_t choice(int round, int who, uint32_t below)
{
	struct rng rng;

	weft__rng_init(&rng, seed + (uint64_t)round * 64 + (uint64_t)who);
	return rng_below(&rng, below);
}

/* --- who settles ------------------------------------------------------------------------- */

static struct token *token_new(int round)
{
	struct token *token = malloc(sizeof(*token));

	CHECK(token != NULL);
	token->round = round;
	tokens++;
	return token;
}

static void token_free(void *value)
{
	free(value);
	tokens--;
}

static void won(struct round *round, int state, int error, struct token *value)
{
	round->winners++;
	round->error = error;
	round->value = value;
	round->state = state;
}

static void settle(int number, int who)
{
	struct round *round = &rounds[number];
	struct token *token;

	switch (choice(number, who, 4)) {
	case 0:
		if (weft_promise_reject(round->promise, -EIO) == 0)
			won(round, WEFT_PROMISE_REJECTED, -EIO, NULL);
		break;
	case 1:
		if (weft_promise_cancel(round->promise) == 0)
			won(round, WEFT_PROMISE_CANCELLED, -ECANCELED, NULL);
		break;
	default:
		for (intptr_t i = 1; i < 4; i++)
			if (weft_promise_progress(round->promise, (void *)i) < 0)
				break;
		token = token_new(number);
		if (weft_promise_resolve(round->promise, token) == 0)
			won(round, WEFT_PROMISE_RESOLVED, 0, token);
		else
			token_free(token);
	}
}

static void *settle_all(void *arg)
{
	for (int i = 0; i < round_count; i++) {
		while (published <= i)
			sched_yield();
		for (uint32_t spins = choice(i, 8 + (int)(intptr_t)arg, 200); spins; spins--)
			atomic_signal_fence(memory_order_seq_cst);
		settle(i, (int)(intptr_t)arg);
		weft_promise_free(rounds[i].promise);
	}
	return NULL;
}

static void told(void *arg, int error, void *value)
{
	struct round *round = arg;

	CHECK_EQ(round->told++, 0);
	CHECK_EQ(error == 0, value != NULL);
	if (value)
		CHECK_EQ(((struct token *)value)->round, round - rounds);
}

static void told_of_cancel(void *arg)
{
	struct round *round = arg;

	CHECK_EQ(round->cancels++, 0);
}

/* Given while others settle: called all the same, once. */
static void told_late(void *arg, int error, void *value)
{
	struct round *round = arg;

	CHECK_EQ(error == 0, value != NULL);
	round->late_told++;
}

static void ask_late(struct round *round)
{
	CHECK_EQ(weft_promise_then(round->promise, told_late, round), 0);
	round->late_asked++;
}

/* --- who awaits -------------------------------------------------------------------------- */

/* Everybody who is told an outcome is told the same. The error of the wait itself is told
 * from that of the promise as promise.h says. */
static void check_outcome(int number, int rc, struct token *value, bool timed)
{
	weft_promise *promise = rounds[number].promise;
	int again = weft_await(promise, WEFT_NOWAIT, NULL);

	if (rc == 0) {
		CHECK_EQ(again, 0);
		if (value)
			CHECK_EQ(value->round, number);
	} else if (rc == -ETIMEDOUT) {
		CHECK(timed);
	} else if (rc == -ECANCELED && weft_cancelled()) {
		CHECK(again <= 0);
	} else {
		CHECK_EQ(again, rc);
	}
}

static int64_t deadline_of(int number, int who)
{
	uint32_t us = choice(number, 16 + who, 400);

	return us < 100 ? weft_in_us(us) : WEFT_FOREVER;
}

static void await_one(int number, int64_t deadline_ns, bool take)
{
	void *value = NULL;
	int rc = weft_await(rounds[number].promise, deadline_ns, take ? &value : NULL);

	check_outcome(number, rc, value, deadline_ns != WEFT_FOREVER);
}

static void await_span(int number, int64_t deadline_ns, bool all)
{
	weft_promise *list[SPAN];
	bool timed = deadline_ns != WEFT_FOREVER;
	unsigned index = SPAN;
	int rc;

	for (int i = 0; i < SPAN; i++)
		list[i] = rounds[number + i].promise;
	rc = all ? weft_await_all(list, SPAN, deadline_ns)
		 : weft_await_any(list, SPAN, deadline_ns, &index);
	if (rc == 0 && !all) {
		CHECK_LT(index, SPAN);
		CHECK_NE(weft_promise_state(list[index]), WEFT_PROMISE_PENDING);
	} else if (rc == 0) {
		for (int i = 0; i < SPAN; i++)
			CHECK_EQ(weft_promise_state(list[i]), WEFT_PROMISE_RESOLVED);
	} else if (rc == -EIO) {
		CHECK(all);
	} else if (rc == -ETIMEDOUT) {
		CHECK(timed);
	} else {
		CHECK_EQ(rc, -ECANCELED);
		CHECK(all || weft_cancelled());
	}
}

/* Where the value shall stay undelivered, progress is not looked at either. */
static void follow(int number, int64_t deadline_ns)
{
	uint64_t seen = 0, last = 0;
	void *value = NULL, **take = number % 4 ? &value : NULL;
	int rc;

	while ((rc = weft_await_progress(rounds[number].promise, &seen, deadline_ns, take)) == 1) {
		CHECK_GT(seen, last);
		CHECK_EQ(value != NULL, take != NULL);
		CHECK_LT((intptr_t)value, 4);
		last = seen;
	}
	check_outcome(number, rc, rc == 0 ? value : NULL, deadline_ns != WEFT_FOREVER);
}

/* @arg: round and place. */
static int body(void *arg)
{
	int number = (int)((intptr_t)arg / PER_ROUND), who = (int)((intptr_t)arg % PER_ROUND);
	int64_t deadline_ns = deadline_of(number, who);

	switch (choice(number, 32 + who, 7)) {
	case 0:
		await_span(number, deadline_ns, true);
		break;
	case 1:
		await_span(number, deadline_ns, false);
		break;
	case 2:
		follow(number, deadline_ns);
		break;
	case 3:
		if (number % 4) /* else the value is to stay undelivered */
			ask_late(&rounds[number]);
		break;
	default:
		await_one(number, deadline_ns, number % 4 != 0);
	}
	for (int i = 0; i < SPAN; i++)
		weft_promise_free(rounds[number + i].promise);
	return 0;
}

static void *await_each(void *arg)
{
	for (int i = 0; i + SPAN <= round_count; i++) {
		while (published <= i)
			sched_yield();
		if (choice(i, 48, 2))
			await_one(i, deadline_of(i, 49), false);
		else
			await_span(i, deadline_of(i, 49), choice(i, 50, 2));
		/* One by one: the last of our three comes next. */
		weft_promise_free(rounds[i].promise);
	}
	for (int i = round_count - SPAN + 1; i < round_count; i++)
		weft_promise_free(rounds[i].promise);
	return arg;
}

/* Never waits, so that it keeps up with those who settle. */
static void *ask_each(void *arg)
{
	for (int i = 0; i < round_count; i++) {
		while (published <= i)
			sched_yield();
		for (int times = 0; i % 4 && times < 20; times++)
			ask_late(&rounds[i]);
		weft_promise_free(rounds[i].promise);
	}
	return arg;
}

/* --- the whole --------------------------------------------------------------------------- */

static void make_rounds(void)
{
	for (int i = 0; i < round_count; i++) {
		struct round *round = &rounds[i];

		CHECK_EQ(weft_promise_new(&round->promise), 0);
		CHECK_EQ(weft_promise_destructor(round->promise, token_free), 0);
		for (int refs = 0; refs < SETTLERS + 2; refs++)
			weft_promise_ref(round->promise);
		if (i % 4)
			CHECK_EQ(weft_promise_then(round->promise, told, round), 0);
		CHECK_EQ(weft_promise_on_cancel(round->promise, told_of_cancel, round), 0);
	}
}

static void spawn_round(weft_task **tasks, weft_stack_group *group, int number)
{
	bool late = choice(number, 60, 2);

	if (late)
		published = number + 1;
	for (int who = 0; who < PER_ROUND; who++) {
		weft_attr attr = { .flags = WEFT_SPREAD };

		switch (choice(number, 40 + who, 3)) {
		case 0:
			attr = (weft_attr){ .shared = group };
			break;
		case 1:
			attr.flags = WEFT_MIGRATE;
			break;
		default:
			break;
		}
		for (int i = 0; i < SPAN; i++)
			weft_promise_ref(rounds[number + i].promise);
		CHECK_EQ(weft_spawn(&tasks[who], &attr, body,
				    (void *)((intptr_t)number * PER_ROUND + who)),
			 0);
	}
	if (choice(number, 61, 3) == 0)
		weft_task_yield();
	if (!late)
		published = number + 1;
	if (choice(number, 62, 2))
		CHECK_EQ(weft_cancel(tasks[choice(number, 63, PER_ROUND)]), 0);
}

static int drive(void *arg)
{
	static weft_task *tasks[BATCH][PER_ROUND];
	weft_stack_group *group;
	int count = round_count - SPAN + 1;

	CHECK_EQ(weft_stack_group_new(&group, 2, 64 << 10), 0);
	for (int first = 0; first < count; first += BATCH) {
		int end = first + BATCH < count ? first + BATCH : count;

		for (int i = first; i < end; i++)
			spawn_round(tasks[i - first], group, i);
		published =
			end == count ? round_count : end + SPAN; /* who waits for the next ones */
		for (int i = first; i < end; i++)
			for (int who = 0; who < PER_ROUND; who++)
				CHECK_EQ(weft_join(tasks[i - first][who], WEFT_FOREVER, NULL), 0);
	}
	CHECK_EQ(weft_stack_group_free(group), 0);
	return (int)(intptr_t)arg;
}

static void check_round(int number)
{
	struct round *round = &rounds[number];
	void *value = NULL;
	int rc;

	CHECK_EQ(round->winners, 1);
	CHECK_EQ(weft_promise_state(round->promise), round->state);
	CHECK_EQ(round->told, number % 4 != 0);
	CHECK_EQ(round->late_told, round->late_asked);
	CHECK_EQ(round->cancels, round->state == WEFT_PROMISE_CANCELLED);
	rc = weft_await(round->promise, WEFT_NOWAIT, number % 4 ? &value : NULL);
	CHECK_EQ(rc, round->error);
	/* Where nobody has taken the value, the last free destroys it: spans take none. */
	if (value) {
		CHECK_EQ(value, round->value);
		token_free(value);
	}
	weft_promise_free(round->promise);
}

static void run_with(unsigned workers)
{
	pthread_t settlers[SETTLERS], waiter, asker;
	int undelivered = 0;

	seed = seed_of_run();
	round_count = scaled(ROUNDS_MAX);
	make_rounds();
	for (intptr_t i = 0; i < SETTLERS; i++)
		CHECK_EQ(pthread_create(&settlers[i], NULL, settle_all, (void *)i), 0);
	CHECK_EQ(pthread_create(&waiter, NULL, await_each, NULL), 0);
	CHECK_EQ(pthread_create(&asker, NULL, ask_each, NULL), 0);
	CHECK_EQ(weft_run(workers, drive, NULL, NULL), 0);
	for (int i = 0; i < SETTLERS; i++)
		CHECK_EQ(pthread_join(settlers[i], NULL), 0);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
	CHECK_EQ(pthread_join(asker, NULL), 0);
	for (int i = 0; i < round_count; i++)
		undelivered += i % 4 == 0 && rounds[i].state == WEFT_PROMISE_RESOLVED;
	CHECK_GT(undelivered, 0);
	for (int i = 0; i < round_count; i++)
		check_round(i);
	CHECK_EQ(tokens, 0);
}

TEST_LIMIT(promise, one_outcome_for_one_worker_and_threads, LIMIT_S)
{
	run_with(1);
}

TEST_LIMIT(promise, one_outcome_for_several_workers_and_threads, LIMIT_S)
{
	run_with(3);
}
