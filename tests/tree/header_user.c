/* SPDX-License-Identifier: MIT
 *
 * header_user.c - every public macro once, in the common subset of C99 and
 * C++11. It is only compiled.
 */
#include <weft/weft.h>

static int body(void *arg)
{
	weft_cleanup node;

	(void)arg;
	if (weft_cleanup_push(&node, NULL, NULL) == 0)
		weft_cleanup_pop(&node, 0);
	return weft_cancelled();
}

static weft_mutex mutex = WEFT_MUTEX_INIT, again = WEFT_MUTEX_RECURSIVE_INIT;
static weft_rwlock rwlock = WEFT_RWLOCK_INIT;
static weft_cond cond = WEFT_COND_INIT;
static weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(3);
static weft_waitgroup group = WEFT_WAITGROUP_INIT;
static weft_event event = WEFT_EVENT_INIT, automatic = WEFT_EVENT_AUTO_INIT;
static weft_once_flag once = WEFT_ONCE_INIT;
static weft_barrier barrier = WEFT_BARRIER_INIT(2);

static int use_locks(void)
{
	return weft_mutex_fini(&mutex) | weft_mutex_fini(&again) | weft_rwlock_fini(&rwlock) |
	       weft_cond_fini(&cond) | weft_semaphore_fini(&semaphore) |
	       weft_waitgroup_fini(&group) | weft_event_fini(&event) | weft_event_fini(&automatic) |
	       weft_once(&once, body, NULL) | weft_barrier_fini(&barrier);
}

static int behave(void *state, weft_message *message)
{
	(void)state;
	weft_promise_resolve(message->promise, message->body);
	return WEFT_ACTOR_DONE;
}

static int ask(void)
{
	weft_actor *actor;
	void *reply;
	int rc = weft_actor_spawn(&actor, NULL, behave, NULL);

	if (rc == 0) {
		rc = weft_actor_ask(actor, NULL, WEFT_FOREVER, &reply);
		weft_actor_free(actor);
	}
	return rc;
}

int use_all(weft_generator *gen);

int use_all(weft_generator *gen)
{
	weft_attr attr = { "name", 0, NULL, WEFT_KEEP_FP | WEFT_DAEMON };
	int64_t sum = weft_in_us(1) + weft_in_ms(2) + weft_in_s(3) + WEFT_NOWAIT;
	weft_scope *scope;
	weft_task *task;
	int result = 0;

	if (weft_spawn(&task, &attr, body, NULL) == 0)
		weft_join(task, WEFT_FOREVER, &result);
	result += weft_go(body, NULL) + ask();
	if (weft_scope_open(&scope, WEFT_SCOPE_ALL) == 0)
		result += weft_scope_go(scope, body, NULL) +
			  weft_scope_spawn(scope, &attr, body, NULL) + weft_scope_close(scope);
	weft_foreach(char *, text, gen) {
		if (!*text)
			break;
		sum += *text;
	}
	return result + (int)sum + use_locks();
}
