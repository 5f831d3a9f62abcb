/* SPDX-License-Identifier: MIT
 *
 * allocator.c - an allocator's mutex blocks the thread: no other task may come to run in the
 * middle of malloc.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hooked.h"

void allocator_lock(void);
void allocator_unlock(void);

static _Atomic bool held, over;
static _Atomic int ticks; /* compilers know that malloc changes none */
static int ticks_before, ticks_after;

static void *holds_it(void *unused)
{
	struct timespec pause = { 0, 20000000 };

	(void)unused;
	allocator_lock();
	held = true;
	nanosleep(&pause, NULL);
	allocator_unlock();
	return NULL;
}

static int ticks_on(void *unused)
{
	(void)unused;
	for (; !over; ticks++)
		weft_task_yield();
	return 0;
}

static int allocates(void *unused)
{
	void *volatile block;

	(void)unused;
	while (!held)
		weft_task_yield();
	ticks_before = ticks;
	block = malloc(100);
	ticks_after = ticks;
	over = true;
	return block != NULL;
}

TEST(allocator, blocks_its_thread)
{
	weft_task *ticking = start(ticks_on, 0), *task = start(allocates, 0);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, holds_it, NULL), 0);
	CHECK_EQ(join(task), 1);
	CHECK_EQ(join(ticking), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GT(ticks, 0);
	CHECK_EQ(ticks_after, ticks_before);
}
