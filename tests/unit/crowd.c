/* SPDX-License-Identifier: MIT
 *
 * crowd.c - many new tasks on a worker that is alone: few of them are alive at a time, and
 * none is forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <core/crowd.h>
#include <test.h>
#include <weft/weft.h>

enum { CROWD = 20 * CROWD_FEW, FEW_MORE = 3 * CROWD_FEW, BRANCHES = 10 };

static long ran, alive, most;
static weft_chan *chans[2];

static int run_once(void *arg)
{
	(void)arg;
	ran++;
	return 0;
}

static void spawn(int count)
{
	for (int i = 0; i < count; i++)
		CHECK_EQ(weft_go(run_once, NULL), 0);
}

static void spawn_crowd(void)
{
	spawn(CROWD);
}

/* A tree of so many levels; each task joins its children. */
static int branch(void *arg)
{
	weft_task *made[BRANCHES];
	long levels = (long)arg;

	ran++;
	for (int i = 0; levels > 1 && i < BRANCHES; i++) {
		CHECK_EQ(weft_spawn(&made[i], NULL, branch, (void *)(levels - 1)), 0);
		alive++;
	}
	most = alive > most ? alive : most;
	for (int i = 0; levels > 1 && i < BRANCHES; i++)
		CHECK_EQ(weft_join(made[i], WEFT_FOREVER, NULL), 0);
	alive--;
	return 0;
}

static int grow_tree(void *arg)
{
	CHECK_EQ(weft_go(branch, arg), 0);
	alive++;
	return 0;
}

/* Level by level ten thousand would be alive. */
TEST(crowd, tree_is_walked_depth_first)
{
	CHECK_EQ(weft_run(1, grow_tree, (void *)5, NULL), 0);
	CHECK_EQ(ran, 11111);
	CHECK_EQ(alive, 0);
	CHECK_LE(most, 2 * CROWD_FEW * BRANCHES);
	CHECK_GE(most, CROWD_FEW);
}

TEST(crowd, all_of_it_runs_before_who_yields)
{
	for (long round = 1; round <= 3; round++) {
		spawn_crowd();
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(ran, round * CROWD);
		CHECK(!weft__thread.worker->crowded);
	}
}

TEST(crowd, runs_while_main_waits)
{
	spawn_crowd();
	while (ran < CROWD)
		CHECK_EQ(weft_sleep(100000), 0);
}

/* Two that are always runnable, and never yield: the others have their turn all the same. */
static int ping(void *arg)
{
	long side = (long)arg;

	while (ran < FEW_MORE && weft_chan_recv(chans[side], NULL, WEFT_FOREVER) == 0)
		CHECK_GE(weft_chan_send(chans[!side], NULL, WEFT_FOREVER), -EPIPE);
	weft_chan_close(chans[0]);
	weft_chan_close(chans[1]);
	return 0;
}

TEST(crowd, none_starves)
{
	weft_task *made[2];

	for (long i = 0; i < 2; i++) {
		CHECK_EQ(weft_chan_new(&chans[i], 0, 1), 0);
		CHECK_EQ(weft_spawn(&made[i], NULL, ping, (void *)i), 0);
	}
	CHECK_EQ(weft_chan_send(chans[0], NULL, WEFT_FOREVER), 0);
	spawn(FEW_MORE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(weft_join(made[i], WEFT_FOREVER, NULL), 0);
	CHECK_EQ(ran, FEW_MORE);
	weft_chan_free(chans[0]);
	weft_chan_free(chans[1]);
}

static int spawn_all(void *arg)
{
	(void)arg;
	spawn_crowd();
	return 0;
}

/* An embedder must not be told to sleep while somebody is runnable. */
TEST(crowd, step_says_that_there_is_more)
{
	int64_t next_ns;

	CHECK_EQ(weft_go(spawn_all, NULL), 0);
	do {
		next_ns = weft_runtime_step();
		CHECK(next_ns == 0 || ran == CROWD);
	} while (next_ns == 0);
	CHECK_EQ(ran, CROWD);
}

TEST(crowd, stats_count_it)
{
	weft_stats_data stats;

	spawn_crowd();
	CHECK_EQ(weft_stats(&stats), 0);
	CHECK_EQ(stats.queued, CROWD);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_stats(&stats), 0);
	CHECK_EQ(stats.queued, 0);
}

/* The child has the caller alone, and counts anew. */
TEST(crowd, is_not_in_the_child_of_a_fork)
{
	int status = -1;
	pid_t child;

	spawn_crowd();
	child = fork();
	if (child == 0) {
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(ran, 0);
		spawn_crowd();
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(ran, CROWD);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(ran, CROWD);
}

/* The recorder has its own use for the budget that the crowd keeps at 1. */
TEST(crowd, may_be_traced)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/weft-crowd-%d.json", (int)getpid());
	spawn_crowd();
	CHECK_EQ(weft_trace_start(path, 0), 0);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(ran, CROWD);
	spawn_crowd();
	CHECK_EQ(weft_trace_stop(), 0);
	CHECK_EQ(weft_go(branch, (void *)4), 0);
	alive++;
	CHECK_EQ(weft_task_yield(), 0);
	while (ran < 2 * CROWD + 1111)
		CHECK_EQ(weft_sleep(100000), 0);
	CHECK_EQ(unlink(path), 0);
}
