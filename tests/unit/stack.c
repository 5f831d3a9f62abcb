/* SPDX-License-Identifier: MIT
 *
 * stack.c - private stacks: sizes, guards, caches, and what they cost.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/log.h>
#include <stack/arena.h>
#include <stack/stack.h>

#include "../proc.h"
#include "../test.h"

/* Faults are meant to kill here, not to be explained. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "handle_segv=0";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "handle_segv=0";
}

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

/* --- sizes ----------------------------------------------------------------------- */

TEST(stack, sizes_are_rounded_up_or_refused)
{
	size_t gib = (size_t)1 << 30;

	CHECK_EQ(weft__stack_class(1), -EINVAL);
	CHECK_EQ(weft__stack_class(16383), -EINVAL);
	CHECK_EQ(weft__stack_class_bytes((unsigned)weft__stack_class(65536)), 65536);
	CHECK_EQ(weft__stack_class_bytes((unsigned)weft__stack_class(65537)), 131072);
	CHECK_EQ(weft__stack_class_bytes((unsigned)weft__stack_class(100001)), 131072);
	CHECK_EQ(weft__stack_class_bytes((unsigned)weft__stack_class(gib)), gib);
	CHECK_EQ(weft__stack_class(gib + 1), -EINVAL);
	CHECK_EQ(weft__stack_class(SIZE_MAX), -EINVAL);
	CHECK_EQ(weft__stack_class_bytes(default_class()), 262144);
}

TEST(stack, default_size_comes_from_the_environment)
{
	setenv("WEFT_STACK", "300K", 1);
	CHECK_EQ(weft__stack_class_bytes(default_class()), 512 << 10);
}

static void ask_default(void *arg)
{
	setenv("WEFT_STACK", arg, 1);
	if (weft__stack_class_bytes(default_class()) == 262144)
		abort();
}

TEST(stack, nonsense_in_the_environment_is_said_and_ignored)
{
	CHECK_DEATH(SIGABRT, "WEFT_STACK=lots is not a size", ask_default, "lots");
	CHECK_DEATH(SIGABRT, "WEFT_STACK=12 is not a size", ask_default, "12");
	CHECK_DEATH(SIGABRT, "WEFT_STACK=99999999999999999999G", ask_default,
		    "99999999999999999999G");
	CHECK_DEATH(SIGABRT, "WEFT_STACK=64KB", ask_default, "64KB");
}

/* --- layout ---------------------------------------------------------------------- */

TEST(stack, every_class_is_usable_from_low_to_block)
{
	for (unsigned i = (unsigned)weft__stack_class(65536); i < STACK_CLASSES; i++) {
		struct stack_slot slot = take(i);

		CHECK_EQ((uintptr_t)slot.top % 64, 0);
		CHECK_GE(slot.top - slot.low, weft__stack_class_bytes(i));
		slot.low[0] = slot.top[-1] = slot.top[0] = slot.top[STACK_BLOCK_BYTES - 1] = 1;
		weft__stack_give(&slot);
	}
}

TEST(stack, stride_is_an_odd_number_of_pages)
{
	for (unsigned i = 0; i < STACK_CLASSES; i++)
		CHECK_EQ(weft__stack_stride(i) / weft__page_bytes() % 2, 1);
}

/* All blocks have different places in their page, yet leave room on it. */
TEST(stack, blocks_are_coloured_and_share_a_page_with_their_first_frames)
{
	unsigned seen[4096 / 64] = { 0 };

	for (int i = 0; i < 64; i++) {
		size_t offset = (uintptr_t)take(default_class()).top % 4096;

		seen[offset / 64]++;
		CHECK_GE(offset + STACK_BLOCK_BYTES, 2048);
		CHECK_LE(offset + STACK_BLOCK_BYTES, 4096);
	}
	for (size_t i = 0; i < 64; i++)
		CHECK_LE(seen[i], 2);
}

TEST(stack, find_tells_guard_from_stack)
{
	struct stack_slot slot = take(default_class()), other = take(default_class()), found;
	char here;

	CHECK_EQ(weft__stack_find(slot.low - 1, &found), STACK_HIT_GUARD);
	CHECK_EQ(found.top, slot.top);
	CHECK_EQ(found.low, slot.low);
	CHECK_EQ(found.class, slot.class);
	CHECK_EQ(weft__stack_find(slot.low - weft__stack_guard_bytes(), NULL), STACK_HIT_GUARD);
	CHECK_EQ(weft__stack_find(slot.low, &found), STACK_HIT_USABLE);
	CHECK_EQ(weft__stack_find(slot.top + STACK_BLOCK_BYTES - 1, &found), STACK_HIT_USABLE);
	CHECK_EQ(found.top, slot.top);
	CHECK_EQ(weft__stack_find(other.low, &found), STACK_HIT_USABLE);
	CHECK_EQ(found.top, other.top);
	CHECK_EQ(weft__stack_find(NULL, &found), STACK_HIT_NONE);
	CHECK_EQ(weft__stack_find(&here, &found), STACK_HIT_NONE);
}

TEST(stack, touched_is_the_depth_in_pages)
{
	struct stack_slot slot = take(default_class());
	size_t page = weft__page_bytes();
	int64_t touched;

	*(volatile char *)(slot.top - 8) = 1;
	CHECK_LE(weft__stack_touched(&slot), page);
	*(volatile char *)(slot.top - 100000) = 1;
	touched = weft__stack_touched(&slot);
	CHECK_GE(touched, 100000);
	CHECK_LE(touched, 100000 + page);
	*(volatile char *)slot.low = 1;
	CHECK_EQ(weft__stack_touched(&slot), slot.top - slot.low);
}

/* --- guards ---------------------------------------------------------------------- */

static void write_below(void *arg)
{
	struct stack_slot slot = take(default_class());

	(void)arg;
	*(volatile char *)(slot.low - 1) = 1;
}

static void write_far_below(void *arg)
{
	struct stack_slot slot = take(default_class());

	(void)arg;
	*(volatile char *)(slot.low - weft__stack_guard_bytes()) = 1;
}

TEST(stack, guard_kills)
{
	CHECK_DEATH(SIGSEGV, "", write_below, NULL);
	CHECK_DEATH(SIGSEGV, "", write_far_below, NULL);
	setenv("WEFT_GUARD", "mprotect", 1);
	CHECK_DEATH(SIGSEGV, "", write_below, NULL);
	CHECK_DEATH(SIGSEGV, "", write_far_below, NULL);
}

TEST(stack, guard_stays_after_the_slot_was_cold)
{
	struct stack_slot slots[500];
	unsigned cold = 0;

	for (int i = 0; i < 500; i++)
		slots[i] = take(default_class());
	for (int i = 0; i < 500; i++)
		weft__stack_give(&slots[i]);
	for (int i = 0; i < 500; i++)
		cold += weft__stack_touched(&slots[i]) == 0;
	CHECK_GT(cold, 400);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(weft__stack_guard_kind(&slots[i]), weft__stack_guard_kind(&slots[0]));
	for (int i = 0; i < 500; i += 100) {
		pid_t child = fork();
		int status;

		if (!child)
			*(volatile char *)(slots[i].low - 1) = 1;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

TEST(stack, canary_sees_a_write_below_the_stack)
{
	struct stack_slot slot, other;

	setenv("WEFT_GUARD", "canary", 1);
	slot = take(default_class());
	other = take(default_class());
	CHECK_EQ(weft__stack_guard_kind(&slot), GUARD_CANARY);
	*(volatile char *)slot.low = 1;
	CHECK(weft__stack_canary_intact(&slot));
	slot.low[-8] = 1;
	CHECK(!weft__stack_canary_intact(&slot));
	CHECK(weft__stack_canary_intact(&other));
}

static void exhaust_mprotect(void *arg)
{
	struct stack_slot first = take(default_class()), last;
	int guarded = 0;

	(void)arg;
	for (int i = 0; i < 40000; i++) {
		last = take(default_class());
		guarded += weft__stack_guard_kind(&last) == GUARD_MPROTECT;
	}
	CHECK_EQ(weft__stack_guard_kind(&first), GUARD_MPROTECT);
	CHECK_EQ(weft__stack_guard_kind(&last), GUARD_CANARY);
	CHECK_GT(guarded, 1000);
	/* The program's own half of the mappings is still there. */
	CHECK_LT(proc_maps(), guarded * 2 + 1000);
	for (int i = 0; i < 1000; i++)
		CHECK(weft__map(4096 << (i % 2)) != NULL);
	abort();
}

TEST_LIMIT(stack, mprotect_keeps_to_half_of_the_mappings, 60)
{
	struct death death;
	const char *said;

	setenv("WEFT_GUARD", "mprotect", 1);
	death = run_to_death(exhaust_mprotect, NULL);
	CHECK_EQ(death.signal, SIGABRT);
	said = strstr(death.text, "no more guard pages");
	CHECK(said != NULL);
	CHECK(strstr(said + 1, "no more guard pages") == NULL);
}

/* --- the cache ------------------------------------------------------------------- */

TEST(stack, last_given_is_first_taken)
{
	struct stack_slot a = take(default_class()), b = take(default_class()), c;

	weft__stack_give(&b);
	weft__stack_give(&a);
	c = take(default_class());
	CHECK_EQ(c.top, a.top);
	CHECK_EQ(c.low, a.low);
	c = take(default_class());
	CHECK_EQ(c.top, b.top);
}

/* A stale handle looks at words of a block that is free: they stay as they were. */
TEST(stack, a_free_block_keeps_all_but_its_first_word)
{
	struct stack_slot slot = take(default_class()), again;

	memset(slot.top, 0x5a, STACK_BLOCK_BYTES);
	weft__stack_give(&slot);
	for (int i = 8; i < STACK_BLOCK_BYTES; i++)
		CHECK_EQ(slot.top[i], 0x5a);
	again = take(default_class());
	CHECK_EQ(again.top, slot.top);
	for (int i = 8; i < STACK_BLOCK_BYTES; i++)
		CHECK_EQ(again.top[i], 0x5a);
}

enum { BURST = 20000 };
static struct stack_slot burst[BURST];

static void take_burst(unsigned class)
{
	for (int i = 0; i < BURST; i++) {
		burst[i] = take(class);
		burst[i].top[0] = burst[i].top[-64] = 1;
	}
}

static void give_burst(unsigned step)
{
	for (unsigned i = 0; i < BURST; i++)
		weft__stack_give(&burst[(size_t)i * step % BURST]);
}

/* How many of the burst lie outside of the addresses that the last one had. A
 * batch that was carved and not used up may be among them. */
static char *lowest, *highest;

static void note_range(void)
{
	lowest = highest = burst[0].top;
	for (int i = 0; i < BURST; i++) {
		highest = burst[i].top > highest ? burst[i].top : highest;
		lowest = burst[i].top < lowest ? burst[i].top : lowest;
	}
}

static int outside_range(void)
{
	int outside = 0;

	for (int i = 0; i < BURST; i++)
		outside += burst[i].top < lowest || burst[i].top > highest;
	return outside;
}

TEST(stack, cold_slots_are_taken_before_new_ones)
{
	take_burst(default_class());
	note_range();
	give_burst(7919);
	take_burst(default_class());
	CHECK_LE(outside_range(), 64);
}

TEST(stack, no_slot_is_handed_out_twice)
{
	static char *mark[BURST];

	for (unsigned round = 0; round < 4; round++) {
		take_burst(default_class());
		for (int i = 0; i < BURST; i++) {
			mark[i] = burst[i].top;
			*(char **)(void *)(burst[i].top + 8) = (char *)&mark[i];
		}
		for (int i = 0; i < BURST; i++)
			CHECK_EQ(*(char **)(void *)(burst[i].top + 8), (char *)&mark[i]);
		give_burst(round % 2 ? 7919 : 1);
	}
}

TEST(stack, waves_are_served_from_the_cache)
{
	uint64_t used, cached;
	int looks = 0;

	for (int wave = 0; wave < 8; wave++) {
		for (int i = 0; i < 2000; i++)
			burst[i] = take(default_class());
		for (int i = 0; i < 2000; i++)
			weft__stack_give(&burst[i]);
	}
	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_EQ(used, 0);
	CHECK_EQ(cached, 2000);
	/* At the second judgement nobody has needed them; they go bit by bit. */
	for (int64_t now_ns = STACK_AGE_NS; now_ns != INT64_MAX; looks++)
		now_ns = weft__stack_age(now_ns);
	CHECK_LT(looks, 20);
	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_LE(cached, 64);
}

TEST(stack, count_knows_used_and_cached)
{
	struct stack_slot slots[10];
	uint64_t used, cached;

	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_EQ(used + cached, 0);
	for (int i = 0; i < 10; i++)
		slots[i] = take(default_class());
	for (int i = 0; i < 4; i++)
		weft__stack_give(&slots[i]);
	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_EQ(used, 6);
	CHECK_EQ(cached, 4);
	weft__stack_cache_drop();
	weft__stack_count(weft__thread.stacks, &used, &cached);
	CHECK_EQ(cached, 0);
}

/* --- threads and processes --------------------------------------------------------- */

static void *give_them(void *arg)
{
	(void)arg;
	for (int i = 0; i < BURST; i++)
		weft__stack_give(&burst[i]);
	return NULL;
}

/* What another thread gave, and did not drop itself, is there for all. */
TEST(stack, another_thread_may_give_and_its_end_drops_the_rest)
{
	pthread_t thread;

	take_burst(default_class());
	note_range();
	CHECK_EQ(pthread_create(&thread, NULL, give_them, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	take_burst(default_class());
	CHECK_LE(outside_range(), 64);
}

enum { EXCHANGE = 512, ROUNDS = 30000 };
static _Atomic(char *) exchange[EXCHANGE];

/* Slots wander between threads; each is marked by its holder. */
static void *wander(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	unsigned class = default_class();

	for (int i = 0; i < ROUNDS; i++) {
		struct stack_slot slot = take(class);
		char *other;

		*(char **)(void *)(slot.top + 16) = slot.low;
		seed = seed * 1664525 + 1013904223;
		other = atomic_exchange(&exchange[seed >> 16 & (EXCHANGE - 1)], slot.top);
		if (!other)
			continue;
		slot = (struct stack_slot){ other, *(char **)(void *)(other + 16), class };
		CHECK_EQ(weft__stack_find(slot.top, &slot), STACK_HIT_USABLE);
		CHECK_EQ(slot.top, other);
		*(char **)(void *)(other + 16) = NULL;
		weft__stack_give(&slot);
	}
	return NULL;
}

TEST(stack, slots_wander_between_threads)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wander, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static _Atomic bool stop;

static void *churn(void *arg)
{
	struct stack_slot slots[300];

	(void)arg;
	while (!stop) {
		for (int i = 0; i < 300; i++)
			slots[i] = take(default_class());
		for (int i = 0; i < 300; i++)
			weft__stack_give(&slots[i]);
		weft__stack_cache_drop();
	}
	return NULL;
}

TEST(stack, a_forked_child_goes_on_while_another_thread_was_at_work)
{
	pthread_t thread;

	(void)take(default_class());
	CHECK_EQ(pthread_create(&thread, NULL, churn, NULL), 0);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			for (int n = 0; n < 200; n++)
				*(volatile char *)(take(default_class()).top - 8) = 1;
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	stop = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
