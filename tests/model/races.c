/* SPDX-License-Identifier: MIT
 *
 * races.c - plain data must be handed over by release and acquire.
 *
 * Each thread counts its steps, and knows up to which count it has heard of every other
 * thread: its clocks. A release leaves them at the atomic object, an acquire picks them up,
 * as C11 defines "synchronizes with"; relaxed read-modify-writes continue a release
 * sequence, other relaxed stores end it. So a run that came out well by the order of its
 * steps is a failure all the same when the orders in the code do not promise it.
 */
#include <stdatomic.h>
#include <string.h>

#include "../test.h"
#include "engine.h"

enum { OBJECTS = 64 };

/* Of an atomic object: what an acquire picks up. Of plain data: who has done what. */
struct object {
	const volatile void *at;
	struct clocks released, written, read;
};

/* Of addresses that rise. */
static struct table {
	unsigned used;
	struct object objects[OBJECTS];
} atomics, plain;

void races_reset(void)
{
	atomics.used = plain.used = 0;
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		engine.sims[i].now.of[i] = 1;
}

/* In order of addresses, so that the table is the same whoever came first. */
static struct object *object_of(struct table *table, const volatile void *at)
{
	unsigned i = 0;

	while (i < table->used && table->objects[i].at < at)
		i++;
	if (i < table->used && table->objects[i].at == at)
		return &table->objects[i];
	CHECK(table->used < OBJECTS);
	memmove(&table->objects[i + 1], &table->objects[i],
		(table->used - i) * sizeof *table->objects);
	table->objects[i] = (struct object){ .at = at };
	table->used++;
	return &table->objects[i];
}

static void join(struct clocks *to, const struct clocks *from)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		if (to->of[i] < from->of[i])
			to->of[i] = from->of[i];
}

static bool knows(const struct clocks *all, const struct clocks *some)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		if (all->of[i] < some->of[i])
			return false;
	return true;
}

static bool acquires(int order)
{
	return order == memory_order_acquire || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst || order == memory_order_consume;
}

static bool releases(int order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

/* What a store with this order releases; what comes later is not part of it. */
struct clocks races_store(int order)
{
	struct sim *self = engine.current;
	struct clocks released;

	if (!self)
		return (struct clocks){ { 0 } };
	if (!releases(order))
		return self->released; /* what a fence before it has released */
	released = self->now;
	self->now.of[model_self()]++;
	return released;
}

void races_stored(const volatile void *at, const struct clocks *released)
{
	object_of(&atomics, at)->released = *released;
}

void races_load(const volatile void *at, int order)
{
	struct sim *self = engine.current;

	if (self)
		join(acquires(order) ? &self->now : &self->acquired,
		     &object_of(&atomics, at)->released);
}

void races_rmw(const volatile void *at, int order)
{
	struct clocks released;

	races_load(at, order);
	released = races_store(order);
	join(&object_of(&atomics, at)->released, &released);
}

void races_fence(int order)
{
	struct sim *self = engine.current;

	if (self && acquires(order))
		join(&self->now, &self->acquired);
	if (self && releases(order)) {
		self->released = self->now;
		self->now.of[model_self()]++;
	}
}

void model_reads(const void *data)
{
	struct sim *self = engine.current;
	struct object *object;

	if (!self || engine.model->no_races)
		return;
	object = object_of(&plain, data);
	if (!knows(&self->now, &object->written))
		model_fail("reads what another thread may be writing", __FILE__, __LINE__);
	object->read.of[model_self()] = self->now.of[model_self()];
}

void model_writes(const void *data)
{
	struct sim *self = engine.current;
	struct object *object;

	if (!self || engine.model->no_races)
		return;
	object = object_of(&plain, data);
	if (!knows(&self->now, &object->written) || !knows(&self->now, &object->read))
		model_fail("writes what another thread may be using", __FILE__, __LINE__);
	object->written.of[model_self()] = self->now.of[model_self()];
}

static uint64_t hash_clocks(uint64_t hash, const struct clocks *clocks)
{
	uint64_t bits;

	_Static_assert(sizeof *clocks == sizeof bits, "one word");
	memcpy(&bits, clocks, sizeof bits);
	return hash_mix(hash, bits);
}

static uint64_t hash_table(uint64_t hash, const struct table *table)
{
	for (unsigned i = 0; i < table->used; i++) {
		const struct object *object = &table->objects[i];

		hash = hash_mix(hash, (uintptr_t)object->at);
		hash = hash_clocks(hash, &object->released);
		hash = hash_clocks(hash, &object->written);
		hash = hash_clocks(hash, &object->read);
	}
	return hash;
}

/* Without plain data there is nothing to tell states apart by. */
uint64_t races_hash(uint64_t hash)
{
	if (!plain.used)
		return hash;
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		hash = hash_clocks(hash, &engine.sims[i].now);
		hash = hash_clocks(hash, &engine.sims[i].acquired);
		hash = hash_clocks(hash, &engine.sims[i].released);
	}
	return hash_table(hash_table(hash, &atomics), &plain);
}

/* --- as part of a saved state: one table behind the other -------------------------------- */

static size_t table_bytes(const struct table *table)
{
	return offsetof(struct table, objects) + table->used * sizeof *table->objects;
}

size_t races_bytes(void)
{
	return table_bytes(&atomics) + table_bytes(&plain);
}

void races_keep(uint8_t *to)
{
	memcpy(to, &atomics, table_bytes(&atomics));
	memcpy(to + table_bytes(&atomics), &plain, table_bytes(&plain));
}

void races_restore(const uint8_t *from, size_t bytes)
{
	memcpy(&atomics.used, from, sizeof atomics.used);
	memcpy(&atomics, from, table_bytes(&atomics));
	memcpy(&plain, from + table_bytes(&atomics), bytes - table_bytes(&atomics));
}
