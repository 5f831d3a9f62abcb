/* SPDX-License-Identifier: MIT
 *
 * context_signals.c - signals that come in the middle of a switch: nothing is
 * lost, and a handler that walks the stack finds its end.
 */
#include <errno.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "context_lab.h"

#if WEFT_SWITCH_INLINE || WEFT_SWITCH_ASM
#define OWN_SWITCH 1 /* ours to the last instruction, its CFI included */
enum { SWITCHES = 10 * 1000 * 1000 };
#elif WEFT_SWITCH_SJLJ
#define OWN_SWITCH 0
enum { SWITCHES = 1000 * 1000 };
#else
#define OWN_SWITCH 0
enum { SWITCHES = 200 * 1000 };
#endif

enum { STACK = 64 << 10, DEPTH = 64 };

static struct fiber peers[2];
static volatile sig_atomic_t signals, walks, torn;
static void *outermost; /* where a walk from the case itself ends */

/* --- a walk that must end where an execution began ------------------------------- */

static int is_within(const void *pc, const void *start)
{
	return (uintptr_t)pc - (uintptr_t)start + 1 < 32;
}

static int is_first_frame(const void *pc)
{
	return OWN_SWITCH &&
	       (is_within(pc, weft__context_entry) || is_within(pc, weft__context_entry_arg) ||
		is_within(pc, weft__context_entry_run));
}

static void *interrupted_pc(void *context)
{
	ucontext_t *uc = context;

#if defined(__x86_64__)
	return (void *)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__riscv)
	return (void *)uc->uc_mcontext.__gregs[REG_PC];
#else
	return (void *)uc->uc_mcontext.pc;
#endif
}

static void walk(void *context)
{
	void *frames[DEPTH];
	int depth = backtrace(frames, DEPTH);
	void *last;

	CHECK(depth > 1 && depth < DEPTH);
	last = frames[depth - 1];
	walks++;
	if (last == outermost || is_first_frame(last))
		return;
	/* Two or three instructions belong to no stack: the walk ends at once. */
	CHECK_EQ(last, interrupted_pc(context));
	torn++;
}

static void learn_outermost(void)
{
	void *frames[DEPTH];
	int depth = backtrace(frames, DEPTH); /* also loads the unwinder */

	CHECK(depth > 1 && depth < DEPTH);
	outermost = frames[depth - 1];
}

static void handle(int sig, void (*fn)(int sig, siginfo_t *info, void *context))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = fn;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	CHECK_EQ(sigaction(sig, &action, NULL), 0);
}

/* --- by the clock ------------------------------------------------------------------ */

static void on_tick(int sig, siginfo_t *info, void *context)
{
	volatile char litter[512];

	(void)sig;
	(void)info;
	for (size_t i = 0; i < sizeof(litter); i++)
		litter[i] = (char)0xee;
	signals++;
	if (OWN_SWITCH && signals % 8 == 0)
		walk(context);
}

static timer_t start_ticking(long period_ns)
{
	struct itimerspec period = { { 0, period_ns }, { 0, period_ns } };
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGPROF;
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &period, NULL), 0);
	return timer;
}

static uint64_t next_random(uint64_t x)
{
	x ^= x << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
	x ^= x >> 7;
	return x ^ x << 17;
}

/* One turn: what lives in registers before is compared with memory after. */
static always_inline uint64_t turn(weft_context *self, weft_context *other, uint64_t x)
{
	volatile uint64_t copy = x;
	uint64_t a = x * 3, b = ~x, c = x >> 5, d = x ^ 0xff;
	double e = (double)(x >> 12), f = e * 0.5;

	CHECK_EQ(weft_context_switch(self, other, (void *)(uintptr_t)x), x + 1);
	x = copy;
	CHECK_EQ(a, x * 3);
	CHECK_EQ(b, ~x);
	CHECK_EQ(c, x >> 5);
	CHECK_EQ(d, x ^ 0xff);
	CHECK(e == (double)(x >> 12) && f == e * 0.5);
	return next_random(x);
}

/* Two peers, each answered by home with what it said plus one. */
static void chatter(void *arg, void *value)
{
	struct fiber *me = &peers[(uintptr_t)arg];
	uint64_t x = 88172645463325252u + (uintptr_t)arg;

	(void)value;
	for (;;)
		x = turn(&me->ctx, &home.ctx, x);
}

TEST_LIMIT(context_signals, ten_million_switches_under_a_profiling_timer, 120)
{
	void *said[2];
	timer_t timer;
	long done = 0;

	learn_outermost();
	handle(SIGPROF, on_tick);
	for (uintptr_t i = 0; i < 2; i++) {
		fiber_make(&peers[i], STACK, chatter, (void *)i);
		said[i] = weft_context_switch(&home.ctx, &peers[i].ctx, NULL);
	}
	timer = start_ticking(100 * 1000);
	/* A machine that is very fast goes on until enough signals came. */
	while (done < SWITCHES || signals < 50) {
		for (int i = 0; i < 1000; i += 4) {
			said[0] =
				weft_context_switch(&home.ctx, &peers[0].ctx, (char *)said[0] + 1);
			said[1] =
				weft_context_switch(&home.ctx, &peers[1].ctx, (char *)said[1] + 1);
		}
		done += 1000;
		CHECK(done < 100l * SWITCHES);
	}
	CHECK_EQ(timer_delete(timer), 0);
	CHECK(!OWN_SWITCH || walks > 0);
}

/* --- by the trap flag: every instruction of it ------------------------------------------ */

#if defined(__x86_64__) && OWN_SWITCH

/* context_x86_64.S */
void step_on(void);
void step_off(void);

static void on_step(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	signals++;
	walk(context);
}

static void bounce(void *ctx, void *value)
{
	(void)ctx;
	for (;;)
		value = weft_context_switch(&peers[0].ctx, &home.ctx, value);
}

TEST(context_signals, stack_can_be_walked_at_every_instruction)
{
	enum { ROUNDS = 5, TORN_AT_MOST = 3 };

	learn_outermost();
	handle(SIGTRAP, on_step);
	fiber_init(&peers[0], STACK);
	fiber_init(&peers[1], STACK);
	weft__context_make_at(&peers[0].ctx, fiber_top(&peers[0]), bounce);
	step_on();
	for (intptr_t i = 0; i < ROUNDS; i++)
		CHECK_EQ(weft_context_switch(&home.ctx, &peers[0].ctx, (void *)i), i);
	weft_context_make(&peers[0].ctx, (void *)peers[1].low, STACK, bounce, NULL);
	CHECK_EQ(weft_context_switch(&home.ctx, &peers[0].ctx, (void *)9), 9);
	step_off();
	CHECK_GT(signals, 20 * (ROUNDS + 1));
	CHECK_LE(torn, TORN_AT_MOST * 2 * (ROUNDS + 1));
}

#endif
