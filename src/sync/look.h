/* SPDX-License-Identifier: MIT
 *
 * look.h - the half of a select that does not wait: which cases can be done, which of them
 * shall be, and doing it. One look is often enough; it takes no memory and opens no wait.
 * Inline, and select.c's alone.
 */
#ifndef WEFT_SYNC_LOOK_H
#define WEFT_SYNC_LOOK_H

#include <stdlib.h>

#include <base/rng.h>
#include <sync/select.h>
#include <weft/time.h>

enum { SORT_FEW = 32 /* above it qsort() */ };

/* --- the cases --------------------------------------------------------------------------- */

static inline const struct select_source *source_of(const struct select *select,
						    const weft_case *which)
{
	switch (which->kind) {
	case WEFT_CASE_FD:
		return which->fd >= 0 ? select->descriptors : NULL;
	case WEFT_CASE_TASK:
		return which->object ? &weft__select_tasks : NULL;
	case WEFT_CASE_PROMISE:
		return which->object ? &weft__select_promises : NULL;
	default:
		return NULL;
	}
}

static inline int check_other(struct select *select, const weft_case *which)
{
	if ((unsigned)which->kind > WEFT_CASE_PROMISE)
		return -EINVAL;
	if (source_of(select, which)) {
		select->sources++;
		select->has_descriptor |= which->kind == WEFT_CASE_FD;
		select->needs_task |= which->kind != WEFT_CASE_PROMISE;
	}
	return 0;
}

/* 0, -EINVAL, -EPERM; counts sources. */
static inline int check(struct select *select)
{
	for (unsigned i = 0; i < select->count; i++) {
		const weft_case *which = &select->cases[i];
		const weft_chan *chan = which->object;

		if (unlikely(!case_is_channel(which))) {
			if (check_other(select, which) < 0)
				return -EINVAL;
			continue;
		}
		if (which->kind == WEFT_CASE_SEND && unlikely(chan->kind == CHAN_TIMER))
			return -EPERM;
		if (which->kind == WEFT_CASE_SEND && unlikely(!which->value && chan->elem_bytes))
			return -EINVAL;
	}
	return 0;
}

/* --- locks: S1 --------------------------------------------------------------------------- */

static int by_address(const void *left, const void *right)
{
	uintptr_t l = (uintptr_t) * (weft_chan *const *)left;
	uintptr_t r = (uintptr_t) * (weft_chan *const *)right;

	return l < r ? -1 : l > r;
}

/* Sorted by insertion, when there are few. */
static inline void insert(struct select *select, weft_chan *chan)
{
	weft_chan **order = select->order;
	unsigned at = select->channels;

	while (at > 0 && (uintptr_t)order[at - 1] > (uintptr_t)chan)
		at--;
	if (at > 0 && order[at - 1] == chan)
		return;
	for (unsigned i = select->channels; i > at; i--)
		order[i] = order[i - 1];
	order[at] = chan;
	select->channels++;
}

static void sort_many(struct select *select)
{
	weft_chan **order = select->order;
	unsigned kept = 0;

	qsort(order, select->channels, sizeof(*order), by_address);
	for (unsigned i = 0; i < select->channels; i++)
		if (!kept || order[kept - 1] != order[i])
			order[kept++] = order[i];
	select->channels = kept;
}

static void fill_in_order(struct select *select)
{
	for (unsigned i = 0; i < select->count; i++) {
		if (!case_is_channel(&select->cases[i]))
			continue;
		if (likely(select->count <= SORT_FEW))
			insert(select, select->cases[i].object);
		else
			select->order[select->channels++] = select->cases[i].object;
	}
	if (select->count > SORT_FEW)
		sort_many(select);
	select->ordered = true;
}

/* While there is one thread nobody can come in between, so nothing is locked. */
static inline void lock_all(struct select *select)
{
	select->alone = weft__single_threaded();
	if (likely(select->alone))
		return;
	if (!select->ordered)
		fill_in_order(select);
	for (unsigned i = 0; i < select->channels; i++)
		spin_lock(&select->order[i]->lock);
}

static inline void unlock_all(struct select *select)
{
	for (unsigned i = select->channels; !select->alone && i > 0; i--)
		spin_unlock(&select->order[i - 1]->lock);
}

/* --- looking ----------------------------------------------------------------------------- */

static inline int64_t now(struct select *select)
{
	if (!select->now_ns)
		select->now_ns = weft_now();
	return select->now_ns;
}

/* Whether somebody is there whose wait is open. That may end the next moment, not being
 * under our lock: then the deed fails, and we look again. Those who have gone are let go. */
static inline bool has_peer(struct waitq *queue)
{
	while (!list_empty(&queue->list)) {
		struct waiter *waiter = container_of(queue->list.next, struct waiter, link);
		uint32_t wait =
			atomic_load_explicit(&waiter_task(waiter)->wait, memory_order_relaxed);

		if (likely(wait & WAIT_WAITING))
			return true;
		list_remove(&waiter->link);
	}
	return false;
}

static inline bool may_send(weft_chan *chan)
{
	return chan->closed || !values_full(&chan->values) || has_peer(&chan->receivers);
}

static inline bool may_recv(struct select *select, weft_chan *chan)
{
	if (likely(chan->kind == CHAN_PLAIN))
		return chan->values.count || chan->closed || has_peer(&chan->senders);
	if (chan->closed || (chan->when_ns != WEFT_FOREVER && now(select) >= chan->when_ns))
		return true;
	if (chan->when_ns < select->until_ns)
		select->until_ns = chan->when_ns;
	return false;
}

static inline bool time_has_come(struct select *select, int64_t when_ns)
{
	if (when_ns == WEFT_FOREVER)
		return false;
	if (now(select) >= when_ns)
		return true;
	if (when_ns < select->until_ns)
		select->until_ns = when_ns;
	return false;
}

static inline bool is_ready(struct select *select, const weft_case *which)
{
	if (likely(which->kind == WEFT_CASE_RECV))
		return which->object && may_recv(select, which->object);
	if (likely(which->kind == WEFT_CASE_SEND))
		return which->object && may_send(which->object);
	return which->kind == WEFT_CASE_TIME && time_has_come(select, which->when_ns);
}

/* A case that can be done, each as likely as the others: the k-th that is found takes the
 * place of the one before with probability 1/k (Vitter's reservoir of one, 1985). */
struct choice {
	unsigned ready;
	int pick; /* -1: none */
};

/* A thread without a worker draws from a stream that all of them share. */
static coldpath uint32_t guest_below(uint32_t bound)
{
	static _Atomic uint64_t stream;
	struct rng rng;

	weft__rng_init(&rng, atomic_fetch_add_explicit(&stream, 1, memory_order_relaxed));
	return rng_below(&rng, bound);
}

static inline uint32_t draw_below(uint32_t bound)
{
	struct worker *worker = thread_fresh()->worker;

	return likely(worker != NULL) ? rng_below(&worker->rng, bound) : guest_below(bound);
}

static inline void offer(struct choice *choice, unsigned i)
{
	if (choice->ready++ == 0 || draw_below(choice->ready) == 0)
		choice->pick = (int)i;
}

/* Locks held. */
static inline void look(struct select *select, struct choice *choice)
{
	for (unsigned i = 0; i < select->count; i++)
		if (is_ready(select, &select->cases[i]))
			offer(choice, i);
}

/* --- the short way ------------------------------------------------------------------------ */

/* Without branches: which of them are ready is what cannot be predicted. Who has gone is
 * still counted. */
static always_inline uint32_t seems_ready(const weft_case *which, const weft_chan *chan)
{
	bool receives = which->kind == WEFT_CASE_RECV;
	const struct waitq *peers = receives ? &chan->senders : &chan->receivers;
	uint32_t stock = receives ? chan->values.count != 0 : !values_full(&chan->values);

	return stock | chan->closed | !waitq_empty(peers);
}

/* One of @count bits, each as likely as the others. What was drawn cannot be predicted either, so
 * the compiler must not see that a mask is all ones or none and make a branch of it. */
static always_inline unsigned draw_bit(uint32_t bits, unsigned count, struct rng *rng)
{
	unsigned skip = count > 1 ? rng_below(rng, count) : 0;

	for (unsigned i = 1; i < count; i++) {
		uint32_t drop = -(uint32_t)(i <= skip);

		__asm__("" : "+r"(drop));
		bits &= ~(bits & -bits & drop);
	}
	return (unsigned)__builtin_ctz(bits);
}

enum { QUICK_ODD = -1, QUICK_NONE = -2 };

/* What the short way does not know of: no channel, a timer's, or a mistake. A mistake is told
 * whatever else is ready, and so is looked for in all cases. */
static always_inline bool is_odd(const weft_case *which, const weft_chan *chan)
{
	return !case_is_channel(which) || chan->kind != CHAN_PLAIN ||
	       (which->kind == WEFT_CASE_SEND && !which->value && chan->elem_bytes);
}

/* Carries out the case that was drawn; QUICK_ODD: its peer had gone. */
static always_inline int quick_do(weft_case *cases, unsigned i)
{
	struct peer peer = { NULL, NULL, 0 };
	weft_case *which = &cases[i];
	int rc = which->kind == WEFT_CASE_RECV ? chan_recv_now(which->object, which->value, &peer)
					       : chan_send_now(which->object, which->value, &peer);

	if (unlikely(rc == -EAGAIN || rc == -ENOMEM))
		return QUICK_ODD;
	if (peer.task)
		party_wake(peer.task, peer.result);
	which->result = rc;
	return (int)i;
}

/* Of a few channels, while there is one thread: does what can be done at once. Return: the case;
 * QUICK_NONE: there is none, all being channels; QUICK_ODD: it is not that simple. */
static always_inline int quick(weft_case *cases, unsigned count)
{
	struct worker *worker = weft__thread.worker;
	uint32_t bits = 0, found = 0, ready;

	for (unsigned i = 0; i < count; i++) {
		const weft_chan *chan = cases[i].object;

		if (unlikely(is_odd(&cases[i], chan)))
			return QUICK_ODD;
		ready = seems_ready(&cases[i], chan);
		bits |= ready << i;
		found += ready;
	}
	if (!found)
		return QUICK_NONE;
	if (unlikely(!worker))
		return QUICK_ODD;
	return quick_do(cases, draw_bit(bits, found, &worker->rng));
}

/* The sources, before the locks. */
static inline int look_at_sources(struct select *select, struct choice *choice)
{
	for (unsigned i = 0; i < select->count; i++) {
		const struct select_source *source = source_of(select, &select->cases[i]);
		int rc = source ? source->ready(&select->cases[i], &select->watches[i]) : 0;

		if (rc < 0)
			return rc;
		if (rc)
			offer(choice, i);
	}
	return 0;
}

/* What the chosen case gives; -EAGAIN: the peer that was there has gone. Locks held. */
static inline int carry_out(struct select *select, weft_case *which, struct peer *ret_peer)
{
	weft_chan *chan = which->object;

	if (which->kind == WEFT_CASE_SEND)
		return chan_send_now(chan, which->value, ret_peer);
	if (which->kind == WEFT_CASE_FD)
		return which->result; /* its source has said it */
	if (which->kind != WEFT_CASE_RECV)
		return 0;
	if (likely(chan->kind == CHAN_PLAIN))
		return chan_recv_now(chan, which->value, ret_peer);
	if (chan->closed)
		return -EPIPE;
	return weft__ticker_take(chan, now(select), which->value) ? 0 : -EAGAIN;
}

/* Looks once, and does what can be done. Return: the case; -EAGAIN: there is none, and the
 * channels are locked; or why the select fails. */
static inline int try_once(struct select *select, int64_t deadline_ns)
{
	for (;;) {
		struct choice choice = { 0, -1 };
		struct peer peer = { NULL, NULL, 0 };
		int rc;

		select->now_ns = 0;
		select->until_ns = deadline_ns;
		if (unlikely(select->sources)) {
			rc = look_at_sources(select, &choice);
			if (rc < 0)
				return rc;
		}
		lock_all(select);
		look(select, &choice);
		if (choice.pick < 0)
			return -EAGAIN;
		rc = carry_out(select, &select->cases[choice.pick], &peer);
		unlock_all(select);
		if (peer.task)
			party_wake(peer.task, peer.result);
		if (rc == -EAGAIN)
			continue;
		if (rc == -ENOMEM)
			return rc;
		select->cases[choice.pick].result = rc;
		return choice.pick;
	}
}

#endif
