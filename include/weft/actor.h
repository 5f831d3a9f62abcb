/* SPDX-License-Identifier: MIT
 *
 * weft/actor.h - actors: a task, its state, and a mailbox. Nobody else touches the state:
 * others send messages, and the behaviour handles them one after the other.
 *
 *	static int account(void *state, weft_message *message)
 *	{
 *		long *balance = state;
 *
 *		*balance += (long)message->body;
 *		weft_promise_resolve(message->promise, (void *)*balance);
 *		return 0;
 *	}
 *
 *	weft_actor_spawn(&actor, NULL, account, &balance);
 *	weft_actor_send(actor, (void *)5, WEFT_FOREVER);           // fire and forget
 *	weft_actor_ask(actor, (void *)-3, WEFT_FOREVER, &answer);  // wait for the answer
 *
 * Messages of one sender are handled in the order in which they were sent. Sending, asking,
 * stopping and joining is for tasks of any runtime and for plain threads.
 *
 * Whose a body is: a message is a pointer. A weft_actor_send() or weft_actor_request() that returns
 * 0 has given it away, on an error it is still the caller's; weft_actor_ask() gives it
 * away whatever it returns. Once the behaviour has been called with it, it is the behaviour's. What
 * has been given away and never reaches the behaviour goes to the drop function of the
 * attributes. So bodies are numbers, or on the heap, and not in the sender's frame.
 *
 * An actor is counted. The last weft_actor_free() also stops it, after what is in its mailbox:
 * nobody can send to it any more.
 *
 * Where nothing else is said: any task or thread, many at once; not a cancellation point; not
 * async-signal-safe.
 *
 * @actor:      actor
 * @supervisor: supervisor
 */
#ifndef WEFT_ACTOR_H
#define WEFT_ACTOR_H

#include <weft/promise.h>
#include <weft/types.h>

WEFT_BEGIN_DECLS

typedef struct weft_actor weft_actor;
/** Who decides whether actors that failed begin again. */
typedef struct weft_supervisor weft_supervisor;

/** What a behaviour handles. */
typedef struct weft_message {
	/** What was sent; the behaviour's. */
	void *body;
	/** Whom to answer: settle it. NULL: nobody waits (and settling NULL does no harm: -EINVAL).
	 * What is not settled when the behaviour returns is resolved with NULL, or rejected with the
	 * behaviour's error. To answer later, take it: keep the pointer, store NULL here,
	 * and weft_promise_free() it in the end. */
	weft_promise *promise;
	/** The actor itself; borrowed. */
	weft_actor *actor;
} weft_message;

/** A behaviour may return it: the actor ends, having done its work. */
#define WEFT_ACTOR_DONE 1

/**
 * A behaviour: handles one message, on the actor's task; it may wait
 *
 * Return: 0: the next one, please; WEFT_ACTOR_DONE; a negative errno: this life of the actor
 * has failed. It may also end the task by weft_exit().
 */
typedef int weft_actor_fn(void *state, weft_message *message);

/** What an exit hook returns. */
enum weft_actor_verdict {
	WEFT_ACTOR_END,    /**< that was all */
	WEFT_ACTOR_RESTART /**< begin again, with a fresh state */
};

/**
 * An exit hook: a life of the actor is over
 * @code: 0: stopped or done; else the error: of the behaviour, of init, of weft_actor_fail(),
 *        -ECANCELED when the task was cancelled; or the value of weft_exit()
 *
 * Called on the task that ends; it may wait, but not end the task. A restart is not made when the
 * task has been cancelled, or the actor stopped: unless by WEFT_ACTOR_DRAIN, with messages left.
 *
 * Return: enum weft_actor_verdict; with a supervisor, who decides himself, it is ignored.
 */
typedef int weft_actor_exit_fn(void *arg, weft_actor *actor, int code);

/** How to make an actor. All zero means: the defaults. */
typedef struct weft_actor_attr {
	/** Of its task: name, stack, flags. With WEFT_DAEMON the runtime does not wait for it. */
	weft_attr task;
	/** At most so many messages wait, then senders do; 0: as many as there is memory for. */
	size_t mailbox;
	/** Makes the state at the beginning of each life, on the actor's task, from the arg of
	 * weft_actor_spawn(). 0, or a negative errno: this life has failed. NULL: arg is the state. */
	int (*init)(void *arg, void **ret_state);
	/** Takes the state apart at the end of each life that had one; must not end the task. */
	void (*fini)(void *state);
	/** Disposes of the body of a message that no behaviour gets. */
	void (*drop)(void *body);
	/** Told of the end of each life. */
	weft_actor_exit_fn *on_exit;
	void *on_exit_arg;
	/** Restarts it when it fails; must not have failed or been stopped itself. */
	weft_supervisor *supervisor;
} weft_actor_attr;

/**
 * weft_actor_spawn - make an actor
 * @ret_actor: the actor; one reference, the caller's
 * @attr:      NULL: the defaults; copied
 * @fn:        behaviour
 * @arg:       the state, or what init makes one of
 * @site:      where it is spawned, for dumps: a string that stays, as WEFT_HERE
 *
 * Each life is a task of its own, in the calling task's runtime; a plain thread becomes a
 * runtime. The macro records file and line.
 *
 * Return: 0, -EINVAL (fn or ret_actor is NULL, bad attr), -EPIPE (the supervisor has given up,
 * or was stopped), -EPERM (stack group of another thread), -ENOMEM.
 */
WEFT_API int weft_actor_spawn_at(weft_actor **ret_actor, const weft_actor_attr *attr,
				 weft_actor_fn *fn, void *arg, const char *site);
#define weft_actor_spawn(ret_actor, attr, fn, arg) \
	weft_actor_spawn_at((ret_actor), (attr), (fn), (arg), WEFT_HERE)

/** weft_actor_ref - one reference more. Return: @actor, which may be NULL. */
WEFT_API weft_actor *weft_actor_ref(weft_actor *actor);

/** weft_actor_free - drop a reference; the last one stops it, as WEFT_ACTOR_DRAIN. NULL is fine. */
WEFT_API void weft_actor_free(weft_actor *actor);

/**
 * weft_actor_send - put a message into the mailbox, and forget it
 * @actor:       actor
 * @body:        given away when it returns 0
 * @deadline_ns: absolute, weft_now() clock: how long to wait for room in a bounded mailbox;
 *               WEFT_NOWAIT does not; WEFT_FOREVER. Who waits longest comes first
 *
 * Return: 0: it is in the mailbox; -EPIPE (stopped, before or meanwhile), -EAGAIN (WEFT_NOWAIT,
 * full), -ETIMEDOUT, -ECANCELED, -EDEADLK (an actor to itself, full), -ENOMEM, -EINVAL (NULL).
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_actor_send(weft_actor *actor, void *body, int64_t deadline_ns);

/**
 * weft_actor_request - send a message, and get a promise of its answer
 * @actor, @body, @deadline_ns: as weft_actor_send()
 * @ret_promise: the caller's reference. It is resolved with the answer, or rejected: with the
 *               error of the behaviour that failed with this message, with -EPIPE when
 *               the actor ends without having come to it, or with what the behaviour says
 *
 * weft_promise_cancel() takes the message back if its turn has not come yet: it is dropped then.
 *
 * Return: 0, or the errors of weft_actor_send(). -EINVAL: also when @ret_promise is NULL.
 * Cancellation point when it waits.
 */
WEFT_API int weft_actor_request(weft_actor *actor, void *body, int64_t deadline_ns,
				weft_promise **ret_promise);

/**
 * weft_actor_ask - send a message, and wait for the answer
 * @actor:       actor
 * @body:        given away whatever is returned, but for -EINVAL
 * @deadline_ns: for room in the mailbox and for the answer; WEFT_NOWAIT: -EAGAIN always
 * @ret_reply:   the answer; NULL: it is not wanted (weft_promise_destructor() gets it)
 *
 * When it returns without an answer, none comes any more: the promise has been cancelled, a
 * behaviour that is at it finds its weft_promise_resolve() refused, and a message whose turn has
 * not come is dropped.
 *
 * Return: 0, -EDEADLK (an actor asks itself), what the promise was rejected with (see
 * weft_actor_request()), or the errors of weft_actor_send().
 *
 * Cancellation point. Any task or thread.
 */
WEFT_API int weft_actor_ask(weft_actor *actor, void *body, int64_t deadline_ns, void **ret_reply);

enum weft_actor_stop {
	WEFT_ACTOR_DRAIN = 1, /**< when all that is in the mailbox has been handled */
	WEFT_ACTOR_NOW,       /**< after the message at hand; the others are dropped */
	WEFT_ACTOR_CANCEL     /**< now, and what it waits for returns -ECANCELED */
};

/**
 * weft_actor_stop - no more messages
 * @actor: actor
 * @how:   enum weft_actor_stop; a later call may only be harder
 *
 * From now on sending answers -EPIPE, to those who wait for room as well. The promises of messages
 * that are dropped are rejected with -EPIPE. Never waits: see weft_actor_join().
 *
 * Return: 0, also when it has ended; -EINVAL.
 */
WEFT_API int weft_actor_stop(weft_actor *actor, int how);

/**
 * weft_actor_fail - end the present life of an actor from outside
 * @actor: actor
 * @error: a negative errno: as if its behaviour had returned it, after the message at hand
 *
 * Hook and supervisor are asked, and the mailbox is kept, as with any failure.
 *
 * Return: 0, -EPIPE (it has ended), -EINVAL.
 */
WEFT_API int weft_actor_fail(weft_actor *actor, int error);

/**
 * weft_actor_join - wait until an actor has ended for good
 * @actor:       actor; the caller keeps its reference
 * @deadline_ns: absolute; WEFT_NOWAIT asks once; WEFT_FOREVER waits
 * @ret_code:    code of its last life, as an exit hook gets it; may be NULL
 *
 * It does not stop it. All of its messages are handled or dropped by then, its state is gone, but
 * its task may take a moment to end. Many may join.
 *
 * Return: 0, -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT, -ECANCELED, -EDEADLK (itself), -ENOMEM, -EINVAL.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_actor_join(weft_actor *actor, int64_t deadline_ns, int *ret_code);

/** weft_actor_len - how many messages are in the mailbox just now. Return: the number; 0 for
 * NULL. */
WEFT_API size_t weft_actor_len(weft_actor *actor);

/* --- supervisors ------------------------------------------------------------------------- */

/** How to make a supervisor. All zero: the first failure is one too many. */
typedef struct weft_supervisor_attr {
	/** At most so many restarts of its actors, all of them counted, */
	unsigned max_restarts;
	/** in so many nanoseconds; 0: ever. */
	int64_t period_ns;
	/** Fails by weft_actor_fail() when the supervisor has given up: the actor that made it,
	 * say, so that its own supervisor begins again with all of this. NULL: nobody. */
	weft_actor *above;
} weft_supervisor_attr;

/**
 * weft_supervisor_new - make a supervisor
 * @ret_supervisor: one reference, the caller's
 * @attr:           NULL: no restarts
 *
 * An actor that fails (negative code) and names it in its attributes begins again: with a
 * fresh state, and with the messages that are in its mailbox; the message that it failed with is
 * gone, and its promise rejected. One restart too many, and the supervisor gives up: it stops its
 * other actors by WEFT_ACTOR_NOW, and when the last one has ended fails itself: above, and
 * weft_supervisor_wait(), get the error of the last straw. (The bounded restart intensity of
 * Erlang's supervisors, one for one.) It is no task, and needs none.
 *
 * Return: 0, -EINVAL (max_restarts > 65,536, negative period), -ENOMEM.
 */
WEFT_API int weft_supervisor_new(weft_supervisor **ret_supervisor,
				 const weft_supervisor_attr *attr);

/** weft_supervisor_ref - one reference more. Return: @supervisor, which may be NULL. */
WEFT_API weft_supervisor *weft_supervisor_ref(weft_supervisor *supervisor);

/** weft_supervisor_free - drop a reference, or NULL. Its actors go on, and it with them. */
WEFT_API void weft_supervisor_free(weft_supervisor *supervisor);

/**
 * weft_supervisor_stop - no more actors; stops those that it has
 * @how: enum weft_actor_stop, see weft_actor_stop()
 *
 * With WEFT_ACTOR_DRAIN it still restarts those that fail with messages left.
 *
 * Return: 0, -EINVAL.
 */
WEFT_API int weft_supervisor_stop(weft_supervisor *supervisor, int how);

/**
 * weft_supervisor_wait - wait until it has stopped or given up, and all of its actors have ended
 * @supervisor:  supervisor; the caller keeps its reference
 * @deadline_ns: as in weft_actor_join()
 *
 * Return: 0 (it was stopped); the error with which it has given up; -EAGAIN, -ETIMEDOUT,
 * -ECANCELED, -ENOMEM, -EINVAL.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_supervisor_wait(weft_supervisor *supervisor, int64_t deadline_ns);

/** weft_supervisor_restarts - how many restarts it has made so far. Return: the number; 0 for
 * NULL. */
WEFT_API uint64_t weft_supervisor_restarts(weft_supervisor *supervisor);

WEFT_END_DECLS

#endif
