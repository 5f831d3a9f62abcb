/* SPDX-License-Identifier: MIT
 *
 * chan.c - channels as objects: made, counted, closed, named. What they do is in
 * transfer.c.
 */
#include <limits.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <sync/chan.h>
#include <sync/ref.h>

/* --- names ------------------------------------------------------------------------------- */

static size_t describe(const struct waitable *object, char *buf, size_t size)
{
	const weft_chan *chan = container_of(object, weft_chan, waitable);
	size_t count, capacity;

	if (!weft__peek(&count, (uintptr_t)&chan->values.count, sizeof(count)) ||
	    !weft__peek(&capacity, (uintptr_t)&chan->values.capacity, sizeof(capacity)))
		return 0;
	if (capacity == 0)
		return weft__format(buf, size, "(unbuffered)");
	if (capacity == WEFT_UNBOUNDED)
		return weft__format(buf, size, "(%zu, unbounded)", count);
	return weft__format(buf, size, "(%zu of %zu)", count, capacity);
}

static const struct waitable_kind chan_kind = { .noun = "channel", .describe = describe };
static const struct waitable_kind timer_kind = { .noun = "timer channel" };

/* --- life -------------------------------------------------------------------------------- */

int weft_chan_new(weft_chan **ret_chan, size_t elem_bytes, size_t capacity)
{
	weft_chan *chan;

	if (!ret_chan || elem_bytes > ELEM_MAX)
		return -EINVAL;
	chan = weft__calloc(1, sizeof *chan);
	if (!chan)
		return -ENOMEM;
	if (weft__values_init(&chan->values, elem_bytes, capacity) < 0) {
		weft__free(chan);
		return -ENOMEM;
	}
	chan->waitable.kind = &chan_kind;
	chan->elem_bytes = (uint32_t)elem_bytes;
	chan->words = elem_bytes == sizeof(uint64_t);
	atomic_store_explicit(&chan->refs, 1, memory_order_relaxed);
	waitq_init(&chan->receivers);
	waitq_init(&chan->senders);
	*ret_chan = chan;
	return 0;
}

int weft_timer_new(weft_chan **ret_timer, int64_t when_ns, int64_t period_ns)
{
	weft_chan *timer;
	int rc;

	if (!ret_timer || when_ns < 0 || period_ns < 0)
		return -EINVAL;
	rc = weft_chan_new(&timer, sizeof(int64_t), 0);
	if (rc < 0)
		return rc;
	timer->waitable.kind = &timer_kind;
	timer->kind = CHAN_TIMER;
	timer->words = false;
	timer->when_ns = when_ns;
	timer->period_ns = period_ns;
	*ret_timer = timer;
	return 0;
}

weft_chan *weft_chan_ref(weft_chan *chan)
{
	if (chan)
		ref_get(&chan->refs);
	return chan;
}

void weft_chan_free(weft_chan *chan)
{
	if (!chan || !ref_drop(&chan->refs, "weft_chan_free", chan))
		return;
	if (!waitq_empty(&chan->receivers) || !waitq_empty(&chan->senders))
		weft__die("weft_chan_free: channel %p loses its last reference while somebody "
			  "waits in it; close it first, and let each user have a reference",
			  (void *)chan);
	weft__values_fini(&chan->values);
	weft__free(chan);
}

/* --- the end of the values --------------------------------------------------------------- */

/* Lock held. Each is claimed and then told: it may go on at once, and free the channel, when
 * it has the last reference; but not before we have unlocked, and ours is still there. */
static void close_queue(struct waitq *queue)
{
	struct peer peer;

	while ((peer = peer_take(queue)).task != NULL)
		party_wake(peer.task, peer.result ? peer.result | SELECT_CLOSED : -EPIPE);
}

int weft_chan_close(weft_chan *chan)
{
	if (!chan)
		return -EINVAL;
	spin_lock(&chan->lock);
	if (chan->closed) {
		spin_unlock(&chan->lock);
		return -EALREADY;
	}
	chan->closed = true;
	chan->words = false;
	close_queue(&chan->receivers);
	close_queue(&chan->senders);
	spin_unlock(&chan->lock);
	return 0;
}

/* --- questions --------------------------------------------------------------------------- */

size_t weft_chan_len(weft_chan *chan)
{
	size_t count;

	if (!chan)
		return 0;
	spin_lock(&chan->lock);
	count = chan->kind == CHAN_TIMER ? !chan->closed && weft_now() >= chan->when_ns
					 : chan->values.count;
	spin_unlock(&chan->lock);
	return count;
}

size_t weft_chan_capacity(const weft_chan *chan)
{
	return chan ? chan->values.capacity : 0;
}

int weft_chan_closed(weft_chan *chan)
{
	bool closed;

	if (!chan)
		return 0;
	spin_lock(&chan->lock);
	closed = chan->closed;
	spin_unlock(&chan->lock);
	return closed;
}
