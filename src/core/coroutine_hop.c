/* SPDX-License-Identifier: MIT
 *
 * coroutine_hop.c - the small stack on which a shared stack changes hands when
 * the one who wants that stands on it.
 *
 * Nothing is kept there from one hop to the next: each begins at its top. No
 * code of users runs there, and no task parks there.
 */
#include <errno.h>

#include <core/coroutine.h>

/* C4 */
_Static_assert(offsetof(struct hop, no_handle) <= offsetof(struct coroutine, no_wait) &&
		       offsetof(struct hop, failed) > offsetof(struct coroutine, no_task_id),
	       "no stale handle matches");

int weft__hop_hold(struct thread *thread)
{
	struct stack_slot slot;

	if (!thread->hop) {
		if (weft__stack_take((unsigned)weft__stack_class(STACK_MIN_BYTES), &slot) < 0)
			return -ENOMEM;
		thread->hop = (struct hop *)(void *)slot.top;
		*thread->hop = (struct hop){ .low = slot.low, .class = slot.class };
	}
	thread->hop->users++;
	thread->coroutines_rare++;
	return 0;
}

void weft__hop_release(struct thread *thread)
{
	struct hop *hop = thread->hop;
	struct stack_slot slot = { .top = (char *)hop, .low = hop->low, .class = hop->class };

	thread->coroutines_rare--;
	if (--hop->users)
		return;
	thread->hop = NULL;
	weft__stack_give(&slot);
}

/* Runs as the fiber it is on its way to, which does not get to know. */
static no_tsan_frame void hop_main(void *context, void *value)
{
	struct hop *hop = context;
	const struct hop_request *request = &hop->request;
	struct shared_stack *stack = request->newcomer->shared;
	weft_context *target = request->target;
	struct landing landing = request->landing;

	(void)value;
	coroutine_arrived(NULL);
	hop->failed = weft__shared_enter(request->newcomer) < 0;
	stack->outer = NULL; /* whoever is the occupant now runs */
	if (unlikely(hop->failed)) {
		target = hop->back;
#if WEFT_TSAN
		landing.fiber = hop->back_fiber;
#endif
	} else if (request->then) {
		request->then(request);
	}
	coroutine_switch_last(&hop->ctx, target, request->value, landing);
}

static struct landing landing_at_hop(const struct hop *hop)
{
	struct landing landing = {};

#if WEFT_ASAN
	landing.low = hop->low;
	landing.bytes = (size_t)((const char *)hop - hop->low);
#endif
#if WEFT_TSAN
	landing.fiber = hop->request.landing.fiber;
#endif
	(void)hop;
	return landing;
}

/* no_tsan_frame: the detour calls it and does not come back (T3). */
no_tsan_frame int weft__hop(struct thread *thread, weft_context *from,
			    const struct hop_request *request, void **ret_value)
{
	struct hop *hop = thread->hop;
	void *value;

	weft__asan_forget(hop->low, (size_t)((char *)hop - hop->low));
	hop->request = *request;
	hop->back = from;
	weft__context_make_at(&hop->ctx, hop, hop_main);
#if WEFT_TSAN
	hop->back_fiber = weft__tsan_self();
#endif
	value = coroutine_switch(from, &hop->ctx, NULL, landing_at_hop(hop));
	/* Whoever else comes back here finds it false. */
	hop = weft__thread.hop;
	if (unlikely(hop && hop->failed)) {
		hop->failed = false;
		return -ENOMEM;
	}
	if (ret_value)
		*ret_value = value;
	return 0;
}
