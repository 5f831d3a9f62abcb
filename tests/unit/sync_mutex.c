/* SPDX-License-Identifier: MIT
 *
 * sync_mutex.c - mutexes: whose they are, who comes next, and every error.
 */
#include "parties.h"

static weft_mutex mutex = WEFT_MUTEX_INIT;
static int trace[64];
static _Atomic int traced;

static int lock_now(weft_mutex *which)
{
	return weft_mutex_lock(which, WEFT_NOWAIT);
}

/* --- whose it is ----------------------------------------------------------------------- */

TEST(mutex, zero_is_free)
{
	weft_mutex *made = calloc(1, sizeof *made), *other = malloc(sizeof *other);

	CHECK_EQ(weft_mutex_lock(made, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_unlock(made), 0);
	CHECK_EQ(weft_mutex_fini(made), 0);
	memset(other, 0xa5, sizeof *other);
	CHECK_EQ(weft_mutex_init(other, 0), 0);
	CHECK_EQ(weft_mutex_lock(other, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_unlock(other), 0);
	CHECK_EQ(weft_mutex_init(other, 4), -EINVAL);
	free(other);
	free(made);
}

static int unlock_it(void *arg)
{
	return weft_mutex_unlock(arg);
}

static int try_it(void *arg)
{
	return lock_now(arg);
}

static int errors_of_strangers(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, unlock_it, &mutex);
		CHECK_EQ(party_end(&party), -EPERM);
		CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
		party_start(&party, kind, unlock_it, &mutex);
		CHECK_EQ(party_end(&party), -EPERM);
		party_start(&party, kind, try_it, &mutex);
		CHECK_EQ(party_end(&party), -EAGAIN);
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
		CHECK_EQ(weft_mutex_unlock(&mutex), -EPERM);
	}
	return 0;
}

TEST(mutex, only_its_owner_unlocks)
{
	CHECK_EQ(weft_mutex_unlock(&mutex), -EPERM);
	run_on(1, errors_of_strangers, NULL);
	run_on(2, errors_of_strangers, NULL);
}

static int lock_twice(void *arg)
{
	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_mutex_lock(&mutex, weft_in_s(1)), -EDEADLK);
	CHECK_EQ(lock_now(&mutex), -EDEADLK);
	return weft_mutex_unlock(&mutex);
}

TEST(mutex, locked_again_by_its_owner)
{
	CHECK_EQ(lock_twice(NULL), 0);
	run_on(1, lock_twice, NULL);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
}

static int lock_recursive(void *arg)
{
	static weft_mutex again = WEFT_MUTEX_RECURSIVE_INIT;
	struct party party;

	(void)arg;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_mutex_lock(&again, WEFT_FOREVER), 0);
	for (int i = 0; i < 3; i++) {
		party_start(&party, PRIVATE, try_it, &again);
		CHECK_EQ(party_end(&party), -EAGAIN);
		CHECK_EQ(weft_mutex_fini(&again), -EBUSY);
		CHECK_EQ(weft_mutex_unlock(&again), 0);
	}
	CHECK_EQ(weft_mutex_unlock(&again), -EPERM);
	party_start(&party, PRIVATE, try_it, &again);
	CHECK_EQ(party_end(&party), 0);
	return 0;
}

TEST(mutex, recursive_counts)
{
	run_on(1, lock_recursive, NULL);
}

TEST(mutex, recursive_has_an_end)
{
	weft_mutex again;
	int count = 0, rc;

	CHECK_EQ(weft_mutex_init(&again, WEFT_MUTEX_RECURSIVE), 0);
	while ((rc = lock_now(&again)) == 0)
		count++;
	CHECK_EQ(rc, -EAGAIN);
	CHECK_EQ(count, 65535);
	while (count--)
		CHECK_EQ(weft_mutex_unlock(&again), 0);
	CHECK_EQ(weft_mutex_fini(&again), 0);
}

/* A thread becomes a runtime while it holds a lock: its main task goes on with it. */
TEST(mutex, of_a_thread_that_becomes_a_runtime)
{
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	CHECK_EQ(weft_sleep(1000), 0);
	CHECK(weft_self() != NULL);
	CHECK_EQ(lock_now(&mutex), -EDEADLK);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), -EPERM);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
}

/* --- waiting ------------------------------------------------------------------------------ */

static int lock_and_note(void *arg)
{
	int rc = weft_mutex_lock(&mutex, WEFT_FOREVER);

	if (rc < 0)
		return rc;
	trace[traced++] = (int)(intptr_t)arg;
	return weft_mutex_unlock(&mutex);
}

static int first_come(void *arg)
{
	struct party parties[8];

	(void)arg;
	traced = 0;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	for (int i = 0; i < 8; i++) {
		party_start(&parties[i], (enum kind)(i % KINDS), lock_and_note,
			    (void *)(intptr_t)i);
		await_waiters(&mutex, i + 1);
	}
	CHECK_EQ(weft_mutex_fini(&mutex), -EBUSY);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(traced, 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(trace[i], i);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return 0;
}

TEST(mutex, first_come_first_served)
{
	run_on(1, first_come, NULL);
	run_on(2, first_come, NULL);
}

/* As written: so often, and fewer times only for who is slow. */
static void check_passed(int passed)
{
	CHECK_GE(passed, WEFT_MUTEX_BARGES_FREE);
	CHECK_LE(passed, WEFT_MUTEX_BARGES);
}

/* One that waits, and has been woken, but has not come to run. */
static void wake_a_waiter(struct party *waiter)
{
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(waiter, PRIVATE, lock_and_note, NULL);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
}

/* It does not come: others take the mutex, but not more often than is written. */
static int pass_by(void *arg)
{
	struct party waiter;
	int passed = 0;

	(void)arg;
	wake_a_waiter(&waiter);
	for (; lock_now(&mutex) == 0; passed++)
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	check_passed(passed);
	CHECK_EQ(lock_now(&mutex), -EAGAIN); /* it is the waiter's, who has not run yet */
	CHECK_EQ(traced, 0);
	CHECK_EQ(party_end(&waiter), 0);
	CHECK_EQ(traced, 1);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return 0;
}

TEST(mutex, passed_so_often_and_no_more)
{
	run_on(1, pass_by, NULL);
}

/* Others hold it for long, each time: then it is not passed that often. */
static int pass_slowly(void *arg)
{
	struct party waiter;
	int passed = 0;

	(void)arg;
	wake_a_waiter(&waiter);
	for (; lock_now(&mutex) == 0; passed++) {
		if (passed > WEFT_MUTEX_BARGES_FREE)
			usleep(WEFT_MUTEX_BARGES_NS / 1000);
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	}
	CHECK_GE(passed, WEFT_MUTEX_BARGES_FREE);
	CHECK_LE(passed, WEFT_MUTEX_BARGES_FREE + 64);
	CHECK_EQ(party_end(&waiter), 0);
	return 0;
}

TEST(mutex, passed_less_often_by_the_slow)
{
	run_on(1, pass_slowly, NULL);
}

/* It comes each time, and finds the mutex taken again: that counts as well, and it stays
 * before those who came later. */
static int pass_a_runner(void *arg)
{
	struct party waiters[3];
	int passed = 0;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&waiters[0], PRIVATE, lock_and_note, (void *)1);
	party_start(&waiters[1], SHARED, lock_and_note, (void *)2);
	party_start(&waiters[2], PRIVATE, lock_and_note, (void *)3);
	CHECK_EQ(weft_task_yield(), 0);
	for (;; passed++) {
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
		if (lock_now(&mutex) < 0)
			break;
		CHECK_EQ(weft_task_yield(), 0);
		CHECK_EQ(traced, 0);
	}
	check_passed(passed);
	for (int i = 2; i >= 0; i--)
		CHECK_EQ(party_end(&waiters[i]), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(trace[i], i + 1);
	return 0;
}

TEST(mutex, who_comes_too_late_stays_the_first)
{
	run_on(1, pass_a_runner, NULL);
}

static int lock_until(void *arg)
{
	return weft_mutex_lock(arg, weft_in_ms(2));
}

static int lock_for_ever(void *arg)
{
	return weft_mutex_lock(arg, WEFT_FOREVER);
}

static int time_out(void *arg)
{
	struct party party;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&party, kind, lock_until, &mutex);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
	}
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	/* Nothing of them is left. */
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	CHECK_EQ(weft_mutex_lock(&mutex, 1), 0);
	return weft_mutex_unlock(&mutex);
}

TEST(mutex, deadlines)
{
	run_on(1, time_out, NULL);
	run_on(2, time_out, NULL);
}

static int cancel_waiters(void *arg)
{
	struct party party;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	for (enum kind kind = 0; kind < THREAD; kind++) {
		party_start(&party, kind, lock_for_ever, &mutex);
		await_waiters(&mutex, 1);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
		/* Before it has begun to wait. */
		party_start(&party, kind, lock_for_ever, &mutex);
		CHECK_EQ(weft_cancel(party.task), 0);
		CHECK_EQ(party_end(&party), -ECANCELED);
	}
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return 0;
}

TEST(mutex, cancels)
{
	run_on(1, cancel_waiters, NULL);
	run_on(2, cancel_waiters, NULL);
}

static int tidy_up(void *arg)
{
	CHECK_EQ(weft_cancelled(), 1);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), -ECANCELED);
	CHECK_EQ(weft_mutex_lock(arg, WEFT_FOREVER), 0);
	return weft_mutex_unlock(arg);
}

static int cancel_shielded(void *arg)
{
	static weft_mutex shielded;
	struct party party;

	(void)arg;
	CHECK_EQ(weft_mutex_init(&shielded, WEFT_MUTEX_SHIELDED), 0);
	CHECK_EQ(weft_mutex_lock(&shielded, WEFT_FOREVER), 0);
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&party, PRIVATE, tidy_up, &shielded);
	CHECK_EQ(weft_cancel(party.task), 0);
	let_others();
	CHECK_EQ(weft_cancel(party.task), 0);
	CHECK(!party.over);
	CHECK_EQ(weft_mutex_unlock(&shielded), 0);
	CHECK_EQ(party_end(&party), 0);
	return weft_mutex_unlock(&mutex);
}

TEST(mutex, shielded_from_cancels)
{
	run_on(1, cancel_shielded, NULL);
}

/* Row 55: cancelled after it has been handed the mutex, before it runs: the mutex is its. */
static int hand_and_cancel(void *arg)
{
	struct party waiter;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&waiter, PRIVATE, lock_for_ever, &mutex);
	CHECK_EQ(weft_task_yield(), 0);
	do
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	while (lock_now(&mutex) == 0);
	CHECK_EQ(weft_cancel(waiter.task), 0);
	CHECK_EQ(party_end(&waiter), 0);
	return 0;
}

/* And if it was merely woken: it is free, so it gets it. */
static int wake_and_cancel(void *arg)
{
	struct party waiter;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&waiter, PRIVATE, lock_for_ever, &mutex);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(weft_cancel(waiter.task), 0);
	CHECK_EQ(party_end(&waiter), 0);
	return 0;
}

/* And if it was woken, and comes too late: it leaves, and the next one is woken. */
static int wake_late_and_cancel(void *arg)
{
	struct party waiter, next;

	(void)arg;
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&waiter, PRIVATE, lock_for_ever, &mutex);
	party_start(&next, PRIVATE, lock_and_note, &mutex);
	CHECK_EQ(weft_task_yield(), 0);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(lock_now(&mutex), 0);
	CHECK_EQ(weft_cancel(waiter.task), 0);
	CHECK_EQ(party_end(&waiter), -ECANCELED);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(party_end(&next), 0);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return 0;
}

TEST(mutex, handed_over_and_cancelled)
{
	run_on(1, hand_and_cancel, NULL);
	CHECK_EQ(weft_mutex_init(&mutex, 0), 0);
	run_on(1, wake_and_cancel, NULL);
	CHECK_EQ(weft_mutex_init(&mutex, 0), 0);
	run_on(1, wake_late_and_cancel, NULL);
}

/* --- every mixture ---------------------------------------------------------------------------- */

enum { TURNS = 40 };
static int inside, turns;

/* Held across a park. */
static int hold_and_wait(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		CHECK_EQ(weft_mutex_lock(&mutex, i % 2 ? WEFT_FOREVER : weft_in_s(60)), 0);
		CHECK_EQ(inside++, 0);
		if (i % 8 == 0 && weft_self())
			CHECK_EQ(weft_sleep(100000), 0);
		else if (weft_self())
			CHECK_EQ(weft_task_yield(), 0);
		turns++;
		CHECK_EQ(--inside, 0);
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[4];

	turns = 0;
	for (int i = 0; i < 4; i++)
		party_start(&parties[i], i % 2 ? first_of(pair) : second_of(pair), hold_and_wait,
			    NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(turns, 4 * TURNS);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return 0;
}

TEST_LIMIT(mutex, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
}

/* --- owners that end ----------------------------------------------------------------------------- */

static int lock_and_end(void *arg)
{
	return weft_mutex_lock(arg, WEFT_FOREVER);
}

static int outlive(void *arg)
{
	struct party owner, heir, waiter;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		party_start(&owner, kind, lock_and_end, &mutex);
		CHECK_EQ(party_end(&owner), 0);
		/* Whoever has its block now is not the owner. */
		party_start(&heir, kind, unlock_it, &mutex);
		CHECK_EQ(party_end(&heir), -EPERM);
		party_start(&heir, kind, lock_for_ever, &mutex);
		CHECK_EQ(party_end(&heir), -EOWNERDEAD);
		CHECK_EQ(lock_now(&mutex), -EOWNERDEAD);
		CHECK_EQ(weft_mutex_fini(&mutex), 0);
		CHECK_EQ(weft_mutex_init(&mutex, 0), 0);
	}
	/* Who waits already is told by the next who comes. */
	CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
	party_start(&owner, PRIVATE, lock_and_end, &mutex);
	weft_task_yield();
	party_start(&waiter, PRIVATE, lock_for_ever, &mutex);
	await_waiters(&mutex, 1);
	CHECK_EQ(weft_mutex_unlock(&mutex), 0);
	CHECK_EQ(party_end(&owner), 0);
	let_others();
	CHECK(!waiter.over);
	check_said(dump_text(), " held by a task that has ended");
	CHECK_EQ(lock_now(&mutex), -EOWNERDEAD);
	CHECK_EQ(party_end(&waiter), -EOWNERDEAD);
	CHECK_EQ(weft_mutex_fini(&mutex), 0);
	return weft_mutex_init(&mutex, 0);
}

TEST(mutex, owners_that_end)
{
	run_on(1, outlive, NULL);
	run_on(2, outlive, NULL);
}

/* --- what is said ------------------------------------------------------------------------------------ */

static int be_seen(void *arg)
{
	struct party party;
	char needle[64];

	(void)arg;
	snprintf(needle, sizeof needle, ": mutex %p, held by task %llu", (void *)&mutex,
		 (unsigned long long)weft_task_id(weft_self()));
	for (enum kind kind = 0; kind < KINDS; kind++) {
		CHECK_EQ(weft_mutex_lock(&mutex, WEFT_FOREVER), 0);
		party_start(&party, kind, lock_and_note, NULL);
		await_waiters(&mutex, 1);
		check_said(dump_text(), needle);
		CHECK_EQ(weft_mutex_unlock(&mutex), 0);
		CHECK_EQ(party_end(&party), 0);
	}
	return 0;
}

TEST(mutex, names_its_holder)
{
	run_on(1, be_seen, NULL);
}

static weft_mutex forks[3];
static weft_task *philosophers[3];

static int dine(void *arg)
{
	intptr_t i = (intptr_t)arg;

	CHECK_EQ(weft_mutex_lock(&forks[i], WEFT_FOREVER), 0);
	weft_task_yield();
	return weft_mutex_lock(&forks[(i + 1) % 3], WEFT_FOREVER);
}

static void dine_all(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 3; i++)
		CHECK_EQ(weft_spawn(&philosophers[i], &(weft_attr){ .name = "thinker" }, dine,
				    (void *)i),
			 0);
	weft_sleep(20000000);
}

static int join_holder(void *arg)
{
	CHECK_EQ(weft_mutex_lock(&forks[0], WEFT_FOREVER), 0);
	weft_task_yield();
	return weft_join(*(weft_task **)arg, WEFT_FOREVER, NULL);
}

static void lock_and_join(void *arg)
{
	static weft_task *waiter;

	(void)arg;
	weft_spawn(NULL, NULL, join_holder, &waiter);
	weft_spawn(&waiter, NULL, lock_for_ever, &forks[0]);
	weft_sleep(20000000);
}

TEST(mutex, circles_are_named_at_once)
{
	CHECK_DEATH(SIGABRT, "weft: a circle of waits can never end:\n", dine_all, NULL);
	CHECK_DEATH(SIGABRT, "task 2 \"thinker\" (spawned at ", dine_all, NULL);
	CHECK_DEATH(SIGABRT, ") waits for mutex 0x", dine_all, NULL);
	CHECK_DEATH(SIGABRT, ", held by task 4\n", dine_all, NULL);
	CHECK_DEATH(SIGABRT, ", held by the first of them; take locks in one order", dine_all,
		    NULL);
	CHECK_DEATH(SIGABRT, "was about to join the first of them", lock_and_join, NULL);
}

static int dine_politely(void *arg)
{
	intptr_t i = (intptr_t)arg;
	int rc;

	CHECK_EQ(weft_mutex_lock(&forks[i], WEFT_FOREVER), 0);
	weft_task_yield();
	rc = weft_mutex_lock(&forks[(i + 1) % 3], i ? WEFT_FOREVER : weft_in_ms(5));
	CHECK_EQ(rc, i ? 0 : -ETIMEDOUT);
	CHECK_EQ(weft_mutex_unlock(&forks[i]), 0);
	if (rc == 0)
		CHECK_EQ(weft_mutex_unlock(&forks[(i + 1) % 3]), 0);
	return 0;
}

TEST(mutex, a_deadline_is_a_way_out)
{
	for (intptr_t i = 0; i < 3; i++)
		CHECK_EQ(weft_spawn(&philosophers[i], NULL, dine_politely, (void *)i), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(weft_join(philosophers[i], WEFT_FOREVER, NULL), 0);
}

/* --- the end of a mutex --------------------------------------------------------------------------------- */

/* Who gets it last frees it, while the one before him is still inside unlock. */
struct shared_thing {
	weft_mutex mutex;
	int users;
};

static int use_and_free(void *arg)
{
	struct shared_thing *thing = arg;
	bool last;

	CHECK_EQ(weft_mutex_lock(&thing->mutex, WEFT_FOREVER), 0);
	last = --thing->users == 0;
	CHECK_EQ(weft_mutex_unlock(&thing->mutex), 0);
	if (last) {
		memset(thing, 0xff, sizeof *thing);
		free(thing);
	}
	return 0;
}

static int free_after_unlock(void *arg)
{
	(void)arg;
	for (int round = 0; round < 300; round++) {
		struct shared_thing *thing = calloc(1, sizeof *thing);
		struct party parties[4];

		thing->users = 4;
		for (int i = 0; i < 4; i++)
			party_start(&parties[i], (enum kind)((round + i) % KINDS), use_and_free,
				    thing);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(party_end(&parties[i]), 0);
	}
	return 0;
}

TEST_LIMIT(mutex, freed_by_the_last_who_had_it, 60)
{
	run_on(2, free_after_unlock, NULL);
}
