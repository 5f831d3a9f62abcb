/* SPDX-License-Identifier: MIT
 *
 * lot.c - see lot.h.
 */
#include <base/clock.h>
#include <sync/lot_bucket.h>
#include <sync/word.h>

/* So often woken in vain, and nobody may pass any more. Less, and tasks of several workers that hold
 * a mutex for moments would hand it on one by one, each by a wake-up. */
#ifndef LOT_VAIN /* a model has less */
#define LOT_VAIN 4
#endif

/* P5: the first look after this time, each later one after twice as long, up to 2^LOOK_DOUBLES. */
enum { LOOK_NS = 100000, LOOK_DOUBLES = 7, STEP_NS = 1000000000 };

struct lot_bucket weft__lot[1u << LOT_BITS];
_Atomic uint32_t weft__lot_heirs;

/* --- under the lock ----------------------------------------------------------------------- */

/* Full fence: pairs with the one before the look in lot_tell() (P2). */
static void count_in(struct lot_bucket *bucket)
{
	uint32_t count = atomic_load_explicit(&bucket->waiting, memory_order_relaxed);

	atomic_store_explicit(&bucket->waiting, count + 1, memory_order_relaxed);
	full_fence();
}

static void unlink_if_linked(struct lot_bucket *bucket, struct task *task)
{
	if (list_linked(&task->waiter.link))
		unlink_waiter(bucket, task);
}

/* One heir a bucket: another address has to wait for that. */
static void become_heir(struct lot_bucket *bucket, struct task *self, const void *address)
{
	if (bucket->coveted)
		return;
	bucket->coveted = address;
	bucket->heir = self;
	/* relaxed: who does not see it passes once more */
	atomic_fetch_add_explicit(&weft__lot_heirs, 1, memory_order_relaxed);
}

/* Return: whether he was. */
static bool cease_as_heir(struct lot_bucket *bucket, struct task *self)
{
	if (likely(bucket->heir != self))
		return false;
	bucket->coveted = NULL;
	bucket->heir = NULL;
	atomic_fetch_sub_explicit(&weft__lot_heirs, 1, memory_order_relaxed);
	return true;
}

static bool may_try(const struct lot_bucket *bucket, const struct task *self,
		    const struct lot_wait *wait)
{
	return wait->unheeding || !has_other_heir(bucket, self, wait->address);
}

static void link_waiter(struct lot_bucket *bucket, struct task *self, const struct lot_wait *wait)
{
	struct list *list = &bucket->queue.list;

	if (!list->next)
		waitq_init(&bucket->queue);
	self->waiter.value = (void *)(uintptr_t)wait->address;
	self->waiter.object = lot_object_of(wait->kind, wait->deadline_ns != WEFT_FOREVER);
	/* In a ring "behind the last" is "before the one that comes after the place". */
	list_push_back(wait->vain ? list->next : list, &self->waiter.link);
	if (unlikely(bucket->heir == self))
		bucket->heir_queued = true;
}

/* --- until when ---------------------------------------------------------------------------- */

/* How long it is till the deadline, if its clock does not jump. */
static int64_t left_ns(const struct lot_wait *wait)
{
	return wait->deadline_ns - weft__clock_ns(wait->clock);
}

/* At most for a step where the clock may jump: then it is looked at again. Absolute; > 0. */
static int64_t deadline_of(const struct lot_wait *wait)
{
	int64_t left;

	if (likely(wait->deadline_ns == WEFT_FOREVER))
		return WEFT_FOREVER;
	if (wait->clock == CLOCK_MONOTONIC)
		return wait->deadline_ns > 0 ? wait->deadline_ns : 1;
	left = left_ns(wait);
	return weft__now() + (left < 0 ? 0 : left < STEP_NS ? left : STEP_NS);
}

/* The same, or when to look again though nobody has told (P5). seq_cst: the other half of P5. */
static int64_t until_ns(struct lot_bucket *bucket, const struct lot_wait *wait)
{
	unsigned doubles = wait->vain < LOOK_DOUBLES ? wait->vain : LOOK_DOUBLES;
	int64_t deadline_ns = deadline_of(wait), look_ns;

	if (likely(!wait->unseen && (!wait->try || !atomic_load(&bucket->natives))))
		return deadline_ns;
	look_ns = weft__now() + ((int64_t)LOOK_NS << doubles);
	return look_ns < deadline_ns ? look_ns : deadline_ns;
}

static bool is_over(const struct lot_wait *wait)
{
	return wait->deadline_ns != WEFT_FOREVER && left_ns(wait) <= 0;
}

/* --- waiting ------------------------------------------------------------------------------- */

/* Not over yet. Who tries comes again, and is the heir still. */
static int look_again(struct lot_bucket *bucket, struct task *self)
{
	spin_lock(&bucket->lock);
	unlink_if_linked(bucket, self);
	spin_unlock(&bucket->lock);
	return LOT_WOKEN;
}

/* The lock is held, and left. He waits no more; those whom he has kept back (P3) look for
 * themselves. */
static void give_up(struct lot_bucket *bucket, struct task *self, const void *address)
{
	bool was_heir = cease_as_heir(bucket, self);

	spin_unlock(&bucket->lock);
	if (was_heir)
		weft__lot_wake(address, 1);
}

static void unlink_and_give_up(struct lot_bucket *bucket, struct task *self, const void *address)
{
	spin_lock(&bucket->lock);
	unlink_if_linked(bucket, self);
	give_up(bucket, self, address);
}

/* The rest of a wait that is open and linked, or not, if somebody has told. */
static int wait_linked(struct lot_bucket *bucket, struct task *self, const struct lot_wait *wait,
		       int64_t until)
{
	for (;;) {
		int rc = weft__park(self, WAIT_ADDRESS, until);
		bool told, refused;

		if (likely(rc >= 0))
			return rc;
		if (rc != -ETIMEDOUT || is_over(wait)) {
			unlink_and_give_up(bucket, self, wait->address);
			return rc;
		}
		if (wait->try)
			return look_again(bucket, self);
		/* It has kept its place. Whoever told meanwhile found no wait to end, but has taken
		 * it out of the queue. */
		spin_lock(&bucket->lock);
		told = !list_linked(&self->waiter.link);
		refused = !told && !party_begin_with(self, wait->bits);
		if (refused)
			unlink_waiter(bucket, self);
		spin_unlock(&bucket->lock);
		if (told || refused)
			return told ? LOT_WOKEN : party_refused(self);
		until = until_ns(bucket, wait);
	}
}

int weft__lot_wait(struct task *self, const struct lot_wait *wait)
{
	struct lot_bucket *bucket = lot_bucket(wait->address);
	int64_t until;

	spin_lock(&bucket->lock);
	count_in(bucket);
	if (wait->vain >= LOT_VAIN && !wait->unseen)
		become_heir(bucket, self, wait->address);
	if (wait->try && may_try(bucket, self, wait) && wait->try(wait->arg)) {
		cease_as_heir(bucket, self);
		count_out(bucket);
		spin_unlock(&bucket->lock);
		return LOT_DONE;
	}
	if (unlikely(!party_begin_with(self, wait->bits))) {
		count_out(bucket);
		give_up(bucket, self, wait->address);
		return party_refused(self);
	}
	until = until_ns(bucket, wait);
	link_waiter(bucket, self, wait);
	spin_unlock(&bucket->lock);
	if (wait->queued)
		wait->queued(wait->arg);
	return wait_linked(bucket, self, wait, until);
}

void weft__lot_forked(void)
{
	for (unsigned i = 0; i < 1u << LOT_BITS; i++)
		weft__lot[i] = (struct lot_bucket){ .coveted = NULL };
	atomic_store_explicit(&weft__lot_heirs, 0, memory_order_relaxed);
}
