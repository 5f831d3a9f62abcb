/* SPDX-License-Identifier: MIT
 *
 * counter.h - an actor that counts, fails, sleeps and stops as it is told: whom the tests of
 * actors and supervisors talk to.
 */
#ifndef WEFT_TESTS_UNIT_COUNTER_H
#define WEFT_TESTS_UNIT_COUNTER_H

#include <errno.h>

#include <weft/actor.h>

#include "parties.h"

enum {
	ADD,
	FAIL,   /* with -EIO */
	DONE,   /* a normal end */
	EXIT,   /* by weft_exit() */
	REFUSE, /* the answer is -ERANGE, and nothing else happens */
	LATER,  /* the answer comes with the next message */
	SLEEP,  /* until it is cancelled, or a little while */
	GATE    /* until the gate is opened */
};

#define BODY(what, number) ((void *)(intptr_t)((number)*16 + (what)))

static struct {
	intptr_t sum;
	_Atomic int lives, ends, dropped, handled;
	int codes[8];
	weft_promise *later, *gate;
} counter;

static inline int sleep_well(weft_message *message)
{
	int rc = weft_sleep(message->promise ? 2000000 : INT64_C(3600000000000));

	if (rc == 0)
		rc = weft_promise_resolve(message->promise, NULL) == 0 ? 0 : -EALREADY;
	counter.codes[7] = rc;
	return 0;
}

static inline int count(void *state, weft_message *message)
{
	intptr_t number = (intptr_t)message->body >> 4, *sum = state;

	counter.handled++;
	switch ((intptr_t)message->body & 15) {
	case FAIL:
		return -EIO;
	case DONE:
		return WEFT_ACTOR_DONE;
	case EXIT:
		weft_exit((int)number);
	case REFUSE:
		weft_promise_reject(message->promise, -ERANGE);
		return 0;
	case LATER:
		counter.later = message->promise;
		message->promise = NULL;
		return 0;
	case SLEEP:
		return sleep_well(message);
	case GATE:
		return weft_await(counter.gate, WEFT_FOREVER, NULL);
	default:
		*sum += number;
		weft_promise_resolve(counter.later, (void *)*sum);
		weft_promise_free(counter.later);
		counter.later = NULL;
		weft_promise_resolve(message->promise, (void *)*sum);
		return 0;
	}
}

static inline int begin_life(void *arg, void **ret_state)
{
	counter.lives++;
	counter.sum = 0;
	*ret_state = &counter.sum;
	return (int)(intptr_t)arg;
}

static inline void end_life(void *state)
{
	CHECK_EQ(state, &counter.sum);
	counter.ends++;
}

static inline void drop(void *body)
{
	(void)body;
	counter.dropped++;
}

static inline weft_actor_attr counter_attr(void)
{
	return (weft_actor_attr){
		.task = { .name = "counter" }, .init = begin_life, .fini = end_life, .drop = drop
	};
}

static inline weft_actor *spawn(const weft_actor_attr *attr)
{
	weft_actor_attr standard = counter_attr();
	weft_actor *actor;

	CHECK_EQ(weft_actor_spawn(&actor, attr ? attr : &standard, count, NULL), 0);
	return actor;
}

static inline int join(weft_actor *actor)
{
	int code = 12345;

	CHECK_EQ(weft_actor_join(actor, WEFT_FOREVER, &code), 0);
	CHECK_EQ(counter.lives, counter.ends);
	weft_actor_free(actor);
	return code;
}

/** Nothing of it is left when the case ends. */
static inline void quit(weft_actor *actor)
{
	CHECK_EQ(weft_actor_stop(actor, WEFT_ACTOR_DRAIN), 0);
	CHECK_EQ(join(actor), 0);
}

static inline void tell(weft_actor *actor, void *body)
{
	CHECK_EQ(weft_actor_send(actor, body, WEFT_FOREVER), 0);
}

static inline intptr_t ask(weft_actor *actor, void *body)
{
	void *reply = NULL;

	CHECK_EQ(weft_actor_ask(actor, body, WEFT_FOREVER, &reply), 0);
	return (intptr_t)reply;
}

static inline weft_promise *request(weft_actor *actor, void *body)
{
	weft_promise *promise;

	CHECK_EQ(weft_actor_request(actor, body, WEFT_FOREVER, &promise), 0);
	return promise;
}

static inline int outcome(weft_promise *promise)
{
	int rc = weft_await(promise, WEFT_FOREVER, NULL);

	weft_promise_free(promise);
	return rc;
}

static inline void shut_gate(void)
{
	CHECK_EQ(weft_promise_new(&counter.gate), 0);
}

static inline void open_gate(void)
{
	CHECK_EQ(weft_promise_resolve(counter.gate, NULL), 0);
}

static inline weft_actor *spawn_bounded(size_t bound)
{
	weft_actor_attr attr = counter_attr();

	attr.mailbox = bound;
	return spawn(&attr);
}

/* Busy with a message that waits, and two more in the mailbox. */
static inline weft_actor *spawn_full(void)
{
	weft_actor *actor = spawn_bounded(2);

	shut_gate();
	tell(actor, BODY(GATE, 0));
	while (!counter.handled)
		weft_task_yield();
	tell(actor, BODY(ADD, 1));
	tell(actor, BODY(ADD, 2));
	return actor;
}

struct sending {
	weft_actor *actor;
	void *body;
	int64_t deadline_ns;
};

static inline int send_one(void *arg)
{
	struct sending *sending = arg;

	return weft_actor_send(sending->actor, sending->body, sending->deadline_ns);
}

static inline int join_it(void *arg)
{
	int code = 0, rc = weft_actor_join(arg, WEFT_FOREVER, &code);

	return rc < 0 ? rc : code;
}

#endif
