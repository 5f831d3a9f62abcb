/* SPDX-License-Identifier: MIT
 *
 * libco_waits.cc - libco's conditions, locks and event loop, and what each coroutine has for
 * itself: variables, environment, resolver state.
 */
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <string>
#include <unistd.h>

#include "co_closure.h"
#include "co_comm.h"
#include "co_epoll.h"
#include "co_routine_specific.h"
#include "libco.h"

namespace
{

/* --- conditions ------------------------------------------------------------------------------- */

stCoCond_t *cond;

void *waits(void *letter)
{
	CHECK_EQ(co_cond_timedwait(cond, -1), 0);
	trace += (char)(intptr_t)letter;
	finished++;
	return NULL;
}

void *waits_shortly(void *letter)
{
	errno = 0;
	CHECK_EQ(co_cond_timedwait(cond, 10), 0);
	CHECK_EQ(errno, ETIMEDOUT);
	trace += (char)(intptr_t)letter;
	finished++;
	return NULL;
}

TEST(libco_waits, a_signal_wakes_who_waits_longest_and_is_not_remembered)
{
	stCoRoutine_t *co[3];

	cond = co_cond_alloc();
	CHECK_EQ(co_cond_signal(cond), 0);
	for (int i = 0; i < 3; i++)
		co[i] = start(waits, (void *)(intptr_t)('a' + i));
	CHECK_STR(trace.c_str(), "");
	co_cond_signal(cond);
	CHECK_STR(trace.c_str(), ""); /* the loop runs it */
	loop_until_finished(1);
	CHECK_STR(trace.c_str(), "a");
	co_cond_broadcast(cond);
	loop_until_finished(3);
	CHECK_STR(trace.c_str(), "abc");
	for (int i = 0; i < 3; i++)
		co_release(co[i]);
	CHECK_EQ(co_cond_free(cond), 0);
}

TEST(libco_waits, who_has_waited_too_long_takes_no_signal)
{
	stCoRoutine_t *a, *b;

	cond = co_cond_alloc();
	a = start(waits_shortly, (void *)'a');
	b = start(waits, (void *)'b');
	loop_until_finished(1);
	co_cond_signal(cond);
	loop_until_finished(2);
	CHECK_STR(trace.c_str(), "ab");
	co_release(a);
	co_release(b);
	co_cond_free(cond);
}

TEST(libco_waits, a_condition_may_be_freed_while_one_waits)
{
	stCoRoutine_t *a, *b;

	cond = co_cond_alloc();
	a = start(waits_shortly, (void *)'a');
	b = start(waits, (void *)'b');
	co_cond_free(cond);
	loop_until_finished(1);
	co_release(a);
	co_release(b);
}

void *produces(void *)
{
	co_enable_hook_sys();
	for (int i = 0; i < 100; i++) {
		trace += 'p';
		co_cond_signal(cond);
		if (i % 10 == 0)
			poll(NULL, 0, 1);
	}
	finished++;
	return NULL;
}

void *consumes(void *)
{
	for (int taken = 0; taken < 100;) {
		if (trace.empty()) {
			co_cond_timedwait(cond, -1);
			continue;
		}
		trace.resize(trace.size() - 1);
		taken++;
	}
	finished++;
	return NULL;
}

TEST(libco_waits, producer_and_consumer)
{
	cond = co_cond_alloc();
	stCoRoutine_t *a = start(consumes), *b = start(produces);

	loop_until_finished(2);
	CHECK(trace.empty());
	co_release(a);
	co_release(b);
	co_cond_free(cond);
}

/* --- locks ---------------------------------------------------------------------------------------- */

clsCoMutex *mutex;
int inside;

void *locks(void *letter)
{
	co_enable_hook_sys();
	for (int i = 0; i < 3; i++) {
		clsSmartLock lock(mutex);

		CHECK_EQ(inside++, 0);
		trace += (char)(intptr_t)letter;
		poll(NULL, 0, 1);
		inside--;
	}
	finished++;
	return NULL;
}

TEST(libco_waits, a_lock_goes_round)
{
	clsCoMutex local;
	stCoRoutine_t *co[3];

	mutex = &local;
	for (int i = 0; i < 3; i++)
		co[i] = start(locks, (void *)(intptr_t)('a' + i));
	loop_until_finished(3);
	CHECK_STR(trace.c_str(), "abcabcabc");
	for (int i = 0; i < 3; i++)
		co_release(co[i]);
}

void *locks_once(void *letter)
{
	mutex->CoLock();
	trace += (char)(intptr_t)letter;
	mutex->CoUnLock();
	finished++;
	return NULL;
}

/* It must get the lock to give it on. */
TEST(libco_waits, one_released_in_the_queue_of_a_lock_gives_it_on)
{
	clsCoMutex local;
	stCoRoutine_t *gone, *next;

	mutex = &local;
	mutex->CoLock();
	gone = start(locks_once, (void *)'g');
	next = start(locks_once, (void *)'n');
	errno = 0;
	co_resume(gone);
	CHECK_EQ(errno, EBUSY);
	co_release(gone);
	mutex->CoUnLock();
	loop_until_finished(1);
	CHECK_STR(trace.c_str(), "n");
	co_release(next);
	mutex->CoLock();
	mutex->CoUnLock();
}

/* --- the loop --------------------------------------------------------------------------------------- */

void *loops(void *)
{
	errno = 0;
	co_eventloop(co_get_epoll_ct(), are_finished, &finished);
	CHECK_EQ(errno, EPERM);
	finished++;
	return NULL;
}

TEST(libco_waits, the_loop_is_the_threads)
{
	stCoRoutine_t *co = start(loops);

	CHECK_EQ(finished, 1);
	co_release(co);
	errno = 0;
	co_eventloop(NULL, are_finished, &finished);
	CHECK_EQ(errno, EINVAL);
}

void *yields_back(void *)
{
	for (int i = 0; i < 3; i++) {
		trace += 'y';
		co_yield_ct();
	}
	return NULL;
}

int resumes_each_pass(void *co)
{
	trace += '|';
	co_resume((stCoRoutine_t *)co);
	return trace.size() >= 6 ? -1 : 0;
}

/* A suspended coroutine is nothing to run. */
TEST(libco_waits, the_function_of_the_loop_may_resume)
{
	stCoRoutine_t *co = NULL;

	CHECK_EQ(co_create(&co, NULL, yields_back, NULL), 0);
	co_eventloop(co_get_epoll_ct(), resumes_each_pass, co);
	CHECK_STR(trace.c_str(), "|y|y|y");
	co_release(co);
}

void *exits(void *)
{
	co_enable_hook_sys();
	poll(NULL, 0, 5);
	_exit(7);
	return NULL;
}

void loop_without_function(void *)
{
	start(exits);
	co_eventloop(co_get_epoll_ct(), NULL, NULL);
}

TEST(libco_waits, a_loop_without_function_goes_on)
{
	CHECK_EQ(run_to_death(loop_without_function, NULL).code, 7);
}

void *loops_in_thread(void *)
{
	int passes = 3;

	co_eventloop(
		co_get_epoll_ct(), [](void *left) { return --*(int *)left ? 0 : -1; }, &passes);
	CHECK_EQ(passes, 0);
	return NULL;
}

TEST(libco_waits, each_thread_has_a_loop)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, loops_in_thread, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* --- variables ------------------------------------------------------------------------------------------ */

struct numbers {
	int first, second;
};

CO_ROUTINE_SPECIFIC(numbers, mine)
CO_ROUTINE_SPECIFIC(numbers, other)

pthread_key_t key;

void *has_its_own(void *value)
{
	CHECK_EQ(co_getspecific(key), NULL);
	CHECK_EQ(co_setspecific(key, value), 0);
	CHECK_EQ(co_setspecific(PTHREAD_KEYS_MAX, value), EINVAL);
	CHECK_EQ(co_getspecific(PTHREAD_KEYS_MAX), NULL);
	CHECK_EQ(mine->first, 0);
	mine->first = *(int *)value;
	other->first = -1;
	co_yield_ct();
	CHECK_EQ(co_getspecific(key), value);
	CHECK_EQ(mine->first, *(int *)value);
	CHECK_EQ((*mine).second, 0);
	finished++;
	return NULL;
}

TEST(libco_waits, variables_are_each_coroutines_own)
{
	int values[2] = { 3, 4 };
	stCoRoutine_t *co[2];

	CHECK_EQ(pthread_key_create(&key, NULL), 0);
	CHECK_EQ(co_setspecific(key, &key), 0);
	mine->first = 17;
	for (int i = 0; i < 2; i++)
		co[i] = start(has_its_own, &values[i]);
	CHECK_EQ(mine->first, 17);
	CHECK_EQ(co_getspecific(key), &key);
	CHECK_EQ(pthread_getspecific(key), &key);
	for (int i = 0; i < 2; i++) {
		co_resume(co[i]);
		co_release(co[i]);
	}
	CHECK_EQ(finished, 2);
	CHECK_EQ(mine->first, 17);
	CHECK_EQ(other->first, 0);
}

void *sets_environment(void *value)
{
	const char *text = (const char *)value;

	CHECK_STR(getenv("LISTED"), "of the process"); /* not hooked yet */
	co_enable_hook_sys();
	CHECK_EQ(getenv("LISTED"), NULL);
	CHECK_EQ(setenv("LISTED", text, 0), 0);
	CHECK_EQ(setenv("LISTED", "more", 0), 0);
	CHECK_EQ(setenv("UNLISTED", text, 1), 0);
	co_yield_ct();
	CHECK_STR(getenv("LISTED"), text);
	CHECK_EQ(setenv("LISTED", "more", 1), 0);
	CHECK_STR(getenv("LISTED"), "more");
	CHECK_EQ(unsetenv("LISTED"), 0);
	CHECK_EQ(getenv("LISTED"), NULL);
	CHECK_STR(getenv("UNLISTED"), "b");
	CHECK_EQ(setenv("ALSO", "left for release", 1), 0);
	finished++;
	return NULL;
}

TEST(libco_waits, listed_environment_is_each_coroutines_own)
{
	const char *names[] = { "LISTED", NULL, "", "ALSO" }, *later[] = { "UNLISTED" };
	stCoRoutine_t *a, *b;

	CHECK_EQ(setenv("LISTED", "of the process", 1), 0);
	co_set_env_list(names, 4);
	co_set_env_list(later, 1); /* once only */
	a = start(sets_environment, (void *)"a");
	b = start(sets_environment, (void *)"b");
	co_resume(a);
	co_resume(b);
	CHECK_EQ(finished, 2);
	CHECK_STR(getenv("LISTED"), "of the process");
	CHECK_EQ(unsetenv("LISTED"), 0);
	CHECK_EQ(getenv("LISTED"), NULL);
	CHECK_EQ(getenv("ALSO"), NULL);
	co_release(a);
	co_release(b);
}

/* The compiler takes it for one that always returns the same. */
__attribute__((noinline)) struct __res_state *resolver()
{
	__asm__ volatile("" ::: "memory");
	return &_res;
}

void *has_a_resolver(void *state)
{
	CHECK_EQ(resolver(), state);
	co_enable_hook_sys();
	CHECK_NE(resolver(), state);
	CHECK_EQ(resolver()->retrans, 0);
	resolver()->retrans = 5;
	co_yield_ct();
	CHECK_EQ(resolver()->retrans, 5);
	finished++;
	return NULL;
}

TEST(libco_waits, resolver_state_is_each_coroutines_own)
{
	int before = resolver()->retrans;
	stCoRoutine_t *a = start(has_a_resolver, resolver()),
		      *b = start(has_a_resolver, resolver());

	co_resume(a);
	co_resume(b);
	CHECK_EQ(finished, 2);
	CHECK_EQ(resolver()->retrans, before);
	co_release(a);
	co_release(b);
}

/* --- closures, contexts, the rest -------------------------------------------------------------------------- */

TEST(libco_waits, closures_keep_copies_and_references)
{
	int sum = 0, factor = 10, one = 1, two = 2, three = 3, four = 4, five = 5;
	std::string text = "text";
	stCoClosure_t *closures[3];

	co_ref(ref, sum, text);
	for (int i = 0; i < 2; i++) {
		co_func(add, ref, i, factor)
		{
			ref.sum += factor * (i + 1);
			ref.text += '+';
		}
		co_func_end;
		closures[i] = new add(ref, i, factor);
	}
	co_func(many, ref, one, two, three, four, five, factor)
	{
		ref.sum += one + two + three + four + five + factor;
	}
	co_func_end;
	closures[2] = new many(ref, one, two, three, four, five, factor);
	factor = one = two = 0;
	for (int i = 0; i < 3; i++) {
		closures[i]->exec();
		delete closures[i];
	}
	CHECK_EQ(sum, 10 + 20 + 25);
	CHECK_STR(text.c_str(), "text++");
	co_func(nothing)
	{
		finished++;
	}
	co_func_end;
	nothing().exec();
	CHECK_EQ(finished, 1);
}

coctx_t here, there;

void *switches(void *first, void *second)
{
	trace += (const char *)first;
	coctx_swap(&there, &here);
	trace += (const char *)second;
	coctx_swap(&there, &here);
	return NULL;
}

TEST(libco_waits, bare_contexts_switch)
{
	CHECK_EQ(coctx_init(&here), 0);
	CHECK_EQ(coctx_init(&there), 0);
	there.ss_size = 64 << 10;
	there.ss_sp = (char *)malloc(there.ss_size);
	CHECK_EQ(coctx_make(&there, switches, "first", "second"), 0);
	coctx_swap(&here, &there);
	trace += ',';
	coctx_swap(&here, &there);
	CHECK_STR(trace.c_str(), "first,second");
	free(there.ss_sp);
}

TEST(libco_waits, epoll_by_its_other_names)
{
	struct co_epoll_res *res = co_epoll_res_alloc(4);
	struct epoll_event event = {};
	int fds[2], epfd = co_epoll_create(16);

	CHECK(res != NULL);
	CHECK_EQ(pipe(fds), 0);
	event.events = EPOLLIN;
	event.data.fd = fds[0];
	CHECK_EQ(co_epoll_ctl(epfd, EPOLL_CTL_ADD, fds[0], &event), 0);
	CHECK_EQ(co_epoll_wait(epfd, res, 16, 0), 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(co_epoll_wait(epfd, res, 16, -1), 1);
	CHECK_EQ(res->events[0].data.fd, fds[0]);
	co_epoll_res_free(res);
	co_epoll_res_free(NULL);
}

void says(void *)
{
	co_log_err("number %d", 42);
}

TEST(libco_waits, the_log_is_silent_unless_asked)
{
	struct death death = run_to_death(says, NULL);

	CHECK_STR(death.text, "");
	setenv("WEFT_LIBCO_LOG", "1", 1);
	death = run_to_death(says, NULL);
	CHECK_STR(death.text, "number 42\n");
}

} // namespace
