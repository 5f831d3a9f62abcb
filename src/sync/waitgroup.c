/* SPDX-License-Identifier: MIT
 *
 * waitgroup.c - a count of what is still to be done, and those who wait until it is 0. The word
 * is the count.
 */
#include <errno.h>

#include <base/log.h>
#include <sync/word.h>
#include <weft/sync.h>

struct waitgroup {
	struct sync sync;
	struct waitq queue;
};

SYNC_FITS(struct waitgroup, weft_waitgroup);

#define COUNT_MAX INT32_MAX

static always_inline struct waitgroup *waitgroup_of(weft_waitgroup *public)
{
	return (struct waitgroup *)(void *)public;
}

static size_t waitgroup_describe(const struct waitable *object, char *buf, size_t size)
{
	return weft__format(buf, size, "%llu to go",
			    (unsigned long long)(word_seen(object) >> WORD_SHIFT));
}

static const struct waitable_kind waitgroup_kind = { .noun = "waitgroup",
						     .describe = waitgroup_describe };

/* The count of @word after @count more; -EINVAL, -EOVERFLOW. */
static int64_t count_after(uint64_t word, int count)
{
	int64_t sum = (int64_t)(word >> WORD_SHIFT) + count;

	return sum < 0 ? -EINVAL : sum > COUNT_MAX ? -EOVERFLOW : sum;
}

static noinline int add_slowly(struct waitgroup *group, int count)
{
	uint64_t word = word_enter(&group->sync);
	int64_t sum = count_after(word, count);
	struct claimed claimed;

	claimed_init(&claimed);
	if (sum == 0)
		weft__waitq_claim(&group->queue, &claimed);
	if (sum >= 0)
		word = (uint64_t)sum << WORD_SHIFT | waitq_slow(&group->queue);
	word_leave(&group->sync, word);
	weft__claimed_wake(&claimed, 0);
	return sum < 0 ? (int)sum : 0;
}

int weft_waitgroup_add(weft_waitgroup *public, int count)
{
	struct waitgroup *group = waitgroup_of(public);
	uint64_t word = atomic_load_explicit(&group->sync.word, memory_order_relaxed);
	int64_t sum = count_after(word, count);

	if (likely(!(word & WORD_BITS) && sum >= 0) &&
	    likely(cas64(&group->sync.word, word, (uint64_t)sum << WORD_SHIFT)))
		return 0;
	return add_slowly(group, count);
}

int weft_waitgroup_done(weft_waitgroup *public)
{
	return weft_waitgroup_add(public, -1);
}

static noinline int wait_slowly(struct waitgroup *group, int64_t deadline_ns)
{
	struct sync_wait wait = { .queue = &group->queue, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	wait.word = word_enter(&group->sync);
	if (!(wait.word >> WORD_SHIFT) || deadline_ns == WEFT_NOWAIT) {
		word_leave(&group->sync, wait.word);
		return wait.word >> WORD_SHIFT ? -EAGAIN : 0;
	}
	rc = weft__sync_wait(&group->sync, &waitgroup_kind, &wait);
	if (rc < 0)
		word_leave(&group->sync, word_plain(&group->sync) | waitq_slow(&group->queue));
	return rc;
}

int weft_waitgroup_wait(weft_waitgroup *public, int64_t deadline_ns)
{
	struct waitgroup *group = waitgroup_of(public);

	/* acquire pairs with the change to 0. With a bit set somebody may still be at it (S3). */
	if (atomic_load_explicit(&group->sync.word, memory_order_acquire) == 0)
		return 0;
	return wait_slowly(group, deadline_ns);
}

int weft_waitgroup_init(weft_waitgroup *public)
{
	*waitgroup_of(public) = (struct waitgroup){ .sync.word = 0 };
	return 0;
}

int weft_waitgroup_fini(weft_waitgroup *public)
{
	struct waitgroup *group = waitgroup_of(public);
	uint64_t word = word_enter(&group->sync);

	word_leave(&group->sync, word);
	return word ? -EBUSY : 0;
}
