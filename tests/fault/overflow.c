/* SPDX-License-Identifier: MIT
 *
 * overflow.c - a stack that is used up: said in words, then died of as ever.
 * Rows 1 and 2 of the fault table.
 *
 * Built without -fstack-clash-protection: a frame can jump over a guard.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <core/task.h>
#include <stack/overflow.h>
#include <stack/shared.h>
#include <weft/weft.h>

#include "../test.h"

/* Faults are meant to kill here, not to be explained by a sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0";
}

/* Uses up any stack; the result depends on every frame, so there is no loop to make of it. */
static volatile int deepest = INT32_MAX;

static noinline int recurse(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return depth < deepest ? recurse(depth + 1) + frame[0] : 0;
}

static int overflowing_task(void *arg)
{
	(void)arg;
	return recurse(0);
}

static void spawn_and_join(const weft_attr *attr, weft_fn *fn, void *arg)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, attr, fn, arg), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, NULL), 0);
}

static void overflow_in_task(void *arg)
{
	weft_attr attr = { .name = "parser" };

	(void)arg;
	spawn_and_join(&attr, overflowing_task, NULL);
}

/* --- row 1: the report ------------------------------------------------------------- */

TEST(overflow, names_task_site_size_and_remedy)
{
	struct death death = run_to_death(overflow_in_task, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "weft: stack overflow in task ") != NULL);
	CHECK(strstr(death.text, "\"parser\" (spawned at ") != NULL);
	CHECK(strstr(death.text, "overflow.c:") != NULL);
	CHECK(strstr(death.text, "weft_attr.stack_bytes or WEFT_STACK=512K") != NULL);
	CHECK(strstr(death.text, " 262144 bytes of stack are used up") != NULL);
	/* Once: the signal that kills is not reported again. */
	CHECK(strstr(strstr(death.text, "stack overflow") + 1, "stack overflow") == NULL);
}

TEST(overflow, with_mprotect_guards)
{
	setenv("WEFT_GUARD", "mprotect", 1);
	CHECK_DEATH(SIGSEGV, "stack overflow in task", overflow_in_task, NULL);
}

static void overflow_in_large_task(void *arg)
{
	weft_attr attr = { .stack_bytes = 3 << 20 };

	(void)arg;
	spawn_and_join(&attr, overflowing_task, NULL);
}

TEST(overflow, suggests_twice_the_size_that_was_too_small)
{
	CHECK_DEATH(SIGSEGV, "WEFT_STACK=8M", overflow_in_large_task, NULL);
}

static void overflow_in_shared_task(void *arg)
{
	weft_attr attr = { .name = "turns" };

	(void)arg;
	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 64 << 10), 0);
	spawn_and_join(&attr, overflowing_task, NULL);
}

TEST(overflow, on_a_shared_stack_names_its_occupant)
{
	struct death death = run_to_death(overflow_in_shared_task, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "\"turns\" (spawned at ") != NULL);
	CHECK(strstr(death.text, "bytes of shared stack are used up") != NULL);
	CHECK(strstr(death.text, "weft_stack_group_new() more (128K)") != NULL);
}

static void *overflowing_coroutine(void *arg, void *value)
{
	(void)arg;
	(void)value;
	return (void *)(intptr_t)recurse(0);
}

static int resume_one(void *arg)
{
	weft_attr attr = { .name = "lexer", .stack_bytes = 32 << 10 };
	weft_coroutine *co;

	(void)arg;
	CHECK_EQ(weft_coroutine_new(&co, overflowing_coroutine, NULL, &attr), 0);
	return weft_resume(co, NULL, NULL);
}

static void overflow_in_coroutine(void *arg)
{
	resume_one(arg);
}

static void overflow_in_coroutine_in_task(void *arg)
{
	weft_attr attr = { .name = "server" };

	spawn_and_join(&attr, resume_one, arg);
}

TEST(overflow, of_a_coroutine_names_it)
{
	CHECK_DEATH(SIGSEGV, "stack overflow in coroutine \"lexer\"", overflow_in_coroutine, NULL);
	CHECK_DEATH(SIGSEGV, "stack overflow in coroutine \"lexer\" of task ",
		    overflow_in_coroutine_in_task, NULL);
}

static weft_context home, context;

static void context_body(void *arg, void *value)
{
	(void)arg;
	(void)value;
	recurse(0);
}

static void overflow_in_context(void *arg)
{
	struct stack_slot slot;

	(void)arg;
	CHECK_EQ(weft__stack_take(0, &slot), 0);
	weft_context_make(&context, slot.low, (size_t)(slot.top - slot.low), context_body, NULL);
	weft_context_switch(&home, &context, NULL);
}

TEST(overflow, of_a_context_that_nobody_knows_is_said_too)
{
	CHECK_DEATH(SIGSEGV, "stack overflow in the context on stack 0x", overflow_in_context,
		    NULL);
}

static void *run_in_thread(void *arg)
{
	overflow_in_task(arg);
	return NULL;
}

static void overflow_in_second_thread(void *arg)
{
	pthread_t thread;

	spawn_and_join(NULL, (weft_fn *)(void (*)(void))getpid, NULL);
	CHECK_EQ(pthread_create(&thread, NULL, run_in_thread, arg), 0);
	pthread_join(thread, NULL);
}

TEST(overflow, in_any_thread)
{
	CHECK_DEATH(SIGSEGV, "\"parser\" (spawned at ", overflow_in_second_thread, NULL);
}

/* --- what is no overflow -------------------------------------------------------------- */

static int *volatile nowhere = (int *)4096; /* UBSan would explain NULL */

static int wild_task(void *arg)
{
	(void)arg;
	return *nowhere;
}

static void fault_in_task(void *arg)
{
	(void)arg;
	spawn_and_join(NULL, wild_task, NULL);
}

static int poke_guard(void *arg)
{
	*(volatile char *)arg = 1;
	return 0;
}

/* A task whose own stack is in order writes into the guard of another one. */
static void wild_pointer_to_a_guard(void *arg)
{
	struct stack_slot slot;

	(void)arg;
	CHECK_EQ(weft__stack_take((unsigned)weft__stack_class(0), &slot), 0);
	spawn_and_join(NULL, poke_guard, slot.low - 1);
}

TEST(overflow, other_faults_are_not_called_overflows)
{
	struct death death = run_to_death(fault_in_task, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "stack overflow in") == NULL);
	death = run_to_death(wild_pointer_to_a_guard, NULL);
	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "stack overflow in") == NULL);
}

static void raise_segv(void *arg)
{
	spawn_and_join(NULL, (weft_fn *)(void (*)(void))getpid, NULL);
	raise((int)(intptr_t)arg);
}

TEST(overflow, a_signal_that_was_sent_kills_as_ever)
{
	CHECK_DEATH(SIGSEGV, "", raise_segv, (void *)(intptr_t)SIGSEGV);
	CHECK_DEATH(SIGBUS, "", raise_segv, (void *)(intptr_t)SIGBUS);
}

/* --- earlier handlers ------------------------------------------------------------------ */

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(99);
}

static void exit_with_info(int sig, siginfo_t *info, void *ucontext)
{
	enum stack_hit hit = weft__stack_find(info->si_addr, NULL);

	say("earlier handler\n");
	_exit(sig == SIGSEGV && hit == STACK_HIT_GUARD && ucontext ? 42 : 1);
}

static void exit_plainly(int sig)
{
	say("earlier handler\n");
	_exit(sig == SIGSEGV ? 43 : 1);
}

static void return_once(int sig)
{
	(void)sig;
	say("earlier handler\n");
}

static void install(void (*plain)(int), void (*with_info)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = { .sa_flags = flags };

	if (with_info)
		act.sa_sigaction = with_info;
	else
		act.sa_handler = plain;
	CHECK_EQ(sigaction(SIGSEGV, &act, NULL), 0);
}

static void with_info_handler(void *arg)
{
	install(NULL, exit_with_info, SA_SIGINFO);
	overflow_in_task(arg);
}

static void with_plain_handler(void *arg)
{
	install(exit_plainly, NULL, 0);
	overflow_in_task(arg);
}

static void with_one_shot_handler(void *arg)
{
	install(return_once, NULL, (int)SA_RESETHAND);
	overflow_in_task(arg);
}

static void with_ignored_signal(void *arg)
{
	install(SIG_IGN, NULL, 0);
	overflow_in_task(arg);
}

TEST(overflow, an_earlier_handler_is_called_after_the_report)
{
	struct death death = run_to_death(with_info_handler, NULL);

	CHECK_EQ(death.code, 42);
	CHECK(strstr(death.text, "\"parser\"") != NULL);
	CHECK(strstr(strstr(death.text, "\"parser\""), "earlier handler") != NULL);
	death = run_to_death(with_plain_handler, NULL);
	CHECK_EQ(death.code, 43);
	CHECK(strstr(death.text, "\"parser\"") != NULL);
}

TEST(overflow, a_one_shot_handler_is_called_once_and_then_the_process_dies)
{
	struct death death = run_to_death(with_one_shot_handler, NULL);

	CHECK_EQ(death.signal, SIGSEGV);
	CHECK(strstr(death.text, "earlier handler") != NULL);
	CHECK(strstr(strstr(death.text, "earlier handler") + 1, "earlier handler") == NULL);
}

TEST(overflow, a_fault_cannot_be_ignored)
{
	CHECK_DEATH(SIGSEGV, "\"parser\"", with_ignored_signal, NULL);
}

#if !WEFT_ASAN /* its siglongjmp() looks for the wrong stack */
static sigjmp_buf rescue;

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(rescue, 1);
}

static int rescued_task(void *arg)
{
	(void)arg;
	if (!sigsetjmp(rescue, 1))
		recurse(0);
	return 7;
}

/* The handler that was there first recovers: as without weft, life goes on. */
TEST(overflow, a_handler_that_recovers_can)
{
	weft_attr attr = { .name = "rescued" };

	install(jump_out, NULL, 0);
	for (int i = 0; i < 3; i++) {
		weft_task *task;
		int result;

		CHECK_EQ(weft_spawn(&task, &attr, rescued_task, NULL), 0);
		CHECK_EQ(weft_join(task, WEFT_FOREVER, &result), 0);
		CHECK_EQ(result, 7);
	}
}
#endif

/* --- signal stacks ----------------------------------------------------------------------- */

#if !WEFT_ASAN /* it has made a signal stack of its own */
TEST(overflow, a_thread_gets_a_signal_stack_with_its_first_stack)
{
	struct stack_slot slot;
	stack_t now;

	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_flags & SS_DISABLE);
	CHECK_EQ(weft__stack_take(0, &slot), 0);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(!(now.ss_flags & SS_DISABLE));
	weft__stack_give(&slot);
	weft__stack_cache_drop();
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_flags & SS_DISABLE);
}
#endif

TEST(overflow, a_signal_stack_that_is_there_stays)
{
	static char mine[64 << 10];
	stack_t ours = { .ss_sp = mine, .ss_size = sizeof(mine) }, now;
	struct stack_slot slot;

	CHECK_EQ(sigaltstack(&ours, NULL), 0);
	CHECK_EQ(weft__stack_take(0, &slot), 0);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK_EQ(now.ss_sp, mine);
	weft__stack_cache_drop();
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK_EQ(now.ss_sp, mine);
}

/* --- row 2: over the guard ------------------------------------------------------------------ */

#if !WEFT_ASAN /* it aborts on such an alloca itself */
/* Moves the stack pointer out of its stack, writes next to nothing, and parks. */
static noinline int jump_over_the_guard(size_t bytes)
{
	volatile char *frame = __builtin_alloca(bytes);

	frame[0] = 1;
	return weft_task_yield() + frame[0];
}

static int jumping_task(void *arg)
{
	/* Far enough to be past the guard, and on the stack of a neighbour. */
	return jump_over_the_guard((size_t)arg);
}

static int waiting_task(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		weft_task_yield();
	return 0;
}

static void jump(void *arg)
{
	weft_attr attr = { .name = "jumper" };

	for (int i = 0; i < 8; i++)
		CHECK_EQ(weft_go(waiting_task, NULL), 0);
	spawn_and_join(&attr, jumping_task, arg);
}

TEST(overflow, that_jumps_the_guard_is_found_when_the_task_parks)
{
	struct death death;

	death = run_to_death(jump, (void *)(size_t)(400 << 10));
	CHECK_EQ(death.signal, SIGABRT);
	CHECK(strstr(death.text, "stack overflow in task ") != NULL);
	CHECK(strstr(death.text, "\"jumper\" (spawned at ") != NULL);
	CHECK(strstr(death.text, "memory below them was overwritten") != NULL);
}

/* Here there is no neighbour, and the first byte is the lowest. */
static int filling_task(void *bytes)
{
	volatile char *frame = __builtin_alloca((size_t)bytes);

	memset((char *)(uintptr_t)frame, 1, (size_t)bytes);
	return frame[0];
}

static void fill(void *arg)
{
	weft_attr attr = { .name = "filler" };

	spawn_and_join(&attr, filling_task, arg);
}

TEST(overflow, of_a_frame_larger_than_stack_and_guard_is_told_by_where_it_faults)
{
	static const size_t sizes[] = { 400 << 10, 1 << 20, 40 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct death death = run_to_death(fill, (void *)sizes[i]);

		CHECK_EQ(death.signal, SIGSEGV);
		CHECK(strstr(death.text, "stack overflow in task ") != NULL);
		CHECK(strstr(death.text, "\"filler\" (spawned at ") != NULL);
	}
}
#endif

/* It comes back before it parks: nothing is to be seen but the canary. */
static int dipping_task(void *arg)
{
	const struct task *self = weft__thread.task;

	(void)arg;
	memset(self->strand.low - 64, 0x11, 64);
	weft_sleep(1000000);
	return 0;
}

static void dip(void *arg)
{
	weft_attr attr = { .name = "dipper" };

	spawn_and_join(&attr, dipping_task, arg);
}

TEST(overflow, without_a_guard_the_canary_tells)
{
	struct death death;

	setenv("WEFT_GUARD", "canary", 1);
	death = run_to_death(dip, NULL);
	CHECK_EQ(death.signal, SIGABRT);
	CHECK(strstr(death.text, "\"dipper\" (spawned at ") != NULL);
	CHECK(strstr(death.text, "memory below them was overwritten") != NULL);
}

static int well_behaved_task(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		weft_task_yield();
	return 5;
}

TEST(overflow, without_a_guard_the_innocent_live)
{
	setenv("WEFT_GUARD", "canary", 1);
	for (int i = 0; i < 100; i++)
		spawn_and_join(NULL, well_behaved_task, NULL);
}
