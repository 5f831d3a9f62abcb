/* SPDX-License-Identifier: MIT
 *
 * m2.c - compat/m2: the lab's tests, written anew, and what misuse becomes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <base/compiler.h>
#include <base/fault.h>
#include <weft/coroutine.h>
#include <weft/time.h>

#include <co.h>

#include <test.h>

/* As co_wait(), and what became of errno. */
static int waited(struct co *co)
{
	errno = 0;
	co_wait(co);
	return errno;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void increment(void *arg)
{
	++*(int *)arg;
}

/* --- the lab's tests -------------------------------------------------------------------- */

static int turn;

struct letter {
	int turns, last;
};

static void says_letter(void *arg)
{
	struct letter *letter = arg;

	for (int i = 0; i < 100; i++) {
		CHECK_GT(turn + 1, letter->last); /* what a coroutine says only grows */
		letter->last = ++turn;
		letter->turns++;
		co_yield ();
	}
}

TEST(m2, two_say_0_to_199_between_them)
{
	struct letter x = { .last = -1 }, y = { .last = -1 };
	struct co *first = co_start("X", says_letter, &x), *second = co_start("Y", says_letter, &y);

	CHECK(first && second);
	CHECK_EQ(turn, 0); /* made, not run */
	CHECK_EQ(waited(first), 0);
	CHECK_EQ(waited(second), 0);
	CHECK_EQ(x.turns, 100);
	CHECK_EQ(y.turns, 100);
	CHECK_EQ(turn, 200);
}

/* A queue of 100 that is looked at and not waited for, as in the lab: who finds it full or
 * empty gives way. Values 200 .. 399, each taken exactly once. */
enum { ROOM = 100, FIRST = 200, LAST = 399 };

static int queue[ROOM], head, count, next_value = FIRST, producers_left = 2;
static int taken[LAST + 1];

static void produces(void *arg)
{
	(void)arg;
	while (next_value <= LAST) {
		if (count < ROOM)
			queue[(head + count++) % ROOM] = next_value++;
		co_yield ();
	}
	producers_left--;
}

static void consumes(void *arg)
{
	while (producers_left || count) {
		if (count) {
			taken[queue[head]]++;
			++*(int *)arg;
			head = (head + 1) % ROOM;
			count--;
		}
		co_yield ();
	}
}

TEST(m2, two_producers_and_two_consumers_pass_each_value_once)
{
	int eaten[2] = { 0 };
	struct co *all[] = { co_start("producer-1", produces, NULL),
			     co_start("producer-2", produces, NULL),
			     co_start("consumer-1", consumes, &eaten[0]),
			     co_start("consumer-2", consumes, &eaten[1]) };

	for (int i = 0; i < 4; i++)
		CHECK_EQ(waited(all[i]), 0);
	for (int value = FIRST; value <= LAST; value++)
		CHECK_EQ(taken[value], 1);
	CHECK_EQ(eaten[0] + eaten[1], LAST - FIRST + 1);
	CHECK_GT(eaten[0], 0); /* not once in 2^100 runs */
	CHECK_GT(eaten[1], 0);
}

enum { ALIVE = 128 };
static int alive, most_alive;

static void is_alive(void *arg)
{
	volatile char frame[40 * 1024]; /* of 64 KiB */
	int *mine = arg;

	frame[0] = frame[sizeof(frame) - 1] = (char)*mine;
	if (++alive > most_alive)
		most_alive = alive;
	while (most_alive < ALIVE)
		co_yield ();
	CHECK_EQ(frame[0], (char)*mine);
	CHECK_EQ(frame[sizeof(frame) - 1], (char)*mine);
	alive--;
	*mine = -1;
}

TEST(m2, a_hundred_and_twenty_eight_are_alive)
{
	struct co *all[ALIVE];
	int values[ALIVE];

	for (int i = 0; i < ALIVE; i++) {
		values[i] = i;
		all[i] = co_start(NULL, is_alive, &values[i]);
		CHECK(all[i]);
	}
	for (int i = 0; i < ALIVE; i++) {
		CHECK_EQ(waited(all[i]), 0);
		CHECK_EQ(values[i], -1);
	}
	CHECK_EQ(most_alive, ALIVE);
	CHECK_EQ(alive, 0);
}

static long resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = -1, ignored;

	CHECK(file && fscanf(file, "%ld %ld", &ignored, &pages) == 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static void rounds(int times)
{
	struct co *all[ALIVE];
	int ran = 0;

	for (int i = 0; i < times; i++) {
		int alive_now = 1 + i % ALIVE;

		ran = 0;
		for (int k = 0; k < alive_now; k++) {
			all[k] = co_start("short", increment, &ran);
			CHECK(all[k]);
		}
		for (int k = alive_now; k-- > 0;)
			co_wait(all[k]);
		CHECK_EQ(ran, alive_now);
	}
}

TEST(m2, many_come_and_go_in_bounded_memory)
{
	const bool plain = !WEFT_ASAN && !WEFT_TSAN;
	const int times = plain ? 2000 : 200; /* 129,000 coroutines; TSan's are dear */
	long before, grown;

	if (plain) {
		struct rlimit limit = { 128 << 20, 128 << 20 };

		CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	}
	rounds(2 * ALIVE);
	before = resident_bytes();
	rounds(times);
	grown = resident_bytes() - before;
	if (plain)
		CHECK_LT(grown, 512 * 1024);
}

static void says_nothing(void *arg)
{
	(void)arg;
	co_wait(co_start("a", nothing, NULL));
	for (int i = 0; i < 10; i++)
		co_yield ();
}

TEST(m2, nothing_is_said_by_the_library)
{
	struct death death = run_to_death(says_nothing, NULL);

	CHECK_EQ(death.code, 0);
	CHECK_STR(death.text, "");
}

/* --- who is picked ------------------------------------------------------------------------ */

static int order[64], order_count;

static void notes_turns(void *arg)
{
	for (int i = 0; i < 16; i++) {
		order[order_count++] = *(int *)arg;
		co_yield ();
	}
}

/* Four with sixteen turns each, in the order that this run has. */
static void four_in_turn(void)
{
	static int names[4] = { 0, 1, 2, 3 };
	struct co *all[4];

	for (int i = 0; i < 4; i++)
		all[i] = co_start("of four", notes_turns, &names[i]);
	for (int i = 0; i < 4; i++)
		co_wait(all[i]);
	CHECK_EQ(order_count, 64);
}

static void prints_order(void *arg)
{
	if (arg)
		setenv("WEFT_M2_SEED", arg, 1);
	else
		unsetenv("WEFT_M2_SEED");
	four_in_turn();
	for (int i = 0; i < 64; i++)
		fprintf(stderr, "%d", order[i]);
}

TEST(m2, a_seed_makes_runs_alike)
{
	char seven[] = "7", also_seven[] = "0x7", eight[] = "8";
	struct death first = run_to_death(prints_order, seven);
	struct death second = run_to_death(prints_order, also_seven);
	struct death other = run_to_death(prints_order, eight);

	CHECK_EQ(strlen(first.text), 64);
	CHECK_STR(first.text, second.text);
	CHECK(strcmp(first.text, other.text) != 0);
}

TEST(m2, without_a_seed_each_run_is_another_one)
{
	struct death first = run_to_death(prints_order, NULL);
	struct death second = run_to_death(prints_order, NULL);

	/* Alike once in some 4^50 runs. */
	CHECK_EQ(strlen(first.text), 64);
	CHECK(strcmp(first.text, second.text) != 0);
}

TEST(m2, a_seed_that_is_no_number_is_said)
{
	char words[] = "seven";
	struct death death = run_to_death(prints_order, words);

	CHECK(strstr(death.text, "WEFT_M2_SEED=seven is not a number"));
}

static void yields_forever(void *arg)
{
	for (;;) {
		++*(int *)arg;
		co_yield ();
	}
}

TEST(m2, anyone_may_be_picked_the_caller_too)
{
	enum { TURNS = 20000 };
	int turns[3] = { 0 }, mine = 0;

	setenv("WEFT_M2_SEED", "1", 1);
	for (int i = 0; i < 3; i++)
		co_start("one of three", yields_forever, &turns[i]);
	/* Main's turns are those in which it was picked. */
	while (mine + turns[0] + turns[1] + turns[2] < TURNS) {
		co_yield ();
		mine++;
	}
	CHECK_GT(mine, TURNS / 5); /* of a quarter */
	CHECK_LT(mine, TURNS / 3);
	for (int i = 0; i < 3; i++) {
		CHECK_GT(turns[i], TURNS / 5);
		CHECK_LT(turns[i], TURNS / 3);
	}
	/* They are left as they are: the return of main ends them. */
}

static int same_twice, picks;

static void counts_own_picks(void *arg)
{
	static int last = -1;

	for (int i = 0; i < 200; i++) {
		picks++;
		if (last == *(int *)arg)
			same_twice++;
		last = *(int *)arg;
		co_yield ();
	}
}

TEST(m2, the_caller_is_among_those_that_are_picked)
{
	int names[2] = { 0, 1 };
	struct co *first, *second;

	setenv("WEFT_M2_SEED", "1", 1);
	first = co_start("first", counts_own_picks, &names[0]);
	second = co_start("second", counts_own_picks, &names[1]);
	co_wait(first);
	co_wait(second);
	CHECK_EQ(picks, 400);
	CHECK_GT(same_twice, 50); /* strict alternation has none */
}

/* --- waiting -------------------------------------------------------------------------------- */

static void starts_and_waits(void *arg)
{
	int depth = *(int *)arg, deeper = depth - 1;

	if (depth > 0) {
		CHECK_EQ(waited(co_start("deeper", starts_and_waits, &deeper)), 0);
		CHECK_EQ(deeper, -100);
	}
	*(int *)arg = -100;
}

TEST(m2, coroutines_start_and_wait_for_others)
{
	int depth = 50;

	CHECK_EQ(waited(co_start("first", starts_and_waits, &depth)), 0);
	CHECK_EQ(depth, -100);
}

TEST(m2, the_target_may_be_over_already)
{
	int ran = 0;
	struct co *co = co_start("short", increment, &ran);

	while (!ran)
		co_yield ();
	CHECK_EQ(waited(co), 0);
	CHECK_EQ(ran, 1);
}

TEST(m2, main_yields_alone)
{
	for (int i = 0; i < 100; i++)
		co_yield ();
	CHECK_EQ(waited(co_start("one", nothing, NULL)), 0);
	co_yield ();
}

static void waits_for_the_argument(void *arg)
{
	co_wait(arg);
}

static struct co *shared_target;
static int errors_seen;

static void also_waits(void *arg)
{
	(void)arg;
	if (waited(shared_target) == EBUSY)
		errors_seen++;
}

TEST(m2, one_waiter_each)
{
	int turns = 0;
	struct co *first, *second;

	shared_target = co_start("target", yields_forever, &turns);
	first = co_start("first", waits_for_the_argument, shared_target);
	while (turns < 100) /* it waits by now, all but surely */
		co_yield ();
	second = co_start("second", also_waits, NULL);
	CHECK_EQ(waited(second), 0);
	CHECK_EQ(errors_seen, 1);
	(void)first;
}

TEST(m2, twice_is_an_error)
{
	int ran = 0;
	struct co *co = co_start("once", increment, &ran);

	CHECK_EQ(waited(co), 0);
	CHECK_EQ(waited(co), ESRCH);
	for (int i = 0; i < 10000; i++) { /* whatever has its memory by now */
		struct co *other = co_start("other", increment, &ran);

		CHECK_NE(other, co);
		CHECK_EQ(waited(co), ESRCH);
		CHECK_EQ(waited(other), 0);
	}
	CHECK_EQ(ran, 10001);
}

TEST(m2, what_is_not_there_is_an_error)
{
	int on_stack;

	errno = 0;
	CHECK(!co_start("none", NULL, NULL));
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(waited(NULL), EINVAL);
	CHECK_EQ(waited((struct co *)(void *)&on_stack), ESRCH);
	CHECK_EQ(waited((struct co *)(uintptr_t)-1), ESRCH);
}

static struct co *circle[2];

static void waits_for_itself(void *arg)
{
	(void)arg;
	CHECK_EQ(waited(circle[0]), EDEADLK);
}

TEST(m2, waiting_for_oneself_is_an_error)
{
	circle[0] = co_start("self", waits_for_itself, NULL);
	CHECK_EQ(waited(circle[0]), 0);
}

static int refused;

static void waits_in_a_circle(void *arg)
{
	if (waited(*(struct co **)arg) == EDEADLK)
		refused++;
}

static void closes_a_circle(void *arg)
{
	(void)arg;
	circle[0] = co_start("hen", waits_in_a_circle, &circle[1]);
	circle[1] = co_start("egg", waits_in_a_circle, &circle[0]);
	while (!refused)
		co_yield ();
	/* One was refused and is over; the other waited for it, and has freed it. */
	CHECK_EQ(refused, 1);
	for (int i = 0; i < 100; i++)
		co_yield ();
	errors_seen = (waited(circle[0]) == 0) + (waited(circle[1]) == 0);
	CHECK_EQ(errors_seen, 1);
}

TEST(m2, a_circle_is_named_and_refused)
{
	struct death death = run_to_death(closes_a_circle, NULL);

	CHECK_EQ(death.code, 0);
	CHECK(strstr(death.text, "nobody could go on"));
	CHECK(strstr(death.text, "\"hen\" waits for \"egg\"") ||
	      strstr(death.text, "\"egg\" waits for \"hen\""));
}

/* --- where it is called ---------------------------------------------------------------------- */

static void *native(void *arg, void *value)
{
	(void)arg;
	(void)value;
	errno = 0;
	co_yield (); /* it would take this one along */
	CHECK_EQ(errno, EPERM);
	errno = 0;
	CHECK(!co_start("none", nothing, NULL));
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(waited(NULL), EPERM);
	weft_yield(NULL);
	return NULL;
}

static void resumes_a_native_one(void *arg)
{
	weft_coroutine *inner;

	(void)arg;
	CHECK_EQ(weft_coroutine_new(&inner, native, NULL, NULL), 0);
	CHECK_EQ(weft_resume(inner, NULL, NULL), 1);
	for (int i = 0; i < 10; i++)
		co_yield ();
	CHECK_EQ(weft_resume(inner, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_free(inner), 0);
}

TEST(m2, native_coroutines_stay_apart)
{
	struct co *first = co_start("first", resumes_a_native_one, NULL);
	struct co *second = co_start("second", resumes_a_native_one, NULL);

	CHECK_EQ(waited(first), 0);
	CHECK_EQ(waited(second), 0);
}

static void *whole_program(void *arg, void *value)
{
	(void)arg;
	(void)value;
	rounds(10);
	weft_yield(NULL);
	rounds(10);
	return NULL;
}

TEST(m2, main_may_be_a_native_coroutine)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, whole_program, NULL, NULL), 0);
	CHECK_EQ(weft_resume(co, NULL, NULL), 1);
	rounds(10); /* nobody is alive, so it is we who are main now */
	CHECK_EQ(weft_resume(co, NULL, NULL), 0);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

static void sleeps(void *arg)
{
	CHECK_EQ(weft_sleep(1000000), 0);
	++*(int *)arg;
}

/* The first sleep makes a task of the thread, on the stack of a coroutine. */
TEST(m2, coroutines_may_wait_in_a_task)
{
	int slept = 0;
	struct co *first = co_start("first", sleeps, &slept);
	struct co *second = co_start("second", sleeps, &slept);

	CHECK_EQ(waited(first), 0);
	CHECK_EQ(waited(second), 0);
	CHECK_EQ(slept, 2);
}

static void *of_its_own(void *arg)
{
	CHECK_EQ(waited(arg), ESRCH); /* another thread's */
	rounds(10);
	return NULL;
}

TEST(m2, threads_have_their_own)
{
	pthread_t thread;
	int ran = 0;
	struct co *co = co_start("main's", increment, &ran);

	CHECK_EQ(pthread_create(&thread, NULL, of_its_own, co), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(ran, 0);
	CHECK_EQ(waited(co), 0);
	CHECK_EQ(ran, 1);
}

/* --- without memory --------------------------------------------------------------------------- */

static bool whole_life(void)
{
	struct co *all[20];
	int started = 0, ran = 0;

	for (int i = 0; i < 20; i++) { /* the tables grow */
		errno = 0;
		all[i] = co_start("maybe", increment, &ran);
		if (all[i])
			started++;
		else
			CHECK_EQ(errno, ENOMEM);
	}
	for (int i = 0; i < 20; i++)
		if (all[i])
			CHECK_EQ(waited(all[i]), 0);
	CHECK_EQ(ran, started);
	return started == 20;
}

TEST(m2, no_memory_is_an_error_and_nothing_is_lost)
{
	unsigned n = 1;

	for (;; n++) {
		weft__fault_fail(n);
		bool well = whole_life();
		bool fired = weft__fault_fired();

		weft__fault_fail(0);
		if (!fired) {
			CHECK(well);
			break;
		}
	}
	CHECK_GT(n, 20);
}
