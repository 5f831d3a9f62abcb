/* SPDX-License-Identifier: MIT
 *
 * promise_watch.c - one wait for several things: the settle of a promise wakes a ticket. What
 * weft_select() does with promises, and weft_await_all() and weft_await_any() below.
 *
 * A gather is parked once. For weft_await_all() each settle counts down, and only the last
 * one, or the first failure, wakes; so a wait for a thousand promises is one wake-up.
 */
#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <sync/promise.h>

/* --- watching ----------------------------------------------------------------------------- */

static int watch_counted(weft_promise *promise, struct promise_watch *watch, uint64_t ticket,
			 int result, _Atomic uint32_t *left)
{
	bool settled;

	*watch = (struct promise_watch){ .ticket = ticket, .result = result, .left = left };
	spin_lock(&promise->lock);
	settled = promise_settled(promise);
	if (!settled) {
		list_push_back(&promise->watches, &watch->link);
		promise->waiting++;
	}
	spin_unlock(&promise->lock);
	return settled;
}

int weft__promise_watch(weft_promise *promise, struct promise_watch *watch, uint64_t ticket,
			int result)
{
	return watch_counted(promise, watch, ticket, result, NULL);
}

void weft__promise_unwatch(weft_promise *promise, struct promise_watch *watch)
{
	spin_lock(&promise->lock);
	if (list_linked(&watch->link)) {
		list_remove(&watch->link);
		promise->waiting--;
	}
	spin_unlock(&promise->lock);
}

/* acq_rel: whoever counts to 0 has seen all that came before the others' settles. */
static inline bool is_last(_Atomic uint32_t *left, uint32_t count)
{
	return atomic_fetch_sub_explicit(left, count, memory_order_acq_rel) == count;
}

/* Under the lock, because the watch is gone soon afterwards (P3). */
void weft__promise_wake_watches(weft_promise *promise, enum weft_promise_state state)
{
	while (!list_empty(&promise->watches)) {
		struct promise_watch *watch =
			container_of(promise->watches.next, struct promise_watch, link);

		list_remove(&watch->link);
		if (!watch->left || state != WEFT_PROMISE_RESOLVED || is_last(watch->left, 1))
			weft__wake(watch->ticket, watch->result);
	}
}

/* --- several ------------------------------------------------------------------------------ */

enum {
	FEW = 8,           /* so many fit the frame */
	NO_VERDICT = -4096 /* no errno, no index: wait */
};

struct gather {
	struct waitable waitable;
	weft_promise *const *promises;
	struct promise_watch *watches;
	unsigned count;
	unsigned armed; /* the first so many are watched, but for those that were settled */
	bool all;
	_Atomic uint32_t left; /* all: not resolved yet, and one for us while we arm */
};

static size_t describe_gather(const struct waitable *object, char *buf, size_t size)
{
	const struct gather *gather = container_of(object, struct gather, waitable);
	unsigned count, left;
	bool all;

	if (!weft__peek(&count, (uintptr_t)&gather->count, sizeof(count)) ||
	    !weft__peek(&left, (uintptr_t)&gather->left, sizeof(left)) ||
	    !weft__peek(&all, (uintptr_t)&gather->all, sizeof(all)))
		return 0;
	if (all)
		return weft__format(buf, size, "(all of %u, %u pending)", count, left);
	return weft__format(buf, size, "(any of %u)", count);
}

static const struct waitable_kind gather_kind = { .noun = "promises", .describe = describe_gather };

/* Does the state of one of them end the wait? */
static inline bool decides(const struct gather *gather, uint32_t state)
{
	return state != WEFT_PROMISE_PENDING && (!gather->all || state != WEFT_PROMISE_RESOLVED);
}

/* Without waiting. Return: the index of one that decides; count: all of them are resolved;
 * NO_VERDICT. */
static int look(const struct gather *gather)
{
	unsigned resolved = 0;

	for (unsigned i = 0; i < gather->count; i++) {
		uint32_t state = promise_state(gather->promises[i]); /* once: it may change */

		if (decides(gather, state))
			return (int)i;
		resolved += state != WEFT_PROMISE_PENDING;
	}
	return resolved == gather->count && gather->all ? (int)gather->count : NO_VERDICT;
}

static int arm(struct gather *gather, uint64_t ticket)
{
	uint32_t ours = 1;

	for (unsigned i = 0; i < gather->count; i++) {
		weft_promise *promise = gather->promises[i];
		struct promise_watch *watch = &gather->watches[i];

		gather->armed = i + 1;
		if (!watch_counted(promise, watch, ticket, (int)i,
				   gather->all ? &gather->left : NULL))
			continue;
		if (decides(gather, promise_state(promise)))
			return (int)i;
		ours++;
	}
	if (gather->all && is_last(&gather->left, ours))
		return (int)gather->count;
	return NO_VERDICT;
}

static void disarm(struct gather *gather)
{
	for (unsigned i = 0; i < gather->armed; i++)
		weft__promise_unwatch(gather->promises[i], &gather->watches[i]);
}

/* Return: as look(), or how the wait has ended otherwise. */
static int wait(struct gather *gather, struct task *self, int64_t deadline_ns)
{
	int rc, ignored;

	gather->armed = 0;
	atomic_store_explicit(&gather->left, gather->count + 1, memory_order_relaxed);
	if (unlikely(!party_begin(self)))
		return party_refused(self);
	rc = arm(gather, party_ticket(self));
	if (rc == NO_VERDICT)
		rc = party_park(self, &gather->waitable, deadline_ns);
	else
		party_abort(self, &ignored); /* what others tell stands in the promises, too */
	disarm(gather);
	return rc;
}

static noinline int wait_on_heap(const struct gather *origin, struct task *self,
				 int64_t deadline_ns)
{
	struct gather *gather;
	int rc;

	gather = weft__malloc(sizeof *gather + origin->count * sizeof(struct promise_watch));
	if (!gather)
		return -ENOMEM;
	*gather = *origin;
	gather->watches = (struct promise_watch *)(gather + 1);
	rc = wait(gather, self, deadline_ns);
	weft__free(gather);
	return rc;
}

static noinline int wait_in_frame(const struct gather *origin, struct task *self,
				  int64_t deadline_ns)
{
	struct promise_watch watches[FEW];
	struct gather gather = *origin;

	gather.watches = watches;
	return wait(&gather, self, deadline_ns);
}

/* K2. A coroutine's stack may be a shared one while its task's is not. */
static bool fits_frame(const struct gather *gather, const struct task *self)
{
	return gather->count <= FEW && !party_frames_move(self);
}

static int gather_verdict(struct gather *gather, int64_t deadline_ns)
{
	struct task *self;
	int rc = look(gather);

	if (rc != NO_VERDICT)
		return rc;
	if (deadline_ns == WEFT_NOWAIT)
		return -EAGAIN;
	self = party_self(&rc);
	if (!self)
		return rc;
	return fits_frame(gather, self) ? wait_in_frame(gather, self, deadline_ns)
					: wait_on_heap(gather, self, deadline_ns);
}

static bool is_valid(const struct gather *gather)
{
	if (gather->count > INT32_MAX || (!gather->promises && gather->count))
		return false;
	for (unsigned i = 0; i < gather->count; i++)
		if (!gather->promises[i])
			return false;
	return true;
}

int weft_await_all(weft_promise *const *promises, unsigned count, int64_t deadline_ns)
{
	struct gather gather = {
		.waitable = { &gather_kind }, .promises = promises, .count = count, .all = true
	};
	int rc;

	if (!is_valid(&gather))
		return -EINVAL;
	rc = gather_verdict(&gather, deadline_ns);
	if (rc < 0 || rc == (int)count)
		return rc < 0 ? rc : 0;
	/* The last one to be resolved, or one that was not. */
	return promises[rc]->error;
}

int weft_await_any(weft_promise *const *promises, unsigned count, int64_t deadline_ns,
		   unsigned *ret_index)
{
	struct gather gather = { .waitable = { &gather_kind },
				 .promises = promises,
				 .count = count };
	int rc;

	if (!count || !ret_index || !is_valid(&gather))
		return -EINVAL;
	rc = gather_verdict(&gather, deadline_ns);
	if (rc < 0)
		return rc;
	*ret_index = (unsigned)rc;
	return 0;
}
