/* SPDX-License-Identifier: MIT
 *
 * transfer.c - send and receive: at once when it can be done (chan.h), else queued and
 * parked until a partner has done it for us.
 *
 * The walk of a message through an unbuffered channel: the sender finds no receiver, queues
 * its waiter with the address of the value, and parks. The receiver takes the waiter from
 * the queue, claims the sender's wait, copies the value, unlocks, makes the sender ready, and
 * goes on. One lock each, one claim, one switch.
 */
#include <limits.h>

#include <stack/slab.h>
#include <sync/chan.h>

/* --- nobody's channel -------------------------------------------------------------------- */

static const struct waitable_kind never_kind = { .noun = "NULL channel" };
static struct waitable never = { &never_kind };

static coldpath int wait_for_nothing(int64_t deadline_ns)
{
	struct task *self;
	int rc;

	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	self = party_self(&rc);
	if (!self)
		return rc;
	if (!party_begin(self))
		return party_refused(self);
	return party_park(self, &never, deadline_ns);
}

/* --- waiting ----------------------------------------------------------------------------- */

/* Lock held, and released. 0, -EPIPE, or why the wait ended. */
static RETURNS_BY_JUMP int wait_in(struct waitq *queue, weft_chan *chan, struct task *self,
				   void *value, int64_t deadline_ns)
{
	int rc;

	if (unlikely(!party_begin(self))) {
		spin_unlock(&chan->lock);
		return party_refused(self);
	}
	self->waiter.value = value;
	self->waiter.object = &chan->waitable;
	list_push_back(&queue->list, &self->waiter.link);
	spin_unlock(&chan->lock);
	rc = party_park_named(self, deadline_ns);
	if (unlikely(rc < 0 && rc != -EPIPE)) /* who says that has taken us out */
		waiter_leave(&chan->lock, &self->waiter);
	return rc;
}

/* C3: the value of a sender on a shared stack waits elsewhere. Lock held, and released. */
static noinline int send_wait_shared(weft_chan *chan, struct task *self, const void *value,
				     int64_t deadline_ns)
{
	size_t bytes = values_stride(chan->elem_bytes);
	void *copy = weft__slab_take(bytes);
	int rc;

	if (!copy) {
		spin_unlock(&chan->lock);
		return -ENOMEM;
	}
	value_copy(copy, value, chan->elem_bytes);
	rc = wait_in(&chan->senders, chan, self, copy, deadline_ns);
	weft__slab_give(copy, bytes);
	return rc;
}

static noinline int recv_wait_shared(weft_chan *chan, struct task *self, void *ret_value,
				     int64_t deadline_ns)
{
	size_t bytes = chan->elem_bytes;
	void *place = NULL;
	int rc;

	if (bytes <= VALUE_INLINE && deadline_ns == WEFT_FOREVER && !weft__thread.coroutine &&
	    (unsigned)errno <= VALUE_NO_PLACE)
		return weft__chan_recv_copied(chan, self, ret_value);
	if (bytes > VALUE_INLINE && ret_value) {
		place = weft__slab_take(bytes);
		if (!place) {
			spin_unlock(&chan->lock);
			return -ENOMEM;
		}
	}
	rc = wait_in(&chan->receivers, chan, self, place, deadline_ns);
	if (rc == 0 && ret_value)
		memcpy(ret_value, place ? place : &self->waiter.link, bytes);
	if (place)
		weft__slab_give(place, bytes);
	return rc;
}

/* --- send -------------------------------------------------------------------------------- */

static int send_wait(weft_chan *chan, const void *value, int64_t deadline_ns);

/* Lock held, and released. */
static noinline int send_locked(weft_chan *chan, const void *value, int64_t deadline_ns)
{
	struct peer peer = { NULL, NULL, 0 };
	int rc = chan_send_now(chan, value, &peer); /* -EPERM: a timer's */

	if (rc == -EAGAIN && deadline_ns != WEFT_NOWAIT)
		return send_wait(chan, value, deadline_ns);
	chan_leave(chan, &peer);
	return rc;
}

static coldpath int send_contended(weft_chan *chan, const void *value, int64_t deadline_ns)
{
	spin_lock(&chan->lock);
	return send_locked(chan, value, deadline_ns);
}

static coldpath int send_as_guest(weft_chan *chan, const void *value, int64_t deadline_ns)
{
	int rc;

	spin_unlock(&chan->lock);
	if (!weft__guest_self(&rc))
		return rc;
	return send_contended(chan, value, deadline_ns);
}

/* What one look has not done. Lock held, and released. */
static int send_wait(weft_chan *chan, const void *value, int64_t deadline_ns)
{
	struct task *self = party_known();

	if (unlikely(!self))
		return send_as_guest(chan, value, deadline_ns);
	if (party_frames_move(self))
		return send_wait_shared(chan, self, value, deadline_ns);
	return wait_in(&chan->senders, chan, self, (void *)(uintptr_t)value, deadline_ns);
}

/* No channel, or no value. */
static coldpath int send_odd(weft_chan *chan, int64_t deadline_ns)
{
	if (!chan)
		return wait_for_nothing(deadline_ns);
	if (chan->elem_bytes)
		return -EINVAL;
	return send_contended(chan, NULL, deadline_ns);
}

/* The short way is for words into a buffer with room, when nobody waits for them: a leaf, which
 * keeps no register. */
int weft_chan_send(weft_chan *chan, const void *value, int64_t deadline_ns)
{
	struct values *values;

	if (unlikely(!chan || !value))
		return send_odd(chan, deadline_ns);
	if (unlikely(!spin_try_lock(&chan->lock)))
		return send_contended(chan, value, deadline_ns);
	values = &chan->values;
	if (unlikely(!chan->words || !waitq_empty(&chan->receivers) || values_full(values) ||
		     values->put == values->put_end))
		return send_locked(chan, value, deadline_ns);
	memcpy(values->put, value, sizeof(uint64_t));
	values->put += sizeof(uint64_t);
	values->count++;
	spin_unlock(&chan->lock);
	return 0;
}

/* --- receive ----------------------------------------------------------------------------- */

static int recv_wait(weft_chan *chan, void *ret_value, int64_t deadline_ns);

static noinline int recv_locked(weft_chan *chan, void *ret_value, int64_t deadline_ns)
{
	struct peer peer;
	int rc;

	if (unlikely(chan->kind == CHAN_TIMER)) {
		spin_unlock(&chan->lock);
		return weft__ticker_recv(chan, ret_value, deadline_ns);
	}
	rc = chan_recv_now(chan, ret_value, &peer);
	if (rc == -EAGAIN && deadline_ns != WEFT_NOWAIT)
		return recv_wait(chan, ret_value, deadline_ns);
	chan_leave(chan, &peer);
	return rc;
}

static coldpath int recv_contended(weft_chan *chan, void *ret_value, int64_t deadline_ns)
{
	spin_lock(&chan->lock);
	return recv_locked(chan, ret_value, deadline_ns);
}

static coldpath int recv_as_guest(weft_chan *chan, void *ret_value, int64_t deadline_ns)
{
	int rc;

	spin_unlock(&chan->lock);
	if (!weft__guest_self(&rc))
		return rc;
	return recv_contended(chan, ret_value, deadline_ns);
}

static int recv_wait(weft_chan *chan, void *ret_value, int64_t deadline_ns)
{
	struct task *self = party_known();

	if (unlikely(!self))
		return recv_as_guest(chan, ret_value, deadline_ns);
	if (party_frames_move(self))
		return recv_wait_shared(chan, self, ret_value, deadline_ns);
	return wait_in(&chan->receivers, chan, self, ret_value, deadline_ns);
}

int weft_chan_recv(weft_chan *chan, void *ret_value, int64_t deadline_ns)
{
	struct values *values;

	if (unlikely(!chan))
		return wait_for_nothing(deadline_ns);
	if (unlikely(!spin_try_lock(&chan->lock)))
		return recv_contended(chan, ret_value, deadline_ns);
	values = &chan->values;
	if (unlikely(!values->count || !chan->words || !waitq_empty(&chan->senders) ||
		     values->take == values->take_end || !ret_value ||
		     values->capacity == WEFT_UNBOUNDED))
		return recv_locked(chan, ret_value, deadline_ns);
	memcpy(ret_value, values->take, sizeof(uint64_t));
	values->take += sizeof(uint64_t);
	values->count--;
	spin_unlock(&chan->lock);
	return 0;
}

/* --- several ----------------------------------------------------------------------------- */

static inline bool count_is_odd(const void *ret_values, size_t count)
{
	return count > INT_MAX || (!ret_values && count);
}

int weft_chan_recv_n(weft_chan *chan, void *ret_values, size_t count, int64_t deadline_ns)
{
	size_t done, stride = chan ? chan->elem_bytes : 0;
	int rc;

	if (count_is_odd(ret_values, count))
		return -EINVAL;
	for (done = 0; done < count; done++) {
		rc = weft_chan_recv(chan, (char *)ret_values + done * stride, deadline_ns);
		if (rc < 0)
			return done ? (int)done : rc;
	}
	return (int)done;
}

int weft_chan_recv_all(weft_chan *chan, void *ret_values, size_t room)
{
	int rc = weft_chan_recv_n(chan, ret_values, room, WEFT_NOWAIT);

	return rc == -EAGAIN ? 0 : rc;
}
