/* SPDX-License-Identifier: MIT
 *
 * selftest.c - the engine itself: textbook cases of which the answer is known.
 */
#include <base/atomic.h>

#include "../test.h"
#include "model.h"

static struct shared {
	_Atomic uint32_t x, y, seen_x, seen_y, sum;
	_Atomic uint32_t semaphore;
	int data;
} shared;

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
}

#define THREADS(a, b) \
	.setup = setup, .threads = { a, b }, .state = &shared, .state_bytes = sizeof shared

/* --- store buffering: the one thing that TSO adds ---------------------------------------- */

static void left(void)
{
	atomic_store_explicit(&shared.x, 1, memory_order_relaxed);
	full_fence();
	shared.seen_y = atomic_load_explicit(&shared.y, memory_order_relaxed);
}

static void right(void)
{
	atomic_store_explicit(&shared.y, 1, memory_order_relaxed);
	full_fence();
	shared.seen_x = atomic_load_explicit(&shared.x, memory_order_relaxed);
}

static void one_sees_the_other(void)
{
	MODEL_CHECK(shared.seen_x || shared.seen_y);
}

static const struct model buffering = {
	.name = "store buffering", THREADS(left, right), .check = one_sees_the_other, .tso = true
};

static const struct model buffering_sc = { .name = "store buffering, SC",
					   THREADS(left, right),
					   .check = one_sees_the_other };

TEST(model, fences_order_stores_and_loads)
{
	model_must_hold(&buffering);
}

TEST(model, a_missing_fence_is_found)
{
	model_must_fail(&buffering, &(struct mutant){ .op = MODEL_FENCE, .effect = MUTANT_SKIP });
}

TEST(model, one_missing_fence_is_found)
{
	model_must_fail(&buffering,
			&(struct mutant){ .op = MODEL_FENCE, .threads = 1, .effect = MUTANT_SKIP });
}

/* Without buffers no fence is needed: so it was the buffers that found it. */
static void left_bare(void)
{
	atomic_store_explicit(&shared.x, 1, memory_order_relaxed);
	shared.seen_y = atomic_load_explicit(&shared.y, memory_order_relaxed);
}

static void right_bare(void)
{
	atomic_store_explicit(&shared.y, 1, memory_order_relaxed);
	shared.seen_x = atomic_load_explicit(&shared.x, memory_order_relaxed);
}

static const struct model bare = { .name = "no fence, SC",
				   THREADS(left_bare, right_bare),
				   .check = one_sees_the_other };

TEST(model, without_buffers_no_fence_is_needed)
{
	model_must_hold(&bare);
	model_must_hold(&buffering_sc);
}

/* --- lost updates -------------------------------------------------------------------------- */

static void add_two(void)
{
	atomic_fetch_add(&shared.sum, 1);
	atomic_fetch_add(&shared.sum, 1);
}

static void sum_is_four(void)
{
	MODEL_CHECK(shared.sum == 4);
}

static const struct model sum = {
	.name = "sum", THREADS(add_two, add_two), .check = sum_is_four, .tso = true
};

TEST(model, no_update_is_lost)
{
	model_must_hold(&sum);
}

TEST(model, a_lost_update_is_found)
{
	model_must_fail(&sum, &(struct mutant){ .op = MODEL_RMW, .effect = MUTANT_SPLIT });
}

/* --- plain data ---------------------------------------------------------------------------- */

static void producer(void)
{
	model_writes(&shared.data);
	shared.data = 42;
	atomic_store_explicit(&shared.x, 1, memory_order_release);
}

static void consumer(void)
{
	while (!atomic_load_explicit(&shared.x, memory_order_acquire))
		model_relax();
	model_reads(&shared.data);
	MODEL_CHECK(shared.data == 42);
}

static const struct model message = { .name = "message", THREADS(producer, consumer), .tso = true };

TEST(model, release_and_acquire_hand_data_over)
{
	model_must_hold(&message);
}

TEST(model, a_relaxed_store_is_found)
{
	model_must_fail(&message, &(struct mutant){ .op = MODEL_STORE, .effect = MUTANT_NO_ORDER });
}

TEST(model, a_relaxed_load_is_found)
{
	model_must_fail(&message, &(struct mutant){ .op = MODEL_LOAD, .effect = MUTANT_NO_ORDER });
}

/* --- waiting -------------------------------------------------------------------------------- */

static void poster(void)
{
	if (model_mutant())
		return;
	model_post(&shared.semaphore);
}

static void waiter(void)
{
	model_await(&shared.semaphore);
}

static const struct model waiting = { .name = "waiting", THREADS(poster, waiter) };

TEST(model, a_post_ends_a_wait)
{
	model_must_hold(&waiting);
}

TEST(model, a_thread_that_is_stuck_is_found)
{
	model_must_fail(&waiting, &(struct mutant){ .flag = 1 });
}
