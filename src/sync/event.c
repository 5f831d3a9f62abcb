/* SPDX-License-Identifier: MIT
 *
 * event.c - something that has happened, or has not. The word is whether, and of which kind the
 * event is.
 *
 * V1 Nobody is queued while it is set.
 */
#include <errno.h>

#include <base/log.h>
#include <sync/word.h>
#include <weft/sync.h>

enum { EVENT_SET = WORD_ONE, EVENT_AUTO = WORD_ONE << 1 };

struct event {
	struct sync sync;
	struct waitq queue;
};

SYNC_FITS(struct event, weft_event);
_Static_assert(EVENT_AUTO == 8, "WEFT_EVENT_AUTO_INIT says so");

static always_inline struct event *event_of(const weft_event *public)
{
	return (struct event *)(uintptr_t) public;
}

static const struct waitable_kind event_kind = { .noun = "event" };

/* HELD, and left. */
static void set_held(struct event *event, uint64_t word)
{
	struct claimed claimed;
	struct task *party;

	claimed_init(&claimed);
	if (!(word & EVENT_AUTO)) {
		weft__waitq_claim(&event->queue, &claimed);
		word |= EVENT_SET;
	} else if ((party = waitq_next(&event->queue)) != NULL) {
		claimed_add(&claimed, party); /* it is his, and never seen set */
	} else {
		word |= EVENT_SET;
	}
	word_leave(&event->sync, (word & ~(uint64_t)WORD_SLOW) | waitq_slow(&event->queue));
	weft__claimed_wake(&claimed, 0);
}

int weft_event_set(weft_event *public)
{
	struct event *event = event_of(public);
	uint64_t word = atomic_load_explicit(&event->sync.word, memory_order_relaxed);

	/* Also when it is set already: what the caller did before is to be seen, too. */
	if (likely(!(word & WORD_BITS)) && likely(cas64(&event->sync.word, word, word | EVENT_SET)))
		return 0;
	set_held(event, word_enter(&event->sync));
	return 0;
}

int weft_event_reset(weft_event *public)
{
	struct event *event = event_of(public);
	uint64_t word = word_enter(&event->sync);

	word_leave(&event->sync, word & ~(uint64_t)EVENT_SET);
	return word & EVENT_SET ? 1 : 0;
}

int weft_event_is_set(const weft_event *public)
{
	/* acquire pairs with weft_event_set() */
	return atomic_load_explicit(&event_of(public)->sync.word, memory_order_acquire) & EVENT_SET
		       ? 1
		       : 0;
}

/* An automatic one is taken by who finds it set. */
static uint64_t word_after_wait(uint64_t word)
{
	return word & EVENT_AUTO ? word & ~(uint64_t)EVENT_SET : word;
}

static noinline int wait_slowly(struct event *event, int64_t deadline_ns)
{
	struct sync_wait wait = { .queue = &event->queue, .deadline_ns = deadline_ns };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	wait.word = word_enter(&event->sync);
	if (wait.word & EVENT_SET) {
		word_leave(&event->sync, word_after_wait(wait.word));
		return 0;
	}
	if (deadline_ns == WEFT_NOWAIT) {
		word_leave(&event->sync, wait.word);
		return -EAGAIN;
	}
	rc = weft__sync_wait(&event->sync, &event_kind, &wait);
	if (rc < 0)
		word_leave(&event->sync, word_plain(&event->sync) | waitq_slow(&event->queue));
	return rc;
}

int weft_event_wait(weft_event *public, int64_t deadline_ns)
{
	struct event *event = event_of(public);
	/* acquire pairs with weft_event_set() */
	uint64_t word = atomic_load_explicit(&event->sync.word, memory_order_acquire);

	if (word == EVENT_SET)
		return 0;
	return wait_slowly(event, deadline_ns);
}

int weft_event_init(weft_event *public, unsigned flags)
{
	if (flags & ~(unsigned)WEFT_EVENT_AUTO)
		return -EINVAL;
	*event_of(public) = (struct event){ .sync.word = flags ? EVENT_AUTO : 0 };
	return 0;
}

int weft_event_fini(weft_event *public)
{
	struct event *event = event_of(public);
	uint64_t word = word_enter(&event->sync);

	word_leave(&event->sync, word);
	return word & WORD_SLOW ? -EBUSY : 0;
}
