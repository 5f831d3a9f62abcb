/* SPDX-License-Identifier: MIT
 *
 * test.h - the frame of every test program.
 *
 *	TEST(chan, close_wakes_receivers)
 *	{
 *		CHECK_EQ(weft_chan_close(ch), 0);
 *	}
 *
 * A case registers itself. It runs in a process of its own, in a process
 * group of its own, which is killed when the case ends or its time is up: 20 s,
 * or what TEST_LIMIT says, times $WEFT_TEST_SLOW. Standard error passes through.
 *
 * A program answers to:  [--list] [--no-fork] [group[.name] prefixes ...]
 * ends with the line "N passed, N failed, N skipped", and exits with 0, with 1
 * when a case failed, or with 77 when all were skipped.
 *
 * The checks work on any stack that has 1 KiB left, in any thread, inside and
 * outside of tasks: they make system calls and nothing else. They end the
 * process. C and C++.
 */
#ifndef WEFT_TESTS_TEST_H
#define WEFT_TESTS_TEST_H

#include <stdint.h>
#include <signal.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct test_case {
	const char *group, *name;
	void (*run)(void);
	int limit_s;
	struct test_case *next;
};

enum { TEST_DEFAULT_LIMIT_S = 20 };

void test_register(struct test_case *test);
void test_fail(const char *file, int line, const char *text) __attribute__((noreturn));
void test_fail_values(const char *file, int line, const char *text, long long a, long long b)
	__attribute__((noreturn));
void test_fail_strings(const char *file, int line, const char *text, const char *a, const char *b)
	__attribute__((noreturn));
void test_skip(const char *reason) __attribute__((noreturn));
/** This case leaves tasks behind: what they hold is no leak. */
void test_leaves_tasks(void);
/** A line on standard error, for what a reader of the log may want to know. */
void test_note(const char *text);

#define TEST(group, name) TEST_LIMIT(group, name, TEST_DEFAULT_LIMIT_S)

/** A case that may take @seconds. */
#define TEST_LIMIT(group, name, seconds)                                                          \
	static void test_##group##_##name(void);                                                  \
	__attribute__((constructor)) static void test_register_##group##_##name(void)             \
	{                                                                                         \
		static struct test_case self = { #group, #name, test_##group##_##name, (seconds), \
						 NULL };                                          \
		test_register(&self);                                                             \
	}                                                                                         \
	static void test_##group##_##name(void)

/** Ends the case as failed unless @expr holds. */
#define CHECK(expr)                                           \
	do {                                                  \
		if (!(expr))                                  \
			test_fail(__FILE__, __LINE__, #expr); \
	} while (0)

/** Integers or pointers; prints both when they differ. Each is evaluated once. */
#define CHECK_EQ(a, b) TEST__COMPARE(a, ==, b)
#define CHECK_NE(a, b) TEST__COMPARE(a, !=, b)
#define CHECK_LT(a, b) TEST__COMPARE(a, <, b)
#define CHECK_LE(a, b) TEST__COMPARE(a, <=, b)
#define CHECK_GT(a, b) TEST__COMPARE(a, >, b)
#define CHECK_GE(a, b) TEST__COMPARE(a, >=, b)

#define TEST__COMPARE(a, op, b)                                                                    \
	do {                                                                                       \
		long long test__a = (long long)(intptr_t)(a), test__b = (long long)(intptr_t)(b);  \
		if (!(test__a op test__b))                                                         \
			test_fail_values(__FILE__, __LINE__, #a " " #op " " #b, test__a, test__b); \
	} while (0)

/** Equal strings. */
#define CHECK_STR(a, b)                                                                        \
	do {                                                                                   \
		const char *test__s = (a), *test__t = (b);                                     \
		if (!test_same_string(test__s, test__t))                                       \
			test_fail_strings(__FILE__, __LINE__, #a " is " #b, test__s, test__t); \
	} while (0)
int test_same_string(const char *a, const char *b);

/** The case cannot run here; @reason says what is missing. */
#define SKIP(reason) test_skip(reason)

/* --- deaths ---------------------------------------------------------------------- */

/** How a process ended, and the head of what it said on standard error. */
struct death {
	int signal; /* that killed it, or 0 */
	int code;   /* that it exited with, or -1 */
	char text[8192];
};

/**
 * run_to_death - run fn(arg) in a child process and wait for its end
 *
 * Returning from @fn exits with 0. Use it before the case touches a runtime: the
 * child is a fork of the caller.
 */
struct death run_to_death(void (*fn)(void *arg), void *arg);

/** fn(arg) dies by @sig and says @needle on standard error. */
#define CHECK_DEATH(sig, needle, fn, arg)                                            \
	do {                                                                         \
		struct death test__death = run_to_death((fn), (arg));                \
		test_check_death(__FILE__, __LINE__, &test__death, (sig), (needle)); \
	} while (0)
void test_check_death(const char *file, int line, const struct death *death, int sig,
		      const char *needle);

#ifdef __cplusplus
}
#endif

#endif
