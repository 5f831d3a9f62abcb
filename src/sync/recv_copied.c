/* SPDX-License-Identifier: MIT
 *
 * recv_copied.c - most receivers on shared stacks: a small value, no deadline.
 *
 * Their frames lie in a copy while they wait, of a million tasks perhaps. So begin and end are
 * calls, as in weft_sleep_until(), and one word alone lives over the switch, where to put the value.
 * It has a register that the switch saves in the control block; a second one would have 16 bytes
 * of the frame. So errno waits in the place of a value that has none (C3), and the channel is the
 * object that the task waits for. 64 bytes, where a queue, a wait and a park that are inlined into
 * each other (wait_in() below recv_wait_shared() in transfer.c) take 160.
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
	self->waiter.value = (void *)(uintptr_t)*worker->errno_location;
	self->waiter.object = &chan->waitable;
	list_push_back(&chan->receivers.list, &self->waiter.link);
	spin_unlock(&chan->lock);
	probe_park(self, WAIT_OBJECT);
	task_set_state(self, WAIT_OBJECT);
	worker->parks++;
	return leave_begin(worker, self, false);
}

static int recv_result(void *ret_value)
{
	struct task *self = weft__thread.task;
	weft_chan *chan = container_of(self->waiter.object, weft_chan, waitable);
	int rc = self->result;

	if (unlikely(rc < 0 && rc != -EPIPE))
		waiter_leave(&chan->lock, &self->waiter);
	if (rc == 0 && ret_value)
		memcpy(ret_value, &self->waiter.link, chan->elem_bytes);
	return rc;
}

static noinline int recv_end(void *ret_value, struct task *left)
{
	leave_end(left, (int)(uintptr_t)weft__thread.task->waiter.value);
	return recv_result(ret_value);
}

int weft__chan_recv_copied(weft_chan *chan, struct task *self, void *ret_value)
{
	struct leave_way way = recv_begin(chan, self);

	if (likely(way.to != NULL))
		return recv_end(ret_value, leave_switch(way));
	return way.from ? (int)(intptr_t)way.from : recv_result(ret_value);
}
