/* SPDX-License-Identifier: MIT
 *
 * actor.c - actors as objects, and their lives. The picture is in actor.h.
 */
#include <limits.h>
#include <string.h>

#include <base/fault.h>
#include <core/runtime.h>
#include <sync/actor.h>
#include <sync/ref.h>
#include <weft/task.h>

enum { LEFT_BY_EXIT = INT_MIN };

/* --- counting ----------------------------------------------------------------------------- */

void weft__actor_put(weft_actor *actor)
{
	if (!ref_put(&actor->refs))
		return;
	weft_promise_free(actor->ended);
	weft__free(actor);
}

/* One life may follow the other, but the references to the memory are counted apart: so a
 * behaviour may make a handle again when the last one is gone. */
weft_actor *weft_actor_ref(weft_actor *actor)
{
	if (actor) {
		ref_get(&actor->refs);
		ref_get(&actor->handles);
	}
	return actor;
}

void weft_actor_free(weft_actor *actor)
{
	if (!actor)
		return;
	if (ref_drop(&actor->handles, "weft_actor_free", actor))
		weft__mailbox_stop(actor, WEFT_ACTOR_DRAIN);
	weft__actor_put(actor);
}

/* --- a life ------------------------------------------------------------------------------- */

static int live(void *arg);

static void set_task(weft_actor *actor, struct task *task)
{
	bool cancel;

	spin_lock(&actor->lock);
	atomic_store_explicit(&actor->task, task, memory_order_relaxed);
	cancel = actor->stopping == WEFT_ACTOR_CANCEL;
	if (!task)
		actor->failure = 0; /* it was meant for the life that is over */
	spin_unlock(&actor->lock);
	promise_set_producer(actor->ended, task);
	if (task && cancel)
		weft__task_cancel(task);
}

/* A stopped one begins again only for the sake of messages that it was to handle before. */
static bool has_work(weft_actor *actor)
{
	bool work;

	spin_lock(&actor->lock);
	work = !actor->stopping || (actor->stopping == WEFT_ACTOR_DRAIN && actor->count);
	spin_unlock(&actor->lock);
	return work;
}

/* Nothing waits any more for what we were about to do. */
static void end_message(weft_actor *actor, int code)
{
	weft_promise *promise = actor->current.promise;

	actor->current = (weft_message){ NULL, NULL, NULL };
	weft__mailbox_answer(promise, code);
}

static int handle_messages(weft_actor *actor)
{
	int rc;

	do {
		rc = weft__mailbox_next(actor);
		if (rc)
			break;
		rc = actor->fn(actor->state, &actor->current);
		end_message(actor, rc);
	} while (rc == 0);
	return rc < 0 ? rc : 0;
}

static int run(weft_actor *actor)
{
	void *state = actor->arg;
	int rc = actor->attr.init ? actor->attr.init(actor->arg, &state) : 0;

	if (rc < 0)
		return rc;
	actor->state = state;
	actor->has_state = true;
	return handle_messages(actor);
}

static int code_of_life(weft_actor *actor)
{
	int code = actor->code;

	if (code != LEFT_BY_EXIT)
		return code;
	code = weft__thread.task->ext->exit_value;
	end_message(actor, code < 0 ? code : -EPIPE);
	return code;
}

/* Hook and supervisor are always told. */
static bool begins_again(weft_actor *actor, int code)
{
	weft_supervisor *supervisor = actor->attr.supervisor;
	bool again = false;

	if (actor->attr.on_exit)
		again = actor->attr.on_exit(actor->attr.on_exit_arg, actor, code) ==
			WEFT_ACTOR_RESTART;
	if (weft_cancelled() || !has_work(actor))
		return false;
	if (supervisor)
		again = code < 0 && weft__supervisor_restarts(supervisor, actor, code);
	return again;
}

static void end(weft_actor *actor, int code)
{
	weft__mailbox_close(actor);
	actor->exit_code = code;
	if (actor->attr.supervisor)
		weft__supervisor_leave(actor->attr.supervisor, actor);
	weft_promise_resolve(actor->ended, NULL);
	weft__actor_put(actor);
}

/* X1: the cleanup of each life. */
static void life_ended(void *arg)
{
	weft_actor *actor = arg;
	int code = code_of_life(actor);
	bool again;

	if (actor->has_state && actor->attr.fini)
		actor->attr.fini(actor->state);
	actor->has_state = false;
	again = begins_again(actor, code);
	set_task(actor, NULL);
	if (again) {
		int rc = weft_spawn_at(NULL, &actor->attr.task, live, actor, actor->site);

		if (rc == 0)
			return;
		code = rc;
	}
	end(actor, code);
}

static int live(void *arg)
{
	weft_actor *actor = arg;
	weft_cleanup cleanup;
	int code;

	set_task(actor, weft__thread.task);
	actor->code = LEFT_BY_EXIT;
	code = weft_cleanup_push(&cleanup, life_ended, actor);
	if (code < 0) {
		actor->code = code;
		life_ended(actor);
		return code;
	}
	code = run(actor);
	actor->code = code;
	weft_cleanup_pop(&cleanup, 1);
	return code;
}

/* --- making one --------------------------------------------------------------------------- */

static const struct waitable_kind ended_kind = { .noun = "end of an actor" };

static weft_actor *actor_new(const weft_actor_attr *attr, weft_actor_fn *fn, void *arg,
			     const char *site)
{
	weft_actor *actor = weft__calloc(1, sizeof *actor);

	if (!actor || weft_promise_new(&actor->ended) < 0) {
		weft__free(actor);
		return NULL;
	}
	actor->ended->waitable.kind = &ended_kind;
	if (attr)
		actor->attr = *attr;
	if (actor->attr.task.name) {
		strncat(actor->name, actor->attr.task.name, sizeof(actor->name) - 1);
		actor->attr.task.name = actor->name;
	}
	actor->fn = fn;
	actor->arg = arg;
	actor->site = site;
	atomic_store_explicit(&actor->refs, 2, memory_order_relaxed);
	atomic_store_explicit(&actor->handles, 1, memory_order_relaxed);
	weft__mailbox_init(actor);
	return actor;
}

static int enter_and_spawn(weft_actor *actor)
{
	weft_supervisor *supervisor = actor->attr.supervisor;
	int rc = supervisor ? weft__supervisor_enter(supervisor, actor) : 0;

	if (rc < 0)
		return rc;
	rc = weft_spawn_at(NULL, &actor->attr.task, live, actor, actor->site);
	if (rc < 0 && supervisor)
		weft__supervisor_leave(supervisor, actor);
	return rc;
}

int weft_actor_spawn_at(weft_actor **ret_actor, const weft_actor_attr *attr, weft_actor_fn *fn,
			void *arg, const char *site)
{
	weft_actor *actor;
	int rc;

	if (!fn || !ret_actor)
		return -EINVAL;
	actor = actor_new(attr, fn, arg, site);
	if (!actor)
		return -ENOMEM;
	rc = enter_and_spawn(actor);
	if (rc < 0) {
		weft__actor_put(actor);
		weft__actor_put(actor);
		return rc;
	}
	*ret_actor = actor;
	return 0;
}

int weft_actor_join(weft_actor *actor, int64_t deadline_ns, int *ret_code)
{
	int rc;

	if (!actor)
		return -EINVAL;
	if (weft__thread.task && weft__thread.task == actor_task(actor))
		return -EDEADLK;
	rc = weft_await(actor->ended, deadline_ns, NULL);
	if (rc == 0 && ret_code)
		*ret_code = actor->exit_code;
	return rc;
}
