/* SPDX-License-Identifier: MIT
 *
 * promise.c - promises as objects: made, counted, settled, named. Invariants are in promise.h.
 */
#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <sync/promise.h>
#include <sync/ref.h>

enum { ERROR_MIN = -4095 };

/* --- names -------------------------------------------------------------------------------- */

static size_t describe(const struct waitable *object, char *buf, size_t size)
{
	static const char *const names[] = { "pending", "resolved", "rejected", "cancelled" };
	const weft_promise *promise = container_of(object, weft_promise, waitable);
	uint32_t state, waiting;

	if (!weft__peek(&state, (uintptr_t)&promise->state, sizeof(state)) ||
	    !weft__peek(&waiting, (uintptr_t)&promise->waiting, sizeof(waiting)) ||
	    state > WEFT_PROMISE_CANCELLED)
		return 0;
	return weft__format(buf, size, "(%s, %u wait)", names[state], waiting);
}

static struct task *holder(const struct waitable *object)
{
	const weft_promise *promise = container_of(object, weft_promise, waitable);
	struct task *producer;

	if (!weft__peek(&producer, (uintptr_t)&promise->producer, sizeof(producer)))
		return NULL;
	return producer;
}

static const struct waitable_kind kind = {
	.noun = "promise", .describe = describe, .holder = holder, .only_expected = true
};

/* --- life --------------------------------------------------------------------------------- */

int weft_promise_new(weft_promise **ret_promise)
{
	weft_promise *promise;

	if (!ret_promise)
		return -EINVAL;
	promise = weft__calloc(1, sizeof *promise);
	if (!promise)
		return -ENOMEM;
	promise->waitable.kind = &kind;
	atomic_store_explicit(&promise->refs, 1, memory_order_relaxed);
	waitq_init(&promise->waiters);
	waitq_init(&promise->followers);
	list_init(&promise->watches);
	promise->last_reaction = &promise->reactions;
	*ret_promise = promise;
	return 0;
}

weft_promise *weft_promise_ref(weft_promise *promise)
{
	if (promise)
		ref_get(&promise->refs);
	return promise;
}

/* Nobody has it any more, so nobody will settle it. */
static void give_up(weft_promise *promise)
{
	struct reaction *reactions;

	if (!waitq_empty(&promise->waiters) || !waitq_empty(&promise->followers) ||
	    !list_empty(&promise->watches))
		weft__die("weft_promise_free: promise %p loses its last reference while somebody "
			  "awaits it; settle it first, and let each user have a reference",
			  (void *)promise);
	if (weft__promise_settle(promise, WEFT_PROMISE_REJECTED, -EPIPE, NULL, &reactions) == 0)
		weft__promise_react(reactions);
}

void weft_promise_free(weft_promise *promise)
{
	if (!promise || !ref_drop(&promise->refs, "weft_promise_free", promise))
		return;
	if (!promise_settled(promise))
		give_up(promise);
	if (promise->destructor && promise_state(promise) == WEFT_PROMISE_RESOLVED &&
	    !atomic_load_explicit(&promise->delivered, memory_order_relaxed))
		promise->destructor(promise->value);
	weft__free(promise);
}

int weft_promise_destructor(weft_promise *promise, void (*destructor)(void *value))
{
	if (!promise)
		return -EINVAL;
	spin_lock(&promise->lock);
	promise->destructor = destructor;
	spin_unlock(&promise->lock);
	return 0;
}

int weft_promise_state(const weft_promise *promise)
{
	return promise ? (int)promise_state(promise) : -EINVAL;
}

/* --- settling ----------------------------------------------------------------------------- */

/* Lock held. P2: those who are claimed come to @claimed. Return: how many. */
static inline uint32_t claim_all(struct waitq *queue, struct list *claimed)
{
	struct task *task;
	uint32_t count = 0;

	for (; (task = waitq_take(queue)) != NULL; count++)
		list_push_back(claimed, &task->waiter.link);
	return count;
}

static inline void wake_all(struct list *claimed, int result)
{
	while (!list_empty(claimed)) {
		struct task *task = waitq_task(claimed->next);

		list_remove(&task->waiter.link);
		party_wake(task, result);
	}
}

/* Lock held. Their outcome is that of the promise, which may be gone when they run. */
static inline struct reaction *take_reactions(weft_promise *promise, uint32_t state)
{
	struct reaction *list = promise->reactions;

	for (struct reaction *reaction = list; reaction; reaction = reaction->next) {
		reaction->state = state;
		reaction->error = promise->error;
		reaction->value = promise->value;
		if (reaction->kind != REACT_CANCEL)
			promise_set_delivered(promise);
	}
	promise->reactions = NULL;
	promise->last_reaction = &promise->reactions;
	return list;
}

int weft__promise_settle(weft_promise *promise, enum weft_promise_state state, int error,
			 void *value, struct reaction **ret_reactions)
{
	struct list claimed;

	list_init(&claimed);
	spin_lock(&promise->lock);
	if (promise_settled(promise)) {
		spin_unlock(&promise->lock);
		return -EALREADY;
	}
	promise->value = value;
	promise->error = error;
	/* release pairs with the acquire in promise_state(): P1 */
	atomic_store_explicit(&promise->state, state, memory_order_release);
	claim_all(&promise->waiters, &claimed);
	claim_all(&promise->followers, &claimed);
	promise->waiting = 0;
	if (unlikely(!list_empty(&promise->watches)))
		weft__promise_wake_watches(promise, state);
	*ret_reactions =
		unlikely(promise->reactions != NULL) ? take_reactions(promise, state) : NULL;
	spin_unlock(&promise->lock);
	wake_all(&claimed, PROMISE_SETTLED);
	return 0;
}

static int settle(weft_promise *promise, enum weft_promise_state state, int error, void *value)
{
	struct reaction *reactions;
	int rc;

	if (unlikely(!promise))
		return -EINVAL;
	if (unlikely(promise_settled(promise)))
		return -EALREADY;
	rc = weft__promise_settle(promise, state, error, value, &reactions);
	if (unlikely(rc == 0 && reactions))
		weft__promise_react(reactions);
	return rc;
}

int weft_promise_resolve(weft_promise *promise, void *value)
{
	return settle(promise, WEFT_PROMISE_RESOLVED, 0, value);
}

int weft_promise_reject(weft_promise *promise, int error)
{
	if (error >= 0 || error < ERROR_MIN)
		return -EINVAL;
	return settle(promise, WEFT_PROMISE_REJECTED, error, NULL);
}

int weft_promise_cancel(weft_promise *promise)
{
	return settle(promise, WEFT_PROMISE_CANCELLED, -ECANCELED, NULL);
}

int weft_promise_progress(weft_promise *promise, void *value)
{
	struct list claimed;

	if (!promise)
		return -EINVAL;
	list_init(&claimed);
	spin_lock(&promise->lock);
	if (promise_settled(promise)) {
		spin_unlock(&promise->lock);
		return -EALREADY;
	}
	promise->progress = value;
	promise->progress_count++;
	promise->waiting -= claim_all(&promise->followers, &claimed);
	spin_unlock(&promise->lock);
	wake_all(&claimed, PROMISE_PROGRESS);
	return 0;
}
