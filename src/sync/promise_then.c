/* SPDX-License-Identifier: MIT
 *
 * promise_then.c - callbacks: what is run by the settle. P4 of promise.h.
 */
#include <base/fault.h>
#include <sync/promise.h>

/* --- running ------------------------------------------------------------------------------ */

/* A value came too late, and nobody but us has it. */
static void destroy_late(weft_promise *promise, void *value)
{
	void (*destructor)(void *value);

	spin_lock(&promise->lock);
	destructor = promise->destructor;
	spin_unlock(&promise->lock);
	if (destructor)
		destructor(value);
}

/* Return: what waits for the derived promise. */
static struct reaction *run_chain(const struct reaction *reaction)
{
	weft_promise *derived = reaction->derived;
	struct reaction *more = NULL;
	void *value = NULL;
	int rc = reaction->fn.chain(reaction->arg, reaction->error, reaction->value, &value);
	bool fails = rc < 0;

	rc = weft__promise_settle(derived, fails ? WEFT_PROMISE_REJECTED : WEFT_PROMISE_RESOLVED,
				  fails ? rc : 0, fails ? NULL : value, &more);
	if (rc < 0 && !fails)
		destroy_late(derived, value);
	weft_promise_free(derived);
	return more;
}

static struct reaction *run_one(const struct reaction *reaction)
{
	if (reaction->kind == REACT_CHAIN)
		return run_chain(reaction);
	if (reaction->kind == REACT_THEN)
		reaction->fn.then(reaction->arg, reaction->error, reaction->value);
	else if (reaction->state == WEFT_PROMISE_CANCELLED)
		reaction->fn.cancel(reaction->arg);
	return NULL;
}

static struct reaction **last_of(struct reaction **list)
{
	while (*list)
		list = &(*list)->next;
	return list;
}

/* What a callback settles by a chain comes behind those that are here: no recursion, however
 * long the chain. */
void weft__promise_react(struct reaction *list)
{
	struct reaction **last = last_of(&list);

	while (list) {
		struct reaction *reaction = list;

		*last = run_one(reaction);
		last = last_of(last);
		list = reaction->next;
		weft__free(reaction);
	}
}

/* --- waiting ------------------------------------------------------------------------------ */

/* Queues a copy of it. 0; 1: the promise is settled; -ENOMEM. */
static int attach(weft_promise *promise, const struct reaction *model)
{
	struct reaction *reaction;
	bool pending;

	if (promise_settled(promise))
		return 1;
	reaction = weft__malloc(sizeof *reaction);
	if (!reaction)
		return -ENOMEM;
	*reaction = *model;
	spin_lock(&promise->lock);
	pending = !promise_settled(promise);
	if (pending) {
		*promise->last_reaction = reaction;
		promise->last_reaction = &reaction->next;
	}
	spin_unlock(&promise->lock);
	if (!pending)
		weft__free(reaction);
	return !pending;
}

/* It is settled. @reaction lies in the caller's frame. */
static void run_now(weft_promise *promise, struct reaction *reaction)
{
	reaction->state = promise_state(promise);
	reaction->error = promise->error;
	reaction->value = promise->value;
	if (reaction->kind != REACT_CANCEL)
		promise_set_delivered(promise);
	weft__promise_react(run_one(reaction));
}

int weft_promise_then(weft_promise *promise, weft_promise_fn *fn, void *arg)
{
	struct reaction reaction = { .kind = REACT_THEN, .fn.then = fn, .arg = arg };
	int rc;

	if (!promise || !fn)
		return -EINVAL;
	rc = attach(promise, &reaction);
	if (rc <= 0)
		return rc;
	run_now(promise, &reaction);
	return 0;
}

int weft_promise_on_cancel(weft_promise *promise, void (*fn)(void *arg), void *arg)
{
	struct reaction reaction = { .kind = REACT_CANCEL, .fn.cancel = fn, .arg = arg };
	int rc;

	if (!promise || !fn)
		return -EINVAL;
	rc = attach(promise, &reaction);
	if (rc <= 0)
		return rc;
	if (promise_state(promise) != WEFT_PROMISE_CANCELLED)
		return -EALREADY;
	run_now(promise, &reaction);
	return 0;
}

int weft_promise_chain(weft_promise *promise, weft_chain_fn *fn, void *arg,
		       weft_promise **ret_promise)
{
	struct reaction reaction = { .kind = REACT_CHAIN, .fn.chain = fn, .arg = arg };
	weft_promise *derived;
	int rc;

	if (!promise || !fn || !ret_promise)
		return -EINVAL;
	rc = weft_promise_new(&derived);
	if (rc < 0)
		return rc;
	reaction.derived = weft_promise_ref(derived);
	rc = attach(promise, &reaction);
	if (rc < 0) {
		weft_promise_free(derived);
		weft_promise_free(derived);
		return rc;
	}
	if (rc)
		run_now(promise, &reaction);
	*ret_promise = derived;
	return 0;
}
