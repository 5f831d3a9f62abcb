/* SPDX-License-Identifier: MIT
 *
 * lot_bucket.h - what the two sides of the lot, lot.c and lot_wake.c, do to a bucket whose lock they
 * hold.
 */
#ifndef WEFT_SYNC_LOT_BUCKET_H
#define WEFT_SYNC_LOT_BUCKET_H

#include <sync/lot.h>

static inline void count_out(struct lot_bucket *bucket)
{
	uint32_t count = atomic_load_explicit(&bucket->waiting, memory_order_relaxed);

	atomic_store_explicit(&bucket->waiting, count - 1, memory_order_relaxed);
}

static inline void unlink_waiter(struct lot_bucket *bucket, struct task *task)
{
	list_remove(&task->waiter.link);
	count_out(bucket);
	if (unlikely(bucket->heir == task))
		bucket->heir_queued = false;
}

static inline bool has_other_heir(const struct lot_bucket *bucket, const struct task *self,
				  const void *address)
{
	return bucket->coveted == address && bucket->heir != self;
}

#endif
