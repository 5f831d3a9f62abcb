/* SPDX-License-Identifier: MIT
 *
 * record.c - see record.h.
 *
 *	task 7 "parser": fd 12 read, for 3.2 s; worker 1; spawned at server.c:88; stack 4 of 256 KiB
 *	    weft__park+0x41 (server)
 *	    read_header+0x2c (server)
 */
#include <base/log.h>
#include <debug/record.h>
#include <debug/symbols.h>
#include <stack/shared.h>

/* --- the calls ------------------------------------------------------------------ */

static bool has_stack(const struct task_view *view)
{
	enum doing doing = weft__doing(view);

	if (view->copy.task.flags & TASK_GUEST)
		return false; /* a plain thread's, which is not ours to read */
	return doing != DOING_RUN && doing != DOING_NEW && doing != DOING_DEAD;
}

void weft__record_backtrace(struct recorder *recorder, const struct task_view *view,
			    struct backtrace *ret)
{
	*ret = (struct backtrace){ .end = UNWIND_COMPLETE };
	if (weft__doing(view) == DOING_NEW) {
		ret->pcs[ret->depth++] = (uintptr_t)view->copy.task.start.fn;
		ret->end = UNWIND_NEW;
	} else if (has_stack(view)) {
		weft__backtrace_task(&recorder->unwinder, view, ret);
	}
}

static void put_frame(struct recorder *recorder, uintptr_t pc, bool exact)
{
	char text[256];

	weft__symbol_text(&recorder->unwinder.modules, text, sizeof(text), pc, exact);
	weft__out(&recorder->out, "    %s\n", text);
}

static void put_backtrace(struct recorder *recorder, const struct backtrace *bt)
{
	bool first = true; /* of its stack: parked there, and not behind a call */

	for (unsigned i = 0; i < bt->depth; i++) {
		if (bt->pcs[i] == BACKTRACE_RESUMED_BY)
			weft__out(&recorder->out, "    -- a coroutine, resumed by\n");
		else
			put_frame(recorder, bt->pcs[i], first);
		first = bt->pcs[i] == BACKTRACE_RESUMED_BY;
	}
	if (bt->end == UNWIND_DEEP)
		weft__out(&recorder->out, "    ... and more\n");
	else if (bt->end == UNWIND_LOST)
		weft__out(&recorder->out, "    ... (%s)\n",
			  bt->depth ? "who called that is not known" : "no backtrace");
}

/* --- one task -------------------------------------------------------------------- */

static void put_flags(struct out *out, const struct task_view *view)
{
	unsigned flags = view->copy.task.flags;

	if (view->copy.task.strand.shared)
		weft__out(out, ", shared");
	if (flags & WEFT_DAEMON)
		weft__out(out, ", daemon");
	if (flags & WEFT_MIGRATE)
		weft__out(out, ", movable");
	if (view->wait & WAIT_CANCELED)
		weft__out(out, ", cancelled");
	if (view->wait & WAIT_EXPIRED)
		weft__out(out, ", late");
}

static void put_used(struct out *out, int64_t used, size_t bytes)
{
	if (used < 0)
		used = 0;
	if (used < 1024)
		weft__out(out, "%lld bytes of %zu KiB", (long long)used, bytes >> 10);
	else
		weft__out(out, "%lld of %zu KiB", (long long)((used + 1023) >> 10), bytes >> 10);
}

/* A private stack: touched pages. A shared one: what is kept of it for this task. */
static void put_stack(struct recorder *recorder, const struct task *task,
		      const struct task_view *view)
{
	struct out *out = &recorder->out;
	const struct strand *strand = &view->copy.task.strand;
	struct shared_place place;
	struct stack_slot slot;
	uintptr_t low;

	weft__out(out, "; stack ");
	if (view->copy.task.flags & TASK_THREAD) {
		weft__out(out, "of the thread");
	} else if (!strand->shared) {
		if (weft__stack_find(task, &slot) == STACK_HIT_USABLE)
			put_used(out, weft__stack_touched(&slot),
				 weft__stack_class_bytes(slot.class));
	} else if (weft__shared_place(strand, &recorder->unwinder.shared, &place) &&
		   has_stack(view) &&
		   weft__stack_find((const void *)(place.high - 1), &slot) == STACK_HIT_USABLE) {
		/* In a coroutine on another stack its own frames' end is not in the context. */
		low = (uintptr_t)weft__context_low(&strand->ctx);
		if (low < place.low || low > place.high)
			low = place.bytes == place.low ? place.high : place.low;
		put_used(out, (int64_t)(place.high - low), weft__stack_class_bytes(slot.class));
	}
	put_flags(out, view);
}

static void put_origin(struct recorder *recorder, const struct task *task,
		       const struct task_view *view)
{
	struct out *out = &recorder->out;
	char site[SITE_BYTES];

	weft__out(out, "; worker %u", view_worker(view));
	if (!(view->copy.task.flags & TASK_THREAD)) {
		weft__describe_site(view, site);
		weft__out(out, "; spawned at %s", site);
	}
	put_stack(recorder, task, view);
	weft__out(out, "\n");
}

void weft__record_task(struct recorder *recorder, const struct task *task)
{
	struct out *out = &recorder->out;
	char name[WHAT_BYTES], what[WHAT_BYTES], text[32];
	struct task_view view, after;
	struct backtrace backtrace;
	int64_t waiting_ns;

	if (!weft__task_view(task, &view))
		return; /* it has ended */
	weft__describe_wait(task, &view, recorder->now_ns, what);
	if (view.copy.task.flags & TASK_GUEST) {
		weft__describe_task(task, name);
		weft__out(out, "\n%s: %s\n", name, what);
		return;
	}
	weft__record_backtrace(recorder, &view, &backtrace);
	weft__describe_name(&view, name);
	waiting_ns = weft__waiting_ns(&view, recorder->now_ns);
	if ((view.copy.task.flags & TASK_THREAD) && !name[0])
		weft__format(name, sizeof(name), " \"main\"");
	weft__out(out, "\ntask %llu%s: %s", (unsigned long long)view.copy.task.id, name, what);
	if (waiting_ns >= 0)
		weft__out(out, ", for %s", weft__text_duration(text, waiting_ns));
	put_origin(recorder, task, &view);
	if (weft__task_view(task, &after) && after.copy.task.id == view.copy.task.id &&
	    after.wait == view.wait && after.copy.task.state == view.copy.task.state)
		put_backtrace(recorder, &backtrace);
	else
		weft__out(out, "    (it went on while this was written)\n");
}

/* --- a group --------------------------------------------------------------------- */

static void put_ids(struct out *out, const struct group *group)
{
	for (unsigned i = 0; i < GROUP_IDS && i < group->count; i++)
		weft__out(out, "%s%llu", i ? ", " : "", (unsigned long long)group->ids[i]);
	if (group->count > GROUP_IDS)
		weft__out(out, " ...");
}

static void put_waits(struct out *out, const struct group *group)
{
	char from[32], to[32];

	if (group->longest_ns < 0)
		return;
	weft__out(out, ", for %s", weft__text_duration(from, group->shortest_ns));
	if (group->longest_ns != group->shortest_ns)
		weft__out(out, " to %s", weft__text_duration(to, group->longest_ns));
}

void weft__record_group(struct recorder *recorder, const struct group *group)
{
	struct out *out = &recorder->out;
	char count[32], what[WHAT_BYTES];
	struct task_view view;

	if (group->count == 1) {
		weft__record_task(recorder, group->first);
		return;
	}
	weft__out(out, "\n%s tasks like this: ids ", weft__text_count(count, group->count));
	put_ids(out, group);
	put_waits(out, group);
	if (weft__task_view(group->first, &view) && view.copy.task.id == group->ids[0]) {
		weft__describe_wait(group->first, &view, recorder->now_ns, what);
		weft__out(out, "\n  the first: %s", what);
		put_origin(recorder, group->first, &view);
	} else {
		weft__out(out, "\n");
	}
	put_backtrace(recorder, &group->backtrace);
}
