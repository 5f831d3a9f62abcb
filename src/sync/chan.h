/* SPDX-License-Identifier: MIT
 *
 * chan.h - a channel from inside: one lock, a queue of values, and two of parties.
 *
 * C1 Receivers wait only while the buffer is empty, senders only while it is full; both at
 *    once only as cases of one select.
 * C2 A value goes from hand to hand under the lock: when a sender finds a receiver, the value
 *    is copied to where that one wants it, the claim having made it ours to write
 *    to; when a receiver finds a full buffer and a sender, the oldest value comes out and
 *    the sender's goes in. So order is kept, and whoever is woken has nothing to look for.
 * C3 What is copied from or to while its owner is parked does not lie in frames that move (K2):
 *    a receiver of at most VALUE_INLINE bytes gets them into the links of its waiter, which
 *    are free once it is unlinked, and says so by a waiter.value that is no address: NULL,
 *    or its errno (recv_copied.c). Everybody else there has a block of memory.
 * C4 A closed channel has neither receivers nor senders, and stays closed.
 *
 * Who waits is a struct waiter: that of a task's control block, or one of a select, which
 * has one for each case. A bit of its object tells.
 */
#ifndef WEFT_SYNC_CHAN_H
#define WEFT_SYNC_CHAN_H

#include <string.h>

#include <sync/values.h>
#include <sync/waitq.h>
#include <weft/chan.h>

enum {
	ELEM_MAX = 65536,
	VALUE_INLINE = sizeof(struct list),
	VALUE_NO_PLACE = 4095 /* waiter.value up to here is no address: C3 */
};

enum chan_kind { CHAN_PLAIN, CHAN_TIMER };

struct weft_chan {
	struct waitable waitable;
	struct spinlock lock;
	uint32_t elem_bytes;
	uint8_t kind; /* enum chan_kind */
	bool closed;
	bool words; /* of 8 bytes each, and plain: the short way */
	_Atomic uint32_t refs;
	struct waitq receivers, senders;
	struct values values;
	int64_t when_ns, period_ns; /* CHAN_TIMER: ticker.c */
};

/** A case of a select in a queue of a channel. */
struct select_node {
	struct waiter waiter; /* object: SELECT_TAG */
	struct task *task;
	uint32_t index; /* of the case */
};

#define SELECT_TAG ((uintptr_t)2) /* OBJECT_TIMED is 1 */

/** What a select is woken with by a channel: the case, and whether that is closed. 0: something
 * else has happened, it shall look again. */
enum { SELECT_AGAIN = 0, SELECT_FIRST = 1, SELECT_CLOSED = 1 << 30 };

/** Who was taken from a queue. */
struct peer {
	struct task *task; /* NULL: there was nobody */
	struct waiter *waiter;
	int result; /* for party_wake() */
};

static always_inline bool waiter_is_select(const struct waiter *waiter)
{
	return (uintptr_t)waiter->object & SELECT_TAG;
}

static always_inline struct select_node *select_node(struct waiter *waiter)
{
	return container_of(waiter, struct select_node, waiter);
}

static always_inline struct task *waiter_task(struct waiter *waiter)
{
	return waiter_is_select(waiter) ? select_node(waiter)->task
					: container_of(waiter, struct task, waiter);
}

/** Takes the oldest party whose wait can be claimed (waitq_take() for both kinds of waiters). */
static always_inline struct peer peer_take(struct waitq *queue)
{
	while (unlikely(!list_empty(&queue->list))) {
		struct waiter *waiter = container_of(queue->list.next, struct waiter, link);
		struct task *task = waiter_task(waiter);
		int result = 0;

		list_remove(&waiter->link);
		if (waiter_is_select(waiter))
			result = SELECT_FIRST + (int)select_node(waiter)->index;
		if (likely(party_claim(task)))
			return (struct peer){ task, waiter, result };
	}
	return (struct peer){ NULL, NULL, 0 };
}

/** Hands a value to a receiver that was taken. C3: no place means the links, or nowhere. */
static always_inline void peer_give(const struct peer *peer, const void *value, size_t bytes)
{
	struct waiter *waiter = peer->waiter;

	if (likely((uintptr_t)waiter->value > VALUE_NO_PLACE))
		value_copy(waiter->value, value, bytes);
	else if (!waiter_is_select(waiter) && bytes && bytes <= VALUE_INLINE)
		memcpy(&waiter->link, value, bytes);
}

/** Sends, if that can be done at once. Lock held; afterwards the caller unlocks, and wakes the
 * peer when there is one. Return: 0, -EPIPE, -EPERM (a timer's), -ENOMEM, -EAGAIN. */
static always_inline int chan_send_now(weft_chan *chan, const void *value, struct peer *ret_peer)
{
	if (unlikely(chan->closed || chan->kind == CHAN_TIMER))
		return chan->closed ? -EPIPE : -EPERM;
	*ret_peer = peer_take(&chan->receivers);
	if (ret_peer->task) {
		peer_give(ret_peer, value, chan->elem_bytes);
		return 0;
	}
	if (values_full(&chan->values))
		return -EAGAIN;
	return values_put(&chan->values, value, chan->elem_bytes);
}

/** Receives, likewise; not for timers. Return: 0, -EPIPE, -EAGAIN. */
static always_inline int chan_recv_now(weft_chan *chan, void *ret_value, struct peer *ret_peer)
{
	*ret_peer = (struct peer){ NULL, NULL, 0 };
	if (chan->values.count) {
		values_take(&chan->values, ret_value, chan->elem_bytes);
		*ret_peer = peer_take(&chan->senders);
		if (ret_peer->task) /* it fits: there is room for one now, and a place */
			(void)values_put(&chan->values, ret_peer->waiter->value, chan->elem_bytes);
		return 0;
	}
	*ret_peer = peer_take(&chan->senders);
	if (ret_peer->task) {
		if (ret_value)
			value_copy(ret_value, ret_peer->waiter->value, chan->elem_bytes);
		return 0;
	}
	return chan->closed ? -EPIPE : -EAGAIN;
}

/** Unlocks, and wakes whoever was dealt with. */
static always_inline void chan_leave(weft_chan *chan, const struct peer *peer)
{
	spin_unlock(&chan->lock);
	if (peer->task)
		party_wake(peer->task, peer->result);
}

/** The rest of weft_chan_recv() for a task on a shared stack that is in no coroutine: a value of at
 * most VALUE_INLINE bytes, without a deadline. Lock held, and released. recv_copied.c */
int weft__chan_recv_copied(weft_chan *chan, struct task *self, void *ret_value);

/* --- timers: ticker.c --------------------------------------------------------------------- */

/** weft_chan_recv() of a timer's channel. */
int weft__ticker_recv(weft_chan *timer, void *ret_value, int64_t deadline_ns);

/** Takes a tick that is due. Lock held. False: it is not. */
bool weft__ticker_take(weft_chan *timer, int64_t now_ns, void *ret_value);

#endif
