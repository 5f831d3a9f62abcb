/* SPDX-License-Identifier: MIT
 *
 * semaphore.c - a number of permits. The word is how many are free.
 *
 * P1 First come, first served: while anybody waits nobody takes a permit past him. So one who
 *    wants many is not starved by those who want few.
 * P2 Permits are handed over: who waits has none to fetch when he is woken.
 */
#include <errno.h>

#include <base/log.h>
#include <sync/word.h>
#include <weft/sync.h>

struct semaphore {
	struct sync sync;
	struct waitq queue; /* waiter.value: how many he wants */
};

SYNC_FITS(struct semaphore, weft_semaphore);

static always_inline struct semaphore *semaphore_of(const weft_semaphore *public)
{
	return (struct semaphore *)(uintptr_t) public;
}

static size_t semaphore_describe(const struct waitable *object, char *buf, size_t size)
{
	return weft__format(buf, size, "%llu free",
			    (unsigned long long)(word_seen(object) >> WORD_SHIFT));
}

static const struct waitable_kind semaphore_kind = { .noun = "semaphore",
						     .describe = semaphore_describe };

static unsigned wanted_by(const struct task *party)
{
	return (unsigned)(uintptr_t)party->waiter.value;
}

/* HELD, and left: @free permits go to those whose turn it is. */
static void serve(struct semaphore *semaphore, uint64_t free)
{
	struct claimed claimed;

	claimed_init(&claimed);
	while (!waitq_idle(&semaphore->queue)) {
		struct task *party = waitq_task(semaphore->queue.list.next);

		if (free < wanted_by(party))
			break;
		list_remove(&party->waiter.link);
		if (party_claim(party)) {
			free -= wanted_by(party);
			claimed_add(&claimed, party);
		}
	}
	word_leave(&semaphore->sync, free << WORD_SHIFT | waitq_slow(&semaphore->queue));
	weft__claimed_wake(&claimed, 0);
}

static noinline int wait_slowly(struct semaphore *semaphore, unsigned count, int64_t deadline_ns)
{
	struct sync_wait wait = { .queue = &semaphore->queue, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	wait.word = word_enter(&semaphore->sync);
	if (waitq_idle(&semaphore->queue) && wait.word >> WORD_SHIFT >= count) {
		word_leave(&semaphore->sync, wait.word - ((uint64_t)count << WORD_SHIFT));
		return 0;
	}
	if (deadline_ns == WEFT_NOWAIT) {
		word_leave(&semaphore->sync, wait.word);
		return -EAGAIN;
	}
	wait.self->waiter.value = (void *)(uintptr_t)count;
	rc = weft__sync_wait(&semaphore->sync, &semaphore_kind, &wait);
	if (rc < 0)
		serve(semaphore, word_held(&semaphore->sync) >> WORD_SHIFT);
	return rc;
}

int weft_semaphore_wait_n(weft_semaphore *public, unsigned count, int64_t deadline_ns)
{
	struct semaphore *semaphore = semaphore_of(public);
	uint64_t word = atomic_load_explicit(&semaphore->sync.word, memory_order_relaxed);

	if (unlikely(count > WEFT_SEMAPHORE_MAX))
		return -EINVAL;
	if (likely(!(word & WORD_BITS) && word >> WORD_SHIFT >= count) &&
	    likely(cas64(&semaphore->sync.word, word, word - ((uint64_t)count << WORD_SHIFT))))
		return 0;
	return wait_slowly(semaphore, count, deadline_ns);
}

int weft_semaphore_wait(weft_semaphore *public, int64_t deadline_ns)
{
	return weft_semaphore_wait_n(public, 1, deadline_ns);
}

static noinline int post_slowly(struct semaphore *semaphore, unsigned count)
{
	uint64_t word = word_enter(&semaphore->sync);

	if ((word >> WORD_SHIFT) + count > WEFT_SEMAPHORE_MAX) {
		word_leave(&semaphore->sync, word);
		return -EOVERFLOW;
	}
	serve(semaphore, (word >> WORD_SHIFT) + count);
	return 0;
}

int weft_semaphore_post(weft_semaphore *public, unsigned count)
{
	struct semaphore *semaphore = semaphore_of(public);
	uint64_t word = atomic_load_explicit(&semaphore->sync.word, memory_order_relaxed);

	if (likely(!(word & WORD_BITS) && (word >> WORD_SHIFT) + count <= WEFT_SEMAPHORE_MAX) &&
	    likely(cas64(&semaphore->sync.word, word, word + ((uint64_t)count << WORD_SHIFT))))
		return 0;
	return post_slowly(semaphore, count);
}

unsigned weft_semaphore_value(const weft_semaphore *public)
{
	return (unsigned)(word_held(&semaphore_of(public)->sync) >> WORD_SHIFT);
}

int weft_semaphore_init(weft_semaphore *public, unsigned count)
{
	if (count > WEFT_SEMAPHORE_MAX)
		return -EINVAL;
	*semaphore_of(public) = (struct semaphore){ .sync.word = (uint64_t)count << WORD_SHIFT };
	return 0;
}

int weft_semaphore_fini(weft_semaphore *public)
{
	struct semaphore *semaphore = semaphore_of(public);
	uint64_t word = word_enter(&semaphore->sync);

	word_leave(&semaphore->sync, word);
	return word & WORD_SLOW ? -EBUSY : 0;
}
