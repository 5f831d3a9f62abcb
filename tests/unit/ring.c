/* SPDX-License-Identifier: MIT
 *
 * ring.c - the stealable ring of a worker and the injector behind it, by one thread.
 * Built with rings of 256 and of 4. What threads do to each other: tests/model and
 * stress/ring.
 */
#include <core/injector.h>
#include <core/ring.h>
#include <core/task.h>

#include "../test.h"

static struct ring ring;
static struct injector injector;
static struct task tasks[2 * RING_SIZE];

static void push(unsigned from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		CHECK(ring_push(&ring, &tasks[from + i]));
}

/* Moves head and tail on, with nothing in the ring. */
static void turn(unsigned positions)
{
	while (positions--) {
		CHECK(ring_push(&ring, tasks));
		CHECK_EQ(ring_take_oldest(&ring), tasks);
	}
}

TEST(ring, zeroed_is_empty)
{
	struct task *out[1];

	CHECK_EQ(ring_count(&ring), 0);
	CHECK(!ring_take_newest(&ring));
	CHECK(!ring_take_oldest(&ring));
	CHECK_EQ(ring_steal_half(&ring, out, 1), 0);
}

TEST(ring, newest_first)
{
	push(0, 3);
	CHECK_EQ(ring_take_newest(&ring), &tasks[2]);
	push(3, 1);
	CHECK_EQ(ring_take_newest(&ring), &tasks[3]);
	CHECK_EQ(ring_take_newest(&ring), &tasks[1]);
	CHECK_EQ(ring_take_newest(&ring), &tasks[0]);
	CHECK(!ring_take_newest(&ring));
}

TEST(ring, oldest_first)
{
	push(0, 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(ring_take_oldest(&ring), &tasks[i]);
	CHECK(!ring_take_oldest(&ring));
}

TEST(ring, full_refuses_and_loses_nothing)
{
	push(0, RING_SIZE);
	CHECK(!ring_push(&ring, &tasks[RING_SIZE]));
	CHECK_EQ(ring_count(&ring), RING_SIZE);
	CHECK_EQ(ring_take_oldest(&ring), &tasks[0]);
	CHECK(ring_push(&ring, &tasks[RING_SIZE]));
	CHECK(!ring_push(&ring, &tasks[0]));
	for (unsigned i = 1; i <= RING_SIZE; i++)
		CHECK_EQ(ring_take_oldest(&ring), &tasks[i]);
}

TEST(ring, thief_takes_the_older_half_rounded_up)
{
	struct task *out[RING_SIZE];

	for (unsigned count = 0; count <= RING_SIZE; count++) {
		unsigned half = (count + 1) / 2;

		push(0, count);
		CHECK_EQ(ring_steal_half(&ring, out, RING_SIZE), half);
		for (unsigned i = 0; i < half; i++)
			CHECK_EQ(out[i], &tasks[i]);
		for (unsigned i = half; i < count; i++)
			CHECK_EQ(ring_take_oldest(&ring), &tasks[i]);
		CHECK_EQ(ring_count(&ring), 0);
	}
}

TEST(ring, thief_takes_no_more_than_it_has_room_for)
{
	struct task *out[2] = { NULL, tasks };

	push(0, 4);
	CHECK_EQ(ring_steal_half(&ring, out, 0), 0);
	CHECK_EQ(ring_steal_half(&ring, out, 1), 1);
	CHECK_EQ(out[0], &tasks[0]);
	CHECK_EQ(out[1], tasks);
	CHECK_EQ(ring_count(&ring), 3);
}

TEST(ring, overflow_makes_room_for_half)
{
	struct task *out[RING_SIZE / 2];

	push(0, RING_SIZE);
	CHECK_EQ(ring_overflow(&ring, out, RING_SIZE / 2), RING_SIZE / 2);
	for (unsigned i = 0; i < RING_SIZE / 2; i++)
		CHECK_EQ(out[i], &tasks[i]);
	CHECK_EQ(ring_count(&ring), RING_SIZE / 2);
	push(RING_SIZE, RING_SIZE / 2);
	CHECK(!ring_push(&ring, tasks));
}

/* Whatever the positions are, also where they pass 65535. */
TEST(ring, positions_wrap)
{
	struct task *out[RING_SIZE];

	turn(65536 - RING_SIZE - 1);
	for (unsigned round = 0; round < 2 * RING_SIZE + 2; round++) {
		unsigned taken;

		push(0, RING_SIZE);
		CHECK(!ring_push(&ring, tasks));
		CHECK_EQ(ring_count(&ring), RING_SIZE);
		CHECK_EQ(ring_take_newest(&ring), &tasks[RING_SIZE - 1]);
		taken = ring_steal_half(&ring, out, RING_SIZE);
		CHECK_EQ(taken, RING_SIZE / 2);
		for (unsigned i = 0; i < taken; i++)
			CHECK_EQ(out[i], &tasks[i]);
		for (unsigned i = taken; i < RING_SIZE - 1; i++)
			CHECK_EQ(ring_take_oldest(&ring), &tasks[i]);
		CHECK(!ring_take_newest(&ring));
		turn(1);
	}
}

/* A thief that read the word before and swaps it now must fail (R3). */
TEST(ring, a_take_and_a_push_leave_another_word)
{
	uint64_t before;

	push(0, 2);
	before = atomic_load(&ring.word);
	CHECK_EQ(ring_take_newest(&ring), &tasks[1]);
	push(2, 1);
	CHECK_EQ(ring_head(before), ring_head(atomic_load(&ring.word)));
	CHECK_EQ(ring_tail(before), ring_tail(atomic_load(&ring.word)));
	CHECK_NE(before, atomic_load(&ring.word));
}

TEST(ring, version_wraps_into_nothing)
{
	struct task *out[2];

	atomic_store(&ring.word, UINT64_C(0xffffffff) << 32);
	push(0, 3);
	CHECK_EQ(ring_take_newest(&ring), &tasks[2]);
	CHECK_EQ(atomic_load(&ring.word) >> 32, 0);
	CHECK_EQ(ring_steal_half(&ring, out, 2), 1);
	CHECK_EQ(ring_take_oldest(&ring), &tasks[1]);
	CHECK_EQ(ring_count(&ring), 0);
}

/* --- injector ------------------------------------------------------------------ */

static void inject(unsigned from, unsigned count)
{
	for (unsigned i = from; i + 1 < from + count; i++)
		tasks[i].next = &tasks[i + 1];
	tasks[from + count - 1].next = tasks; /* not to be followed */
	weft__injector_push(&injector, &tasks[from], &tasks[from + count - 1], count);
}

static void check_list(const struct task *list, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++, list = list->next)
		CHECK_EQ(list, &tasks[i]);
	CHECK(!list);
}

TEST(injector, zeroed_is_empty)
{
	CHECK_EQ(injector_count(&injector), 0);
	CHECK(!weft__injector_take(&injector, 1));
}

TEST(injector, batches_come_out_in_order)
{
	inject(0, 1);
	inject(1, 3);
	inject(4, 2);
	CHECK_EQ(injector_count(&injector), 6);
	check_list(weft__injector_take(&injector, 6), 0, 6);
	CHECK_EQ(injector_count(&injector), 0);
	CHECK(!weft__injector_take(&injector, 6));
}

TEST(injector, takes_so_many_and_no_more)
{
	inject(0, 5);
	CHECK(!weft__injector_take(&injector, 0));
	check_list(weft__injector_take(&injector, 2), 0, 2);
	CHECK_EQ(injector_count(&injector), 3);
	inject(5, 1);
	check_list(weft__injector_take(&injector, 3), 2, 3);
	check_list(weft__injector_take(&injector, 100), 5, 1);
	CHECK_EQ(injector_count(&injector), 0);
	inject(6, 2);
	check_list(weft__injector_take(&injector, 100), 6, 2);
}
