/* SPDX-License-Identifier: MIT
 *
 * footprint.c - what stacks, copies and control blocks cost in memory, and that
 * it goes back. Counts in resident memory, so neither a sanitizer nor an
 * emulator may stand between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/compiler.h>
#include <stack/shared.h>
#include <stack/stack.h>
#include <weft/weft.h>

#include "../proc.h"
#include "../test.h"

static struct stack_slot take(unsigned class)
{
	struct stack_slot slot;

	CHECK_EQ(weft__stack_take(class, &slot), 0);
	return slot;
}

static unsigned default_class(void)
{
	return (unsigned)weft__stack_class(0);
}

/* As an idle worker does, until there is nothing more to do. */
static void age(void)
{
	static int64_t now_ns;

	for (int64_t next_ns = now_ns + STACK_AGE_NS; next_ns != INT64_MAX;) {
		now_ns = next_ns;
		next_ns = weft__stack_age(now_ns);
	}
}

/* --- private stacks -------------------------------------------------------------- */

enum { BURST = 20000 };
static struct stack_slot burst[BURST];

static void take_burst(void)
{
	for (int i = 0; i < BURST; i++) {
		burst[i] = take(default_class());
		burst[i].top[0] = burst[i].top[-64] = 1;
	}
}

static void give_burst(unsigned step)
{
	for (unsigned i = 0; i < BURST; i++)
		weft__stack_give(&burst[(size_t)i * step % BURST]);
}

TEST(footprint, stacks_go_back_after_a_burst)
{
	long before, peak, after;

	memset(burst, 1, sizeof(burst));
	(void)take(default_class()); /* the first one pays for the cache */
	(void)proc_rss_kb();
	before = proc_rss_kb();
	for (unsigned round = 0; round < 3; round++) {
		take_burst();
		peak = proc_rss_kb();
		CHECK_GE(peak - before, BURST * 4);
		CHECK_LE(peak - before, BURST * 44 / 10);
		give_burst(round * 7918 + 1);
		age();
		after = proc_rss_kb();
		CHECK_LE(after, before + before / 10);
	}
}

/* Zeros that nobody wrote: to look at the canary makes no page resident. */
TEST(footprint, canary_costs_no_memory)
{
	long before;

	setenv("WEFT_GUARD", "canary", 1);
	(void)take(default_class());
	(void)proc_rss_kb();
	before = proc_rss_kb();
	for (int i = 0; i < 4000; i++) {
		struct stack_slot slot = take(default_class());

		CHECK(weft__stack_canary_intact(&slot));
	}
	CHECK_LT(proc_rss_kb() - before, 1000);
}

TEST_LIMIT(footprint, two_hundred_thousand_guarded_ones_in_few_mappings, 60)
{
	struct stack_slot slot = take(default_class());

	if (weft__stack_guard_kind(&slot) != GUARD_MADVISE)
		SKIP("this kernel has no MADV_GUARD_INSTALL (Linux 6.13)");
	for (int i = 0; i < 200000; i++) {
		slot = take(default_class());
		CHECK_EQ(weft__stack_guard_kind(&slot), GUARD_MADVISE);
	}
	CHECK_LT(proc_maps(), 100);
	*(volatile char *)(slot.top - 8) = 1;
}

static int yield_once(void *arg)
{
	(void)arg;
	return weft_task_yield();
}

/* Waves of tasks keep their stacks warm; a runtime with nothing to do lets them go. */
TEST_LIMIT(footprint, an_idle_runtime_cools_down, 40)
{
	weft_stats_data stats;

	for (int wave = 0; wave < 6; wave++) {
		for (int i = 0; i < 3000; i++)
			CHECK_EQ(weft_go(yield_once, NULL), 0);
		do {
			weft_task_yield();
			CHECK_EQ(weft_stats(&stats), 0);
		} while (stats.alive > 1);
	}
	CHECK_GE(stats.stacks_cached, 2900);
	do {
		CHECK_EQ(weft_sleep(300000000), 0);
		CHECK_EQ(weft_stats(&stats), 0);
	} while (stats.stacks_cached > 64);
}

/* --- copies and control blocks ------------------------------------------------------ */

TEST(footprint, a_million_copies_cost_what_they_weigh)
{
	enum { MILLION = 1000000, BYTES = 144 };
	void **blocks = malloc(MILLION * sizeof(*blocks));
	long before, peak;

	memset(blocks, 1, MILLION * sizeof(*blocks));
	weft__slab_give(weft__slab_take(1), 1); /* the first one pays for the cache */
	(void)proc_rss_kb();
	before = proc_rss_kb();
	for (int i = 0; i < MILLION; i++) {
		blocks[i] = weft__slab_take(BYTES);
		CHECK(blocks[i] != NULL);
		memset(blocks[i], 1, BYTES);
	}
	peak = proc_rss_kb();
	CHECK_LE((peak - before) * 1024, (long)MILLION * BYTES / 100 * 103);
	for (size_t i = 0; i < MILLION; i++)
		weft__slab_give(blocks[i * 7919 % MILLION], BYTES);
	CHECK_LE(proc_rss_kb(), before + before / 10);
	free(blocks);
}

/* A stale handle may be looked at for ever: what it sees is old, or zeros. */
TEST(footprint, control_blocks_go_back_and_stay_readable)
{
	enum { MILLION = 1000000 };
	unsigned char **blocks = malloc(MILLION * sizeof(*blocks));
	long before, peak;

	memset(blocks, 1, MILLION * sizeof(*blocks));
	weft__slab_give(weft__slab_take(1), 1); /* the first one pays for the cache */
	(void)proc_rss_kb();
	before = proc_rss_kb();
	for (int i = 0; i < MILLION; i++) {
		blocks[i] = weft__block_take();
		CHECK(blocks[i] != NULL);
		blocks[i][64] = 42;
	}
	peak = proc_rss_kb();
	CHECK_LE((peak - before) * 1024, (long)MILLION * BLOCK_BYTES / 100 * 103);
	for (size_t i = 0; i < MILLION; i++) {
		unsigned char *block = blocks[i * 7919 % MILLION];

		block[64] = 0; /* as its owner does: it is free from here on */
		weft__block_give(block);
	}
	age();
	CHECK_LE(proc_rss_kb(), before + before / 10);
	for (int i = 0; i < MILLION; i++)
		CHECK_EQ(blocks[i][64], 0);
	free(blocks);
}

/* --- tasks that wait on shared stacks ---------------------------------------------------- */

enum { CROWD = 100000, DEPTH = 3 };

static weft_task *crowd[CROWD];
static weft_chan *messages;
static long asleep, awake;

/* Three calls, each with something left to do, as in bench/ten-million.c. */
static noinline int sleep_inside(void)
{
	int rc;

	asleep++;
	errno = 77;
	rc = weft_sleep(300000000);
	awake += errno == 77;
	return rc;
}

static noinline int receive_event(void)
{
	int rc;

	asleep++;
	errno = 78;
	rc = weft_chan_recv(messages, NULL, WEFT_FOREVER);
	awake += errno == 78;
	return rc;
}

static noinline int receive_value(void)
{
	long value = 0;
	int rc;

	asleep++;
	errno = 78;
	rc = weft_chan_recv(messages, &value, WEFT_FOREVER);
	awake += errno == 78;
	return rc + (int)value;
}

static int (*wait_inside)(void) = sleep_inside;

static noinline int call_inside(const int *depth)
{
	int rc = wait_inside();

	return rc < 0 ? rc : rc + *depth;
}

static int outermost(void *depth)
{
	int rc = call_inside(depth);

	return rc - *(int *)depth;
}

/* Resident bytes of each: control block and copy, without its handle. */
static long weigh_crowd(void)
{
	static int depth = DEPTH;
	weft_attr attr = { .name = NULL };
	long before;

	CHECK_EQ(weft_stack_group_new(&attr.shared, 8, 64 << 10), 0);
	memset(crowd, 1, sizeof(crowd));
	CHECK_EQ(weft_spawn(&crowd[0], &attr, outermost, &depth), 0); /* pays for the caches */
	while (!asleep)
		weft_task_yield();
	(void)proc_rss_kb();
	before = proc_rss_kb();
	for (int i = 1; i < CROWD; i++)
		CHECK_EQ(weft_spawn(&crowd[i], &attr, outermost, &depth), 0);
	while (asleep < CROWD)
		weft_task_yield();
	return (proc_rss_kb() - before) * 1024 / CROWD;
}

static void join_crowd(int expected)
{
	int ret;

	for (int i = 0; i < CROWD; i++) {
		CHECK_EQ(weft_join(crowd[i], WEFT_FOREVER, &ret), 0);
		CHECK_EQ(ret, expected);
	}
	CHECK_EQ(awake, CROWD);
}

/* 2.6 GB for ten million of them are 260 bytes, of which the handle takes 8. */
TEST(footprint, a_sleeper_weighs_at_most_250_bytes)
{
	long bytes = weigh_crowd();

	if (WEFT_SWITCH_INLINE)
		CHECK_LE(bytes, 250);
	join_crowd(0);
}

static void weigh_receivers(size_t elem_bytes, long most)
{
	const long value = 9;
	long bytes;

	wait_inside = elem_bytes ? receive_value : receive_event;
	CHECK_EQ(weft_chan_new(&messages, elem_bytes, 0), 0);
	bytes = weigh_crowd();
	if (WEFT_SWITCH_INLINE)
		CHECK_LE(bytes, most);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(weft_chan_send(messages, &value, WEFT_FOREVER), 0);
	join_crowd(elem_bytes ? (int)value : 0);
	weft_chan_free(messages);
}

/* A long has 16 bytes of the caller's frame. */
TEST(footprint, a_receiver_weighs_at_most_270_bytes)
{
	weigh_receivers(sizeof(long), 270);
}

TEST(footprint, who_waits_for_an_event_weighs_as_a_sleeper)
{
	weigh_receivers(0, 254);
}
