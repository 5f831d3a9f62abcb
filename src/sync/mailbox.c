/* SPDX-License-Identifier: MIT
 *
 * mailbox.c - messages on their way: X2 and X3 of actor.h.
 */
#include <base/fault.h>
#include <base/log.h>
#include <base/peek.h>
#include <core/runtime.h>
#include <sync/actor.h>

enum { ERROR_MIN = -4095 };

/* --- names -------------------------------------------------------------------------------- */

static size_t describe(const weft_actor *actor, char *buf, size_t size)
{
	char name[sizeof(actor->name)];
	size_t count, bound;

	if (!weft__peek_string(name, sizeof(name), (uintptr_t)actor->name) ||
	    !weft__peek(&count, (uintptr_t)&actor->count, sizeof(count)) ||
	    !weft__peek(&bound, (uintptr_t)&actor->attr.mailbox, sizeof(bound)))
		return 0;
	if (bound)
		return weft__format(buf, size, "of actor \"%s\" (%zu of %zu)", name, count, bound);
	return weft__format(buf, size, "of actor \"%s\" (%zu)", name, count);
}

static size_t describe_mailbox(const struct waitable *object, char *buf, size_t size)
{
	return describe(container_of(object, weft_actor, mailbox), buf, size);
}

static size_t describe_room(const struct waitable *object, char *buf, size_t size)
{
	return describe(container_of(object, weft_actor, room), buf, size);
}

static struct task *holder_of_room(const struct waitable *object)
{
	const weft_actor *actor = container_of(object, weft_actor, room);
	struct task *task;

	return weft__peek(&task, (uintptr_t)&actor->task, sizeof(task)) ? task : NULL;
}

static const struct waitable_kind mailbox_kind = { .noun = "mailbox",
						   .describe = describe_mailbox };
static const struct waitable_kind room_kind = { .noun = "full mailbox",
						.describe = describe_room,
						.holder = holder_of_room,
						.only_expected = true };

void weft__mailbox_init(weft_actor *actor)
{
	actor->mailbox.kind = &mailbox_kind;
	actor->room.kind = &room_kind;
	actor->last = &actor->first;
	waitq_init(&actor->receiver);
	waitq_init(&actor->senders);
}

/* --- putting in --------------------------------------------------------------------------- */

/* Lock held. */
static void append(weft_actor *actor, struct mail *mail)
{
	mail->next = NULL;
	*actor->last = mail;
	actor->last = &mail->next;
	actor->count++;
}

/* Lock held, and released. */
static int wait_for_room(weft_actor *actor, struct mail *mail, struct task *self,
			 int64_t deadline_ns)
{
	if (self && self != actor_task(actor)) {
		self->waiter.value = mail;
		return weft__waitq_wait(&actor->senders, &actor->lock, &actor->room, self,
					deadline_ns, 0);
	}
	spin_unlock(&actor->lock);
	return self ? -EDEADLK : -EAGAIN;
}

/* 0: the mail is the mailbox's. */
static int post(weft_actor *actor, struct mail *mail, int64_t deadline_ns)
{
	struct task *self = NULL, *receiver;
	int rc = 0;

	if (actor->attr.mailbox && deadline_ns != WEFT_NOWAIT && !(self = party_self(&rc)))
		return rc;
	spin_lock(&actor->lock);
	if (unlikely(actor->stopping)) {
		spin_unlock(&actor->lock);
		return -EPIPE;
	}
	if (unlikely(actor->attr.mailbox && actor->count >= actor->attr.mailbox))
		return wait_for_room(actor, mail, self, deadline_ns);
	append(actor, mail);
	receiver = waitq_take(&actor->receiver);
	spin_unlock(&actor->lock);
	if (receiver)
		party_wake(receiver, 0);
	return 0;
}

static int send(weft_actor *actor, void *body, weft_promise *promise, int64_t deadline_ns)
{
	struct mail *mail = weft__malloc(sizeof *mail);
	int rc;

	if (!mail)
		return -ENOMEM;
	*mail = (struct mail){ .body = body, .promise = promise };
	rc = post(actor, mail, deadline_ns);
	if (rc < 0)
		weft__free(mail);
	return rc;
}

int weft_actor_send(weft_actor *actor, void *body, int64_t deadline_ns)
{
	return actor ? send(actor, body, NULL, deadline_ns) : -EINVAL;
}

int weft_actor_request(weft_actor *actor, void *body, int64_t deadline_ns,
		       weft_promise **ret_promise)
{
	weft_promise *promise;
	int rc;

	if (!actor || !ret_promise)
		return -EINVAL;
	rc = weft_promise_new(&promise);
	if (rc < 0)
		return rc;
	promise_set_producer(promise, actor_task(actor));
	rc = send(actor, body, weft_promise_ref(promise), deadline_ns);
	if (rc < 0) {
		weft_promise_free(promise);
		weft_promise_free(promise);
		return rc;
	}
	*ret_promise = promise;
	return 0;
}

/* --- asking ------------------------------------------------------------------------------- */

static void drop_body(const weft_actor *actor, void *body)
{
	if (actor->attr.drop)
		actor->attr.drop(body);
}

static int request(weft_actor *actor, void *body, int64_t deadline_ns, weft_promise **ret_promise)
{
	struct task *self = weft__thread.task;
	int rc;

	if (deadline_ns == WEFT_NOWAIT)
		rc = -EAGAIN;
	else if (self && self == actor_task(actor))
		rc = -EDEADLK;
	else
		rc = weft_actor_request(actor, body, deadline_ns, ret_promise);
	if (rc < 0)
		drop_body(actor, body);
	return rc;
}

int weft_actor_ask(weft_actor *actor, void *body, int64_t deadline_ns, void **ret_reply)
{
	weft_promise *promise;
	int rc;

	if (!actor)
		return -EINVAL;
	rc = request(actor, body, deadline_ns, &promise);
	if (rc < 0)
		return rc;
	rc = weft_await(promise, deadline_ns, ret_reply);
	/* Either nobody answers any more, or the answer has just come. */
	if (rc < 0 && weft_promise_cancel(promise) < 0)
		rc = weft_await(promise, WEFT_NOWAIT, ret_reply);
	weft_promise_free(promise);
	return rc;
}

void weft__mailbox_answer(weft_promise *promise, int code)
{
	if (!promise)
		return;
	/* Mostly it has been settled by now. */
	if (code < 0)
		weft_promise_reject(promise, code < ERROR_MIN ? -EIO : code);
	else
		weft_promise_resolve(promise, NULL);
	weft_promise_free(promise);
}

/* --- taking out --------------------------------------------------------------------------- */

/* Lock held. X2. */
static struct mail *take(weft_actor *actor, struct task **ret_sender)
{
	struct mail *mail = actor->first;

	*ret_sender = NULL;
	if (!mail)
		return NULL;
	actor->first = mail->next;
	if (!actor->first)
		actor->last = &actor->first;
	actor->count--;
	*ret_sender = waitq_take(&actor->senders);
	if (*ret_sender)
		append(actor, (*ret_sender)->waiter.value);
	return mail;
}

/* Lock held. 0; 1: stopped; < 0: failed. */
static int verdict(weft_actor *actor)
{
	int failure = actor->failure;

	actor->failure = 0;
	if (failure)
		return failure;
	return actor->stopping >= WEFT_ACTOR_NOW || (actor->stopping && !actor->first);
}

/* It has come out. False: nobody waits for the answer any more, and it has been dropped. */
static bool accept(weft_actor *actor, struct mail *mail)
{
	weft_promise *promise = mail->promise;
	bool wanted = !promise || !promise_settled(promise);

	if (wanted) {
		if (promise)
			promise_set_producer(promise, actor_task(actor));
		actor->current = (weft_message){ mail->body, promise, actor };
	} else {
		drop_body(actor, mail->body);
		weft_promise_free(promise);
	}
	weft__free(mail);
	return wanted;
}

int weft__mailbox_next(weft_actor *actor)
{
	struct task *self = actor_task(actor), *sender;
	struct mail *mail;
	int rc;

	for (;;) {
		if (weft_cancelled())
			return -ECANCELED;
		spin_lock(&actor->lock);
		rc = verdict(actor);
		if (rc) {
			spin_unlock(&actor->lock);
			return rc;
		}
		mail = take(actor, &sender);
		if (mail) {
			spin_unlock(&actor->lock);
			if (sender)
				party_wake(sender, 0);
			if (accept(actor, mail))
				return 0;
			continue;
		}
		rc = weft__waitq_wait(&actor->receiver, &actor->lock, &actor->mailbox, self,
				      WEFT_FOREVER, 0);
		if (rc < 0)
			return rc;
	}
}

/* --- the end ------------------------------------------------------------------------------ */

void weft__mailbox_stop(weft_actor *actor, int how)
{
	struct task *receiver, *task;

	spin_lock(&actor->lock);
	if (how > actor->stopping)
		actor->stopping = how;
	weft__waitq_wake_all(&actor->senders, -EPIPE);
	receiver = waitq_take(&actor->receiver);
	/* It takes this lock before it ends. */
	task = actor_task(actor);
	if (how == WEFT_ACTOR_CANCEL && task)
		weft__task_cancel(task);
	spin_unlock(&actor->lock);
	if (receiver)
		party_wake(receiver, 0);
}

void weft__mailbox_close(weft_actor *actor)
{
	struct mail *mail;

	spin_lock(&actor->lock);
	actor->stopping = ACTOR_ENDED;
	weft__waitq_wake_all(&actor->senders, -EPIPE);
	mail = actor->first;
	actor->first = NULL;
	actor->last = &actor->first;
	actor->count = 0;
	spin_unlock(&actor->lock);
	while (mail) {
		struct mail *next = mail->next;

		weft__mailbox_answer(mail->promise, -EPIPE);
		drop_body(actor, mail->body);
		weft__free(mail);
		mail = next;
	}
}

int weft_actor_stop(weft_actor *actor, int how)
{
	if (!actor || how < WEFT_ACTOR_DRAIN || how > WEFT_ACTOR_CANCEL)
		return -EINVAL;
	weft__mailbox_stop(actor, how);
	return 0;
}

int weft_actor_fail(weft_actor *actor, int error)
{
	struct task *receiver = NULL;
	bool ended;

	if (!actor || error >= 0 || error < ERROR_MIN)
		return -EINVAL;
	spin_lock(&actor->lock);
	ended = actor->stopping == ACTOR_ENDED;
	if (!ended) {
		if (!actor->failure)
			actor->failure = error;
		receiver = waitq_take(&actor->receiver);
	}
	spin_unlock(&actor->lock);
	if (receiver)
		party_wake(receiver, 0);
	return ended ? -EPIPE : 0;
}

size_t weft_actor_len(weft_actor *actor)
{
	size_t count;

	if (!actor)
		return 0;
	spin_lock(&actor->lock);
	count = actor->count;
	spin_unlock(&actor->lock);
	return count;
}
