/* SPDX-License-Identifier: MIT
 *
 * fp.c - tests of floating-point control words: kept when asked, else the thread's.
 */
#include <fenv.h>

#include "context_lab.h"

enum { STACK = 64 << 10 };

static struct fiber peer;

static volatile double one = 1.0, seven = 7.0;
static volatile long double long_one = 1.0L, long_seven = 7.0L;

/* Asks the arithmetic itself: SSE and x87 have a word each. A seventh is rounded
 * down to nearest in every format; the compiler's constant is to nearest. */
static int rounds_up(void)
{
	return one / seven > 1.0 / 7.0;
}

static int long_rounds_up(void)
{
	return long_one / long_seven > 1.0L / 7.0L;
}

TEST(fp, load_brings_back_what_was_saved)
{
	struct fp_control nearest, upward;

	CHECK(!rounds_up() && !long_rounds_up());
	weft__fp_save(&nearest);
	CHECK_EQ(fesetround(FE_UPWARD), 0);
	CHECK(rounds_up() && long_rounds_up());
	weft__fp_save(&upward);
	weft__fp_load(&nearest);
	CHECK_EQ(fegetround(), FE_TONEAREST);
	CHECK(!rounds_up() && !long_rounds_up());
	weft__fp_load(&upward);
	CHECK_EQ(fegetround(), FE_UPWARD);
	CHECK(rounds_up());
	CHECK(long_rounds_up());
	weft__fp_load(&upward);
	CHECK_EQ(fegetround(), FE_UPWARD);
}

TEST(fp, load_leaves_the_status_flags_alone)
{
	struct fp_control nearest, upward;

	weft__fp_save(&nearest);
	fesetround(FE_UPWARD);
	weft__fp_save(&upward);
	feclearexcept(FE_ALL_EXCEPT);
	feraiseexcept(FE_DIVBYZERO);
	weft__fp_load(&nearest);
	CHECK(fetestexcept(FE_DIVBYZERO));
	CHECK(!fetestexcept(FE_INVALID));
	feclearexcept(FE_ALL_EXCEPT);
	weft__fp_load(&upward);
	CHECK(!fetestexcept(FE_DIVBYZERO));
}

/* A flag raised while it was masked must not trap once another's mask is loaded. */
TEST(fp, flag_of_another_does_not_trap)
{
	struct fp_control masked, unmasked;

	weft__fp_save(&masked);
	if (feenableexcept(FE_DIVBYZERO) < 0)
		return; /* this CPU cannot trap */
	weft__fp_save(&unmasked);
	weft__fp_load(&masked);
	feraiseexcept(FE_DIVBYZERO);
#ifdef __x86_64__
	__asm__ volatile("fld1; fldz; fdivrp; fstp %%st(0)" ::: "st", "st(1)");
#endif
	weft__fp_load(&unmasked);
	CHECK(long_one + long_seven == 8.0L);
	CHECK(one + seven == 8.0);
	CHECK(fegetexcept() & FE_DIVBYZERO);
}

static void round_up(void *arg, void *value)
{
	(void)arg;
	(void)value;
	landed();
	fesetround(FE_UPWARD);
	hop(&peer, &home, NULL);
}

TEST(fp, control_words_are_the_threads_by_default)
{
	fiber_make(&peer, STACK, round_up, NULL);
	hop(&home, &peer, NULL);
	CHECK_EQ(fegetround(), FE_UPWARD);
	CHECK(rounds_up());
}

TEST(fp, swap_saves_and_loads)
{
	struct fp_control nearest, upward, found;

	weft__fp_save(&nearest);
	fesetround(FE_UPWARD);
	weft__fp_swap(&upward, &nearest);
	CHECK_EQ(fegetround(), FE_TONEAREST);
	CHECK(!rounds_up() && !long_rounds_up());
	weft__fp_swap(&found, &upward);
	CHECK_EQ(fegetround(), FE_UPWARD);
	CHECK(rounds_up() && long_rounds_up());
	CHECK_EQ(found.x87_cw, nearest.x87_cw);
}

/* WEFT_KEEP_FP: save before leaving, load after coming back. */
static void keep_round_up(void *arg, void *value)
{
	struct fp_control mine;

	(void)arg;
	(void)value;
	landed();
	fesetround(FE_UPWARD);
	for (;;) {
		weft__fp_save(&mine);
		hop(&peer, &home, NULL);
		weft__fp_load(&mine);
		CHECK_EQ(fegetround(), FE_UPWARD);
		CHECK(rounds_up());
	}
}

TEST(fp, two_contexts_keep_their_own)
{
	struct fp_control mine;

	CHECK(!rounds_up());
	weft__fp_save(&mine);
	fiber_make(&peer, STACK, keep_round_up, NULL);
	for (int i = 0; i < 1000; i++) {
		hop(&home, &peer, NULL);
		weft__fp_load(&mine);
		CHECK_EQ(fegetround(), FE_TONEAREST);
		CHECK(!rounds_up());
	}
}
