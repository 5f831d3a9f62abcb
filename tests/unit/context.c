/* SPDX-License-Identifier: MIT
 *
 * context.c - tests of the bare switch: values, entry, what survives.
 */
#include <pthread.h>
#include <string.h>

#include <base/cpu.h>

#include "context_lab.h"

enum { STACK = 64 << 10 };

static struct fiber peer;

/* --- values -------------------------------------------------------------------- */

static void add_up(void *arg, void *value)
{
	uintptr_t sum = (uintptr_t)arg;

	landed();
	for (;;) {
		sum += (uintptr_t)value;
		value = hop(&peer, &home, (void *)sum);
	}
}

TEST(context, values_pass_both_ways)
{
	fiber_make(&peer, STACK, add_up, (void *)1000);
	CHECK_EQ(hop(&home, &peer, (void *)1), 1001);
	CHECK_EQ(hop(&home, &peer, (void *)10), 1011);
	CHECK_EQ(hop(&home, &peer, NULL), 1011);
	CHECK_EQ(hop(&home, &peer, (void *)-1000l), 11);
	CHECK_EQ(hop(&home, &peer, (void *)(UINT64_C(1) << 63)), (UINT64_C(1) << 63) + 11);
}

static void tell_self(void *ctx, void *value)
{
	landed();
	CHECK_EQ(value, 77);
	hop(&peer, &home, ctx);
}

TEST(context, made_at_is_told_who_it_is)
{
	fiber_init(&peer, STACK);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), tell_self);
	CHECK_EQ(hop(&home, &peer, (void *)77), &peer.ctx);
}

/* A new strand's shared stack belongs to another one until it is entered. */
TEST(context, making_at_writes_nothing_to_the_stack)
{
	fiber_init(&peer, STACK);
	memset((void *)peer.low, 0x5a, STACK);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), tell_self);
	for (size_t i = 0; i < STACK; i++)
		CHECK_EQ(((const char *)peer.low)[i], 0x5a);
}

TEST(context, switch_to_itself_returns_the_value)
{
	weft_context self;

	for (intptr_t i = 0; i < 100; i++)
		CHECK_EQ(weft_context_switch(&self, &self, (void *)i), i);
}

/* --- the first frame -------------------------------------------------------------- */

/* The psABIs: sp is a multiple of 16 at a call, and so is the end of what every one of them
 * begins a frame with, return address and frame pointer. */
static noinline void check_alignment(void)
{
	_Alignas(16) volatile char vector[16];

	CHECK_EQ(((uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *)) % 16, 0);
	CHECK_EQ((uintptr_t)vector % 16, 0);
#ifdef __x86_64__
	__asm__ volatile("movaps %%xmm0, %0" : "=m"(*(volatile char(*)[16])vector));
#endif
}

static void enter_aligned(void *arg, void *value)
{
	(void)arg;
	(void)value;
	landed();
	for (;;) {
		check_alignment();
		hop(&peer, &home, NULL);
	}
}

TEST(context, first_frame_is_aligned)
{
	fiber_init(&peer, STACK);
	for (int skew = 0; skew <= 64; skew++) {
		weft_context_make(&peer.ctx, (char *)peer.low + 7, STACK - 7 - (size_t)skew,
				  enter_aligned, NULL);
		hop(&home, &peer, NULL);
		hop(&home, &peer, NULL);
		weft__asan_forget(peer.low, STACK);
		weft__context_make_at(&peer.ctx, (char *)fiber_top(&peer) - skew, enter_aligned);
		hop(&home, &peer, NULL);
		hop(&home, &peer, NULL);
		weft__asan_forget(peer.low, STACK);
	}
}

/* Neither word of the caller's frame is on the new stack. */
static void stay_inside(void *arg, void *value)
{
	(void)arg;
	(void)value;
	landed();
	CHECK((char *)__builtin_frame_address(0) < (char *)fiber_top(&peer));
	CHECK((char *)__builtin_frame_address(0) >= (char *)peer.low);
	hop(&peer, &home, NULL);
}

TEST(context, first_frame_stays_below_the_top)
{
	fiber_init(&peer, 2 * STACK);
	memset((char *)peer.low + STACK, 0x5a, STACK);
	weft__context_make_at(&peer.ctx, (char *)peer.low + STACK, stay_inside);
	hop(&home, &peer, NULL);
	for (int i = 0; i < STACK; i++)
		CHECK_EQ(((const char *)peer.low)[STACK + i], 0x5a);
}

static void just_return(void *arg, void *value)
{
	(void)arg;
	(void)value;
	landed();
}

static void run_one_that_returns(void *made_at)
{
	fiber_make(&peer, STACK, just_return, NULL);
	if (made_at)
		weft__context_make_at(&peer.ctx, fiber_top(&peer), just_return);
	hop(&home, &peer, NULL);
}

TEST(context, returning_aborts_and_says_why)
{
	CHECK_DEATH(SIGABRT, "must end by switching away", run_one_that_returns, NULL);
	CHECK_DEATH(SIGABRT, "must end by switching away", run_one_that_returns, &peer);
}

/* --- what survives -------------------------------------------------------------------- */

/* More values than there are registers, of every class. */
static always_inline uint64_t live_values(struct fiber *self, struct fiber *other, uint64_t seed)
{
	volatile uint64_t source = seed;
	uint64_t a = source + 1, b = source * 3, c = source ^ 5, d = source - 7, e = source << 9,
		 f = source >> 3, g = ~source, h = source * source, i = source | 1, j = source + 99,
		 k = source * 7, l = source ^ (source << 5), m = source % 1000, n = source - 12345,
		 o = source * 31, p = source + (source >> 7);
	double da = (double)m, db = da * 1.5, dc = da + 0.25, dd = da - 8, de = da * da,
	       df = da / 3, dg = -da, dh = da * 1e10;
	float fa = (float)m, fb = fa * 0.5f, fc = fa + 100, fd = fa * fa;
	long double xa = (long double)m / 3, xb = xa * 7;
	uint64_t sum = 0;

	hop(self, other, NULL);
	sum += (a != source + 1) + (b != source * 3) + (c != (source ^ 5)) + (d != source - 7);
	sum += (e != source << 9) + (f != source >> 3) + (g != ~source) + (h != source * source);
	sum += (i != (source | 1)) + (j != source + 99) + (k != source * 7);
	sum += (l != (source ^ (source << 5))) + (m != source % 1000) + (n != source - 12345);
	sum += (o != source * 31) + (p != source + (source >> 7));
	da = (double)(source % 1000);
	sum += (db != da * 1.5) + (dc != da + 0.25) + (dd != da - 8) + (de != da * da);
	sum += (df != da / 3) + (dg != -da) + (dh != da * 1e10);
	fa = (float)(source % 1000);
	sum += (fb != fa * 0.5f) + (fc != fa + 100) + (fd != fa * fa);
	sum += (xa != (long double)(source % 1000) / 3) + (xb != xa * 7);
	return sum;
}

static void keep_many_values(void *arg, void *value)
{
	(void)value;
	landed();
	for (uint64_t i = 1;; i++)
		CHECK_EQ(live_values(&peer, &home, i * (uintptr_t)arg), 0);
}

/* The switch is inlined four times, into unlike surroundings. */
TEST(context, live_values_survive_wherever_it_is_inlined)
{
	uint64_t wrong = 0;

	fiber_make(&peer, STACK, keep_many_values, (void *)0x9e3779b9);
	for (uint64_t i = 1; i <= 1000; i++) {
		wrong += live_values(&home, &peer, i);
		if (i & 1)
			wrong += live_values(&home, &peer, i * 77);
		else
			wrong += live_values(&home, &peer, ~i) + live_values(&home, &peer, i << 40);
	}
	CHECK_EQ(wrong, 0);
}

typedef uint64_t vector __attribute__((vector_size(64)));

static noinline void check_vectors(struct fiber *self, struct fiber *other, uint64_t seed)
{
	volatile uint64_t source = seed;
	vector v[40];

	for (int i = 0; i < 40; i++)
		v[i] = (vector){ source, source + 1, source ^ 2, 3, 4, 5, source, (uint64_t)i };
	hop(self, other, NULL);
	for (int i = 0; i < 40; i++) {
		vector same = { source, source + 1, source ^ 2, 3, 4, 5, source, (uint64_t)i };
		vector differ = v[i] ^ same;

		for (int lane = 0; lane < 8; lane++)
			CHECK_EQ(differ[lane], 0);
	}
}

static void keep_vectors(void *arg, void *value)
{
	(void)arg;
	(void)value;
	landed();
	for (uint64_t i = 5;; i += 3)
		check_vectors(&peer, &home, i);
}

TEST(context, vectors_survive)
{
	fiber_make(&peer, STACK, keep_vectors, NULL);
	for (uint64_t i = 0; i < 100; i++)
		check_vectors(&home, &peer, i);
}

/* A leaf's locals lie below its stack pointer, where nothing may be pushed.
 * They fill the 128 bytes of x86-64 but for what the compiler needs itself. */
enum { RED_LOCALS = 15, RED_SUM = RED_LOCALS * (RED_LOCALS - 1) / 2 };

static noinline __attribute__((no_sanitize("undefined"))) long
sum_in_red_zone(weft_context *self, weft_context *other, long seed)
{
	volatile long local[RED_LOCALS];
	long sum = 0;

	for (int i = 0; i < RED_LOCALS; i++)
		local[i] = seed + i;
#if defined(__x86_64__) && WEFT_SWITCH_INLINE && defined(__OPTIMIZE__) && !WEFT_ASAN && \
	!WEFT_TSAN && !defined(__clang__)
	char *sp;

	__asm__ volatile("movq %%rsp, %0" : "=r"(sp));
	if ((char *)local >= sp)
		return -1; /* the test would test nothing */
#endif
	weft_context_switch(self, other, NULL);
	for (int i = 0; i < RED_LOCALS; i++)
		sum += local[i] - seed;
	return sum;
}

static void use_red_zone(void *arg, void *value)
{
	(void)arg;
	(void)value;
	for (long seed = 1;; seed++)
		CHECK_EQ(sum_in_red_zone(&peer.ctx, &home.ctx, seed), RED_SUM);
}

TEST(context, red_zone_survives)
{
	if (WEFT_ASAN || WEFT_TSAN)
		return; /* has none */
	fiber_make(&peer, STACK, use_red_zone, NULL);
	for (long seed = -1000; seed < 0; seed++)
		CHECK_EQ(sum_in_red_zone(&home.ctx, &peer.ctx, seed), RED_SUM);
}

/* --- many ----------------------------------------------------------------------------- */

enum { RING = 1000 };
static struct fiber ring[RING];

/* Counts the rounds of a token, and hands it on. */
static void pass_on(void *arg, void *value)
{
	uintptr_t me = (uintptr_t)arg;

	if (me == 0)
		landed();
	else
		landed_from_fiber();
	for (;;) {
		struct fiber *next = me + 1 < RING ? &ring[me + 1] : &home;

		value = hop(&ring[me], next, (void *)((uintptr_t)value + me));
	}
}

TEST(context, thousand_take_turns)
{
	uintptr_t token = 0;

	for (uintptr_t i = 0; i < RING; i++)
		fiber_make(&ring[i], 16 << 10, pass_on, (void *)i);
	for (int round = 1; round <= 100; round++) {
		token = (uintptr_t)hop(&home, &ring[0], (void *)token);
		CHECK_EQ(token, (uintptr_t)round * (RING * (RING - 1) / 2));
	}
}

/* Each level makes the next, and all are left on the way back. */
static struct fiber nest[200];

static void go_deeper(void *arg, void *value)
{
	intptr_t level = (intptr_t)arg;

	if (level == 0)
		landed();
	else
		landed_from_fiber();
	if (level + 1 < 200) {
		fiber_make(&nest[level + 1], 16 << 10, go_deeper, (void *)(level + 1));
		value = hop(&nest[level], &nest[level + 1], (void *)((uintptr_t)value + 1));
	}
	hop(&nest[level], level ? &nest[level - 1] : &home, (void *)((uintptr_t)value + 1));
	CHECK(!"continued after the end");
}

TEST(context, nest_deeply)
{
	fiber_make(&nest[0], 16 << 10, go_deeper, (void *)0);
	CHECK_EQ(hop(&home, &nest[0], NULL), 399);
}

/* --- threads --------------------------------------------------------------------------- */

static void *continue_elsewhere(void *arg)
{
	(void)arg;
	home.tsan = weft__tsan_self();
	home.low = NULL; /* learnt anew is only what landed() learns: use the raw switch */
	return weft_context_switch(&home.ctx, &peer.ctx, (void *)5);
}

static void count_up(void *arg, void *value)
{
	uintptr_t sum = (uintptr_t)arg;

	for (;;) {
		sum += (uintptr_t)value;
		value = weft_context_switch(&peer.ctx, &home.ctx, (void *)sum);
	}
}

TEST(context, another_thread_may_continue_it)
{
	pthread_t thread;
	void *sum;

	if (WEFT_ASAN || WEFT_TSAN)
		return; /* they would have to be told of the raw switch */
	fiber_make(&peer, STACK, count_up, (void *)100);
	CHECK_EQ(weft_context_switch(&home.ctx, &peer.ctx, (void *)1), 101);
	CHECK_EQ(pthread_create(&thread, NULL, continue_elsewhere, NULL), 0);
	CHECK_EQ(pthread_join(thread, &sum), 0);
	CHECK_EQ(sum, 106);
	CHECK_EQ(weft_context_switch(&home.ctx, &peer.ctx, (void *)1), 107);
}

/* --- divert and low ---------------------------------------------------------------------- */

static uintptr_t kept_local; /* its address; it lives as long as its frame is parked */

static void park_with_local(void *arg, void *value)
{
	volatile long local[16];

	(void)value;
	landed();
	for (int i = 0; i < 16; i++)
		local[i] = (long)(intptr_t)arg + i;
	kept_local = (uintptr_t)local;
	check_alignment();
	hop(&peer, &home, NULL);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(local[i], (intptr_t)arg + i);
	hop(&peer, &home, (void *)1);
}

static void look_at_local(void *arg, void *value)
{
	/* Arriving here is the end of the switch in park_with_local(). */
	weft__asan_arrive(NULL, NULL, NULL);
	check_alignment();
	CHECK_EQ(arg, 4711);
	CHECK_EQ(value, 12);
	CHECK((uintptr_t)stack_pointer() < kept_local);
	CHECK((uintptr_t)stack_pointer() > (uintptr_t)peer.low);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(((volatile long *)kept_local)[i], 500 + i);
	hop(&peer, &home, (void *)2);
}

TEST(context, diverted_runs_below_its_frames)
{
	fiber_make(&peer, STACK, park_with_local, (void *)500);
	hop(&home, &peer, NULL);
	weft__context_divert(&peer.ctx, look_at_local, (void *)4711);
	CHECK_EQ(hop(&home, &peer, (void *)12), 2);
}

static void be_the_substitute(void *arg, void *value)
{
	landed();
	CHECK_EQ(arg, 4711);
	CHECK_EQ(value, 12);
	hop(&peer, &home, (void *)3);
}

TEST(context, diverted_before_it_began)
{
	fiber_init(&peer, STACK);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), park_with_local);
	weft__context_divert(&peer.ctx, be_the_substitute, (void *)4711);
	CHECK_EQ(hop(&home, &peer, (void *)12), 3);
}

/* As shared stacks do: what lies from low up is all that needs to be kept. (The
 * parked function calls others, so it has no red zone.) */
TEST(context, from_low_up_is_all_that_must_be_kept)
{
	static char copy[STACK];
	char *low;
	size_t bytes;

	fiber_make(&peer, STACK, park_with_local, (void *)600);
	low = weft__context_low(&peer.ctx);
	CHECK(low <= (char *)fiber_top(&peer) && low > (char *)fiber_top(&peer) - 256);
	hop(&home, &peer, NULL);
	low = weft__context_low(&peer.ctx);
	CHECK((uintptr_t)low <= kept_local && low > (char *)peer.low);
	bytes = (size_t)((char *)fiber_top(&peer) - low);
	weft__asan_forget(peer.low, STACK);
	memcpy(copy, low, bytes);
	memset((void *)peer.low, 0xa5, STACK);
	memcpy(low, copy, bytes);
	CHECK_EQ(hop(&home, &peer, NULL), 1);
}

/* Bytes per parked task are the product: what inline and asm add is known. */
static void park_at_once(void *ctx, void *value)
{
	(void)ctx;
	(void)value;
	weft_context_switch(&peer.ctx, &home.ctx, NULL);
	CHECK(!"continued after the end");
}

TEST(context, parked_context_is_small)
{
	char *low;

	if (!WEFT_SWITCH_INLINE && !WEFT_SWITCH_ASM)
		return; /* their records are libc's */
	if (WEFT_ASAN || WEFT_TSAN)
		return; /* red zones */
	fiber_init(&peer, STACK);
	weft__context_make_at(&peer.ctx, fiber_top(&peer), park_at_once);
	CHECK_EQ(weft__context_low(&peer.ctx), fiber_top(&peer));
	weft_context_switch(&home.ctx, &peer.ctx, NULL);
	low = weft__context_low(&peer.ctx);
	CHECK_LE((char *)fiber_top(&peer) - low, 256);
}
