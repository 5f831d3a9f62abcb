/* SPDX-License-Identifier: MIT
 *
 * barrier.c - so many parties wait for each other. The word is how many have come.
 *
 * B1 Who is queued when the last one comes has passed, also if a cancel or a deadline has ended
 *    his wait a moment before: that is decided under HELD, and by whether he is queued. Such
 *    late ones still have to come by; until then the barrier must not be freed.
 */
#include <errno.h>

#include <base/log.h>
#include <sync/word.h>
#include <weft/sync.h>

struct barrier {
	struct sync sync;
	struct waitq queue;
	uint32_t count; /* first in its word: WEFT_BARRIER_INIT */
	uint32_t late;
};

SYNC_FITS(struct barrier, weft_barrier);
_Static_assert(offsetof(struct barrier, count) == 32 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the static initialiser says so");

static struct barrier *barrier_of(weft_barrier *public)
{
	return (struct barrier *)(void *)public;
}

static size_t barrier_describe(const struct waitable *object, char *buf, size_t size)
{
	const struct barrier *barrier = container_of(object, struct barrier, sync.waitable);

	return weft__format(buf, size, "%llu of %u here",
			    (unsigned long long)(word_seen(object) >> WORD_SHIFT), barrier->count);
}

static const struct waitable_kind barrier_kind = { .noun = "barrier",
						   .describe = barrier_describe };

/* HELD, and left: all are here. */
static int open_it(struct barrier *barrier)
{
	struct claimed claimed;

	claimed_init(&claimed);
	while (!waitq_idle(&barrier->queue)) {
		struct task *party = waitq_task(barrier->queue.list.next);

		list_remove(&party->waiter.link);
		if (party_claim(party))
			claimed_add(&claimed, party);
		else
			barrier->late++; /* B1 */
	}
	word_leave(&barrier->sync, 0);
	weft__claimed_wake(&claimed, 0);
	return 1;
}

/* HELD, and left: the wait ended with an error, @rc. */
static noinline int leave_it(struct barrier *barrier, const struct sync_wait *wait, int rc)
{
	uint64_t word = word_plain(&barrier->sync);

	if (wait->unlinked_itself) {
		word -= WORD_ONE;
	} else if (!wait->refused) {
		barrier->late--;
		rc = 0;
	}
	word_leave(&barrier->sync, word | waitq_slow(&barrier->queue));
	return rc;
}

int weft_barrier_wait(weft_barrier *public, int64_t deadline_ns)
{
	struct barrier *barrier = barrier_of(public);
	struct sync_wait wait = { .queue = &barrier->queue, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (!wait.self)
		return rc;
	wait.word = word_enter(&barrier->sync);
	if (!barrier->count || deadline_ns == WEFT_NOWAIT) {
		rc = barrier->count ? -EAGAIN : -EINVAL;
		if (barrier->count && (wait.word >> WORD_SHIFT) + 1 == barrier->count)
			return open_it(barrier);
		word_leave(&barrier->sync, wait.word);
		return rc;
	}
	wait.word += WORD_ONE;
	if (wait.word >> WORD_SHIFT == barrier->count)
		return open_it(barrier);
	rc = weft__sync_wait(&barrier->sync, &barrier_kind, &wait);
	return rc < 0 ? leave_it(barrier, &wait, rc) : rc;
}

int weft_barrier_init(weft_barrier *public, unsigned count)
{
	if (!count)
		return -EINVAL;
	*barrier_of(public) = (struct barrier){ .count = count };
	return 0;
}

int weft_barrier_fini(weft_barrier *public)
{
	struct barrier *barrier = barrier_of(public);
	uint64_t word = word_enter(&barrier->sync);
	bool busy = word || barrier->late;

	word_leave(&barrier->sync, word);
	return busy ? -EBUSY : 0;
}
