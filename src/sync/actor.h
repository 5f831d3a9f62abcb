/* SPDX-License-Identifier: MIT
 *
 * actor.h - an actor from inside: a mailbox, and one task after the other that empties it.
 *
 *   weft_actor_spawn --> a life: init, messages, fini --> on_exit, supervisor --> ended
 *                        ^                                      |
 *                        +--------- the next life --------------+
 *
 * X1 A life is a task. At its end, by whatever way, its cleanup runs life_ended(): that spawns
 *    the next life or ends the actor. So state, code and current belong to one task at a time.
 * X2 The mailbox outlives lives. While senders wait for room it is full: whoever takes a message
 *    out puts that of the longest waiting sender in, under the same lock. So nobody overtakes.
 * X3 A message that was put in is taken out by a life, which handles it, or drops it because its
 *    promise is no longer pending; or by the end of the actor, which drops it. After ENDED nothing
 *    is put in.
 *
 * Lock order: supervisor, actor, promise.
 */
#ifndef WEFT_SYNC_ACTOR_H
#define WEFT_SYNC_ACTOR_H

#include <sync/promise.h>
#include <sync/waitq.h>
#include <weft/actor.h>

/** A message in the mailbox, or of a sender that waits for room. */
struct mail {
	struct mail *next;
	void *body;
	weft_promise *promise; /* a reference, or NULL */
};

/** After enum weft_actor_stop: */
enum { ACTOR_ENDED = WEFT_ACTOR_CANCEL + 1 };

struct weft_actor {
	struct waitable mailbox; /* what the actor waits for */
	struct waitable room;    /* and what senders wait for */
	struct spinlock lock;
	_Atomic uint32_t refs;    /* of this memory: handles, and one of the lives */
	_Atomic uint32_t handles; /* that users have */
	/* --- under the lock --- */
	int stopping; /* 0, enum weft_actor_stop, ACTOR_ENDED */
	int failure;  /* of weft_actor_fail() */
	struct mail *first, **last;
	size_t count;
	struct waitq receiver, senders;
	struct task *_Atomic task; /* of the present life, from its first step to its end */
	/* --- the present life's (X1) --- */
	void *state;
	bool has_state;
	int code;
	weft_message current;
	/* --- unchanging --- */
	weft_actor_fn *fn;
	void *arg;
	weft_actor_attr attr;
	char name[32];
	const char *site;
	weft_promise *ended; /* resolved at the end, after that: */
	int exit_code;
	/* --- the supervisor's, under its lock --- */
	struct list sibling;
};

/** The task of the present life; a glance. */
static inline struct task *actor_task(const weft_actor *actor)
{
	return atomic_load_explicit(&((weft_actor *)actor)->task, memory_order_relaxed);
}

/* --- actor.c ------------------------------------------------------------------------------ */

void weft__actor_put(weft_actor *actor);

/* --- mailbox.c ---------------------------------------------------------------------------- */

void weft__mailbox_init(weft_actor *actor);

/** The next message, into actor->current; waits for it. 0; 1: it has been stopped; < 0: failed
 * from outside, or cancelled. */
int weft__mailbox_next(weft_actor *actor);

/** What a message's sender is told; it has been handled, or will not be. @code: what the behaviour
 * returned. */
void weft__mailbox_answer(weft_promise *promise, int code);

/** ENDED: drops what is left. */
void weft__mailbox_close(weft_actor *actor);

/** weft_actor_stop() of one that is there; under the supervisor's lock, too. */
void weft__mailbox_stop(weft_actor *actor, int how);

/* --- supervisor.c ------------------------------------------------------------------------- */

/** 0, -EPIPE. */
int weft__supervisor_enter(weft_supervisor *supervisor, weft_actor *actor);

/** The actor has ended. */
void weft__supervisor_leave(weft_supervisor *supervisor, weft_actor *actor);

/** It has failed with @code: shall it begin again? */
bool weft__supervisor_restarts(weft_supervisor *supervisor, weft_actor *actor, int code);

#endif
