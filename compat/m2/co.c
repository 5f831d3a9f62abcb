/* SPDX-License-Identifier: MIT
 *
 * co.c - the M2 lab's coroutines: who can go on, and who is next.
 *
 * Each is a coroutine of weft, resumed by main, which is none: it stands wherever the program
 * called us first. From one to the next it goes by a transfer, to main by a yield, and at
 * the end of one by its return, to main's frame, which passes it on.
 *
 *        main --resume--> a --transfer--> b --transfer--> a --yield--> main
 *                                         b --returns---> (main) --resume--> a
 *
 * L1 lab.runnable has all that can go on, main and the one that runs included. Who waits is not
 *    in it, nor who is over. There is room for all that are alive, so that nothing but
 *    co_start() needs memory.
 * L2 waits_for leads from who waits to one who does not: co_wait() refuses to close a
 *    circle. So somebody can always go on.
 * L3 A handle is a number (numbers.h), and odd: it points to nothing, and a stale one is
 *    found out.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>
#include <base/log.h>
#include <base/rng.h>
#include <base/thread.h>
#include <weft/coroutine.h>

#include "../misuse.h"
#include "../numbers.h"
#include "include/co.h"

enum { STACK_BYTES = 64 << 10, NAME_BYTES = 32 };

struct routine {
	weft_coroutine *coroutine; /* of main: the one that main stands in, or NULL */
	void (*func)(void *arg);
	void *arg;
	struct routine *waiter;    /* waits for this one, or NULL */
	struct routine *waits_for; /* or NULL */
	unsigned place;            /* in lab.runnable, while it is there */
	int number;
	bool over;
	char name[NAME_BYTES];
};

static __thread struct lab {
	struct rng rng;
	struct routine main;
	struct task *task;         /* that main stands in, or NULL */
	struct routine *current;   /* NULL: nothing has begun */
	struct routine **runnable; /* L1 */
	unsigned runnable_count, room;
	struct numbers numbers; /* L3; of all but main */
} lab;

/* --- handles --------------------------------------------------------------------------- */

static struct co *handle_of(const struct routine *it)
{
	return (struct co *)((uintptr_t)it->number << 1 | 1);
}

static struct routine *routine_of(struct co *handle)
{
	uintptr_t word = (uintptr_t)handle;

	return word & 1 && word >> 1 <= INT_MAX ? numbers_find(&lab.numbers, (int)(word >> 1))
						: NULL;
}

/* --- who can go on ----------------------------------------------------------------------- */

static void can_go_on(struct routine *it)
{
	it->place = lab.runnable_count;
	lab.runnable[lab.runnable_count++] = it;
}

static void cannot_go_on(struct routine *it)
{
	struct routine *last = lab.runnable[--lab.runnable_count];

	lab.runnable[it->place] = last;
	last->place = it->place;
}

static struct routine *pick(void)
{
	return lab.runnable[rng_below(&lab.rng, lab.runnable_count)];
}

/* For as many as are alive, main, and one more. */
static bool make_room(void)
{
	unsigned wanted = lab.numbers.used + 2, room = lab.room ? 2 * lab.room : 16;
	struct routine **grown;

	if (wanted <= lab.room)
		return true;
	grown = weft__calloc(room, sizeof(struct routine *));
	if (!grown)
		return false;
	if (lab.runnable_count)
		memcpy(grown, lab.runnable, lab.runnable_count * sizeof(struct routine *));
	weft__free(lab.runnable);
	lab.runnable = grown;
	lab.room = room;
	return true;
}

/* --- main, and who else may call ------------------------------------------------------------ */

static coldpath uint64_t seed(void)
{
	const char *text = getenv("WEFT_M2_SEED");
	unsigned long long number;
	char *end;

	if (!text || !*text)
		return weft__rng_seed();
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno == 0 && !*end && *text != '-')
		return number;
	weft__warn("WEFT_M2_SEED=%s is not a number; each run is another one", text);
	return weft__rng_seed();
}

static pthread_key_t thread_end_key;
static bool key_made;

/* Coroutines that are left are not freed: they stand where they stand. */
static void thread_end(void *arg)
{
	struct lab *ended = arg;

	if (ended->numbers.used)
		return;
	numbers_fini(&ended->numbers);
	weft__free(ended->runnable);
	*ended = (struct lab){ .current = NULL };
}

static void make_key(void)
{
	key_made = pthread_key_create(&thread_end_key, thread_end) == 0;
}

static void note_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	if (key_made)
		pthread_setspecific(thread_end_key, &lab);
}

/* The caller is main from now on. */
static coldpath struct routine *begin(void)
{
	if (!make_room()) {
		errno = ENOMEM;
		return NULL;
	}
	if (!lab.current) {
		int kept = errno;

		note_thread();
		weft__rng_init(&lab.rng, seed());
		errno = kept;
		memcpy(lab.main.name, "main", sizeof("main"));
		can_go_on(&lab.main);
	}
	lab.current = &lab.main;
	lab.main.coroutine = weft_coroutine_self();
	lab.task = weft__thread.task;
	return lab.current;
}

/* Who calls. NULL, and errno: somebody whom we cannot suspend, because he stands in a
 * coroutine of another kind, or in another task. */
static struct routine *caller(const char *function)
{
	struct routine *self = lab.current;
	bool same_task = lab.task == weft__thread.task || !lab.task;

	if (likely(self != NULL) && likely(weft_coroutine_self() == self->coroutine) &&
	    likely(same_task))
		return self;
	if (!self || !lab.numbers.used)
		return begin();
	MISUSE(EPERM,
	       "%s: the caller is not the coroutine that runs, but something in or beside it",
	       function);
	return NULL;
}

/* --- going on --------------------------------------------------------------------------------- */

/* Main lets others run until somebody picks it. */
static void leave_main(void)
{
	do {
		/* 1: somebody has yielded to main. 0: one is over, and has picked. */
		int rc = weft_resume(lab.current->coroutine, NULL, NULL);

		invariant(rc >= 0);
	} while (lab.current != &lab.main);
}

static void go_on_with(struct routine *next)
{
	struct routine *self = lab.current;
	int rc = 0, kept = errno; /* each has its own */

	if (next == self)
		return;
	lab.current = next;
	if (self == &lab.main)
		leave_main();
	else if (next == &lab.main)
		rc = weft_yield_with(NULL, NULL);
	else
		rc = weft_transfer(next->coroutine, NULL, NULL);
	invariant(rc == 0);
	errno = kept;
}

static void *body(void *arg, void *value)
{
	struct routine *self = arg;

	(void)value;
	self->func(self->arg);
	self->over = true;
	cannot_go_on(self);
	if (self->waiter) {
		self->waiter->waits_for = NULL;
		can_go_on(self->waiter);
	}
	lab.current = pick();
	return NULL; /* to main's frame, which goes on with it */
}

WEFT_API void co_yield (void)
{
	if (caller("co_yield"))
		go_on_with(pick());
}

/* --- beginning ---------------------------------------------------------------------------------- */

/* 0, or a negative errno. */
static int make(struct routine *it)
{
	weft_attr attr = { .name = it->name, .stack_bytes = STACK_BYTES };
	int rc;

	if (!make_room())
		return -ENOMEM;
	rc = weft_coroutine_new(&it->coroutine, body, it, &attr);
	if (rc < 0)
		return rc;
	it->number = numbers_add(&lab.numbers, it);
	if (it->number < 0) {
		weft_coroutine_free(it->coroutine);
		return -ENOMEM;
	}
	return 0;
}

WEFT_API struct co *co_start(const char *name, void (*func)(void *arg), void *arg)
{
	struct routine *it;
	int rc;

	if (!func) {
		MISUSE(EINVAL, "co_start: no function");
		return NULL;
	}
	if (!caller("co_start"))
		return NULL;
	it = weft__calloc(1, sizeof(*it));
	if (!it) {
		errno = ENOMEM;
		return NULL;
	}
	it->func = func;
	it->arg = arg;
	if (name)
		memcpy(it->name, name, strnlen(name, NAME_BYTES - 1));
	rc = make(it);
	if (rc < 0) {
		weft__free(it);
		errno = -rc;
		return NULL;
	}
	can_go_on(it);
	return handle_of(it);
}

/* --- waiting -------------------------------------------------------------------------------------- */

static bool waits_for(const struct routine *it, const struct routine *whom)
{
	while (it && it != whom)
		it = it->waits_for;
	return it;
}

/* @self would wait for @it, who waits for @self. */
static coldpath void refuse_circle(const struct routine *self, const struct routine *it)
{
	char text[200];
	size_t length = 0;

	if (it == self) {
		MISUSE(EDEADLK, "co_wait: \"%s\" would wait for itself", self->name);
		return;
	}
	for (; it != self && length < sizeof(text); it = it->waits_for)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "\"%s\" waits for ", it->name);
	MISUSE(EDEADLK, "co_wait: nobody could go on: \"%s\" would wait, and %s\"%s\"", self->name,
	       text, self->name);
}

/* The one that @self may wait for; or NULL, and errno. */
static struct routine *may_wait(const struct routine *self, struct co *handle)
{
	struct routine *it = routine_of(handle);

	if (unlikely(!handle))
		MISUSE(EINVAL, "co_wait: NULL is no coroutine");
	else if (unlikely(!it))
		MISUSE(ESRCH, "co_wait: this coroutine was waited for, and is freed; or it is "
			      "another thread's");
	else if (unlikely(waits_for(it, self)))
		refuse_circle(self, it);
	else if (unlikely(it->waiter != NULL))
		MISUSE(EBUSY, "co_wait: \"%s\" waits for \"%s\" already", it->waiter->name,
		       it->name);
	else
		return it;
	return NULL;
}

WEFT_API void co_wait(struct co *handle)
{
	struct routine *self = caller("co_wait"), *it;

	it = self ? may_wait(self, handle) : NULL;
	if (!it)
		return;
	if (!it->over) {
		it->waiter = self;
		self->waits_for = it;
		cannot_go_on(self);
		go_on_with(pick());
	}
	numbers_remove(&lab.numbers, it->number);
	weft_coroutine_free(it->coroutine);
	weft__free(it);
}
