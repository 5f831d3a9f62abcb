/* SPDX-License-Identifier: MIT
 *
 * mutex.c - pthread mutexes and conditions among tasks and threads: what would block a thread,
 * or be judged by the wrong owner, natively.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <weft/hook.h>

#include "hooked.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int inside, turns;
static _Atomic int stage;

static void fresh(int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
}

static weft_task *start_with(const weft_attr *attr, weft_fn *fn, intptr_t number)
{
	weft_task *task;

	CHECK_EQ(weft_spawn(&task, attr, fn, (void *)number), 0);
	return task;
}

static void yield_some(int times)
{
	while (times-- > 0)
		weft_task_yield();
}

/* --- the programs of the pitfall table ---------------------------------------------------- */

static int lock_and_yield(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(inside++, 0);
		weft_task_yield();
		CHECK_EQ(--inside, 0);
		turns++;
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	return 0;
}

/* Two tasks, one thread: the second would block it for ever. */
TEST(mutex, held_across_a_yield)
{
	weft_task *one = start(lock_and_yield, 1), *two = start(lock_and_yield, 1);

	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
	CHECK_EQ(turns, 2);
}

/* Whoever unlocks and locks again at once finds it free each time: the other must get it all the
 * same. */
static _Atomic bool other_is_done;

static int greedy(void *unused)
{
	(void)unused;
	while (!other_is_done) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		weft_task_yield();
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	return 0;
}

static int modest(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		weft_task_yield();
	}
	other_is_done = true;
	return 0;
}

TEST(mutex, nobody_starves)
{
	weft_task *one = start(greedy, 0), *two = start(modest, 50);

	CHECK_EQ(join(two), 0);
	CHECK_EQ(join(one), 0);
}

/* Several who wait, of several mutexes in one bucket and others: each has its turns. */
static pthread_mutex_t many[64];

static int all_of_them(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		pthread_mutex_t *one = &many[i % 64];

		CHECK_EQ(pthread_mutex_lock(one), 0);
		weft_task_yield();
		CHECK_EQ(pthread_mutex_unlock(one), 0);
	}
	return 0;
}

TEST(mutex, many_tasks_many_mutexes)
{
	weft_task *tasks[32];

	for (int i = 0; i < 64; i++)
		pthread_mutex_init(&many[i], NULL);
	for (int i = 0; i < 32; i++)
		tasks[i] = start(all_of_them, 640);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(join(tasks[i]), 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(pthread_mutex_destroy(&many[i]), 0);
}

/* --- whose it is ------------------------------------------------------------------------------ */

static int unlocks_it(void *unused)
{
	(void)unused;
	return pthread_mutex_unlock(&mutex);
}

static int tries_it(void *unused)
{
	int rc = pthread_mutex_trylock(&mutex);

	(void)unused;
	if (rc == 0)
		pthread_mutex_unlock(&mutex);
	return rc;
}

static void *unlocks_in_thread(void *unused)
{
	return (void *)(intptr_t)unlocks_it(unused);
}

static void *tries_in_thread(void *unused)
{
	return (void *)(intptr_t)tries_it(unused);
}

static int by_thread(void *fn(void *))
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, fn, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

static int owner(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(join(start(unlocks_it, 0)), EPERM);
		CHECK_EQ(join(start(tries_it, 0)), EBUSY);
		CHECK_EQ(by_thread(unlocks_in_thread), EPERM);
		CHECK_EQ(by_thread(tries_in_thread), EBUSY);
	}
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(join(start(tries_it, 0)), 0);
	CHECK_EQ(by_thread(tries_in_thread), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
	return 0;
}

/* Row 52: tasks of one thread are not one owner. */
TEST(mutex, row52_owned_by_a_task)
{
	fresh(PTHREAD_MUTEX_ERRORCHECK);
	CHECK_EQ(join(start(owner, 0)), 0);
	fresh(PTHREAD_MUTEX_RECURSIVE);
	CHECK_EQ(join(start(owner, 0)), 0);
}

static int recursive(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		for (int depth = 0; depth < 3; depth++) {
			CHECK_EQ(pthread_mutex_lock(&mutex), 0);
			CHECK_EQ(inside++, depth);
			weft_task_yield();
		}
		for (int depth = 3; depth > 0; depth--) {
			CHECK_EQ(inside--, depth);
			weft_task_yield();
			CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		}
	}
	return 0;
}

TEST(mutex, recursive_by_several_tasks)
{
	weft_task *tasks[8];

	fresh(PTHREAD_MUTEX_RECURSIVE);
	for (int i = 0; i < 8; i++)
		tasks[i] = start(recursive, 20);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(pthread_mutex_destroy(&mutex), 0);
}

/* A thread that becomes a runtime has its mutexes still. */
TEST(mutex, locked_before_the_first_task)
{
	int types[] = { PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK };

	for (int i = 0; i < 2; i++) {
		fresh(types[i]);
		if (i > 0)
			CHECK_EQ(weft_hook_disable(), 0);
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(join(start(tries_it, 0)), EBUSY);
		CHECK_EQ(weft_hook_enable(), 0);
		CHECK_EQ(pthread_mutex_lock(&mutex), i == 0 ? 0 : EDEADLK);
		if (i == 0)
			CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		CHECK_EQ(join(start(tries_it, 0)), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		CHECK_EQ(join(start(tries_it, 0)), 0);
	}
}

static int movable(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(inside++, 0);
		weft_task_yield();
		CHECK_EQ(--inside, 0);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		weft_task_yield();
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	return 0;
}

static int movable_main(void *unused)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_task *tasks[16];

	(void)unused;
	for (int i = 0; i < 16; i++)
		tasks[i] = start_with(&attr, movable, 50);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(join(tasks[i]), 0);
	return 0;
}

/* Unlocked by another thread than it was locked by. */
TEST(mutex, owner_changes_threads)
{
	int value = -1;

	fresh(PTHREAD_MUTEX_RECURSIVE);
	CHECK_EQ(weft_run(3, movable_main, NULL, &value), 0);
	CHECK_EQ(value, 0);
}

/* --- 53 ------------------------------------------------------------------------------------------ */

static int wait_for_stage(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	while (stage == 0)
		CHECK_EQ(pthread_cond_wait(&cond, &mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

TEST(mutex, row53_destroyed_while_somebody_waits)
{
	weft_task *waiter = start(wait_for_stage, 0), *locker;

	yield_some(3);
	CHECK_EQ(pthread_cond_destroy(&cond), EBUSY);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	locker = start(tries_it, 0);
	CHECK_EQ(join(locker), EBUSY);
	locker = start(lock_and_yield, 1);
	yield_some(3);
	CHECK_EQ(pthread_mutex_destroy(&mutex), EBUSY);
	stage = 1;
	CHECK_EQ(pthread_cond_signal(&cond), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(join(waiter), 0);
	CHECK_EQ(join(locker), 0);
	CHECK_EQ(pthread_cond_destroy(&cond), 0);
	CHECK_EQ(pthread_mutex_destroy(&mutex), 0);
}

/* --- 55, 56: cancel ----------------------------------------------------------------------------- */

static int locks_it(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return weft_cancelled();
}

/* Locking is no cancellation point. */
TEST(mutex, row55_cancelled_while_it_waits)
{
	weft_task *task;

	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	task = start(locks_it, 0);
	yield_some(3);
	CHECK_EQ(weft_cancel(task), 0);
	yield_some(3);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(join(task), 1);
}

static int waits_and_fails(void *unused)
{
	int rc;

	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	rc = pthread_cond_wait(&cond, &mutex);
	inside++;
	CHECK_EQ(inside, 1); /* it has the mutex again */
	yield_some(3);
	inside--;
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return rc;
}

TEST(mutex, row56_cancelled_while_it_waits_for_a_condition)
{
	weft_task *task = start(waits_and_fails, 0), *other;

	yield_some(3);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(weft_cancel(task), 0);
	other = start(lock_and_yield, 3);
	yield_some(3);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(join(task), ECANCELED);
	CHECK_EQ(join(other), 0);
}

/* Loops around it do not look at results: the others must get the mutex all the same. */
static int deaf(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	while (stage == 0)
		pthread_cond_wait(&cond, &mutex);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

TEST(mutex, a_cancelled_loop_keeps_nobody_out)
{
	weft_task *task = start(deaf, 0), *other;

	yield_some(3);
	CHECK_EQ(weft_cancel(task), 0);
	other = start(lock_and_yield, 5);
	CHECK_EQ(join(other), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	stage = 1;
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(join(task), 0);
}

static int late(void *unused)
{
	weft_deadline *deadline;
	int rc;

	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(weft_deadline_push(&deadline, weft_in_ms(5)), 0);
	do
		rc = pthread_cond_wait(&cond, &mutex);
	while (rc == 0);
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return rc;
}

TEST(mutex, a_pushed_deadline_ends_the_wait_for_a_condition)
{
	CHECK_EQ(join(start(late, 0)), ETIMEDOUT);
}

static void unlock_it(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	stage = 2;
}

static pthread_t its_thread;

static int ended_in_wait(void *unused)
{
	(void)unused;
	its_thread = pthread_self();
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	pthread_cleanup_push(unlock_it, NULL);
	stage = 1;
	pthread_cancel(pthread_self());
	pthread_cond_wait(&cond, &mutex);
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return 0;
}

/* The handler runs with the mutex locked, as POSIX has it. */
TEST(mutex, pthread_cancel_ends_the_wait_for_a_condition)
{
	CHECK_EQ(join(start(ended_in_wait, 0)), -1);
	CHECK_EQ(stage, 2);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

/* --- threads beside tasks -------------------------------------------------------------------------- */

static void *thread_holds(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	stage = 1;
	usleep(20000);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return NULL;
}

static int ticks_on(void *unused)
{
	int ticks = 0;

	(void)unused;
	while (!other_is_done) {
		usleep(1000);
		ticks++;
	}
	return ticks;
}

TEST(mutex, held_by_a_thread)
{
	weft_task *ticking = start(ticks_on, 0), *task;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, thread_holds, NULL), 0);
	while (stage == 0)
		usleep(100);
	task = start(locks_it, 0);
	CHECK_EQ(join(task), 0);
	other_is_done = true;
	CHECK_GT(join(ticking), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* In there libc gives the mutex back without a word to anybody. */
static void *thread_waits(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	stage = 1;
	usleep(20000);
	while (stage != 2)
		CHECK_EQ(pthread_cond_wait(&cond, &mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return NULL;
}

static int sets_stage(void *number)
{
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	stage = number_of(number);
	CHECK_EQ(pthread_cond_broadcast(&cond), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

TEST(mutex, given_back_by_a_threads_wait_for_a_condition)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		stage = 0;
		CHECK_EQ(pthread_create(&thread, NULL, thread_waits, NULL), 0);
		while (stage == 0)
			usleep(100);
		CHECK_EQ(join(start(sets_stage, 2)), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

static void *thread_sets_stage(void *number)
{
	usleep(5000);
	sets_stage(number);
	return NULL;
}

TEST(mutex, a_thread_signals_tasks)
{
	weft_task *tasks[5];
	pthread_t thread;

	for (int i = 0; i < 5; i++)
		tasks[i] = start(wait_for_stage, 0);
	CHECK_EQ(pthread_create(&thread, NULL, thread_sets_stage, (void *)1), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* --- who is not hooked -------------------------------------------------------------------------------- */

static int unhooked(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_hook_enabled(), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	weft_task_yield();
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

/* One that is not, and one that is: the mutex is libc's for both. */
TEST(mutex, beside_a_task_without_hooks)
{
	weft_attr attr = { .flags = WEFT_NO_HOOKS };
	int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE };

	for (int i = 0; i < 3; i++) {
		weft_task *one, *two;

		fresh(types[i]);
		one = start_with(&attr, unhooked, 0);
		two = start(lock_and_yield, 3);
		CHECK_EQ(join(one), 0);
		CHECK_EQ(join(two), 0);
	}
}

static int disables(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(weft_hook_disable(), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft_hook_enable(), 0);
	return tries_it(NULL);
}

TEST(mutex, unlocked_after_the_hooks_are_off)
{
	fresh(PTHREAD_MUTEX_RECURSIVE);
	CHECK_EQ(join(start(disables, 0)), 0);
}

/* --- fork ------------------------------------------------------------------------------------------------ */

static int forks(void *unused)
{
	int status;
	pid_t child;

	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	yield_some(3);
	child = fork();
	if (child == 0) {
		/* The other waiter is not here. */
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		CHECK_EQ(pthread_mutex_destroy(&mutex), 0);
		_exit(7);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	return 0;
}

TEST(mutex, row32_forked_while_others_wait)
{
	weft_task *one = start(forks, 0), *two = start(locks_it, 0);

	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
}

static _Atomic bool about_to_fork;

static void lock_before_fork(void)
{
	about_to_fork = true;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
}

static void unlock_after_fork(void)
{
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

/* Needs all that a runtime has a lock for. */
static int keeps_it_meanwhile(void *unused)
{
	weft_task *tasks[200];

	(void)unused;
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	while (!about_to_fork)
		weft_task_yield();
	yield_some(3);
	for (int i = 0; i < 200; i++)
		tasks[i] = start(locks_it, 0);
	yield_some(3);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(join(tasks[i]), 0);
	return 0;
}

static int forks_with_handlers(void *unused)
{
	int status;
	pid_t child = fork();

	(void)unused;
	if (child == 0) {
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		_exit(7);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 7);
	return 0;
}

/* A library keeps its mutex over a fork, and registers that before anything of weft is used. */
TEST(mutex, row32_a_handler_of_fork_waits_for_another_task)
{
	weft_task *one, *two;

	CHECK_EQ(pthread_atfork(lock_before_fork, unlock_after_fork, unlock_after_fork), 0);
	fresh(PTHREAD_MUTEX_RECURSIVE);
	one = start(keeps_it_meanwhile, 0);
	two = start(forks_with_handlers, 0);
	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
}
