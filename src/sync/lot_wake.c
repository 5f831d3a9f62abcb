/* SPDX-License-Identifier: MIT
 *
 * lot_wake.c - the lot's other side: whom a waker takes.
 */
#include <limits.h>

#include <sync/lot_bucket.h>
#include <sync/post.h>
#include <sync/word.h>

/* If his wait has ended otherwise he is about to come by himself. */
static unsigned take(struct lot_bucket *bucket, struct task *task, struct claimed *claimed)
{
	unlink_waiter(bucket, task);
	if (unlikely(!party_claim(task)))
		return 0;
	claimed_add(claimed, task);
	return 1;
}

/* The heir alone; or nobody, when he is on his way already. */
static unsigned take_heir(struct lot_bucket *bucket, struct claimed *claimed)
{
	return bucket->heir_queued ? take(bucket, bucket->heir, claimed) : 0;
}

enum { ANY_KIND = ~0u };

static bool is_one_of(const struct task *task, const void *address, unsigned kinds)
{
	return task->waiter.value == address && (kinds >> lot_kind_of(task) & 1);
}

static unsigned take_oldest(struct lot_bucket *bucket, const void *address, unsigned kinds,
			    unsigned most, struct claimed *claimed)
{
	struct list *list = &bucket->queue.list, *link, *next;
	unsigned count = 0;

	if (waitq_idle(&bucket->queue))
		return 0;
	for (link = list->next; link != list && count < most; link = next) {
		struct task *task = waitq_task(link);

		next = link->next;
		if (is_one_of(task, address, kinds))
			count += take(bucket, task, claimed);
	}
	return count;
}

static struct task *find_oldest(struct lot_bucket *bucket, const void *address, unsigned kinds)
{
	struct list *list = &bucket->queue.list;

	for (struct list *link = list->next; link && link != list; link = link->next)
		if (is_one_of(waitq_task(link), address, kinds))
			return waitq_task(link);
	return NULL;
}

static unsigned take_some(struct lot_bucket *bucket, const void *address, unsigned most,
			  struct claimed *claimed)
{
	if (unlikely(bucket->coveted == address) && most == 1)
		return take_heir(bucket, claimed);
	return take_oldest(bucket, address, ANY_KIND, most, claimed);
}

unsigned weft__lot_wake(const void *address, unsigned most)
{
	struct lot_bucket *bucket = lot_bucket(address);
	struct claimed claimed;
	unsigned count;

	claimed_init(&claimed);
	spin_lock(&bucket->lock);
	count = take_some(bucket, address, most, &claimed);
	spin_unlock(&bucket->lock);
	weft__claimed_wake(&claimed, LOT_WOKEN);
	return count;
}

/* One after the other, until there is one whose wait has not ended otherwise. */
static unsigned take_next(struct lot_bucket *bucket, const void *address, enum lot_whom whom,
			  struct claimed *claimed)
{
	const unsigned reads = 1u << LOT_READ, writes = 1u << LOT_WRITE;
	struct task *task = NULL;
	unsigned count = 0;

	if (whom == LOT_NOBODY)
		return 0;
	if (whom != LOT_READERS && bucket->coveted == address)
		return take_heir(bucket, claimed);
	do {
		if (whom != LOT_READERS)
			task = find_oldest(bucket, address, whom == LOT_OLDEST ? ANY_KIND : writes);
		if (!task || lot_kind_of(task) == LOT_READ)
			return take_oldest(bucket, address, reads, UINT_MAX, claimed);
		count = take(bucket, task, claimed);
	} while (!count);
	return count;
}

unsigned weft__lot_wake_by(const void *address, enum lot_whom (*whom)(const void *address))
{
	struct lot_bucket *bucket = lot_bucket(address);
	struct claimed claimed;
	unsigned count = 0;

	claimed_init(&claimed);
	spin_lock(&bucket->lock);
	if (find_oldest(bucket, address, ANY_KIND)) /* P6 */
		count = take_next(bucket, address, whom(address), &claimed);
	spin_unlock(&bucket->lock);
	weft__claimed_wake(&claimed, LOT_WOKEN);
	return count;
}

/* --- for post.h ------------------------------------------------------------------------------ */

/* Longer than any holder needs that runs. */
#ifndef LOCK_LOOKS /* a model has less */
#define LOCK_LOOKS 100
#endif

static bool lock_now(struct spinlock *lock)
{
	for (unsigned look = 0; look < LOCK_LOOKS; look++) {
		if (likely(spin_try_lock(lock)))
			return true;
		cpu_relax();
	}
	return false;
}

bool weft__lot_take_now(const void *address, struct task **ret)
{
	struct lot_bucket *bucket = lot_bucket(address);
	struct claimed claimed;

	*ret = NULL;
	if (unlikely(!lock_now(&bucket->lock)))
		return false;
	claimed_init(&claimed);
	if (take_some(bucket, address, 1, &claimed)) {
		*ret = waitq_task(claimed.list.next);
		list_remove(&(*ret)->waiter.link);
	}
	spin_unlock(&bucket->lock);
	return true;
}

void weft__lot_wake_posted(struct lot_bucket *bucket)
{
	struct list *list = &bucket->queue.list, *link, *next;
	struct claimed claimed;

	claimed_init(&claimed);
	spin_lock(&bucket->lock);
	for (link = list->next; link && link != list; link = next) {
		struct task *task = waitq_task(link);

		next = link->next;
		if (lot_kind_of(task) == LOT_SEMAPHORE)
			take(bucket, task, &claimed);
	}
	spin_unlock(&bucket->lock);
	weft__claimed_wake(&claimed, LOT_WOKEN);
}

bool weft__lot_has_heir(const void *address, const struct task *self)
{
	return has_other_heir(lot_bucket(address), self, address);
}

bool weft__lot_has_queued(const void *address, enum lot_kind kind)
{
	return find_oldest(lot_bucket(address), address, 1u << kind) != NULL;
}

bool weft__lot_awaited(const void *address)
{
	struct lot_bucket *bucket = lot_bucket(address);
	bool awaited;

	/* relaxed: who waits has come before whoever asks, or the two do not know of each other */
	if (!atomic_load_explicit(&bucket->waiting, memory_order_relaxed))
		return false;
	spin_lock(&bucket->lock);
	awaited = find_oldest(bucket, address, ANY_KIND) != NULL;
	spin_unlock(&bucket->lock);
	return awaited;
}
