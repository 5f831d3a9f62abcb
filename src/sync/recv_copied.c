/* SPDX-License-Identifier: MIT
 *
 * recv_copied.c - most receivers on shared stacks: a small value, no deadline.
 *
 * Their frames lie in a copy while they wait, of a million tasks perhaps. So begin and end are
 * calls, as in weft_sleep_until(), and nothing that is needed there alone lies in the frame over
 * the switch: 80 bytes, where a queue, a wait and a park that are inlined into each other (wait_in()
 * below recv_wait_shared() in transfer.c) take 160.
 */
#include <sync/chan.h>

/* Up to the switch. to == NULL: there is none; from is a negative error, or NULL: it has been
 * woken already. Lock held, and released. */
static noinline struct leave_way recv_begin(weft_chan *chan, struct task *self)
{
	struct worker *worker = weft__thread.worker;

	if (unlikely(!party_begin(self))) {
		intptr_t rc;

		spin_unlock(&chan->lock);
		rc = party_refused(self);
		return (struct leave_way){ (weft_context *)rc, NULL };
	}
	self->waiter.value = NULL;
	self->waiter.object = &chan->waitable;
	list_push_back(&chan->receivers.list, &self->waiter.link);
	spin_unlock(&chan->lock);
	probe_park(self, WAIT_OBJECT);
	task_set_state(self, WAIT_OBJECT);
	worker->parks++;
	return leave_begin(worker, self, false);
}

static int recv_result(weft_chan *chan, void *ret_value)
{
	struct task *self = weft__thread.task;
	int rc = self->result;

	if (unlikely(rc < 0 && rc != -EPIPE))
		waiter_leave(&chan->lock, &self->waiter);
	if (rc == 0 && ret_value)
		memcpy(ret_value, &self->waiter.link, chan->elem_bytes);
	return rc;
}

static noinline int recv_end(int saved_errno, struct task *left, weft_chan *chan, void *ret_value)
{
	leave_end(left, saved_errno);
	return recv_result(chan, ret_value);
}

int weft__chan_recv_copied(weft_chan *chan, struct task *self, void *ret_value)
{
	int saved_errno = errno;
	struct leave_way way = recv_begin(chan, self);

	if (likely(way.to != NULL))
		return recv_end(saved_errno, leave_switch(way), chan, ret_value);
	return way.from ? (int)(intptr_t)way.from : recv_result(chan, ret_value);
}
