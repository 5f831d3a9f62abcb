/* SPDX-License-Identifier: MIT
 *
 * log.c - the library's own printf and its last words.
 */
#include <base/log.h>

#include <limits.h>
#include <string.h>

#include "test.h"

TEST(log, formats_every_conversion)
{
	char buf[256];
	size_t length;

	length = weft__format(buf, sizeof(buf), "%s %d %u %c %x %%|%ld %lu %lld %llu %zu", "ab", -5,
			      6u, 'c', 0xfeu, -7l, 8ul, -9ll, 10ull, (size_t)11);
	CHECK_STR(buf, "ab -5 6 c fe %|-7 8 -9 10 11");
	CHECK_EQ(length, strlen(buf));
}

TEST(log, formats_extremes)
{
	char buf[128];

	weft__format(buf, sizeof(buf), "%lld %llu %d", LLONG_MIN, ULLONG_MAX, INT_MIN);
	CHECK_STR(buf, "-9223372036854775808 18446744073709551615 -2147483648");
	weft__format(buf, sizeof(buf), "%p", (void *)0xdeadbeef);
	CHECK_STR(buf, "0xdeadbeef");
}

TEST(log, null_string_is_named)
{
	const char *volatile none = NULL;
	char buf[32];

	weft__format(buf, sizeof(buf), "<%s>", none);
	CHECK_STR(buf, "<(null)>");
}

TEST(log, cuts_what_does_not_fit)
{
	char buf[5] = "....";

	CHECK_EQ(weft__format(buf, 4, "%s", "abcdef"), 3);
	CHECK_STR(buf, "abc");
	CHECK_EQ(weft__format(buf, 1, "x"), 0);
	CHECK_STR(buf, "");
	memcpy(buf, "....", 5);
	CHECK_EQ(weft__format(buf, 0, "x"), 0);
	CHECK_STR(buf, "....");
}

static void warn_three_times(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 3; i++)
		weft__warn_once("number %d", i);
	weft__warn("second %s", "line");
}

TEST(log, warns_once)
{
	struct death death = run_to_death(warn_three_times, NULL);

	CHECK_EQ(death.code, 0);
	CHECK_STR(death.text, "weft: number 0\nweft: second line\n");
}

static void warn_at_length(void *arg)
{
	char text[2000];

	(void)arg;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	weft__warn("%s", text);
}

TEST(log, long_line_is_cut_and_still_ends)
{
	struct death death = run_to_death(warn_at_length, NULL);
	size_t length = strlen(death.text);

	CHECK_LT(length, 600);
	CHECK_GT(length, 400);
	CHECK_EQ(death.text[length - 1], '\n');
}

static void die(void *arg)
{
	weft__die("cannot go on: %s", (const char *)arg);
}

static void break_invariant(void *arg)
{
	invariant(arg != NULL);
}

TEST(log, last_words_come_before_the_abort)
{
	CHECK_DEATH(SIGABRT, "weft: cannot go on: memory", die, (void *)"memory");
	CHECK_DEATH(SIGABRT, "broken invariant: arg != NULL", break_invariant, NULL);
}
