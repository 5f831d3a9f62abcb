/* SPDX-License-Identifier: MIT
 *
 * runner_cases.c - cases of every outcome, for runner.sh to judge the runner.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

TEST(good, passes)
{
	CHECK(1);
	CHECK_EQ(2, 2);
	CHECK_STR("a", "a");
}

TEST(bad, check)
{
	CHECK(1 == 2);
}

TEST(bad, values)
{
	int64_t six = 6;

	CHECK_EQ(six, -7);
}

TEST(bad, strings)
{
	CHECK_STR("left", "right");
}

TEST(bad, crash)
{
	raise(SIGSEGV);
}

TEST(bad, exit)
{
	exit(3);
}

TEST_LIMIT(bad, hang, 1)
{
	for (;;)
		pause();
}

/* The grandchild holds standard error open; were it left alive, the reader of our
 * output would wait for it. */
TEST(good, stray_children_are_ended)
{
	if (fork() == 0)
		for (;;)
			pause();
}

static void shout_and_abort(void *arg)
{
	fprintf(stderr, "no %s left\n", (const char *)arg);
	abort();
}

TEST(good, death)
{
	CHECK_DEATH(SIGABRT, "no memory left", shout_and_abort, (void *)"memory");
}

TEST(bad, death_of_another_kind)
{
	CHECK_DEATH(SIGSEGV, "", shout_and_abort, (void *)"memory");
}

TEST(bad, death_with_other_words)
{
	CHECK_DEATH(SIGABRT, "no disk left", shout_and_abort, (void *)"memory");
}

TEST(other, skipped)
{
	SKIP("it is Sunday");
}
