/* SPDX-License-Identifier: MIT
 *
 * local.c - variables of which each task has its own (weft/local.h).
 *
 * A key is a place in one table of the process and a number that no other key ever has, in
 * one word:
 *
 *   | 63 .. 10 number | 9 .. 0 place |
 *
 * A task has a vector of values, as long as the highest place that it ever set; each says of
 * which key it is. It hangs on the task's ext. That of a thread hangs on the thread, and is also
 * used by the main task of a runtime that the thread made of itself: that task is the thread.
 *
 * V1 A place's word is the key that has it, or 0. It becomes a key after its destructor is
 *    there, and 0 before that is changed. So whoever has read a destructor, and finds the key
 *    still there after it, has read that key's.
 * V2 A vector belongs to its task. Values of keys that are gone stay in it until another key
 *    of that place is set, and equal none: numbers do not come again.
 * V3 A value is taken out before its destructor is called: so whatever way the destructor
 *    takes, an end of its task too, nothing is destroyed twice.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <base/atomic.h>
#include <base/fault.h>
#include <base/only_once.h>
#include <core/local.h>
#include <core/worker.h>
#include <weft/local.h>

enum { PLACE_BITS = 10, STEP = 4 /* values by which a vector grows */ };

_Static_assert(1 << PLACE_BITS == WEFT_LOCAL_KEYS, "each place has a number");

typedef void destructor(void *value);

/** Of one task or thread. */
struct locals {
	unsigned count;        /* of values */
	unsigned rounds, next; /* at the end: rounds that are over, and where this one is */
	struct local_value {
		uint64_t key;
		void *value;
	} values[];
};

/* --- keys --------------------------------------------------------------------------------- */

static struct {
	_Atomic uint64_t key;
	_Atomic(destructor *) destructor;
} places[WEFT_LOCAL_KEYS];

static struct spinlock lock;
static uint64_t last_number;

static inline unsigned place_of(uint64_t key)
{
	return key & (WEFT_LOCAL_KEYS - 1);
}

/* relaxed: who has a good key knows of it already */
static inline bool is_good(uint64_t key)
{
	return likely(atomic_load_explicit(&places[place_of(key)].key, memory_order_relaxed) ==
			      key &&
		      key != 0);
}

/* Lock held. */
static unsigned free_place(void)
{
	unsigned place = 0;

	while (place < WEFT_LOCAL_KEYS &&
	       atomic_load_explicit(&places[place].key, memory_order_relaxed))
		place++;
	return place;
}

int weft_local_key_new(weft_local_key **ret_key, destructor *destroy)
{
	unsigned place;
	uint64_t key = 0;

	if (!ret_key)
		return -EINVAL;
	spin_lock(&lock);
	place = free_place();
	if (place < WEFT_LOCAL_KEYS) {
		key = ++last_number << PLACE_BITS | place;
		/* release, both: V1; they pair with destructor_of(). */
		atomic_store_explicit(&places[place].destructor, destroy, memory_order_release);
		atomic_store_explicit(&places[place].key, key, memory_order_release);
	}
	spin_unlock(&lock);
	if (!key)
		return -EAGAIN;
	*ret_key = (weft_local_key *)(uintptr_t)key;
	return 0;
}

int weft_local_key_free(weft_local_key *handle)
{
	uint64_t key = (uintptr_t)handle;
	bool good;

	if (!key)
		return 0;
	spin_lock(&lock);
	good = is_good(key);
	if (good) /* relaxed: the next destructor is released after it */
		atomic_store_explicit(&places[place_of(key)].key, 0, memory_order_relaxed);
	spin_unlock(&lock);
	return good ? 0 : -EINVAL;
}

/* V1. acquire pairs with both stores of weft_local_key_new(): a later key's destructor comes
 * with the word that its place had in between. NULL: none, or the key is gone. */
static destructor *destructor_of(uint64_t key)
{
	destructor *destroy =
		atomic_load_explicit(&places[place_of(key)].destructor, memory_order_acquire);

	return is_good(key) ? destroy : NULL;
}

/* --- vectors ------------------------------------------------------------------------------ */

/* The main task of a runtime that its thread made of itself; that of weft_run() is a task. */
static inline bool is_thread(const struct task *self)
{
	return (self->flags & TASK_THREAD) && !weft__thread.worker->main_call;
}

/* NULL: the caller has no place for one yet. */
static noinline struct locals **slow_place(struct task *self)
{
	if (!self || is_thread(self))
		return &weft__thread.locals;
	return self->ext ? &self->ext->locals : NULL;
}

/* The caller's, or NULL. */
static always_inline struct locals *locals_of_caller(void)
{
	struct task *self = weft__thread.task;
	struct locals **place;

	if (likely(self && self->ext && self->ext->locals))
		return self->ext->locals;
	place = slow_place(self);
	return place ? *place : NULL;
}

static always_inline struct local_value *find(struct locals *locals, uint64_t key)
{
	unsigned place = place_of(key);

	if (unlikely(!locals || place >= locals->count || locals->values[place].key != key))
		return NULL;
	return &locals->values[place];
}

void *weft_local_get(weft_local_key *handle)
{
	uint64_t key = (uintptr_t)handle;
	struct local_value *found = find(locals_of_caller(), key);

	/* is_good(); but for 0, of which no value is ever set. */
	if (unlikely(!found ||
		     atomic_load_explicit(&places[place_of(key)].key, memory_order_relaxed) != key))
		return NULL;
	return found->value;
}

/* --- the thread's -------------------------------------------------------------------------- */

static pthread_key_t thread_key;
static struct only_once thread_once;
static int thread_error;

static void thread_ends(void *unused)
{
	(void)unused;
	weft__local_thread_end();
}

static void make_thread_key(void)
{
	thread_error = pthread_key_create(&thread_key, thread_ends);
}

/* The thread's end will be told to us. Once for each end: one that sets values while it ends
 * is told again. */
static int watch_thread(void)
{
	only_once(&thread_once, make_thread_key);
	if (thread_error)
		return -thread_error;
	return -pthread_setspecific(thread_key, &weft__thread);
}

/* --- set ----------------------------------------------------------------------------------- */

/* Makes *place long enough for the value of @key. */
static int grow(struct locals **place, uint64_t key)
{
	unsigned count = (place_of(key) / STEP + 1) * STEP;
	struct locals *old = *place, *locals;

	locals = weft__calloc(1, sizeof(*locals) + count * sizeof(locals->values[0]));
	if (!locals)
		return -ENOMEM;
	if (old)
		memcpy(locals, old, sizeof(*old) + old->count * sizeof(old->values[0]));
	locals->count = count;
	*place = locals;
	weft__free(old);
	return 0;
}

static noinline int set_first(uint64_t key, void *value)
{
	struct task *self = weft__thread.task;
	struct locals **place;
	int rc = 0;

	if (!value)
		return 0;
	if (self && !is_thread(self) && weft__task_ext(self) < 0)
		return -ENOMEM;
	place = slow_place(self);
	if (place == &weft__thread.locals && !*place)
		rc = watch_thread();
	if (rc == 0 && (!*place || (*place)->count <= place_of(key)))
		rc = grow(place, key);
	if (rc == 0)
		(*place)->values[place_of(key)] = (struct local_value){ key, value };
	return rc;
}

int weft_local_set(weft_local_key *handle, void *value)
{
	uint64_t key = (uintptr_t)handle;
	struct local_value *found = find(locals_of_caller(), key);

	if (unlikely(!is_good(key)))
		return -EINVAL;
	if (unlikely(!found))
		return set_first(key, value);
	found->value = value;
	return 0;
}

/* --- typed ---------------------------------------------------------------------------------- */

/* The destructor of all typed ones, and known by its address. */
static void free_variable(void *variable)
{
	weft__free(variable);
}

/* The first who come make a key each, and agree on one. */
static coldpath weft_local_key *make_key(_Atomic(weft_local_key *) *place)
{
	weft_local_key *known = NULL, *key;

	if (weft_local_key_new(&key, free_variable) < 0)
		return atomic_load_explicit(place, memory_order_acquire);
	if (atomic_compare_exchange_strong_explicit(place, &known, key, memory_order_acq_rel,
						    memory_order_acquire))
		return key;
	weft_local_key_free(key);
	return known;
}

static noinline void *make_variable(weft_local *local, weft_local_key *key)
{
	void *variable = weft__calloc(1, local->weft__bytes);

	if (variable && weft_local_set(key, variable) < 0) {
		weft__free(variable);
		return NULL;
	}
	return variable;
}

void *weft__local_at(weft_local *local)
{
	/* Public headers are C99 and C++ as well, which have no _Atomic. acquire pairs with
	 * make_key(). */
	_Atomic(weft_local_key *) *place = (void *)&local->weft__key;
	weft_local_key *key = atomic_load_explicit(place, memory_order_acquire);
	struct local_value *found;

	if (unlikely(!key)) {
		key = make_key(place);
		if (!key)
			return NULL;
	}
	found = find(locals_of_caller(), (uintptr_t)key);
	if (likely(found && found->value))
		return found->value;
	return make_variable(local, key);
}

/* --- the end -------------------------------------------------------------------------------- */

/* Is there a value that somebody wants to destroy? */
static bool any_left(const struct locals *locals)
{
	for (unsigned i = 0; i < locals->count; i++)
		if (locals->values[i].value && destructor_of(locals->values[i].key))
			return true;
	return false;
}

/* Goes on with the round; false: it is over. A destructor may put another vector in the place
 * of this one, or end the task, which then goes on from there. */
static bool destroy_next(struct locals *locals)
{
	while (locals->next < locals->count) {
		struct local_value *at = &locals->values[locals->next++];
		destructor *destroy = at->value ? destructor_of(at->key) : NULL;
		void *value = at->value;

		if (!destroy)
			continue;
		at->value = NULL; /* V3 */
		destroy(value);
		return true;
	}
	return false;
}

/* What the last round has left is lost, but typed ones are ours. */
static void drop(struct locals *locals)
{
	for (unsigned i = 0; i < locals->count; i++)
		if (locals->values[i].value &&
		    destructor_of(locals->values[i].key) == free_variable)
			free_variable(locals->values[i].value);
	weft__free(locals);
}

static void destroy_all(struct locals **place)
{
	while ((*place)->rounds < WEFT_LOCAL_ROUNDS && any_left(*place)) {
		while (destroy_next(*place))
			;
		(*place)->next = 0;
		(*place)->rounds++;
	}
	drop(*place);
	*place = NULL;
}

void weft__local_task_end(struct task *self)
{
	if (self->ext->locals)
		destroy_all(&self->ext->locals);
}

void weft__local_thread_end(void)
{
	if (weft__thread.locals)
		destroy_all(&thread_fresh()->locals);
}
