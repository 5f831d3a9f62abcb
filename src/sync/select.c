/* SPDX-License-Identifier: MIT
 *
 * select.c - see select.h. The walk: lock, look, do one or queue everywhere, unlock, park,
 * leave the queues.
 */
#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <sync/look.h>
#include <sync/select.h>
#include <weft/time.h>

enum {
	FEW = 8, /* so many cases fit the frame */
	CASES_MAX = 65536
};

static size_t describe(const struct waitable *object, char *buf, size_t size)
{
	unsigned count;

	if (!weft__peek(&count, (uintptr_t)object + offsetof(struct select_name, count),
			sizeof(count)))
		return 0;
	return weft__format(buf, size, "of %u cases", count);
}

static const struct waitable_kind kind = { .noun = "select", .describe = describe };

/* --- waiting ----------------------------------------------------------------------------- */

/* Lock held. Its value has been placed. */
static always_inline void queue_case(struct select_node *node, const weft_case *which, unsigned i,
				     struct task *self)
{
	weft_chan *chan = which->object;

	node->waiter.object = (void *)((uintptr_t)&chan->waitable | SELECT_TAG);
	node->task = self;
	node->index = i;
	list_push_back(which->kind == WEFT_CASE_SEND ? &chan->senders.list : &chan->receivers.list,
		       &node->waiter.link);
}

/* Locks held. */
static void queue_all(struct select *select)
{
	for (unsigned i = 0; i < select->count; i++) {
		weft_case *which = &select->cases[i];
		struct select_node *node = &select->nodes[i];

		if (!case_is_channel(which))
			continue;
		if (!select->frames_move)
			node->waiter.value = which->value;
		else if (!which->value)
			node->waiter.value = NULL;
		queue_case(node, which, i, select->self);
	}
}

/* @fired: the case whose node has been taken, or -1. */
static void leave_queues(struct select *select, int fired)
{
	for (unsigned i = 0; i < select->count; i++) {
		weft_chan *chan = select->cases[i].object;

		if ((int)i != fired && case_is_channel(&select->cases[i]))
			waiter_leave(&chan->lock, &select->nodes[i].waiter);
	}
}

/* 0: all armed; 1: one is ready; < 0. */
static int arm_sources(struct select *select, uint64_t ticket)
{
	for (unsigned i = 0; i < select->count; i++) {
		const struct select_source *source = source_of(select, &select->cases[i]);
		int rc;

		if (!source)
			continue;
		rc = source->arm(&select->cases[i], &select->watches[i], ticket);
		if (rc != 0 && rc != SOURCE_BLIND)
			return rc;
		select->watches[i].armed = true;
		if (rc == SOURCE_BLIND && select->until_ns > weft_in_ns(SOURCE_LOOK_NS))
			select->until_ns = weft_in_ns(SOURCE_LOOK_NS);
	}
	return 0;
}

/* Return: the case that has fired with @error: a closed descriptor; or -1. */
static int disarm_sources(struct select *select, int error)
{
	int fired = -1;

	for (unsigned i = 0; i < select->count; i++) {
		struct watch *watch = &select->watches[i];

		if (!watch->armed)
			continue;
		watch->armed = false;
		if (source_of(select, &select->cases[i])->disarm(&select->cases[i], watch) &&
		    fired < 0)
			fired = (int)i;
	}
	if (fired < 0 || error != -EBADF)
		return -1;
	select->cases[fired].result = error;
	return fired;
}

static int park(struct select *select)
{
	struct task *self = select->self;

	self->waiter.object = &select->name.waitable;
	if (select->has_descriptor)
		return weft__park(self, WAIT_FDS, select->until_ns);
	return party_park_named(self, select->until_ns);
}

enum { SELECT_MORE = -4096 }; /* no errno */

/* Locks held, and released. Return: a case that has been done; SELECT_MORE: look again; or
 * why the select is over. */
static inline int wait_once(struct select *select)
{
	struct task *self = select->self;
	int rc, fired = -1, failed = 0;

	if (unlikely(!party_begin(self))) {
		unlock_all(select);
		return party_refused(self);
	}
	queue_all(select);
	unlock_all(select);
	rc = likely(!select->sources) ? 0 : arm_sources(select, party_ticket(self));
	if (likely(rc == 0)) {
		rc = park(select);
	} else {
		failed = rc < 0 ? rc : 0;
		rc = SELECT_AGAIN;
		party_abort(self, &rc);
	}
	if (rc >= SELECT_FIRST)
		fired = (rc & ~SELECT_CLOSED) - SELECT_FIRST;
	leave_queues(select, fired);
	if (unlikely(select->sources != 0)) {
		int source = disarm_sources(select, rc);

		if (source >= 0)
			return source;
	}
	if (fired >= 0) {
		select->cases[fired].result = rc & SELECT_CLOSED ? -EPIPE : 0;
		return fired;
	}
	if (failed < 0)
		return failed;
	return rc == SELECT_AGAIN || rc == -ETIMEDOUT ? SELECT_MORE : rc;
}

/* --- values: C3 -------------------------------------------------------------------------- */

/* How many bytes of memory it takes to wait. */
static size_t wait_bytes(const struct select *select)
{
	size_t bytes = select->count *
		       (sizeof(struct select_node) + sizeof(struct watch) + sizeof(weft_chan *));

	if (select->frames_move)
		for (unsigned i = 0; i < select->count; i++)
			if (case_is_channel(&select->cases[i]))
				bytes += case_bytes(&select->cases[i]);
	return bytes;
}

/* Where partners find and leave the values of a select on a shared stack. */
static void place_values(struct select *select, char *room)
{
	for (unsigned i = 0; i < select->count && select->frames_move; i++) {
		weft_case *which = &select->cases[i];
		size_t bytes;

		if (!case_is_channel(which) || !which->value)
			continue;
		bytes = case_bytes(which);
		select->nodes[i].waiter.value = room;
		if (which->kind == WEFT_CASE_SEND)
			memcpy(room, which->value, bytes);
		room += bytes;
	}
}

static void fetch_value(struct select *select, unsigned i)
{
	weft_case *which = &select->cases[i];

	if (which->kind == WEFT_CASE_RECV && which->result == 0 && which->value &&
	    select->frames_move && case_is_channel(which))
		memcpy(which->value, select->nodes[i].waiter.value, case_bytes(which));
}

/* --- the whole --------------------------------------------------------------------------- */

/* Until a case has fired, or it is over. */
static always_inline int run(struct select *select, int64_t deadline_ns)
{
	bool late = false;
	int rc;

	do {
		rc = try_once(select, deadline_ns);
		if (rc != -EAGAIN)
			return rc;
		if (deadline_ns == WEFT_NOWAIT || late) {
			unlock_all(select);
			return late ? -ETIMEDOUT : -EAGAIN;
		}
		rc = wait_once(select);
		late = deadline_ns != WEFT_FOREVER && rc == SELECT_MORE &&
		       weft_now() >= deadline_ns;
	} while (rc == SELECT_MORE);
	if (rc >= 0)
		fetch_value(select, (unsigned)rc);
	return rc;
}

/* Values that must not lie on the stack, or many cases: all of it in one block. @origin has
 * been checked; its order, if it has one, stays where it is. */
static noinline int run_on_heap(const struct select *origin, int64_t deadline_ns)
{
	size_t count = origin->count;
	size_t bytes = sizeof(struct select) + wait_bytes(origin);
	struct select *select = weft__malloc(bytes);
	int rc;

	if (!select)
		return -ENOMEM;
	*select = *origin;
	select->nodes = (struct select_node *)(select + 1);
	select->watches = (struct watch *)(select->nodes + count);
	select->order = (weft_chan **)(select->watches + count);
	memset(select->watches, 0, count * sizeof(struct watch));
	select->channels = 0;
	select->ordered = false;
	place_values(select, (char *)(select->order + count));
	rc = run(select, deadline_ns);
	weft__free(select);
	return rc;
}

static RETURNS_BY_JUMP int run_few(struct select *select, int64_t deadline_ns)
{
	struct select_node nodes[FEW];
	struct watch watches[FEW];

	select->nodes = nodes;
	select->watches = watches;
	if (unlikely(select->sources))
		memset(watches, 0, sizeof(watches));
	return run(select, deadline_ns);
}

/* Some cases need a task, and with it a runtime. */
static int find_self(struct select *select)
{
	int rc = 0;

	select->self = select->needs_task ? weft__task_self(&rc) : party_self(&rc);
	if (!select->self)
		return rc;
	select->frames_move = party_frames_move(select->self);
	return 0;
}

/* On a shared stack what can be done at once needs no block. */
static int run_shared(struct select *select, int64_t deadline_ns)
{
	int rc;

	if (select->sources)
		return run_on_heap(select, deadline_ns);
	rc = try_once(select, deadline_ns);
	if (rc != -EAGAIN)
		return rc;
	unlock_all(select);
	return deadline_ns == WEFT_NOWAIT ? rc : run_on_heap(select, deadline_ns);
}

static noinline int select_whole(weft_case *cases, unsigned count, int64_t deadline_ns,
				 const struct select_source *descriptors)
{
	weft_chan *order[FEW];
	struct select select = { .name = { { &kind }, count },
				 .cases = cases,
				 .count = count,
				 .descriptors = descriptors,
				 .order = order };
	int rc;

	if (unlikely(count > CASES_MAX || (!cases && count)))
		return -EINVAL;
	rc = check(&select);
	if (rc == 0)
		rc = find_self(&select);
	if (unlikely(rc < 0))
		return rc;
	if (unlikely(count > FEW))
		return run_on_heap(&select, deadline_ns);
	return select.frames_move ? run_shared(&select, deadline_ns)
				  : run_few(&select, deadline_ns);
}

/* --- the short way ----------------------------------------------------------------------- */

/* There is one thread, and quick() has just seen that none of these few channels is ready:
 * nobody can have come since, so nothing is locked. Afterwards there may be more threads.
 * Return: as wait_once(). */
static RETURNS_BY_JUMP int wait_alone(weft_case *cases, unsigned count, struct task *self)
{
	struct select_name name = { { &kind }, count };
	struct select_node nodes[FEW];
	int rc, fired = -1;

	if (unlikely(!party_begin(self)))
		return party_refused(self);
	for (unsigned i = 0; i < count; i++) {
		nodes[i].waiter.value = cases[i].value;
		queue_case(&nodes[i], &cases[i], i, self);
	}
	self->waiter.object = &name.waitable;
	rc = party_park_named(self, WEFT_FOREVER);
	if (likely(rc >= SELECT_FIRST))
		fired = (rc & ~SELECT_CLOSED) - SELECT_FIRST;
	for (unsigned i = 0; i < count; i++)
		if ((int)i != fired)
			waiter_leave(&((weft_chan *)cases[i].object)->lock, &nodes[i].waiter);
	if (unlikely(fired < 0))
		return rc == SELECT_AGAIN ? SELECT_MORE : rc;
	cases[fired].result = rc & SELECT_CLOSED ? -EPIPE : 0;
	return fired;
}

static inline bool may_wait_alone(const struct task *self)
{
	return self && !party_frames_move(self);
}

int weft__select(weft_case *cases, unsigned count, int64_t deadline_ns,
		 const struct select_source *descriptors)
{
	int rc;

	while (likely(weft__single_threaded() && cases && count <= FEW)) {
		rc = quick(cases, count);
		if (rc >= 0)
			return rc;
		if (rc == QUICK_ODD)
			break;
		if (deadline_ns == WEFT_NOWAIT)
			return -EAGAIN;
		if (deadline_ns != WEFT_FOREVER || !may_wait_alone(weft__thread.task))
			break;
		rc = wait_alone(cases, count, weft__thread.task);
		if (rc != SELECT_MORE)
			return rc;
	}
	return select_whole(cases, count, deadline_ns, descriptors);
}
