/* SPDX-License-Identifier: MIT
 *
 * rwlock.c - many readers or one writer, in phases (B. Brandenburg and J. Anderson,
 * "Reader-writer synchronization for shared-memory multiprocessor real-time systems", 2009).
 *
 * The word is the writer's token; or, without an address in it, the number of readers.
 *
 * R1 A reader waits while there is a writer, or one waits. So readers are queued only where
 *    a writer is in, or queued.
 * R2 After a writer come all readers that wait by then; after the last reader comes the writer
 *    that waits longest. Neither kind is passed by more than one phase of the other.
 * R3 It is handed over: whoever unlocks it, or leaves the queue, lets in those whose turn it is, so
 *    that it is never free while anybody waits.
 */
#include <errno.h>

#include <base/log.h>
#include <core/runtime.h>
#include <sync/word.h>
#include <weft/sync.h>

enum { RESULT_GOT = 0, RESULT_DEAD = 1 };

struct rwlock {
	struct sync sync;
	struct waitq readers, writers;
};

SYNC_FITS(struct rwlock, weft_rwlock);

static always_inline struct rwlock *rwlock_of(weft_rwlock *public)
{
	return (struct rwlock *)(void *)public;
}

/* Without a writer in it. */
static always_inline uint64_t readers_of(uint64_t word)
{
	return word >> WORD_SHIFT;
}

#define READERS_MAX (TOKEN_TAG >> WORD_SHIFT)

/* --- for those who look on ------------------------------------------------------------- */

static struct task *rwlock_holder(const struct waitable *object)
{
	uint64_t word = word_seen(object);

	return token_is_gone(word) ? NULL : token_party(word);
}

static size_t rwlock_describe(const struct waitable *object, char *buf, size_t size)
{
	uint64_t word = word_seen(object);

	if (token_is_gone(word))
		return weft__format(buf, size, "held by a task that has ended");
	if (token_party(word))
		return 0;
	return weft__format(buf, size, "held by %llu readers",
			    (unsigned long long)readers_of(word));
}

static const struct waitable_kind rwlock_kind = { .noun = "rwlock",
						  .describe = rwlock_describe,
						  .holder = rwlock_holder };

/* --- whose turn it is ---------------------------------------------------------------------- */

static uint64_t slow_bit(const struct rwlock *lock)
{
	return waitq_slow(&lock->readers) | waitq_slow(&lock->writers);
}

/* HELD, and left: the word is @word but for those who are let in now. */
static void let_in(struct rwlock *lock, uint64_t word, bool readers_first)
{
	struct claimed claimed;
	struct task *writer = NULL;

	claimed_init(&claimed);
	word &= ~(uint64_t)WORD_SLOW;
	if (!word && !readers_first)
		writer = waitq_next(&lock->writers);
	if (!writer && !token_party(word) && (readers_first || waitq_idle(&lock->writers)))
		word += weft__waitq_claim(&lock->readers, &claimed) * (uint64_t)WORD_ONE;
	if (!writer && !word)
		writer = waitq_next(&lock->writers);
	if (writer) {
		claimed_add(&claimed, writer);
		word = party_token(writer);
	}
	word_leave(&lock->sync, word | slow_bit(lock));
	weft__claimed_wake(&claimed, RESULT_GOT);
}

/* HELD, and left: the writer has ended. */
static coldpath int abandoned(struct rwlock *lock, uint64_t word)
{
	struct claimed claimed;

	claimed_init(&claimed);
	weft__waitq_claim(&lock->readers, &claimed);
	weft__waitq_claim(&lock->writers, &claimed);
	word_leave(&lock->sync, word & ~(uint64_t)WORD_SLOW);
	weft__claimed_wake(&claimed, RESULT_DEAD);
	return -EOWNERDEAD;
}

/* HELD, and left. */
static int wait_for_turn(struct rwlock *lock, struct sync_wait *wait)
{
	int rc;

	if (token_is_gone(wait->word))
		return abandoned(lock, wait->word);
	if (token_is_mine(wait->word, wait->self) || wait->deadline_ns == WEFT_NOWAIT) {
		rc = token_is_mine(wait->word, wait->self) ? -EDEADLK : -EAGAIN;
		word_leave(&lock->sync, wait->word);
		return rc;
	}
	if (wait->deadline_ns == WEFT_FOREVER && token_party(wait->word))
		weft__wait_cycle_check(wait->self, token_party(wait->word), rwlock_kind.noun,
				       &lock->sync.waitable);
	rc = weft__sync_wait(&lock->sync, &rwlock_kind, wait);
	if (rc < 0)
		let_in(lock, word_held(&lock->sync), false);
	return rc == RESULT_DEAD ? -EOWNERDEAD : rc;
}

/* --- readers ---------------------------------------------------------------------------------- */

/* Without a look at the queues. */
static always_inline bool read_quickly(struct rwlock *lock)
{
	uint64_t word = atomic_load_explicit(&lock->sync.word, memory_order_relaxed);

	return likely(word < READERS_MAX << WORD_SHIFT && !(word & WORD_BITS)) &&
	       likely(cas64(&lock->sync.word, word, word + WORD_ONE));
}

static noinline int read_slowly(struct rwlock *lock, int64_t deadline_ns)
{
	struct sync_wait wait = { .queue = &lock->readers, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	wait.word = word_enter(&lock->sync);
	if (token_party(wait.word) || !waitq_idle(&lock->writers))
		return wait_for_turn(lock, &wait);
	if (readers_of(wait.word) >= READERS_MAX) {
		word_leave(&lock->sync, wait.word);
		return -EAGAIN;
	}
	word_leave(&lock->sync, wait.word + WORD_ONE);
	return 0;
}

int weft_rwlock_read(weft_rwlock *public, int64_t deadline_ns)
{
	struct rwlock *lock = rwlock_of(public);

	return likely(read_quickly(lock)) ? 0 : read_slowly(lock, deadline_ns);
}

/* --- writers ------------------------------------------------------------------------------------ */

static noinline int write_slowly(struct rwlock *lock, int64_t deadline_ns)
{
	struct sync_wait wait = { .queue = &lock->writers, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	wait.word = word_enter(&lock->sync);
	if (wait.word)
		return wait_for_turn(lock, &wait);
	word_leave(&lock->sync, party_token(wait.self));
	return 0;
}

int weft_rwlock_write(weft_rwlock *public, int64_t deadline_ns)
{
	struct rwlock *lock = rwlock_of(public);
	struct task *self = weft__thread.task;

	if (likely(self != NULL) && likely(cas64(&lock->sync.word, 0, party_token(self))))
		return 0;
	return write_slowly(lock, deadline_ns);
}

/* --- unlock --------------------------------------------------------------------------------------- */

static noinline int unlock_slowly(struct rwlock *lock)
{
	const struct task *self = weft__thread.task ? weft__thread.task : weft__thread.guest;
	uint64_t word = word_enter(&lock->sync);
	bool is_written = token_party(word) != NULL;

	if (is_written ? !self || !token_is_mine(word, self) : !readers_of(word)) {
		word_leave(&lock->sync, word);
		return -EPERM;
	}
	let_in(lock, is_written ? 0 : word - WORD_ONE, is_written);
	return 0;
}

int weft_rwlock_unlock(weft_rwlock *public)
{
	struct rwlock *lock = rwlock_of(public);
	uint64_t word = atomic_load_explicit(&lock->sync.word, memory_order_relaxed);
	struct task *self = weft__thread.task;
	uint64_t next = 0;

	if (!(word & WORD_BITS)) {
		if (word && !token_party(word))
			next = word - WORD_ONE;
		else if (!self || word != party_token(self))
			return unlock_slowly(lock);
		if (likely(cas64(&lock->sync.word, word, next)))
			return 0;
	}
	return unlock_slowly(lock);
}

/* --- init, fini --------------------------------------------------------------------------------- */

int weft_rwlock_init(weft_rwlock *public)
{
	*rwlock_of(public) = (struct rwlock){ .sync.word = 0 };
	return 0;
}

int weft_rwlock_fini(weft_rwlock *public)
{
	struct rwlock *lock = rwlock_of(public);
	uint64_t word = word_enter(&lock->sync);

	word_leave(&lock->sync, word);
	return word & WORD_SLOW || (word && !token_is_gone(word)) ? -EBUSY : 0;
}
