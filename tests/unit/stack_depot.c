/* SPDX-License-Identifier: MIT
 *
 * stack_depot.c - stacks that one thread takes and another one gives: they come back hot,
 * and not for ever.
 */
#include <pthread.h>
#include <semaphore.h>

#include <stack/arena.h>
#include <stack/depot.h>

#include "../test.h"

enum { FLIGHT = 64, ROUNDS = 24, MARK = 0x600d };

static struct stack_slot flight[FLIGHT];
static sem_t taken, given;
static bool over;

static int *mark_of(const struct stack_slot *slot)
{
	return (int *)(void *)(slot->top - 64);
}

/* Gives whatever it is handed. */
static void *giving(void *arg)
{
	(void)arg;
	for (;;) {
		sem_wait(&taken);
		if (over)
			return NULL;
		for (int i = 0; i < FLIGHT; i++)
			weft__stack_give(&flight[i]);
		sem_post(&given);
	}
}

/* Return: how many of them had a page that somebody has used. */
static int take_flight(void)
{
	unsigned class = (unsigned)weft__stack_class(0);
	int hot = 0;

	for (int i = 0; i < FLIGHT; i++) {
		CHECK_EQ(weft__stack_take(class, &flight[i]), 0);
		hot += *mark_of(&flight[i]) == MARK;
		*mark_of(&flight[i]) = MARK;
	}
	return hot;
}

static void let_give(void)
{
	sem_post(&taken);
	sem_wait(&given);
}

/* Return: how many were hot in the last round. */
static int exchange(pthread_t *ret_thread)
{
	int hot = 0;

	sem_init(&taken, 0, 0);
	sem_init(&given, 0, 0);
	CHECK_EQ(pthread_create(ret_thread, NULL, giving, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		hot = take_flight();
		let_give();
	}
	return hot;
}

static void end(pthread_t thread)
{
	over = true;
	sem_post(&taken);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int warm_at_rest(void)
{
	return (int)weft__magazine_least((unsigned)weft__stack_class(0));
}

TEST(stack_depot, what_another_thread_gave_comes_back_hot)
{
	pthread_t thread;

	CHECK_EQ(exchange(&thread), FLIGHT);
	end(thread);
}

TEST(stack_depot, what_nobody_takes_goes_cold)
{
	pthread_t thread;
	int64_t now_ns = STACK_AGE_NS;
	int looks = 0;

	exchange(&thread);
	for (; now_ns != INT64_MAX; looks++)
		now_ns = weft__stack_age(now_ns);
	CHECK_LT(looks, 60);
	CHECK_LE(take_flight(), warm_at_rest());
	let_give();
	end(thread);
}

TEST(stack_depot, is_empty_when_there_is_one_cache_left)
{
	pthread_t thread;

	exchange(&thread);
	end(thread);
	CHECK_LE(take_flight(), warm_at_rest());
}

/* Without a second thread that has stacks there is nobody to keep them for. */
TEST(stack_depot, is_closed_for_one_cache)
{
	struct stack_free *block;
	struct stack_bin bin = { .old_count = 1 };

	take_flight();
	block = (struct stack_free *)(void *)flight[0].top;
	block->next = NULL;
	bin.old = block;
	CHECK(!weft__depot_put(flight[0].class, &bin));
	CHECK(!weft__depot_get(flight[0].class, &bin));
	CHECK(bin.old == block);
}
