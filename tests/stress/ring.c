/* SPDX-License-Identifier: MIT
 *
 * ring.c - one owner and three thieves at a ring, producers and consumers at an
 * injector: each task is seen exactly once. Tasks go round, so that slots, positions and
 * links are used again and again.
 *
 * WEFT_SEED=n repeats a run's choices; threads still interleave as they please.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <base/rng.h>
#include <core/injector.h>
#include <core/ring.h>
#include <core/task.h>

#include "stress.h"

enum { LIMIT_S = 60, THIEVES = 3, TASKS = 4096, MAX_ROUNDS = 500 };

static uint64_t seed;
static unsigned rounds; /* each sees every task once */
static struct ring ring;
static struct injector injector;
static struct task tasks[TASKS];
static _Atomic uint32_t seen[TASKS];
static _Atomic uint32_t seen_in_all;

/* result is plain: who has taken the task owns it, and sees what the pusher wrote. */
static void see(struct task *task)
{
	CHECK(task >= tasks && task < tasks + TASKS);
	CHECK_EQ(task->result, (int)(task - tasks) + 1);
	task->result = 0;
	atomic_fetch_add_explicit(&seen[task - tasks], 1, memory_order_relaxed);
	/* release pairs with the owner's load in await_all() */
	atomic_fetch_add_explicit(&seen_in_all, 1, memory_order_release);
}

static void await_all(unsigned round)
{
	while (atomic_load_explicit(&seen_in_all, memory_order_acquire) < TASKS * (round + 1))
		sched_yield();
	for (unsigned i = 0; i < TASKS; i++)
		CHECK_EQ(atomic_load_explicit(&seen[i], memory_order_relaxed), round + 1);
}

static bool over(void)
{
	return atomic_load_explicit(&seen_in_all, memory_order_relaxed) == TASKS * rounds;
}

static void *steal(void *number)
{
	struct task *out[RING_SIZE];
	struct rng rng;

	weft__rng_init(&rng, seed + (uintptr_t)number);
	while (!over()) {
		unsigned count = ring_steal_half(&ring, out, 1 + rng_below(&rng, RING_SIZE));

		for (unsigned i = 0; i < count; i++)
			see(out[i]);
		if (!count || rng_below(&rng, 16) == 0)
			sched_yield();
	}
	return NULL;
}

/* The owner pushes one of each round, and takes some itself, from either end. */
static void own(struct rng *rng, struct task *task)
{
	struct task *out[RING_SIZE / 2], *taken = NULL;

	task->result = (int)(task - tasks) + 1;
	while (!ring_push(&ring, task)) {
		unsigned count = ring_overflow(&ring, out, RING_SIZE / 2);

		for (unsigned i = 0; i < count; i++)
			see(out[i]);
	}
	switch (rng_below(rng, 4)) {
	case 0:
		taken = ring_take_newest(&ring);
		break;
	case 1:
		taken = ring_take_oldest(&ring);
		break;
	}
	if (taken)
		see(taken);
}

static void start(pthread_t *threads, void *(*fn)(void *number), unsigned count)
{
	for (uintptr_t i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fn, (void *)i), 0);
}

static void join(const pthread_t *threads, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST_LIMIT(ring, each_task_is_taken_once, LIMIT_S)
{
	pthread_t thieves[THIEVES];
	struct rng rng;

	seed = seed_of_run();
	rounds = scaled(MAX_ROUNDS);
	weft__rng_init(&rng, ~seed);
	start(thieves, steal, THIEVES);
	for (unsigned round = 0; round < rounds; round++) {
		struct task *task;

		for (unsigned i = 0; i < TASKS; i++)
			own(&rng, &tasks[i]);
		while ((task = ring_take_newest(&ring)) != NULL)
			see(task);
		await_all(round);
	}
	join(thieves, THIEVES);
	CHECK_EQ(ring_count(&ring), 0);
}

/* --- injector ------------------------------------------------------------------ */

static void *consume(void *number)
{
	struct rng rng;

	weft__rng_init(&rng, seed + (uintptr_t)number);
	while (!over()) {
		struct task *task = weft__injector_take(&injector, 1 + rng_below(&rng, 64));

		if (!task)
			sched_yield();
		while (task) {
			struct task *next = task->next;

			see(task);
			task = next;
		}
	}
	return NULL;
}

/* Each of the producers has a part of the tasks of its own. */
static unsigned producing_round;
static void *produce(void *number)
{
	struct task *part = tasks + (uintptr_t)number * (TASKS / 2);
	struct rng rng;

	weft__rng_init(&rng, seed + 100 * producing_round + (uintptr_t)number);
	for (unsigned first = 0, count; first < TASKS / 2; first += count) {
		count = 1 + rng_below(&rng, 32);
		if (count > TASKS / 2 - first)
			count = TASKS / 2 - first;
		for (unsigned i = first; i < first + count; i++) {
			part[i].result = (int)(part + i - tasks) + 1;
			part[i].next = i + 1 < first + count ? &part[i + 1] : NULL;
		}
		weft__injector_push(&injector, &part[first], &part[first + count - 1], count);
	}
	return NULL;
}

TEST_LIMIT(injector, each_task_is_taken_once, LIMIT_S)
{
	pthread_t consumers[2], producers[2];

	seed = seed_of_run();
	rounds = scaled(MAX_ROUNDS);
	start(consumers, consume, 2);
	for (producing_round = 0; producing_round < rounds; producing_round++) {
		start(producers, produce, 2);
		join(producers, 2);
		await_all(producing_round);
	}
	join(consumers, 2);
	CHECK_EQ(injector_count(&injector), 0);
}
