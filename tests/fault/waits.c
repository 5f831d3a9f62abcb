/* SPDX-License-Identifier: MIT
 *
 * waits.c - read-write locks, semaphores, barriers, pthread_once() and joins among tasks and
 * threads: what would block a thread, or be judged by the wrong owner, natively.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>

#include <base/compiler.h>
#include <weft/hook.h>

#include "hooked.h"

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int inside, turns;
static _Atomic int stage;
static _Atomic bool other_is_done;

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

/* --- read-write locks ------------------------------------------------------------------------ */

static void fresh(int preference)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, preference);
	CHECK_EQ(pthread_rwlock_init(&rwlock, &attr), 0);
}

static int write_and_yield(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
		CHECK_EQ(inside++, 0);
		weft_task_yield();
		CHECK_EQ(--inside, 0);
		turns++;
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return 0;
}

static int read_and_yield(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
		CHECK_EQ(inside, 0);
		weft_task_yield();
		CHECK_EQ(inside, 0);
		turns++;
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return 0;
}

/* Natively the second would get EDEADLK, for it is the same thread. */
TEST(waits, rwlock_held_across_a_yield)
{
	weft_task *tasks[4] = { start(write_and_yield, 5), start(write_and_yield, 5),
				start(read_and_yield, 5), start(read_and_yield, 5) };

	for (int i = 0; i < 4; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(turns, 20);
}

static int greedy_reader(void *unused)
{
	(void)unused;
	while (!other_is_done) {
		CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
		weft_task_yield();
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return 0;
}

static int greedy_writer(void *unused)
{
	(void)unused;
	while (!other_is_done) {
		CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
		weft_task_yield();
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return 0;
}

static int modest(void *writes)
{
	for (int i = 0; i < 30; i++) {
		CHECK_EQ(number_of(writes) ? pthread_rwlock_wrlock(&rwlock)
					   : pthread_rwlock_rdlock(&rwlock),
			 0);
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
		weft_task_yield();
	}
	other_is_done = true;
	return 0;
}

/* Whoever unlocks and locks again at once leaves it locked whenever the other one runs. */
TEST(waits, rwlock_nobody_starves)
{
	static const int preferences[] = { PTHREAD_RWLOCK_PREFER_READER_NP,
					   PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP };

	for (int i = 0; i < 8; i++) {
		weft_task *one, *two;

		fresh(preferences[i / 4]);
		other_is_done = false;
		one = start(i % 2 ? greedy_reader : greedy_writer, 0);
		two = start(modest, i / 2 % 2);
		CHECK_EQ(join(two), 0);
		CHECK_EQ(join(one), 0);
	}
}

static int unlocks_when_told(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	while (stage == 0)
		weft_task_yield();
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	return 0;
}

/* One who reads comes by an heir who wants to write, for the heir waits for him. */
TEST(waits, rwlock_read_again_beside_an_heir)
{
	weft_task *greedy = start(greedy_writer, 0), *heir, *reader;

	heir = start(write_and_yield, 1);
	yield_some(8); /* he has been woken in vain */
	other_is_done = true;
	reader = start(unlocks_when_told, 0);
	yield_some(8);
	stage = 1;
	CHECK_EQ(join(reader), 0);
	CHECK_EQ(join(heir), 0);
	CHECK_EQ(join(greedy), 0);
}

static int movable_writer(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
		CHECK_EQ(inside++, 0);
		usleep(50);
		CHECK_EQ(--inside, 0);
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
		CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
		CHECK_EQ(inside, 0);
		CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	}
	return 0;
}

static int movable_main(void *unused)
{
	weft_attr attr = { .flags = WEFT_MIGRATE };
	weft_task *tasks[8];

	(void)unused;
	for (int i = 0; i < 8; i++)
		tasks[i] = start_with(&attr, movable_writer, 50);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(join(tasks[i]), 0);
	return 0;
}

TEST(waits, rwlock_writer_changes_threads)
{
	CHECK_EQ(weft_run(3, movable_main, NULL, NULL), 0);
	CHECK_EQ(pthread_rwlock_destroy(&rwlock), 0);
}

/* A thread that becomes a runtime has its locks still. */
TEST(waits, rwlock_locked_before_the_first_task)
{
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	yield_some(1);
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), EDEADLK);
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), EDEADLK);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	CHECK_EQ(join(start(write_and_yield, 1)), 0);
}

static void *thread_writes(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	stage = 1;
	usleep(20000);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	return NULL;
}

TEST(waits, rwlock_held_by_a_thread)
{
	weft_task *ticking = start(ticks_on, 0), *task;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, thread_writes, NULL), 0);
	while (stage == 0)
		usleep(100);
	task = start(read_and_yield, 1);
	CHECK_EQ(join(start(write_and_yield, 1)), 0);
	CHECK_EQ(join(task), 0);
	other_is_done = true;
	CHECK_GT(join(ticking), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int unhooked(void *unused)
{
	(void)unused;
	CHECK_EQ(weft_hook_enabled(), 0);
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	weft_task_yield();
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	return 0;
}

TEST(waits, rwlock_beside_a_task_without_hooks)
{
	weft_attr attr = { .flags = WEFT_NO_HOOKS };
	weft_task *one = start_with(&attr, unhooked, 0);
	weft_task *two = start(write_and_yield, 2), *three = start(read_and_yield, 2);

	CHECK_EQ(join(one), 0);
	CHECK_EQ(join(two), 0);
	CHECK_EQ(join(three), 0);
}

static int writes_cancelled(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	return weft_cancelled();
}

/* Locking is no cancellation point; and a lock that somebody waits for is not destroyed. */
TEST(waits, rwlock_cancelled_while_it_waits)
{
	weft_task *task;

	yield_some(1);
	CHECK_EQ(pthread_rwlock_rdlock(&rwlock), 0);
	task = start(writes_cancelled, 0);
	yield_some(3);
	CHECK_EQ(weft_cancel(task), 0);
	yield_some(3);
	CHECK_EQ(pthread_rwlock_destroy(&rwlock), EBUSY);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
	CHECK_EQ(join(task), 1);
	CHECK_EQ(pthread_rwlock_destroy(&rwlock), 0);
}

/* --- semaphores --------------------------------------------------------------------------------- */

static int takes_one(void *unused)
{
	(void)unused;
	return sem_wait(&sem) < 0 ? errno : 0;
}

static int posts(void *times)
{
	for (int i = 0; i < number_of(times); i++)
		CHECK_EQ(sem_post(&sem), 0);
	return 0;
}

TEST(waits, semaphore_between_tasks)
{
	weft_task *tasks[5];

	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	for (int i = 0; i < 5; i++)
		tasks[i] = start(takes_one, 0);
	yield_some(3);
	CHECK_EQ(sem_destroy(&sem), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(join(start(posts, 5)), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(join(tasks[i]), 0);
	CHECK_EQ(sem_destroy(&sem), 0);
}

/* It is for another process, which posts where nobody here sees it. */
TEST(waits, semaphore_posted_by_another_process)
{
	sem_t *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	weft_task *ticking;
	pid_t child;

	CHECK(shared != MAP_FAILED);
	CHECK_EQ(sem_init(shared, 1, 0), 0);
	child = fork();
	if (child == 0) {
		usleep(20000);
		sem_post(shared);
		_exit(0);
	}
	ticking = start(ticks_on, 0);
	CHECK_EQ(sem_wait(shared), 0);
	other_is_done = true;
	CHECK_GT(join(ticking), 1);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(waits, semaphore_cancelled)
{
	weft_task *task;

	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	task = start(takes_one, 0);
	yield_some(3);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(join(task), ECANCELED);
	/* A permit that is there is had all the same. */
	CHECK_EQ(sem_post(&sem), 0);
	task = start(takes_one, 0);
	CHECK_EQ(weft_cancel(task), 0);
	CHECK_EQ(join(task), 0);
}

static int late(void *unused)
{
	weft_deadline *deadline;
	int rc;

	(void)unused;
	CHECK_EQ(weft_deadline_push(&deadline, weft_in_ms(5)), 0);
	rc = sem_wait(&sem) < 0 ? errno : 0;
	CHECK_EQ(weft_deadline_pop(deadline), 1);
	return rc;
}

TEST(waits, semaphore_and_a_pushed_deadline)
{
	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	CHECK_EQ(join(start(late, 0)), ETIMEDOUT);
}

static void set_stage(void *number)
{
	stage = number_of(number);
}

static int ended_in_wait(void *unused)
{
	(void)unused;
	pthread_cleanup_push(set_stage, (void *)2);
	stage = 1;
	pthread_cancel(pthread_self());
	sem_wait(&sem);
	CHECK(!"reached");
	pthread_cleanup_pop(0);
	return 0;
}

TEST(waits, semaphore_and_pthread_cancel)
{
	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	CHECK_EQ(join(start(ended_in_wait, 0)), -1);
	CHECK_EQ(stage, 2);
}

static int takes_greedily(void *unused)
{
	(void)unused;
	while (!other_is_done) {
		CHECK_EQ(sem_wait(&sem), 0);
		weft_task_yield();
		CHECK_EQ(sem_post(&sem), 0);
	}
	return 0;
}

static int takes_modestly(void *rounds)
{
	for (int i = 0; i < number_of(rounds); i++) {
		CHECK_EQ(sem_wait(&sem), 0);
		CHECK_EQ(sem_post(&sem), 0);
		weft_task_yield();
	}
	other_is_done = true;
	return 0;
}

TEST(waits, semaphore_nobody_starves)
{
	weft_task *one, *two;

	CHECK_EQ(sem_init(&sem, 0, 1), 0);
	one = start(takes_greedily, 0);
	two = start(takes_modestly, 30);
	CHECK_EQ(join(two), 0);
	CHECK_EQ(join(one), 0);
}

#if !WEFT_TSAN /* which keeps handlers back, and threads out of the child */

static void post_it(int unused)
{
	(void)unused;
	sem_post(&sem);
}

/* The whole program waits for a signal: that is no deadlock, and its thread sleeps in the kernel when
 * the handler posts. */
TEST(waits, semaphore_posted_by_a_signal_handler)
{
	struct sigaction act = { .sa_handler = post_it };
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	for (int shared_stack = 0; shared_stack < 2; shared_stack++) {
		weft_attr attr = { .flags = 0 };
		weft_task *task;

		CHECK_EQ(sem_init(&sem, 0, 0), 0);
		if (shared_stack)
			CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 64 << 10), 0);
		child = fork();
		if (child == 0) {
			usleep(20000);
			kill(getppid(), SIGUSR1);
			_exit(0);
		}
		task = start_with(&attr, takes_one, 0);
		CHECK_EQ(join(task), 0);
		while (waitpid(child, NULL, 0) < 0)
			CHECK_EQ(errno, EINTR);
		if (shared_stack)
			CHECK_EQ(weft_stack_group_free(attr.shared), 0);
	}
}

/* In the child nobody waits, and the post office has to be opened anew. */
TEST(waits, semaphore_in_the_child_of_a_fork)
{
	weft_task *task;
	pid_t child;
	int status;

	CHECK_EQ(sem_init(&sem, 0, 0), 0);
	task = start(takes_one, 0);
	yield_some(3);
	child = fork();
	if (child == 0) {
		CHECK_EQ(sem_init(&sem, 0, 0), 0);
		task = start(takes_one, 0);
		yield_some(3);
		CHECK_EQ(sem_post(&sem), 0);
		CHECK_EQ(join(task), 0);
		_exit(7);
	}
	CHECK_EQ(sem_post(&sem), 0);
	CHECK_EQ(join(task), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

#endif

/* --- joins ---------------------------------------------------------------------------------------- */

#if !WEFT_TSAN /* there it blocks the thread */

static void *waits_for_stage(void *value)
{
	while (stage == 0)
		usleep(1000);
	return value;
}

static pthread_t thread;

static int joins_thread(void *unused)
{
	void *value = NULL;
	int rc = pthread_join(thread, &value);

	(void)unused;
	return rc ? rc : number_of(value);
}

/* The first is cancelled; the thread can be joined by another all the same. */
TEST(waits, join_of_a_thread)
{
	weft_task *ticking = start(ticks_on, 0), *one, *two;

	CHECK_EQ(pthread_create(&thread, NULL, waits_for_stage, (void *)77), 0);
	one = start(joins_thread, 0);
	usleep(5000);
	CHECK_EQ(weft_cancel(one), 0);
	CHECK_EQ(join(one), ECANCELED);
	two = start(joins_thread, 0);
	usleep(5000);
	stage = 1;
	CHECK_EQ(join(two), 77);
	other_is_done = true;
	CHECK_GT(join(ticking), 1);
}

#endif

/* --- once ------------------------------------------------------------------------------------------ */

static void make(void)
{
	usleep(5000);
	if (turns++ == 0)
		pthread_exit(NULL);
	usleep(5000);
	stage = 1;
}

static int uses_it(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_once(&once, make), 0);
	CHECK_EQ(stage, 1);
	return 1;
}

static void *thread_uses_it(void *unused)
{
	uses_it(unused);
	return NULL;
}

/* The one who makes it ends in the middle. */
TEST(waits, once_abandoned)
{
	weft_task *tasks[4];
	pthread_t threads[2];
	int users = 0;

	for (int i = 0; i < 4; i++)
		tasks[i] = start(uses_it, 0);
	yield_some(2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, thread_uses_it, NULL), 0);
	for (int i = 0; i < 4; i++)
		users += join(tasks[i]);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(users, 3);
	CHECK_EQ(turns, 2);
}

static pthread_once_t left = PTHREAD_ONCE_INIT;

static void leave(void)
{
	if (turns++ == 0)
		weft_exit(5);
}

static int uses_left(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_once(&left, leave), 0);
	return turns;
}

TEST(waits, once_left_by_weft_exit)
{
	CHECK_EQ(join(start(uses_left, 0)), 5);
	CHECK_EQ(join(start(uses_left, 0)), 2);
}

#if !WEFT_TSAN /* which sees no locks of a thread that is being unwound */

static void make_or_be_cancelled(void)
{
	if (turns++ > 0)
		return;
	stage = 1;
	for (;;)
		pause();
}

static int uses_cancelled(void *unused)
{
	(void)unused;
	return pthread_once(&once, make_or_be_cancelled);
}

static void *thread_is_cancelled(void *unused)
{
	uses_cancelled(unused);
	return NULL;
}

/* A thread is cancelled in the middle; a task waits for it. */
TEST(waits, once_of_a_cancelled_thread)
{
	pthread_t maker;
	weft_task *task;
	void *value;

	CHECK_EQ(pthread_create(&maker, NULL, thread_is_cancelled, NULL), 0);
	while (stage == 0)
		usleep(1000);
	task = start(uses_cancelled, 0);
	usleep(1000);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(pthread_cancel(maker), 0);
	CHECK_EQ(pthread_join(maker, &value), 0);
	CHECK(value == PTHREAD_CANCELED);
	CHECK_EQ(join(task), 0);
	CHECK_EQ(turns, 2);
}

#endif

static void make_in_parent(void)
{
	turns++;
	while (stage == 0)
		weft_task_yield();
}

static int uses_slow(void *unused)
{
	(void)unused;
	CHECK_EQ(pthread_once(&once, make_in_parent), 0);
	return turns;
}

/* Who was at it is not in the child. */
TEST(waits, once_in_the_child_of_a_fork)
{
	weft_task *task = start(uses_slow, 0);
	pid_t child;
	int status;

	yield_some(3);
	child = fork();
	if (child == 0) {
		stage = 1;
		CHECK_EQ(uses_slow(NULL), 2);
		_exit(7);
	}
	stage = 1;
	CHECK_EQ(join(task), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

/* --- barriers --------------------------------------------------------------------------------------- */

static int meets(void *unused)
{
	(void)unused;
	return pthread_barrier_wait(&barrier) ? 1 : 0;
}

static void *thread_meets(void *unused)
{
	usleep(5000);
	meets(unused);
	return NULL;
}

/* A thread comes last, and then a task. */
TEST(waits, barrier_with_a_thread)
{
	pthread_t meeting;
	weft_task *tasks[3];

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 4), 0);
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 3; j++)
			tasks[j] = start(meets, 0);
		yield_some(2);
		CHECK_EQ(pthread_barrier_destroy(&barrier), EBUSY);
		CHECK_EQ(pthread_create(&meeting, NULL, thread_meets, NULL), 0);
		for (int j = 0; j < 3; j++)
			join(tasks[j]);
		CHECK_EQ(pthread_join(meeting, NULL), 0);
	}
	CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

static int meets_cancelled(void *unused)
{
	meets(unused);
	return weft_cancelled();
}

TEST(waits, barrier_cancelled_while_it_waits)
{
	weft_task *task;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	task = start(meets_cancelled, 0);
	yield_some(2);
	CHECK_EQ(weft_cancel(task), 0);
	yield_some(2);
	CHECK_EQ(weft_join(task, WEFT_NOWAIT, NULL), -EAGAIN);
	CHECK_EQ(join(start(meets, 0)), 1);
	CHECK_EQ(join(task), 1);
}
