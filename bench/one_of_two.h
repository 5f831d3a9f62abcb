/* SPDX-License-Identifier: MIT
 *
 * one_of_two.h - a runtime of two workers, one of which is kept out of the way: it sleeps in a
 * system call. What is compared with two workers that way pays for atomic instructions and
 * runs all new tasks in the order of a crew, newest first.
 */
#ifndef WEFT_BENCH_ONE_OF_TWO_H
#define WEFT_BENCH_ONE_OF_TWO_H

#include <pthread.h>
#include <semaphore.h>

#include <weft/task.h>

#include "bench.h"

static struct {
	sem_t over;
	pthread_t main_thread;
	_Atomic int asleep;
} kept_out;

/** Does <workers> say 1of2? */
static inline int is_one_of_two(const char *workers)
{
	return !strcmp(workers, "1of2");
}

static inline unsigned workers_count(const char *workers)
{
	return is_one_of_two(workers) ? 2 : (unsigned)atoi(workers);
}

/* Stays where it is, if that is not main's worker. */
static inline int keeping_out(void *arg)
{
	(void)arg;
	if (pthread_equal(pthread_self(), kept_out.main_thread))
		return 0;
	kept_out.asleep = 1;
	while (sem_wait(&kept_out.over))
		; /* a signal */
	return 0;
}

/** Main calls it first. Does nothing unless @workers says so. */
static inline void keep_one_out(const char *workers)
{
	weft_attr attr = { .flags = WEFT_SPREAD };

	if (!is_one_of_two(workers))
		return;
	sem_init(&kept_out.over, 0, 0);
	kept_out.main_thread = pthread_self();
	for (int i = 0; i < 2; i++)
		bench_must(weft_spawn(NULL, &attr, keeping_out, NULL), "weft_spawn");
	while (!kept_out.asleep)
		weft_task_yield();
}

/** Main calls it last. */
static inline void let_it_in(const char *workers)
{
	if (is_one_of_two(workers))
		sem_post(&kept_out.over);
}

#endif
