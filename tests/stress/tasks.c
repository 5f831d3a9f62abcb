/* SPDX-License-Identifier: MIT
 *
 * tasks.c - several runtimes and plain threads spawn, join, cancel, wake, offload
 * and sleep at random, and the sums must come out: each body ended as often as it
 * began, each result is the one that was meant, each wake came exactly once, and
 * each wait has exactly one outcome (row 44 of the fault table).
 *
 * WEFT_SEED=n repeats a run's choices; threads still interleave as they please.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <base/rng.h>
#include <core/park.h>
#include <core/runtime.h>
#include <weft/task.h>

#include "stress.h"

enum { LIMIT_S = 60 };

static void run_threads(unsigned count, void *(*fn)(void *index))
{
	pthread_t threads[16];

	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fn, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static uint64_t seed;
static _Atomic uint64_t begun, ended;

/* --- whole lives -------------------------------------------------------------- */

/* What a body does follows from its number, and so does its result. */
enum deed { RETURN, YIELD, SLEEP, SLEEP_FOREVER, OFFLOAD, PARENT, JOIN_SHORTLY, EXIT, DEEDS };

static int number_result(uint32_t number)
{
	return (int)(number * 2654435761u >> 1);
}

static int offloaded(void *arg)
{
	if ((uintptr_t)arg % 4 == 0)
		usleep(50);
	return (int)(uintptr_t)arg;
}

static int body(void *arg);

static void spawn_number(weft_task **ret_task, weft_stack_group *group, uint32_t number)
{
	weft_attr attr = { .shared = number & 1024 ? group : NULL };

	CHECK_EQ(weft_spawn(ret_task, &attr, body, (void *)(uintptr_t)number), 0);
}

/* Of a number: the deed in its low bits; bit 10 a shared stack; the rest varies. */
static enum deed deed_of(uint32_t number)
{
	return (enum deed)(number % DEEDS);
}

static void wait_for_child(uint32_t number, bool shortly)
{
	uint32_t child_number = (number >> 12) * DEEDS | SLEEP;
	weft_task *child;
	int ret = 0, rc;

	spawn_number(&child, NULL, child_number);
	do
		rc = weft_join(child, shortly ? weft_in_us(child_number % 128) : WEFT_FOREVER,
			       &ret);
	while (rc == -ETIMEDOUT);
	if (rc == -ECANCELED) {
		CHECK_EQ(weft_detach(child), 0);
		return;
	}
	CHECK_EQ(rc, 0);
	CHECK_EQ(ret, number_result(child_number));
}

static void offload(uint32_t number)
{
	int ret = -1, rc = weft_offload(offloaded, (void *)(uintptr_t)number, &ret);

	if (rc == -ECANCELED)
		CHECK_EQ(weft_cancelled(), 1);
	else
		CHECK_EQ(rc, 0);
	CHECK_EQ(ret, (int)number);
}

static int body(void *arg)
{
	uint32_t number = (uint32_t)(uintptr_t)arg;

	begun++;
	switch (deed_of(number)) {
	case YIELD:
		for (unsigned i = 0; i < (number >> 12) % 16; i++)
			weft_task_yield();
		break;
	case SLEEP:
		weft_sleep((number >> 12) % 200 * 1000);
		break;
	case SLEEP_FOREVER:
		CHECK_EQ(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
		break;
	case OFFLOAD:
		offload(number);
		break;
	case PARENT:
	case JOIN_SHORTLY:
		wait_for_child(number, deed_of(number) == JOIN_SHORTLY);
		break;
	case EXIT:
		ended++;
		weft_exit(number_result(number));
	default:
		break;
	}
	ended++;
	return number_result(number);
}

/* Handles that a life's main task holds. */
enum { HELD = 64 };

struct held {
	weft_task *task;
	uint32_t number;
};

static void finish(struct held *held, bool patient, struct rng *rng)
{
	int ret = 0, rc;

	do {
		int64_t deadline =
			rng_below(rng, 3) ? weft_in_us(rng_below(rng, 100)) : WEFT_FOREVER;

		if (deed_of(held->number) == SLEEP_FOREVER)
			CHECK_EQ(weft_cancel(held->task), 0);
		if (rng_below(rng, 8) == 0)
			deadline = WEFT_NOWAIT;
		rc = weft_join(held->task, deadline, &ret);
		if (rc < 0)
			CHECK(rc == -ETIMEDOUT || rc == -EAGAIN);
		if (rc == -EAGAIN)
			weft_task_yield();
	} while (rc < 0 && patient);
	if (rc < 0)
		return;
	CHECK_EQ(ret, number_result(held->number));
	CHECK_EQ(weft_join(held->task, WEFT_NOWAIT, NULL), -ESRCH);
	CHECK_EQ(weft_cancel(held->task), -ESRCH);
	held->task = NULL;
}

static void do_something(struct held *held, struct rng *rng, weft_stack_group *group)
{
	if (!held->task) {
		held->number = (uint32_t)rng_next(rng);
		spawn_number(&held->task, group, held->number);
		return;
	}
	switch (rng_below(rng, 8)) {
	case 0:
		CHECK_EQ(weft_cancel(held->task), 0);
		break;
	case 1:
		if (deed_of(held->number) == SLEEP_FOREVER)
			CHECK_EQ(weft_cancel(held->task), 0);
		CHECK_EQ(weft_detach(held->task), 0);
		held->task = NULL;
		break;
	case 2:
		weft_task_yield();
		break;
	default:
		finish(held, false, rng);
	}
}

static int life(void *index)
{
	struct held held[HELD] = { { NULL, 0 } };
	weft_stack_group *group;
	struct rng rng;

	weft__rng_init(&rng, seed + (uintptr_t)index);
	CHECK_EQ(weft_stack_group_new(&group, 3, 64 << 10), 0);
	for (int i = scaled(60000); i > 0; i--)
		do_something(&held[rng_below(&rng, HELD)], &rng, group);
	for (int i = 0; i < HELD; i++)
		if (held[i].task)
			finish(&held[i], true, &rng);
	/* The detached ones may still be at it. */
	while (weft_stack_group_free(group) == -EBUSY)
		CHECK_EQ(weft_sleep(100000), 0);
	return (int)(intptr_t)index;
}

static void *run_life(void *index)
{
	int ret = -1;

	CHECK_EQ(weft_run(1, life, index, &ret), 0);
	CHECK_EQ(ret, (intptr_t)index);
	return NULL;
}

TEST_LIMIT(stress, tasks_live_and_end_on_four_runtimes, LIMIT_S)
{
	seed = seed_of_run();
	run_threads(4, run_life);
	CHECK_EQ(begun, ended);
}

/* --- wakes from elsewhere ----------------------------------------------------------- */

enum { PLACES = 12, WAKERS = 3, RUNTIMES = 2 };

static struct place {
	_Atomic uint64_t ticket; /* of the present wait, or of an old one */
} places[RUNTIMES][PLACES];

static _Atomic int waiters_left;
static _Atomic uint64_t wakes_won, wakes_lost, waits_woken, waits_timed_out, waits_begun;
static _Atomic uint64_t sum_sent, sum_received;

static int wait_at(void *arg)
{
	struct place *place = arg;
	struct task *self = weft__task_self(NULL);
	struct rng rng;

	weft__rng_init(&rng, seed + (uint64_t)(uintptr_t)(place - &places[0][0]) * 77);
	for (int i = scaled(20000); i > 0; i--) {
		int64_t deadline = weft_in_us(rng_below(&rng, 120));
		uint64_t ticket = weft__park_begin(self);
		int rc;

		CHECK_NE(ticket, 0);
		waits_begun++;
		place->ticket = ticket;
		if (rng_below(&rng, 64) == 0)
			sched_yield(); /* may be woken before it parks */
		rc = weft__park(self, WAIT_OTHER, deadline);
		if (rc == -ETIMEDOUT) {
			waits_timed_out++;
			continue;
		}
		CHECK_GT(rc, 0);
		waits_woken++;
		sum_received += (uint64_t)rc;
	}
	waiters_left--;
	return 0;
}

/* A private stack keeps its timer in its slot, a shared one in a slab. */
static int wait_at_all(void *index)
{
	struct place *mine = places[(uintptr_t)index];
	weft_attr attr = { .shared = NULL };
	weft_task *tasks[PLACES];

	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 64 << 10), 0);
	for (unsigned i = 0; i < PLACES; i++)
		CHECK_EQ(weft_spawn(&tasks[i], i % 2 ? &attr : NULL, wait_at, &mine[i]), 0);
	for (unsigned i = 0; i < PLACES; i++)
		CHECK_EQ(weft_join(tasks[i], WEFT_FOREVER, NULL), 0);
	CHECK_EQ(worker_alive(weft__thread.worker), 0);
	CHECK_EQ(weft__thread.worker->wheel.armed, 0);
	return weft_stack_group_free(attr.shared);
}

static void wake_at_random(uint64_t number)
{
	struct rng rng;

	weft__rng_init(&rng, seed ^ number << 32);
	while (waiters_left > 0) {
		struct place *place = &places[rng_below(&rng, RUNTIMES)][rng_below(&rng, PLACES)];
		int value = 1 + (int)rng_below(&rng, 1000);
		uint64_t ticket = place->ticket;

		if (!ticket)
			continue;
		if (rng_below(&rng, 4) == 0)
			sched_yield(); /* to be late */
		if (weft__wake(ticket, value)) {
			wakes_won++;
			sum_sent += (uint64_t)value;
		} else {
			wakes_lost++;
		}
		if (rng_below(&rng, 16) == 0)
			usleep(rng_below(&rng, 200));
	}
}

static void *wait_or_wake(void *index)
{
	uint64_t number = (uintptr_t)index;
	int ret = -1;

	if (number < RUNTIMES) {
		CHECK_EQ(weft_run(1, wait_at_all, index, &ret), 0);
		CHECK_EQ(ret, 0);
	} else {
		wake_at_random(number);
	}
	return NULL;
}

TEST_LIMIT(stress, each_wake_comes_once_and_each_wait_has_one_outcome, LIMIT_S)
{
	char line[128];

	seed = seed_of_run();
	waiters_left = RUNTIMES * PLACES;
	run_threads(RUNTIMES + WAKERS, wait_or_wake);
	snprintf(line, sizeof line, "%llu woken, %llu timed out, %llu wakes too late",
		 (unsigned long long)waits_woken, (unsigned long long)waits_timed_out,
		 (unsigned long long)wakes_lost);
	test_note(line);
	CHECK_EQ(waits_woken + waits_timed_out, waits_begun);
	CHECK_EQ(wakes_won, waits_woken);
	CHECK_EQ(sum_sent, sum_received);
	CHECK_GT(waits_woken, 0);
	CHECK_GT(waits_timed_out, 0);
}

/* --- joins from elsewhere ------------------------------------------------------------- */

enum { OFFERS = 16 };

static weft_task *_Atomic offers[OFFERS]; /* from the maker to whoever takes it */
static _Atomic int makers_left;
static _Atomic uint64_t offered, taken;

static int sleep_or_be_cancelled(void *arg)
{
	uint32_t us = (uint32_t)(uintptr_t)arg;

	begun++;
	weft_sleep((int64_t)us * 1000);
	ended++;
	return 7;
}

static int make_offers(void *index)
{
	struct rng rng;

	weft__rng_init(&rng, seed + 1000 + (uintptr_t)index);
	for (int i = scaled(40000); i > 0; i--) {
		weft_task *task, *none = NULL;
		uint32_t place = rng_below(&rng, OFFERS);

		if (offers[place]) {
			if (rng_below(&rng, 4) == 0)
				weft_sleep(20000);
			else
				weft_task_yield();
			continue;
		}
		CHECK_EQ(weft_spawn(&task, NULL, sleep_or_be_cancelled,
				    (void *)(uintptr_t)rng_below(&rng, 150)),
			 0);
		if (atomic_compare_exchange_strong(&offers[place], &none, task))
			offered++;
		else
			CHECK_EQ(weft_detach(task), 0);
	}
	makers_left--;
	return 0;
}

static void take_offer(weft_task *task, struct rng *rng)
{
	int ret = 0, rc;

	taken++;
	if (rng_below(rng, 8) == 0) {
		CHECK_EQ(weft_detach(task), 0);
		return;
	}
	do {
		if (rng_below(rng, 4) == 0)
			CHECK_EQ(weft_cancel(task), 0);
		rc = weft_join(task, weft_in_us(rng_below(rng, 120)), &ret);
	} while (rc == -ETIMEDOUT);
	CHECK_EQ(rc, 0);
	CHECK_EQ(ret, 7);
}

static int take_offers(void *index)
{
	struct rng rng;
	bool last;

	weft__rng_init(&rng, seed + 2000 + (uintptr_t)index);
	do {
		last = makers_left == 0;
		for (int i = 0; i < OFFERS; i++) {
			weft_task *task = atomic_exchange(&offers[i], NULL);

			if (task)
				take_offer(task, &rng);
		}
		weft_sleep(10000);
	} while (!last);
	return 0;
}

static void *make_or_take(void *index)
{
	CHECK_EQ(weft_run(1, (uintptr_t)index < 2 ? make_offers : take_offers, index, NULL), 0);
	return NULL;
}

TEST_LIMIT(stress, tasks_are_joined_detached_and_cancelled_by_another_runtime, LIMIT_S)
{
	seed = seed_of_run();
	makers_left = 2;
	run_threads(4, make_or_take);
	CHECK_EQ(offered, taken);
	CHECK_EQ(begun, ended);
}

/* --- runtimes that come and go while others wake their tasks ------------------------------ */

static _Atomic uint64_t last_ticket;
static _Atomic int runs_left;
static int wake_fd;

static int wait_a_moment(void *arg)
{
	struct task *self = weft__task_self(NULL);
	uint64_t ticket = weft__park_begin(self);
	int rc;

	wake_fd = weft__thread.worker->poller.wake_fd;
	last_ticket = ticket;
	rc = weft__park(self, WAIT_OTHER, weft_in_us((int)(intptr_t)arg % 100));
	CHECK(rc == 1 || rc == -ETIMEDOUT);
	return 0;
}

static void *wake_the_last(void *arg)
{
	while (runs_left > 0) {
		uint64_t ticket = atomic_exchange(&last_ticket, 0);

		if (ticket)
			weft__wake(ticket, 1);
		else
			sched_yield();
	}
	return arg;
}

/* A waker that comes late to a runtime that has ended must not write to whatever
 * has the number of its descriptor by then. */
TEST_LIMIT(stress, a_late_waker_writes_to_no_stranger, LIMIT_S)
{
	int spare = eventfd(0, EFD_NONBLOCK), stranger;
	pthread_t wakers[2];
	uint64_t value;

	runs_left = scaled(10000);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&wakers[i], NULL, wake_the_last, NULL), 0);
	for (; runs_left > 0; runs_left--) {
		CHECK_EQ(weft_run(1, wait_a_moment, (void *)(intptr_t)runs_left, NULL), 0);
		stranger = fcntl(spare, F_DUPFD, wake_fd);
		CHECK_GE(stranger, 0);
		if (runs_left % 16 == 0)
			sched_yield();
		CHECK_EQ(syscall(SYS_read, stranger, &value, sizeof value), -1);
		close(stranger);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(wakers[i], NULL), 0);
}
