/* SPDX-License-Identifier: MIT
 *
 * cond.c - a condition variable: those who wait for a change of what a mutex protects.
 *
 * C1 A waiter is queued before it drops the mutex: a signal by whoever has the mutex after it
 *    finds it.
 * C2 However its wait ends, it takes the mutex again, and that is not cancelled.
 * C3 A signal takes one whose wait has not ended otherwise; so it is not lost to a deadline or a
 *    cancel that came first, and they are lost to it when it came first.
 */
#include <errno.h>

#include <sync/mutex.h>

struct cond {
	struct sync sync; /* the word has its bits and nothing else */
	struct waitq queue;
	weft_mutex *mutex; /* of those who wait; good while SLOW is set */
};

SYNC_FITS(struct cond, weft_cond);

static const struct waitable_kind cond_kind = { .noun = "condition" };

static struct cond *cond_of(weft_cond *public)
{
	return (struct cond *)(void *)public;
}

/* Of one wait; touched by the waiter alone, while it runs. */
struct dropped {
	weft_mutex *mutex;
	int depth; /* -1: not yet dropped */
};

static void drop(void *arg)
{
	struct dropped *dropped = arg;

	dropped->depth = weft__mutex_drop(dropped->mutex);
}

/* HELD, and left. */
static int wait_and_retake(struct cond *cond, struct sync_wait *wait, weft_mutex *mutex)
{
	struct dropped dropped = { .mutex = mutex, .depth = -1 };
	int rc, rc_retake;

	cond->mutex = mutex;
	wait->queued = drop;
	wait->arg = &dropped;
	rc = weft__sync_wait(&cond->sync, &cond_kind, wait);
	if (rc < 0)
		word_leave(&cond->sync, waitq_slow(&cond->queue));
	if (dropped.depth < 0)
		return rc;
	rc_retake = weft__mutex_retake(mutex, dropped.depth);
	return rc_retake < 0 ? rc_retake : rc;
}

int weft_cond_wait(weft_cond *public, weft_mutex *mutex, int64_t deadline_ns)
{
	struct cond *cond = cond_of(public);
	struct sync_wait wait = { .queue = &cond->queue, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (!wait.self)
		return rc;
	if (!weft__mutex_is_mine(mutex, wait.self))
		return -EPERM;
	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	wait.word = word_enter(&cond->sync);
	if ((wait.word & WORD_SLOW) && cond->mutex != mutex) {
		word_leave(&cond->sync, wait.word);
		return -EINVAL;
	}
	return wait_and_retake(cond, &wait, mutex);
}

/* Nobody is queued. A waiter's mutex orders this look for whoever took it since (C1). */
static bool nobody_waits(struct cond *cond)
{
	return atomic_load_explicit(&cond->sync.word, memory_order_acquire) == 0;
}

int weft_cond_signal(weft_cond *public)
{
	struct cond *cond = cond_of(public);
	struct task *party;

	if (nobody_waits(cond))
		return 0;
	word_enter(&cond->sync);
	party = waitq_next(&cond->queue);
	word_leave(&cond->sync, waitq_slow(&cond->queue));
	if (!party)
		return 0;
	party_wake(party, 0);
	return 1;
}

int weft_cond_broadcast(weft_cond *public)
{
	struct cond *cond = cond_of(public);
	struct claimed claimed;
	unsigned count;

	if (nobody_waits(cond))
		return 0;
	claimed_init(&claimed);
	word_enter(&cond->sync);
	count = weft__waitq_claim(&cond->queue, &claimed);
	word_leave(&cond->sync, 0);
	weft__claimed_wake(&claimed, 0);
	return (int)count;
}

int weft_cond_init(weft_cond *public)
{
	*cond_of(public) = (struct cond){ .mutex = NULL };
	return 0;
}

int weft_cond_fini(weft_cond *public)
{
	struct cond *cond = cond_of(public);
	uint64_t word = word_enter(&cond->sync);

	word_leave(&cond->sync, word);
	return word & WORD_SLOW ? -EBUSY : 0;
}
