/* SPDX-License-Identifier: MIT
 *
 * libco_routine.cc - libco's coroutines: who runs when, and how they end. What the original
 * does otherwise, and crashes by, is said in the names and comments of the cases.
 */
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "co_routine.h"
#include "co_routine_inner.h"
#include "test.h"

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#define TSAN __has_feature(thread_sanitizer)
#else
#define TSAN 0
#endif

namespace
{

std::string trace;

stCoRoutine_t *make(pfn_co_routine_t routine, void *arg = NULL)
{
	stCoRoutine_t *co = NULL;

	CHECK_EQ(co_create(&co, NULL, routine, arg), 0);
	CHECK(co != NULL);
	return co;
}

/* Runs the loop until @done. */
int is_done(void *done)
{
	return *(bool *)done ? -1 : 0;
}

void loop_until(bool *done)
{
	co_eventloop(co_get_epoll_ct(), is_done, done);
}

/* --- resume and yield ---------------------------------------------------------------- */

void *two_letters(void *letter)
{
	trace += (char)(intptr_t)letter;
	co_yield_ct();
	trace += (char)((intptr_t)letter - 'a' + 'A');
	return NULL;
}

TEST(libco_routine, runs_when_resumed_and_only_then)
{
	stCoRoutine_t *a = make(two_letters, (void *)'a'), *b = make(two_letters, (void *)'b');

	CHECK_STR(trace.c_str(), "");
	co_resume(a);
	trace += '1';
	co_resume(b);
	trace += '2';
	co_resume(b);
	co_resume(a);
	CHECK_STR(trace.c_str(), "a1b2BA");
	co_release(a);
	co_release(b);
}

void *yields_by_name(void *)
{
	co_yield (co_self());
	trace += 'y';
	co_yield_env(co_get_curr_thread_env());
	trace += 'z';
	return NULL;
}

TEST(libco_routine, each_name_of_yield_does_the_same)
{
	stCoRoutine_t *co = make(yields_by_name);

	for (int i = 0; i < 3; i++)
		co_resume(co);
	CHECK_STR(trace.c_str(), "yz");
	co_free(co);
}

void *tells_who_it_is(void *seen)
{
	*(stCoRoutine_t **)seen = co_self();
	CHECK_EQ(GetCurrThreadCo(), co_self());
	return NULL;
}

TEST(libco_routine, self_is_nobody_at_first_then_the_thread_or_the_coroutine)
{
	stCoRoutine_t *seen = NULL, *co;

	CHECK_EQ(co_self(), NULL);
	CHECK_EQ(co_get_curr_thread_env(), NULL);
	co_init_curr_thread_env();
	CHECK(co_self() != NULL);
	CHECK(co_get_curr_thread_env() != NULL);
	co = make(tells_who_it_is, &seen);
	co_resume(co);
	CHECK_EQ(seen, co);
	CHECK_NE(co_self(), co);
	co_release(co);
}

/* The original has room for 128, and does not look. */
enum { DEPTH = 2000 };
int depth_now;

void *resumes_another(void *)
{
	stCoRoutine_t *inner;

	if (++depth_now == DEPTH)
		return NULL;
	inner = make(resumes_another);
	co_resume(inner);
	co_release(inner);
	return NULL;
}

TEST(libco_routine, resumes_nest_as_deep_as_memory_goes)
{
	stCoRoutine_t *co = make(resumes_another);

	co_resume(co);
	CHECK_EQ(depth_now, DEPTH);
	co_release(co);
}

stCoRoutine_t *outer_co, *inner_co;

void *inner(void *)
{
	trace += 'i';
	errno = 0;
	co_resume(outer_co); /* it waits for us */
	CHECK_EQ(errno, EBUSY);
	errno = 0;
	co_resume(inner_co);
	CHECK_EQ(errno, EBUSY);
	poll(NULL, 0, 1); /* hooked: its resumer goes on now */
	trace += 'I';
	return NULL;
}

void *hooked_inner(void *arg)
{
	co_enable_hook_sys();
	return inner(arg);
}

bool outer_done;

void *outer(void *)
{
	trace += 'o';
	co_resume(inner_co);
	trace += 'O';
	outer_done = true;
	return NULL;
}

TEST(libco_routine, a_wait_goes_back_to_the_resumer_and_a_resumer_is_busy)
{
	stCoRoutine_t *other = make(two_letters, (void *)'x');

	outer_co = make(outer);
	inner_co = make(hooked_inner);
	co_resume(outer_co);
	CHECK_STR(trace.c_str(), "oiO");
	co_resume(other);
	CHECK_STR(trace.c_str(), "oiOx");
	while (trace.find('I') == std::string::npos)
		co_poll(co_get_epoll_ct(), NULL, 0, 1);
	co_release(outer_co);
	co_release(inner_co);
	co_release(other);
}

/* --- misuse ------------------------------------------------------------------------------ */

/* SIGSEGV, all of them, in the original. */
TEST(libco_routine, misuse_is_an_error_and_no_crash)
{
	stCoRoutine_t *co = make(two_letters, (void *)'a');

	co_resume(co);
	co_resume(co);
	errno = 0;
	co_resume(co);
	CHECK_EQ(errno, ESRCH);
	errno = 0;
	co_yield_ct();
	CHECK_EQ(errno, EPERM);
	errno = 0;
	co_resume(co_self());
	CHECK_EQ(errno, EBUSY);
	co_release(co_self());
	co_release(co);
	CHECK_STR(trace.c_str(), "aA");
}

void *other_thread(void *co)
{
	errno = 0;
	co_resume((stCoRoutine_t *)co); /* this thread has none at all */
	CHECK_EQ(errno, EPERM);
	co_init_curr_thread_env();
	errno = 0;
	co_resume((stCoRoutine_t *)co);
	CHECK_EQ(errno, EPERM);
	errno = 0;
	co_release((stCoRoutine_t *)co);
	CHECK_EQ(errno, EPERM);
	errno = 0;
	co_eventloop(NULL, is_done, co);
	CHECK_EQ(errno, EINVAL);
	return NULL;
}

TEST(libco_routine, another_thread_cannot_resume_or_release)
{
	stCoRoutine_t *co = make(two_letters, (void *)'a');
	pthread_t thread;

	co_resume(co);
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, co), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	co_resume(co);
	CHECK_STR(trace.c_str(), "aA");
	co_release(co);
}

TEST(libco_routine, create_says_what_is_wrong)
{
	stCoRoutine_t *co = (stCoRoutine_t *)&trace;

	errno = 0;
	CHECK_EQ(co_create(&co, NULL, NULL, NULL), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(co, NULL);
	CHECK_EQ(co_create(NULL, NULL, two_letters, NULL), -1);
	errno = 0;
	CHECK_EQ(co_alloc_sharestack(0, 4096), NULL);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(co_free_sharestack(NULL), 0);
	CHECK_EQ(co_free_sharestack(co_alloc_sharestack(1, 0)), 0); /* never used */
}

extern "C" void weft__fault_fail(unsigned n);
extern "C" bool weft__fault_fired(void);

TEST(libco_routine, create_without_memory_leaves_nothing)
{
	stCoRoutineAttr_t attr;
	stCoRoutine_t *co;
	bool fired = true;

	co_init_curr_thread_env();
	for (unsigned n = 1; fired; n++) {
		weft__fault_fail(n);
		errno = 0;
		attr.share_stack = co_alloc_sharestack(1, 0);
		if (attr.share_stack && co_create(&co, &attr, two_letters, (void *)'a') == 0) {
			co_resume(co);
			co_release(co);
		} else {
			CHECK_EQ(errno, ENOMEM);
		}
		fired = weft__fault_fired();
		weft__fault_fail(0);
		CHECK_EQ(co_free_sharestack(attr.share_stack), 0);
	}
	CHECK_GE(trace.size(), 1);
}

/* --- stacks ------------------------------------------------------------------------------ */

__attribute__((noinline)) int fill(size_t bytes)
{
	volatile char *frame = (volatile char *)__builtin_alloca(bytes);

	for (size_t i = 0; i < bytes; i += 512)
		frame[bytes - 1 - i] = (char)i;
	return frame[bytes / 2];
}

void *uses_stack(void *bytes)
{
	fill((size_t)bytes);
	trace += '.';
	return NULL;
}

TEST(libco_routine, a_stack_holds_what_it_is_asked_to)
{
	static const struct {
		int asked;
		size_t holds;
	} sizes[] = { { 0, 120 << 10 },
		      { -1, 120 << 10 },
		      { 1, 8 << 10 },
		      { 1 << 20, 1020 << 10 },
		      { 1 << 30, (8 << 20) - 4096 } };
	stCoRoutineAttr_t attr;

	CHECK_EQ(attr.stack_size, 128 << 10);
	CHECK_EQ(attr.share_stack, NULL);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		stCoRoutine_t *co;

		attr.stack_size = sizes[i].asked;
		CHECK_EQ(co_create(&co, &attr, uses_stack, (void *)sizes[i].holds), 0);
		co_resume(co);
		co_release(co);
	}
	CHECK_STR(trace.c_str(), ".....");
}

/* The original has no guard: the frame lies in whatever memory is below. */
void overruns(void *)
{
	stCoRoutine_t *co = make(uses_stack, (void *)(400 << 10));

	co_resume(co);
}

TEST(libco_routine, a_frame_of_400_kb_on_128_is_reported)
{
	struct death death = run_to_death(overruns, NULL);

	CHECK(death.signal == SIGSEGV || death.signal == SIGABRT);
	CHECK(strstr(death.text, "stack") != NULL);
	CHECK(strstr(death.text, "co_create()") != NULL);
	CHECK(strstr(death.text, "131072 bytes") != NULL);
}

/* It does so by a flag of its objects, which makes every stack of the process executable. */
TEST(libco_routine, no_stack_is_executable)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	stCoRoutine_t *co = make(two_letters, (void *)'a');
	char line[512];

	co_resume(co);
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		CHECK(!strstr(line, " rwxp "));
	fclose(maps);
	co_release(co);
}

struct place {
	const char *at;
	bool kept;
};

void *keeps_its_bytes(void *arg)
{
	struct place *place = (struct place *)arg;
	char bytes[3000];

	memset(bytes, (int)(intptr_t)arg, sizeof(bytes));
	place->at = bytes;
	co_yield_ct();
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != (char)(intptr_t)arg)
			return NULL;
	place->kept = true;
	return NULL;
}

TEST(libco_routine, shared_stacks_are_dealt_in_turn_and_keep_their_bytes)
{
	stCoRoutineAttr_t attr;
	struct place places[4] = {};
	stCoRoutine_t *co[4];

	attr.share_stack = co_alloc_sharestack(2, 64 << 10);
	CHECK(attr.share_stack != NULL);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(co_create(&co[i], &attr, keeps_its_bytes, &places[i]), 0);
		co_resume(co[i]);
	}
	CHECK_EQ(places[0].at, places[2].at);
	CHECK_EQ(places[1].at, places[3].at);
	CHECK_NE(places[0].at, places[1].at);
	errno = 0;
	CHECK_EQ(co_free_sharestack(attr.share_stack), -1);
	CHECK_EQ(errno, EBUSY);
	for (int i = 0; i < 4; i++) {
		co_resume(co[i]);
		CHECK(places[i].kept);
		co_release(co[i]);
	}
	CHECK_EQ(co_free_sharestack(attr.share_stack), 0);
}

/* Resumes one that shares its stack: the resumer's frames are moved away under it. */
stCoRoutine_t *sharer;

void *shared_resumes_shared(void *)
{
	char bytes[2000];

	memset(bytes, 7, sizeof(bytes));
	co_resume(sharer);
	for (size_t i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(bytes[i], 7);
	trace += 'r';
	return NULL;
}

TEST(libco_routine, a_shared_stack_changes_hands_within_a_resume)
{
	stCoRoutineAttr_t attr;
	struct place place = {};
	stCoRoutine_t *co;

	attr.share_stack = co_alloc_sharestack(1, 0);
	CHECK_EQ(co_create(&co, &attr, shared_resumes_shared, NULL), 0);
	CHECK_EQ(co_create(&sharer, &attr, keeps_its_bytes, &place), 0);
	co_resume(co);
	CHECK_STR(trace.c_str(), "r");
	co_resume(sharer);
	CHECK(place.kept);
	co_release(co);
	co_release(sharer);
	CHECK_EQ(co_free_sharestack(attr.share_stack), 0);
}

/* --- release and reset ------------------------------------------------------------------- */

struct Tells {
	~Tells()
	{
		trace += '~';
	}
};

void *suspended_with_object(void *)
{
	Tells tells;

	trace += 's';
	co_yield_ct();
	trace += '!';
	return NULL;
}

void *never_begins(void *)
{
	trace += '!';
	return NULL;
}

/* Of one on a shared stack the original forgets whose bytes are there, and crashes later. */
TEST(libco_routine, release_runs_no_frame_any_further)
{
	stCoRoutineAttr_t attr;
	stCoRoutine_t *co[3];

	attr.share_stack = co_alloc_sharestack(1, 64 << 10);
	co[0] = make(suspended_with_object);
	CHECK_EQ(co_create(&co[1], &attr, suspended_with_object, NULL), 0);
	CHECK_EQ(co_create(&co[2], &attr, suspended_with_object, NULL), 0);
	for (int i = 0; i < 3; i++)
		co_resume(co[i]);
	co_release(co[2]);
	co_release(co[0]);
	co_release(co[1]);
	co_release(make(never_begins));
	CHECK_STR(trace.c_str(), "sss");
	CHECK_EQ(co_free_sharestack(attr.share_stack), 0);
}

TEST(libco_routine, releasing_a_sharer_leaves_the_others_their_stack)
{
	stCoRoutineAttr_t attr;
	struct place places[3] = {};
	stCoRoutine_t *co[3];

	attr.share_stack = co_alloc_sharestack(1, 64 << 10);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(co_create(&co[i], &attr, keeps_its_bytes, &places[i]), 0);
		co_resume(co[i]);
	}
	co_release(co[2]); /* its bytes are on the stack just now */
	co_release(co[0]); /* its are not */
	co_resume(co[1]);
	CHECK(places[1].kept);
	CHECK(!places[0].kept && !places[2].kept);
	co_release(co[1]);
	CHECK_EQ(co_free_sharestack(attr.share_stack), 0);
}

void *releases_itself(void *)
{
	co_release(co_self());
	trace += 'r';
	co_yield_ct(); /* nobody could resume it any more */
	trace += '!';
	return NULL;
}

TEST(libco_routine, one_that_is_released_while_it_runs_goes_at_its_next_wait)
{
	co_resume(make(releases_itself));
	CHECK_STR(trace.c_str(), "r");
}

int pipe_fds[2];
int calls_ended;

void *waits_in_read(void *)
{
	char byte;

	co_enable_hook_sys();
	trace += 'w';
	read(pipe_fds[0], &byte, 1);
	calls_ended++;
	return NULL;
}

void *waits_in_poll(void *)
{
	struct pollfd fds[2] = { { pipe_fds[0], POLLIN, 0 }, { pipe_fds[0], POLLPRI, 0 } };

	trace += 'p';
	co_poll(co_get_epoll_ct(), fds, 2, -1);
	calls_ended++;
	return NULL;
}

void *waits_in_sleep(void *)
{
	co_enable_hook_sys();
	trace += 'z';
	usleep(50000000);
	calls_ended++;
	return NULL;
}

void *waits_for_signal(void *cond)
{
	trace += 'c';
	co_cond_timedwait((stCoCond_t *)cond, 50000);
	calls_ended++;
	return NULL;
}

void *reads_in_turn(void *done)
{
	char byte = 0;

	co_enable_hook_sys();
	CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
	CHECK_EQ(byte, 'q');
	*(bool *)done = true;
	return NULL;
}

/* What they wait for comes after they have gone, and goes to who waits still. */
TEST(libco_routine, release_in_a_call_takes_back_what_it_waited_for)
{
	stCoCond_t *cond = co_cond_alloc();
	stCoRoutine_t *co[5], *reader;
	bool done = false;

	CHECK_EQ(pipe(pipe_fds), 0);
	co[0] = make(waits_in_read);
	co[1] = make(waits_in_poll);
	co[2] = make(waits_in_sleep);
	co[3] = make(waits_for_signal, cond);
	co[4] = make(waits_in_read);
	reader = make(reads_in_turn, &done);
	for (int i = 0; i < 5; i++)
		co_resume(co[i]);
	co_resume(reader);
	CHECK_STR(trace.c_str(), "wpzcw");
	CHECK_EQ(write(pipe_fds[1], "q", 1), 1);
	co_poll(co_get_epoll_ct(), NULL, 0, 1); /* the first of them may have it by now */
	for (int i = 0; i < 5; i++)
		if (calls_ended == 0 || i != 0)
			co_release(co[i]);
	if (calls_ended) { /* it had */
		CHECK_EQ(write(pipe_fds[1], "q", 1), 1);
		calls_ended = 0;
		co_release(co[0]);
	}
	co_cond_signal(cond);
	loop_until(&done);
	CHECK_EQ(calls_ended, 0);
	co_release(reader);
	co_cond_free(cond);
}

TEST(libco_routine, release_of_one_that_has_been_woken)
{
	stCoRoutine_t *co, *reader;
	bool done = false;

	CHECK_EQ(pipe(pipe_fds), 0);
	co = make(waits_in_read);
	co_resume(co);
	reader = make(reads_in_turn, &done);
	co_resume(reader);
	CHECK_EQ(write(pipe_fds[1], "q", 1), 1);
	co_release(co);
	loop_until(&done);
	CHECK_EQ(calls_ended, 0);
	co_release(reader);
}

void *counts(void *count)
{
	++*(int *)count;
	co_yield_ct();
	++*(int *)count;
	return NULL;
}

TEST(libco_routine, reset_begins_anew)
{
	int count = 0;
	stCoRoutine_t *co = make(counts, &count);

	co_reset(co); /* has not begun */
	for (int i = 0; i < 3; i++) {
		co_resume(co);
		CHECK_EQ(count, 2 * i + 1);
		co_resume(co);
		co_reset(co);
	}
	CHECK_EQ(count, 6);
	co_resume(co);
	co_reset(co); /* suspended */
	co_resume(co);
	CHECK_EQ(count, 8);
	co_release(co);
	co = make(waits_in_sleep);
	co_resume(co);
	co_reset(co); /* in a call */
	co_resume(co);
	CHECK_STR(trace.c_str(), "zz");
	CHECK_EQ(calls_ended, 0);
	co_release(co);
}

/* --- a resume ends a wait ---------------------------------------------------------------------- */

void *notes_results(void *cond)
{
	struct pollfd fd = { pipe_fds[0], POLLIN, 0 };
	char byte;

	co_enable_hook_sys();
	CHECK_EQ(poll(&fd, 1, 50000), 0);
	trace += 'p';
	CHECK_EQ(poll(NULL, 0, 50000), 0);
	trace += 's';
	CHECK_EQ(co_cond_timedwait((stCoCond_t *)cond, -1), 0);
	trace += 'c';
	errno = 0;
	CHECK_EQ(read(pipe_fds[0], &byte, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	trace += 'r';
	return NULL;
}

TEST(libco_routine, a_resume_ends_a_wait_as_if_its_time_were_over)
{
	stCoCond_t *cond = co_cond_alloc();
	stCoRoutine_t *co = make(notes_results, cond);

	CHECK_EQ(pipe(pipe_fds), 0);
	for (const char *seen = ""; seen; seen = trace == "pscr" ? NULL : trace.c_str()) {
		size_t before = trace.size();

		co_resume(co);
		if (before || seen[0])
			CHECK_EQ(trace.size(), before + 1);
		else
			CHECK_LE(trace.size(), before + 1);
	}
	co_release(co);
	co_cond_free(cond);
}

/* --- what belongs to a coroutine ------------------------------------------------------------------ */

void *rounds_down(void *)
{
	fesetround(FE_DOWNWARD);
	errno = 17;
	co_yield_ct();
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	CHECK_EQ(errno, 17);
	return NULL;
}

/* The original keeps neither MXCSR nor the x87 word. */
TEST(libco_routine, rounding_and_errno_are_its_own)
{
	stCoRoutine_t *co = make(rounds_down);
	int before = fegetround();

	errno = 4;
	co_resume(co);
	CHECK_EQ(fegetround(), before);
	CHECK_EQ(errno, 4);
	fesetround(FE_UPWARD);
	co_resume(co);
	CHECK_EQ(fegetround(), FE_UPWARD);
	co_release(co);
}

void *throws(void *)
{
	try {
		throw std::runtime_error("of a coroutine");
	} catch (const std::exception &) {
		co_yield_ct(); /* others throw meanwhile */
		try {
			throw;
		} catch (const std::exception &again) {
			CHECK_STR(again.what(), "of a coroutine");
			trace += 'c';
		}
	}
	return NULL;
}

TEST(libco_routine, exceptions_are_its_own)
{
	stCoRoutine_t *a = make(throws), *b = make(throws);

	co_resume(a);
	co_resume(b);
	co_resume(a);
	co_resume(b);
	CHECK_STR(trace.c_str(), "cc");
	co_release(a);
	co_release(b);
}

void *ends_like_a_thread(void *)
{
	Tells tells;

	trace += 'e';
	pthread_exit(NULL);
	return NULL;
}

TEST(libco_routine, pthread_exit_ends_the_coroutine)
{
	stCoRoutine_t *co = make(ends_like_a_thread);

	co_resume(co);
	/* An unwinder is looked for, by a helper. */
	while (trace != "e~")
		CHECK_EQ(co_poll(co_get_epoll_ct(), NULL, 0, 1), 0);
	errno = 0;
	co_resume(co);
	CHECK_EQ(errno, ESRCH);
	co_release(co);
}

/* --- processes and threads ------------------------------------------------------------------------- */

#if !TSAN /* it takes the child of a fork that goes on for a race */
TEST(libco_routine, suspended_ones_go_on_in_a_child_of_fork)
{
	stCoRoutine_t *a = make(two_letters, (void *)'a'), *b = make(two_letters, (void *)'b');
	int status;
	pid_t child;

	co_resume(a);
	child = fork();
	CHECK_GE(child, 0);
	if (child == 0) {
		co_resume(a);
		co_resume(b);
		co_resume(b);
		co_release(a);
		co_release(b);
		_exit(trace == "aAbB" ? 0 : 1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	co_resume(a);
	CHECK_STR(trace.c_str(), "aA");
	co_release(a);
	co_release(b);
}
#endif

void *has_its_own(void *sum)
{
	for (int i = 0; i < 200; i++) {
		int count = 0;
		stCoRoutine_t *co = make(counts, &count);

		co_resume(co);
		co_resume(co);
		co_release(co);
		*(int *)sum += count;
	}
	return NULL;
}

TEST(libco_routine, each_thread_has_its_own)
{
	pthread_t threads[4];
	int sums[4] = {};

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, has_its_own, &sums[i]), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK_EQ(sums[i], 400);
	}
}

TEST(libco_routine, ten_thousand_are_made_and_released)
{
	enum { MANY = 10000 };
	static stCoRoutine_t *co[MANY];
	int count = 0;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++)
			co[i] = make(counts, &count);
		for (int i = 0; i < MANY; i += 2)
			co_resume(co[i]);
		for (int i = 0; i < MANY; i++)
			co_release(co[i]);
	}
	CHECK_EQ(count, MANY);
}

} // namespace
