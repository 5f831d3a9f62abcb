/* SPDX-License-Identifier: MIT
 *
 * history_locks.c - the history checker on histories of locks.
 */
#include "history.h"

/* --- mutex ---------------------------------------------------------------------------------- */

TEST(history_mutex, in_turn)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 8, 0, 0);
	ADD(2, TRY_LOCK, 4, 5, 0, -EBUSY);
	ADD(2, UNLOCK, 6, 7, 0, -EPERM);
	ADD(0, UNLOCK, 5, 6, 0, 0);
	ADD(1, UNLOCK, 9, 10, 0, 0);
	ADD(2, TRY_LOCK, 11, 12, 0, 0);
	ADD(2, LOCK, 13, 14, 0, -EDEADLK);
	CHECK_ACCEPTED(spec_mutex(false));
}

TEST(history_mutex, deadlines_and_cancels)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 4, 0, -ETIMEDOUT);
	ADD(2, LOCK, 5, 6, 0, -ECANCELED);
	ADD(0, UNLOCK, 7, 8, 0, 0);
	ADD(2, LOCK, 9, 10, 0, -ECANCELED);
	ADD(1, LOCK, 11, 12, 0, 0);
	CHECK_ACCEPTED(spec_mutex(false));
}

TEST(history_mutex, recursive)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, TRY_LOCK, 3, 4, 0, 0);
	ADD(0, UNLOCK, 5, 6, 0, 0);
	ADD(1, TRY_LOCK, 7, 8, 0, -EBUSY);
	ADD(0, UNLOCK, 9, 10, 0, 0);
	ADD(1, TRY_LOCK, 11, 12, 0, 0);
	CHECK_ACCEPTED(spec_mutex(true));
}

TEST(history_mutex, recursive_dropped_too_early)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, LOCK, 3, 4, 0, 0);
	ADD(0, UNLOCK, 5, 6, 0, 0);
	ADD(1, TRY_LOCK, 7, 8, 0, 0);
	CHECK_REFUSED(spec_mutex(true), "try_lock() -> 0");
}

TEST(history_mutex, two_holders)
{
	ADD(0, LOCK, 1, 4, 0, 0);
	ADD(1, LOCK, 2, 3, 0, 0);
	ADD(0, UNLOCK, 5, 7, 0, 0);
	ADD(1, UNLOCK, 6, 8, 0, 0);
	CHECK_REFUSED(spec_mutex(false), "party 0  lock() -> 0");
}

TEST(history_mutex, holder_beside_an_unlock_that_comes)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 5, 0, 0);
	ADD(0, UNLOCK, 4, 6, 0, 0);
	CHECK_ACCEPTED(spec_mutex(false));
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 4, 0, 0);
	ADD(0, UNLOCK, 5, 6, 0, 0);
	CHECK_REFUSED(spec_mutex(false), "party 1  lock() -> 0");
}

TEST(history_mutex, lost_unlock)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, UNLOCK, 3, 4, 0, 0);
	ADD(1, TRY_LOCK, 5, 6, 0, -EBUSY);
	CHECK_REFUSED(spec_mutex(false), "try_lock() -> -EBUSY");
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, UNLOCK, 3, 4, 0, 0);
	ADD(1, LOCK, 5, 6, 0, -ETIMEDOUT);
	CHECK_REFUSED(spec_mutex(false), "lock() -> -ETIMEDOUT");
}

/* Handed to a party whose wait was cancelled: nobody has it, and nobody gets it. */
TEST(history_mutex, handed_to_one_who_left)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 6, 0, -ECANCELED);
	ADD(0, UNLOCK, 4, 5, 0, 0);
	ADD(2, LOCK, 7, 8, 0, -ETIMEDOUT);
	CHECK_REFUSED(spec_mutex(false), "party 2  lock() -> -ETIMEDOUT");
}

TEST(history_mutex, unlocked_by_a_stranger)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, UNLOCK, 3, 4, 0, 0);
	CHECK_REFUSED(spec_mutex(false), "unlock() -> 0");
}

TEST(history_mutex, unlock_refused_to_its_owner)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, UNLOCK, 3, 4, 0, -EPERM);
	CHECK_REFUSED(spec_mutex(false), "unlock() -> -EPERM");
}

TEST(history_mutex, open_lock_keeps_it)
{
	ADD(0, LOCK, 1, NEVER, 0, 0);
	ADD(1, TRY_LOCK, 2, 3, 0, -EBUSY);
	CHECK_ACCEPTED(spec_mutex(false));
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(0, UNLOCK, 3, NEVER, 0, 0);
	ADD(1, TRY_LOCK, 4, 5, 0, 0);
	CHECK_ACCEPTED(spec_mutex(false));
}

/* --- rwlock ------------------------------------------------------------------------------------- */

TEST(history_rwlock, readers_together_and_a_writer_alone)
{
	ADD(0, READ_LOCK, 1, 2, 0, 0);
	ADD(1, READ_LOCK, 3, 4, 0, 0);
	ADD(2, LOCK, 5, 12, 0, 0);
	ADD(3, TRY_READ_LOCK, 6, 7, 0, -EBUSY);
	ADD(0, READ_UNLOCK, 8, 9, 0, 0);
	ADD(1, READ_UNLOCK, 10, 11, 0, 0);
	ADD(3, TRY_READ_LOCK, 13, 14, 0, -EBUSY);
	ADD(2, UNLOCK, 15, 16, 0, 0);
	ADD(3, TRY_READ_LOCK, 17, 18, 0, 0);
	CHECK_ACCEPTED(spec_rwlock());
}

TEST(history_rwlock, writer_beside_a_reader)
{
	ADD(0, READ_LOCK, 1, 2, 0, 0);
	ADD(1, LOCK, 3, 4, 0, 0);
	CHECK_REFUSED(spec_rwlock(), "lock() -> 0");
}

TEST(history_rwlock, reader_beside_a_writer)
{
	ADD(0, LOCK, 1, 2, 0, 0);
	ADD(1, READ_LOCK, 3, 4, 0, 0);
	CHECK_REFUSED(spec_rwlock(), "read_lock() -> 0");
}

TEST(history_rwlock, lost_unlock_of_a_reader)
{
	ADD(0, READ_LOCK, 1, 2, 0, 0);
	ADD(0, READ_UNLOCK, 3, 4, 0, 0);
	ADD(1, TRY_LOCK, 5, 6, 0, -EBUSY);
	CHECK_REFUSED(spec_rwlock(), "try_lock() -> -EBUSY");
}

/* --- semaphore ------------------------------------------------------------------------------------ */

TEST(history_semaphore, counts)
{
	ADD(0, ACQUIRE, 1, 2, 0, 0);
	ADD(1, ACQUIRE, 3, 4, 0, 0);
	ADD(2, TRY_ACQUIRE, 5, 6, 0, -EAGAIN);
	ADD(2, ACQUIRE, 7, 10, 0, 0);
	ADD(0, RELEASE, 8, 9, 2, 0);
	ADD(1, TRY_ACQUIRE, 11, 12, 0, 0);
	ADD(1, ACQUIRE, 13, 14, 0, -ETIMEDOUT);
	CHECK_ACCEPTED(spec_semaphore(2));
}

TEST(history_semaphore, one_too_many)
{
	ADD(0, ACQUIRE, 1, 4, 0, 0);
	ADD(1, ACQUIRE, 2, 3, 0, 0);
	CHECK_REFUSED(spec_semaphore(1), "party 0  acquire() -> 0");
}

TEST(history_semaphore, lost_release)
{
	ADD(0, RELEASE, 1, 2, 1, 0);
	ADD(1, TRY_ACQUIRE, 3, 4, 0, -EAGAIN);
	CHECK_REFUSED(spec_semaphore(0), "try_acquire() -> -EAGAIN");
}
