/* SPDX-License-Identifier: MIT
 *
 * post.h - telling the lot from a signal handler: sem_post() may be called in one, in the middle of
 * anything.
 *
 * A handler may have interrupted whoever holds the bucket's lock, or is half-way through the queue of
 * his worker. So it never waits for a lock and touches no queue of a worker:
 *
 * J1 It tries the bucket's lock for a moment. With the lock in hand the bucket is whole, and it
 *    takes the oldest, as any waker does.
 * J2 Whom it has taken it puts into the inbox of his worker, though that be its own: an inbox is for
 *    all, and the worker looks there before it sleeps.
 * J3 What it cannot do, a thread of weft's own does, the post office: it looks into the buckets that
 *    are marked, and delivers tasks that have no worker. The handler marks, then wakes it; the office
 *    takes the mark, then looks: so P2 of lot.h holds with a detour.
 * J4 The office is there before anybody waits. So the process has a second thread, and each
 *    compare-and-swap is a real one, which a handler may come between (base/atomic.h).
 */
#ifndef WEFT_SYNC_POST_H
#define WEFT_SYNC_POST_H

#include <sync/lot.h>

/** Before a wait of which weft__lot_post() shall tell. 0, or -EAGAIN and the like. */
int weft__post_office_open(void) WEFT_PRIVATE;

/** lot_post(), when somebody waits in that bucket. */
void weft__lot_post(const void *address) WEFT_PRIVATE;

/** lot_tell(address, 1), by anybody, anywhere. Async-signal-safe. */
static always_inline void lot_post(const void *address)
{
	/* relaxed: the fences order it */
	if (unlikely(atomic_load_explicit(&lot_bucket(address)->waiting, memory_order_relaxed)))
		weft__lot_post(address);
}

/** In the child of fork(2), with weft__lot_forked(). */
void weft__post_office_forked(void) WEFT_PRIVATE;

/* --- for post.c, of lot.c ------------------------------------------------------------------- */

/** Takes whom weft__lot_wake(address, 1) would wake, and leaves it to the caller to do so. False: the
 * lock could not be had. */
bool weft__lot_take_now(const void *address, struct task **ret);

/** Wakes all of @bucket who wait to be told by weft__lot_post(). */
void weft__lot_wake_posted(struct lot_bucket *bucket);

#endif
