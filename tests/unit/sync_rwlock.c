/* SPDX-License-Identifier: MIT
 *
 * sync_rwlock.c - many readers or one writer, and whose turn it is.
 */
#include "parties.h"

static weft_rwlock lock = WEFT_RWLOCK_INIT;
static char said[64];
static _Atomic int saying;

static int read_for_ever(void *arg)
{
	return weft_rwlock_read(arg, WEFT_FOREVER);
}

static int read_shortly(void *arg)
{
	return weft_rwlock_read(arg, weft_in_ms(2));
}

static int write_shortly(void *arg)
{
	return weft_rwlock_write(arg, weft_in_ms(2));
}

static int write_for_ever(void *arg)
{
	return weft_rwlock_write(arg, WEFT_FOREVER);
}

static int read_now(void)
{
	return weft_rwlock_read(&lock, WEFT_NOWAIT);
}

static int write_now(void)
{
	return weft_rwlock_write(&lock, WEFT_NOWAIT);
}

static int unlock_it(void *arg)
{
	return weft_rwlock_unlock(arg);
}

TEST(rwlock, errors)
{
	weft_rwlock made;

	memset(&made, 0xa5, sizeof made);
	CHECK_EQ(weft_rwlock_init(&made), 0);
	CHECK_EQ(weft_rwlock_unlock(&made), -EPERM);
	CHECK_EQ(weft_rwlock_write(&made, WEFT_FOREVER), 0);
	CHECK_EQ(weft_rwlock_fini(&made), -EBUSY);
	CHECK_EQ(weft_rwlock_write(&made, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_rwlock_read(&made, WEFT_FOREVER), -EDEADLK);
	CHECK_EQ(weft_rwlock_unlock(&made), 0);
	CHECK_EQ(weft_rwlock_unlock(&made), -EPERM);
	CHECK_EQ(weft_rwlock_read(&made, WEFT_FOREVER), 0);
	CHECK_EQ(weft_rwlock_read(&made, WEFT_FOREVER), 0);
	CHECK_EQ(weft_rwlock_fini(&made), -EBUSY);
	CHECK_EQ(weft_rwlock_write(&made, WEFT_NOWAIT), -EAGAIN);
	CHECK_EQ(weft_rwlock_unlock(&made), 0);
	CHECK_EQ(weft_rwlock_unlock(&made), 0);
	CHECK_EQ(weft_rwlock_unlock(&made), -EPERM);
	CHECK_EQ(weft_rwlock_fini(&made), 0);
}

TEST(rwlock, a_million_readers)
{
	int count = 0, rc;

	while ((rc = read_now()) == 0)
		count++;
	CHECK_EQ(rc, -EAGAIN);
	CHECK_EQ(count, (1 << 20) - 1);
	while (count--)
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	CHECK_EQ(write_now(), 0);
}

static int strangers(void *arg)
{
	struct party party;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		CHECK_EQ(write_now(), 0);
		party_start(&party, kind, unlock_it, &lock);
		CHECK_EQ(party_end(&party), -EPERM);
		party_start(&party, kind, read_shortly, &lock);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		party_start(&party, kind, write_shortly, &lock);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
		CHECK_EQ(read_now(), 0);
		party_start(&party, kind, read_shortly, &lock);
		CHECK_EQ(party_end(&party), 0);
		party_start(&party, kind, write_shortly, &lock);
		CHECK_EQ(party_end(&party), -ETIMEDOUT);
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
		CHECK_EQ(weft_rwlock_fini(&lock), 0);
	}
	return 0;
}

TEST(rwlock, strangers_and_deadlines)
{
	run_on(1, strangers, NULL);
	run_on(2, strangers, NULL);
}

static void say(int c)
{
	said[saying++] = (char)c;
}

static int read_and_say(void *arg)
{
	CHECK_EQ(weft_rwlock_read(&lock, WEFT_FOREVER), 0);
	say((int)(intptr_t)arg);
	CHECK_EQ(weft_task_yield(), 0);
	return weft_rwlock_unlock(&lock);
}

static int write_and_say(void *arg)
{
	CHECK_EQ(weft_rwlock_write(&lock, WEFT_FOREVER), 0);
	say((int)(intptr_t)arg);
	if (weft_self())
		CHECK_EQ(weft_task_yield(), 0);
	say((int)(intptr_t)arg);
	return weft_rwlock_unlock(&lock);
}

/* Main reads; then come writers and readers in turn. */
static int phases(void *arg)
{
	struct party parties[6];

	(void)arg;
	CHECK_EQ(read_now(), 0);
	for (int i = 0; i < 6; i++) {
		party_start(&parties[i], i % 3 == 2 ? SHARED : PRIVATE,
			    i % 2 ? read_and_say : write_and_say, (void *)(intptr_t)("WrVsUt"[i]));
		await_waiters(&lock, i + 1);
	}
	CHECK_EQ(read_now(), -EAGAIN); /* a writer waits */
	say('m');
	CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_STR(said, "mWWrstVVUU");
	CHECK_EQ(weft_rwlock_fini(&lock), 0);
	return 0;
}

TEST(rwlock, turns_are_phases)
{
	run_on(1, phases, NULL);
}

/* Readers wait for a writer that waits. When it gives up they go in. */
static int writer_gives_up(void *arg)
{
	struct party writer, reader;

	(void)arg;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		CHECK_EQ(read_now(), 0);
		party_start(&writer, kind == THREAD ? PRIVATE : kind, write_for_ever, &lock);
		await_waiters(&lock, 1);
		party_start(&reader, kind, read_for_ever, &lock);
		await_waiters(&lock, 2);
		CHECK_EQ(weft_cancel(writer.task), 0);
		CHECK_EQ(party_end(&writer), -ECANCELED);
		CHECK_EQ(party_end(&reader), 0);
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
		CHECK_EQ(weft_rwlock_fini(&lock), 0);
	}
	return 0;
}

TEST(rwlock, a_writer_that_gives_up_lets_readers_in)
{
	run_on(1, writer_gives_up, NULL);
	run_on(2, writer_gives_up, NULL);
}

static int outlive(void *arg)
{
	struct party writer, waiters[2];

	(void)arg;
	party_start(&writer, PRIVATE, write_for_ever, &lock);
	CHECK_EQ(party_end(&writer), 0);
	CHECK_EQ(read_now(), -EOWNERDEAD);
	CHECK_EQ(write_now(), -EOWNERDEAD);
	CHECK_EQ(weft_rwlock_unlock(&lock), -EPERM);
	CHECK_EQ(weft_rwlock_fini(&lock), 0);
	CHECK_EQ(weft_rwlock_init(&lock), 0);
	CHECK_EQ(write_now(), 0);
	party_start(&writer, MOVABLE, write_for_ever, &lock);
	await_waiters(&lock, 1);
	party_start(&waiters[0], THREAD, write_for_ever, &lock);
	party_start(&waiters[1], SHARED, read_for_ever, &lock);
	await_waiters(&lock, 3);
	CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	/* The readers' turn comes first. */
	CHECK_EQ(party_end(&waiters[1]), 0);
	CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	CHECK_EQ(party_end(&writer), 0);
	await_waiters(&lock, 1);
	check_said(dump_text(), "held by a task that has ended");
	CHECK_EQ(read_now(), -EOWNERDEAD);
	CHECK_EQ(party_end(&waiters[0]), -EOWNERDEAD);
	return weft_rwlock_init(&lock);
}

TEST(rwlock, writers_that_end)
{
	run_on(1, outlive, NULL);
	run_on(2, outlive, NULL);
}

static int be_seen(void *arg)
{
	struct party party;
	char needle[64];

	(void)arg;
	CHECK_EQ(read_now(), 0);
	party_start(&party, PRIVATE, write_for_ever, &lock);
	await_waiters(&lock, 1);
	snprintf(needle, sizeof needle, ": rwlock %p held by 1 readers, for ", (void *)&lock);
	check_said(dump_text(), needle);
	CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	CHECK_EQ(party_end(&party), 0);
	CHECK_EQ(weft_rwlock_init(&lock), 0);
	CHECK_EQ(write_now(), 0);
	party_start(&party, PRIVATE, read_for_ever, &lock);
	await_waiters(&lock, 1);
	snprintf(needle, sizeof needle, ": rwlock %p, held by task %llu", (void *)&lock,
		 (unsigned long long)weft_task_id(weft_self()));
	check_said(dump_text(), needle);
	CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	return party_end(&party);
}

TEST(rwlock, names_itself)
{
	run_on(1, be_seen, NULL);
}

static weft_rwlock forks[2];

static int dine(void *arg)
{
	intptr_t i = (intptr_t)arg;

	CHECK_EQ(weft_rwlock_write(&forks[i], WEFT_FOREVER), 0);
	weft_task_yield();
	return weft_rwlock_read(&forks[1 - i], WEFT_FOREVER);
}

static void dine_both(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 2; i++)
		CHECK_EQ(weft_spawn(NULL, NULL, dine, (void *)i), 0);
	weft_sleep(20000000);
}

TEST(rwlock, circles_of_writers_are_named)
{
	CHECK_DEATH(SIGABRT, ") waits for rwlock 0x", dine_both, NULL);
	CHECK_DEATH(SIGABRT, "was about to wait for rwlock 0x", dine_both, NULL);
}

/* --- every mixture ---------------------------------------------------------------------------- */

static _Atomic int reading, writing;
static int written;

static int read_and_write(void *arg)
{
	for (int i = 0; i < 40; i++) {
		if ((i + (int)(intptr_t)arg) % 3) {
			CHECK_EQ(weft_rwlock_read(&lock, WEFT_FOREVER), 0);
			reading++;
			CHECK_EQ(writing, 0);
			if (weft_self())
				CHECK_EQ(weft_task_yield(), 0);
			reading--;
		} else {
			CHECK_EQ(weft_rwlock_write(&lock, WEFT_FOREVER), 0);
			CHECK_EQ(writing++, 0);
			CHECK_EQ(reading, 0);
			written++;
			if (weft_self())
				CHECK_EQ(weft_task_yield(), 0);
			CHECK_EQ(--writing, 0);
		}
		CHECK_EQ(weft_rwlock_unlock(&lock), 0);
	}
	return 0;
}

static int mix(void *arg)
{
	int pair = (int)(intptr_t)arg;
	struct party parties[6];

	written = 0;
	for (intptr_t i = 0; i < 6; i++)
		party_start(&parties[i], i % 2 ? first_of(pair) : second_of(pair), read_and_write,
			    (void *)i);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(party_end(&parties[i]), 0);
	CHECK_EQ(written, 80);
	CHECK_EQ(weft_rwlock_fini(&lock), 0);
	return 0;
}

TEST_LIMIT(rwlock, every_mixture, 60)
{
	for (intptr_t pair = 0; pair < PAIRS; pair++) {
		run_on(1, mix, (void *)pair);
		run_on(2, mix, (void *)pair);
	}
}
