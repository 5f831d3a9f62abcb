/* SPDX-License-Identifier: MIT
 *
 * cond.c - conditions, and the lock that is made of the same queue.
 *
 * Who waits is told by a block of its own, which is on the heap: the waiter's stack may be
 * a shared one. It is in the queue until it is signalled or its owner leaves.
 */
#include <errno.h>
#include <stdlib.h>

#include <base/fault.h>
#include <base/log.h>
#include <core/park.h>
#include <weft/time.h>

#include "co.h"

struct wait {
	struct list link;
	uint64_t ticket;
	bool granted; /* the lock is the waiter's */
};

struct stCoCond_t {
	struct list waiters;
};

/** held says whether anybody has it; whoever waits gets it from its last holder. */
struct stCoMutexState_t {
	struct stCoCond_t queue;
	bool held;
};

/* --- conditions ------------------------------------------------------------------------- */

struct stCoCond_t *weft__co_cond_alloc(void)
{
	struct stCoCond_t *cond = weft__malloc(sizeof(*cond));

	if (cond)
		list_init(&cond->waiters);
	return cond;
}

/* Those who wait stay suspended until their time is over, if it ever is: their links must
 * not lead here. */
void weft__co_cond_free(struct stCoCond_t *cond)
{
	while (cond && !list_empty(&cond->waiters))
		list_remove(cond->waiters.next);
	weft__free(cond);
}

static struct wait *pop(struct stCoCond_t *cond)
{
	struct list *first = cond->waiters.next;

	if (list_empty(&cond->waiters))
		return NULL;
	list_remove(first);
	return container_of(first, struct wait, link);
}

/* A waiter whose time has just passed takes no signal: the next one does. */
bool weft__co_cond_signal(struct stCoCond_t *cond)
{
	struct wait *wait;

	while ((wait = pop(cond)) != NULL)
		if (weft__wake(wait->ticket, 0))
			return true;
	return false;
}

static int wait_in(struct stCoCond_t *cond, struct wait *wait, uint64_t ticket, int64_t deadline_ns)
{
	int rc;

	wait->ticket = ticket;
	wait->granted = false;
	list_push_back(&cond->waiters, &wait->link);
	rc = weft__park(weft__task_current(), WAIT_OTHER, deadline_ns);
	if (list_linked(&wait->link))
		list_remove(&wait->link);
	return rc;
}

int weft__co_cond_wait(struct stCoCond_t *cond, int timeout_ms)
{
	int64_t deadline_ns = timeout_ms > 0 ? weft_in_ms(timeout_ms) : WEFT_FOREVER;
	int rc = 0;
	struct task *self = weft__task_self(&rc);
	struct wait *wait = self ? weft__malloc(sizeof(*wait)) : NULL;
	uint64_t ticket;

	if (!wait) {
		errno = self ? ENOMEM : -rc;
		return -1;
	}
	ticket = weft__park_begin(self);
	rc = ticket ? wait_in(cond, wait, ticket, deadline_ns) : -ECANCELED;
	weft__free(wait);
	weft__handoff_check();
	if (rc == -ETIMEDOUT)
		errno = ETIMEDOUT;
	return 0;
}

/* --- the lock ----------------------------------------------------------------------------- */

struct stCoMutexState_t *weft__co_mutex_alloc(void)
{
	struct stCoMutexState_t *mutex = weft__calloc(1, sizeof(*mutex));

	if (!mutex)
		weft__die("clsCoMutex: no memory");
	list_init(&mutex->queue.waiters);
	return mutex;
}

void weft__co_mutex_free(struct stCoMutexState_t *mutex)
{
	weft__free(mutex);
}

/* Shielded: it returns with the lock, or never. */
static coldpath void lock_waiting(struct stCoMutexState_t *mutex)
{
	struct task *self = weft__task_self(NULL);
	struct wait *wait = self ? weft__malloc(sizeof(*wait)) : NULL;

	if (!wait)
		weft__die("clsCoMutex: no memory");
	do
		wait_in(&mutex->queue, wait, weft__park_begin_shielded(self), WEFT_FOREVER);
	while (!wait->granted);
	weft__free(wait);
}

void weft__co_mutex_lock(struct stCoMutexState_t *mutex)
{
	struct handoff *hand;

	if (likely(!mutex->held)) {
		mutex->held = true;
		return;
	}
	lock_waiting(mutex);
	hand = weft__handoff_self();
	if (unlikely(hand && hand->dropped)) {
		weft__co_mutex_unlock(mutex);
		weft__handoff_check();
	}
}

void weft__co_mutex_unlock(struct stCoMutexState_t *mutex)
{
	struct wait *wait = pop(&mutex->queue);

	if (likely(!wait)) {
		mutex->held = false;
		return;
	}
	wait->granted = true;
	weft__wake(wait->ticket, 0);
}
