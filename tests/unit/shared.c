/* SPDX-License-Identifier: MIT
 *
 * shared.c - shared stacks: exact copies, made late, never lost; and the small
 * memory beneath them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <stack/shared.h>

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

/* --- strands that live on real contexts ------------------------------------------- */

struct runner {
	struct strand strand; /* first: as in tasks and coroutines */
	unsigned number, rounds;
	size_t depth; /* bytes of stack it keeps a pattern in */
	bool started, done;
};

static weft_context home;

static unsigned char pattern(unsigned number, size_t i)
{
	return (unsigned char)(number * 131 + i * 7 + (i >> 8));
}

static void hop_home(struct runner *self)
{
	weft_context_switch(&self->strand.ctx, &home, NULL);
}

static noinline void hold_pattern(struct runner *self)
{
	volatile unsigned char bytes[self->depth];

	for (size_t i = 0; i < self->depth; i++)
		bytes[i] = pattern(self->number, i);
	for (unsigned round = 0; round < self->rounds; round++) {
		hop_home(self);
		for (size_t i = 0; i < self->depth; i++)
			CHECK_EQ(bytes[i], pattern(self->number, i));
	}
}

static void run_pattern(void *arg, void *value)
{
	struct runner *self = arg;

	(void)value;
	hold_pattern(self);
	self->done = true;
	hop_home(self);
	abort();
}

static void runner_init(struct runner *runner, weft_stack_group *group)
{
	runner->strand = (struct strand){ .shared = weft__shared_pick(group) };
	CHECK(runner->strand.shared != NULL);
}

/* Enters, and goes on until the next hop. */
static int runner_step(struct runner *runner)
{
	struct shared_stack *stack = runner->strand.shared;
	int rc = weft__shared_enter(&runner->strand);

	if (rc < 0)
		return rc;
	if (!runner->started)
		weft_context_make(&runner->strand.ctx, stack->low,
				  (size_t)(stack->top - stack->low), run_pattern, runner);
	runner->started = true;
	weft_context_switch(&home, &runner->strand.ctx, NULL);
	return 0;
}

static weft_stack_group *group_of(unsigned count)
{
	weft_stack_group *group;

	CHECK_EQ(weft_stack_group_new(&group, count, 128 << 10), 0);
	return group;
}

static void end_both(struct runner *a, struct runner *b, weft_stack_group *group)
{
	weft__shared_leave(&a->strand);
	weft__shared_leave(&b->strand);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

/* --- copies ------------------------------------------------------------------------ */

TEST(shared, frames_survive_any_order_of_turns)
{
	enum { RUNNERS = 60 };
	static struct runner runners[RUNNERS];
	weft_stack_group *group = group_of(3);
	unsigned left = RUNNERS, seed = 1;

	for (unsigned i = 0; i < RUNNERS; i++) {
		runners[i] = (struct runner){ .number = i, .rounds = 20, .depth = 16 + i * i * 13 };
		runner_init(&runners[i], group);
	}
	while (left) {
		struct runner *runner;

		seed = seed * 1664525 + 1013904223;
		runner = &runners[(seed >> 16) % RUNNERS];
		if (runner->done)
			continue;
		CHECK_EQ(runner_step(runner), 0);
		if (runner->done) {
			weft__shared_leave(&runner->strand);
			left--;
		}
	}
	CHECK_EQ(weft_stack_group_free(group), 0);
}

TEST(shared, who_is_alone_on_a_stack_is_never_copied)
{
	struct runner a = { .rounds = 10, .depth = 100 }, b = { .rounds = 10, .depth = 100 };
	weft_stack_group *group = group_of(2);

	runner_init(&a, group);
	runner_init(&b, group);
	CHECK_NE(a.strand.shared, b.strand.shared);
	CHECK_EQ(runner_step(&a), 0);
	CHECK_EQ(runner_step(&b), 0);
	weft__fault_fail(1); /* a copy would need memory */
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(runner_step(&a), 0);
		CHECK_EQ(runner_step(&b), 0);
		CHECK(a.strand.saved == NULL && b.strand.saved == NULL);
		CHECK(weft__shared_resident(&a.strand) && weft__shared_resident(&b.strand));
	}
	CHECK(!weft__fault_fired());
	weft__fault_fail(0);
	end_both(&a, &b, group);
}

TEST(shared, only_live_bytes_are_copied)
{
	struct runner deep = { .rounds = 3, .depth = 40000 }, b = { .rounds = 3, .depth = 16 };
	weft_stack_group *group = group_of(1);
	struct shared_stack *stack;

	runner_init(&deep, group);
	runner_init(&b, group);
	stack = deep.strand.shared;
	CHECK_EQ(runner_step(&deep), 0);
	CHECK_GE(stack->top - weft__context_low(&deep.strand.ctx), 40000);
	CHECK_EQ(runner_step(&b), 0);
	CHECK(deep.strand.saved != NULL);
	CHECK(!weft__shared_resident(&deep.strand));
	CHECK_LT(stack->top - weft__context_low(&b.strand.ctx), 1500);
	if (WEFT_POISON_VACATED) {
		CHECK_EQ((unsigned char)stack->top[-20000], WEFT_POISON_BYTE);
		CHECK_EQ((unsigned char)stack->top[-39000], WEFT_POISON_BYTE);
	}
	CHECK_EQ(runner_step(&deep), 0);
	CHECK(deep.strand.saved == NULL && b.strand.saved != NULL);
	end_both(&deep, &b, group);
}

/* S4, and that nothing is lost by it. */
static void save_fails(size_t depth)
{
	struct runner a = { .number = 1, .rounds = 8, .depth = depth };
	struct runner b = { .number = 2, .rounds = 8, .depth = depth };
	weft_stack_group *group = group_of(1);
	unsigned failures = 0;

	runner_init(&a, group);
	runner_init(&b, group);
	CHECK_EQ(runner_step(&a), 0);
	for (unsigned n = 1;; n++) {
		int rc;

		weft__fault_fail(n);
		rc = runner_step(&b);
		if (!weft__fault_fired())
			break;
		if (rc == 0) { /* a smaller request did */
			CHECK_EQ(runner_step(&a), 0);
			continue;
		}
		CHECK_EQ(rc, -ENOMEM);
		CHECK_EQ(a.strand.shared->occupant, &a.strand);
		CHECK(a.strand.saved == NULL && b.strand.saved == NULL);
		if (n < 4)
			CHECK_EQ(runner_step(&a), 0);
		failures++;
	}
	CHECK_GE(failures, 1);
	weft__fault_fail(0);
	while (!a.done || !b.done) {
		if (!a.done)
			CHECK_EQ(runner_step(&a), 0);
		if (!b.done)
			CHECK_EQ(runner_step(&b), 0);
	}
	end_both(&a, &b, group);
}

TEST(shared, without_memory_the_occupant_stays)
{
	save_fails(200);
}

TEST(shared, without_memory_for_a_large_copy_the_occupant_stays)
{
	save_fails(5000);
}

/* Once each has a place: the one's frames go where the other's lay. Its bytes are checked by the
 * runners themselves. */
static void take_turns(size_t depth)
{
	struct runner a = { .number = 1, .rounds = 12, .depth = depth };
	struct runner b = { .number = 2, .rounds = 12, .depth = depth };
	weft_stack_group *group = group_of(1);
	void *place;

	runner_init(&a, group);
	runner_init(&b, group);
	CHECK_EQ(runner_step(&a), 0);
	CHECK_EQ(runner_step(&b), 0); /* it begins: no frames to change places with */
	place = a.strand.saved;
	weft__fault_fail(1);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(runner_step(&a), 0);
		CHECK(a.strand.saved == NULL && b.strand.saved == place);
		CHECK_EQ(runner_step(&b), 0);
		CHECK(b.strand.saved == NULL && a.strand.saved == place);
	}
	CHECK(!weft__fault_fired());
	weft__fault_fail(0);
	end_both(&a, &b, group);
}

TEST(shared, two_of_the_same_size_change_places)
{
	for (size_t depth = 1; depth < 700; depth += 23)
		take_turns(depth);
	take_turns(5000);
}

/* A on the shared stack resumes something on a private stack, which suspends
 * all of it: A's own context is over there, its frames end at `outer`. */
struct resumer {
	struct runner runner;
	weft_context inner, outer;
	char inner_stack[16 << 10];
	bool returned;
};

static void inner_body(void *arg, void *value)
{
	struct resumer *self = arg;

	(void)value;
	hop_home(&self->runner);
	self->returned = true;
	weft_context_switch(&self->inner, &self->outer, NULL);
	abort();
}

static noinline void resume_inner(struct resumer *self)
{
	volatile unsigned char bytes[500];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(9, i);
	weft_context_switch(&self->outer, &self->inner, NULL);
	CHECK(self->returned);
	for (size_t i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(bytes[i], pattern(9, i));
}

static void run_resumer(void *arg, void *value)
{
	struct resumer *self = arg;

	(void)value;
	resume_inner(self);
	self->runner.done = true;
	hop_home(&self->runner);
	abort();
}

TEST(shared, frames_left_by_resuming_another_stack_are_copied_too)
{
	static struct resumer a;
	struct runner b = { .rounds = 5, .depth = 3000 };
	weft_stack_group *group = group_of(1);
	struct shared_stack *stack;

	runner_init(&a.runner, group);
	runner_init(&b, group);
	stack = a.runner.strand.shared;
	CHECK_EQ(weft__shared_enter(&a.runner.strand), 0);
	weft_context_make(&a.inner, a.inner_stack, sizeof(a.inner_stack), inner_body, &a);
	weft_context_make(&a.runner.strand.ctx, stack->low, (size_t)(stack->top - stack->low),
			  run_resumer, &a);
	weft_context_switch(&home, &a.runner.strand.ctx, NULL);

	stack->outer = &a.outer;
	CHECK_EQ(runner_step(&b), 0);
	CHECK(stack->outer == NULL);
	CHECK_EQ(runner_step(&b), 0);
	CHECK_EQ(weft__shared_enter(&a.runner.strand), 0);
	CHECK_EQ(stack->outer, &a.outer);
	stack->outer = NULL;
	weft_context_switch(&home, &a.runner.strand.ctx, NULL);
	CHECK(a.runner.done);
	CHECK_EQ(runner_step(&b), 0);
	end_both(&a.runner, &b, group);
}

TEST(shared, leaving_while_saved_drops_the_copy)
{
	struct runner a = { .rounds = 3, .depth = 600 }, b = { .rounds = 3, .depth = 600 };
	weft_stack_group *group = group_of(1);

	runner_init(&a, group);
	runner_init(&b, group);
	CHECK_EQ(runner_step(&a), 0);
	CHECK_EQ(runner_step(&b), 0);
	CHECK_EQ(weft_stack_group_free(group), -EBUSY);
	weft__shared_leave(&a.strand);
	CHECK_EQ(weft_stack_group_free(group), -EBUSY);
	weft__shared_leave(&b.strand);
	CHECK_EQ(weft_stack_group_free(group), 0);
	weft__stack_cache_drop(); /* would keep the slab if a copy were left */
	CHECK(weft__thread.stacks == NULL);
}

/* --- groups ------------------------------------------------------------------------- */

static void *use_strangers_group(void *group)
{
	CHECK(weft__shared_pick(group) == NULL);
	CHECK_EQ(weft_stack_group_free(group), -EPERM);
	return NULL;
}

TEST(shared, groups_check_their_arguments_and_their_thread)
{
	weft_stack_group *group = NULL;
	pthread_t thread;

	CHECK_EQ(weft_stack_group_new(&group, 0, 0), -EINVAL);
	CHECK_EQ(weft_stack_group_new(&group, 65537, 0), -EINVAL);
	CHECK_EQ(weft_stack_group_new(&group, 1, 1), -EINVAL);
	CHECK_EQ(weft_stack_group_new(&group, 1, SIZE_MAX), -EINVAL);
	CHECK(group == NULL);
	CHECK_EQ(weft_stack_group_free(NULL), 0);
	CHECK_EQ(weft_stack_group_new(&group, 2, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, use_strangers_group, group), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

TEST(shared, stacks_are_dealt_in_turn)
{
	weft_stack_group *group = group_of(3);
	struct strand strands[7];

	for (int i = 0; i < 7; i++)
		strands[i] = (struct strand){ .shared = weft__shared_pick(group) };
	for (int i = 3; i < 7; i++)
		CHECK_EQ(strands[i].shared, strands[i - 3].shared);
	CHECK_NE(strands[0].shared, strands[1].shared);
	CHECK_NE(strands[1].shared, strands[2].shared);
	for (int i = 0; i < 7; i++)
		weft__shared_leave(&strands[i]);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

TEST(shared, a_group_without_memory_leaves_nothing_behind)
{
	weft_stack_group *group;
	uint64_t used, cached;
	int rc;

	for (unsigned n = 1;; n++) {
		weft__fault_fail(n);
		rc = weft_stack_group_new(&group, 100, 0);
		if (!weft__fault_fired())
			break;
		if (rc == 0) { /* a smaller request did */
			CHECK_EQ(weft_stack_group_free(group), 0);
			continue;
		}
		CHECK_EQ(rc, -ENOMEM);
		weft__stack_count(weft__thread.stacks, &used, &cached);
		CHECK_EQ(used, 0);
	}
	weft__fault_fail(0);
	CHECK_EQ(weft_stack_group_free(group), 0);
}

static struct shared_stack *overrun;

static void write_below(void *arg)
{
	(void)arg;
	*(volatile char *)(overrun->low - 1) = 1;
}

TEST(shared, there_is_a_guard_below)
{
	overrun = weft__shared_pick(group_of(1));
	CHECK_DEATH(SIGSEGV, "", write_below, NULL);
}

/* --- slab ----------------------------------------------------------------------------- */

TEST(slab, blocks_are_aligned_and_do_not_overlap)
{
	enum { BLOCKS = 3000 };
	static struct {
		unsigned char *ptr;
		size_t bytes;
	} blocks[BLOCKS];
	unsigned seed = 7;

	for (int step = 0; step < 100000; step++) {
		unsigned i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % BLOCKS;
		if (blocks[i].ptr) {
			for (size_t b = 0; b < blocks[i].bytes; b++)
				if (blocks[i].ptr[b] != (unsigned char)i)
					CHECK(!"a block keeps its bytes");
			weft__slab_give(blocks[i].ptr, blocks[i].bytes);
			blocks[i].ptr = NULL;
			continue;
		}
		blocks[i].bytes = 1 + (seed >> 16) % 1500;
		blocks[i].ptr = weft__slab_take(blocks[i].bytes);
		CHECK(blocks[i].ptr != NULL);
		CHECK_EQ((uintptr_t)blocks[i].ptr % 16, 0);
		memset(blocks[i].ptr, (int)i, blocks[i].bytes);
	}
}

TEST(slab, a_block_between_many_is_not_a_system_call_each_time)
{
	void *block = NULL, *first = weft__slab_take(64);

	/* The only block of its page, again and again: the page is kept. */
	for (int i = 0; i < 100; i++) {
		void *again = weft__slab_take(256);

		CHECK(!block || again == block);
		block = again;
		memset(block, 0x77, 256);
		weft__slab_give(block, 256);
		CHECK_EQ(((unsigned char *)block)[255], 0x77); /* not given back: it would read 0 */
	}
	weft__slab_give(first, 64);
}

/* --- control blocks -------------------------------------------------------------------- */

TEST(block, is_zeroed_and_aligned_and_nobody_elses)
{
	enum { BLOCKS = 2000 };
	static unsigned char *blocks[BLOCKS];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < BLOCKS; i++) {
			blocks[i] = weft__block_take();
			CHECK(blocks[i] != NULL);
			CHECK_EQ((uintptr_t)blocks[i] % BLOCK_BYTES, 0);
			for (int b = 0; b < BLOCK_BYTES; b++)
				CHECK_EQ(blocks[i][b], 0);
		}
		for (int i = 0; i < BLOCKS; i++)
			memset(blocks[i], i % 255 + 1, BLOCK_BYTES);
		for (int i = 0; i < BLOCKS; i++) {
			CHECK_EQ(blocks[i][BLOCK_BYTES - 1], i % 255 + 1);
			weft__block_give(blocks[i]);
		}
	}
}

enum { CROSSING = 5000 };
static void *crossing[CROSSING];

static void *give_crossing(void *arg)
{
	(void)arg;
	for (int i = 0; i < CROSSING; i++)
		weft__block_give(crossing[i]);
	return NULL;
}

TEST(block, another_thread_may_give)
{
	for (int round = 0; round < 3; round++) {
		pthread_t thread;

		for (int i = 0; i < CROSSING; i++) {
			crossing[i] = weft__block_take();
			*(int *)crossing[i] = i;
		}
		for (int i = 0; i < CROSSING; i++)
			CHECK_EQ(*(int *)crossing[i], i);
		CHECK_EQ(pthread_create(&thread, NULL, give_crossing, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

TEST(block, without_memory_there_is_none_and_later_there_is)
{
	unsigned failures = 0;
	void *block;

	weft__fault_fail(1);
	while (!(block = weft__block_take())) {
		CHECK(weft__fault_fired());
		weft__fault_fail(1);
		failures++;
		if (failures > 3)
			weft__fault_fail(0);
	}
	CHECK_GE(failures, 1);
	weft__fault_fail(0);
	weft__block_give(block);
}
