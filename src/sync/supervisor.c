/* SPDX-License-Identifier: MIT
 *
 * supervisor.c - how often actors may fail. No task of its own: it is asked by the life that ends.
 *
 * V1 Of the last max_restarts restarts the times are kept, in a ring: the oldest of them says
 *    whether one more is too many.
 * V2 It is over once it has given up or was stopped, and it has no actor any more: then done is
 *    settled, and above told. No actor enters after the first of these.
 *
 * Each of its actors holds a reference. It holds one to the memory of the actor above, but no
 * handle: that actor may well hold the last one of ours.
 */
#include <base/fault.h>
#include <sync/actor.h>
#include <sync/ref.h>
#include <weft/time.h>

enum { RESTARTS_MAX = 65536 };

struct weft_supervisor {
	struct list actors;
	struct spinlock lock;
	_Atomic uint32_t refs; /* not among the first 16 bytes: ref.h */
	bool closed;           /* given up, or stopped */
	int error;             /* with which it has given up */
	weft_promise *done;
	weft_supervisor_attr attr;
	uint64_t restarts;
	int64_t times_ns[]; /* V1 */
};

static const struct waitable_kind kind = { .noun = "end of a supervisor" };

int weft_supervisor_new(weft_supervisor **ret_supervisor, const weft_supervisor_attr *attr)
{
	static const weft_supervisor_attr none;
	weft_supervisor *supervisor;

	if (!attr)
		attr = &none;
	if (!ret_supervisor || attr->max_restarts > RESTARTS_MAX || attr->period_ns < 0)
		return -EINVAL;
	supervisor = weft__calloc(1, sizeof *supervisor + attr->max_restarts * sizeof(int64_t));
	if (!supervisor || weft_promise_new(&supervisor->done) < 0) {
		weft__free(supervisor);
		return -ENOMEM;
	}
	supervisor->done->waitable.kind = &kind;
	supervisor->attr = *attr;
	list_init(&supervisor->actors);
	atomic_store_explicit(&supervisor->refs, 1, memory_order_relaxed);
	if (attr->above)
		ref_get(&attr->above->refs);
	*ret_supervisor = supervisor;
	return 0;
}

weft_supervisor *weft_supervisor_ref(weft_supervisor *supervisor)
{
	if (supervisor)
		ref_get(&supervisor->refs);
	return supervisor;
}

void weft_supervisor_free(weft_supervisor *supervisor)
{
	if (!supervisor || !ref_drop(&supervisor->refs, "weft_supervisor_free", supervisor))
		return;
	if (supervisor->attr.above)
		weft__actor_put(supervisor->attr.above);
	weft_promise_free(supervisor->done);
	weft__free(supervisor);
}

/* --- its actors --------------------------------------------------------------------------- */

int weft__supervisor_enter(weft_supervisor *supervisor, weft_actor *actor)
{
	int rc = -EPIPE;

	spin_lock(&supervisor->lock);
	if (!supervisor->closed) {
		list_push_back(&supervisor->actors, &actor->sibling);
		weft_supervisor_ref(supervisor);
		rc = 0;
	}
	spin_unlock(&supervisor->lock);
	return rc;
}

/* V2. A reference is held. */
static void settle_if_over(weft_supervisor *supervisor)
{
	bool over;
	int error;

	spin_lock(&supervisor->lock);
	over = supervisor->closed && list_empty(&supervisor->actors);
	error = supervisor->error;
	spin_unlock(&supervisor->lock);
	if (!over)
		return;
	if (!error)
		weft_promise_resolve(supervisor->done, NULL);
	else if (weft_promise_reject(supervisor->done, error) == 0 && supervisor->attr.above)
		weft_actor_fail(supervisor->attr.above, error);
}

void weft__supervisor_leave(weft_supervisor *supervisor, weft_actor *actor)
{
	spin_lock(&supervisor->lock);
	list_remove(&actor->sibling);
	spin_unlock(&supervisor->lock);
	settle_if_over(supervisor);
	weft_supervisor_free(supervisor);
}

/* Lock held. */
static void stop_all(weft_supervisor *supervisor, const weft_actor *but, int how)
{
	struct list *link;

	supervisor->closed = true;
	for (link = supervisor->actors.next; link != &supervisor->actors; link = link->next) {
		weft_actor *actor = container_of(link, weft_actor, sibling);

		if (actor != but)
			weft__mailbox_stop(actor, how);
	}
}

/* Lock held. V1: is there room for one more? */
static bool may_restart(const weft_supervisor *supervisor, int64_t now_ns)
{
	unsigned max = supervisor->attr.max_restarts;

	if (supervisor->restarts < max)
		return true;
	return max && supervisor->attr.period_ns &&
	       now_ns - supervisor->times_ns[supervisor->restarts % max] >=
		       supervisor->attr.period_ns;
}

bool weft__supervisor_restarts(weft_supervisor *supervisor, weft_actor *actor, int code)
{
	int64_t now_ns = weft_now();
	bool again = false;

	spin_lock(&supervisor->lock);
	if (!supervisor->error) {
		again = may_restart(supervisor, now_ns);
		if (again) {
			supervisor
				->times_ns[supervisor->restarts++ % supervisor->attr.max_restarts] =
				now_ns;
		} else {
			supervisor->error = code;
			stop_all(supervisor, actor, WEFT_ACTOR_NOW);
		}
	}
	spin_unlock(&supervisor->lock);
	return again;
}

/* --- the owner's side --------------------------------------------------------------------- */

int weft_supervisor_stop(weft_supervisor *supervisor, int how)
{
	if (!supervisor || how < WEFT_ACTOR_DRAIN || how > WEFT_ACTOR_CANCEL)
		return -EINVAL;
	spin_lock(&supervisor->lock);
	stop_all(supervisor, NULL, how);
	spin_unlock(&supervisor->lock);
	settle_if_over(supervisor);
	return 0;
}

int weft_supervisor_wait(weft_supervisor *supervisor, int64_t deadline_ns)
{
	return supervisor ? weft_await(supervisor->done, deadline_ns, NULL) : -EINVAL;
}

uint64_t weft_supervisor_restarts(weft_supervisor *supervisor)
{
	uint64_t restarts;

	if (!supervisor)
		return 0;
	spin_lock(&supervisor->lock);
	restarts = supervisor->restarts;
	spin_unlock(&supervisor->lock);
	return restarts;
}
