/* SPDX-License-Identifier: MIT
 *
 * saved.c - a state as a whole: shared memory, threads, the live part of their stacks. It
 * is what lies between the explorer and a run from the start for each choice.
 */
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "engine.h"

enum { MAX_PLACES = 2000 };

struct saved {
	struct sim sims[MODEL_THREADS];
	uint64_t changes;
	size_t races_bytes, room;
	uint8_t bytes[]; /* stacks, shared memory, races */
};

static struct saved *saved[MAX_PLACES];

static size_t stack_bytes(const struct sim *sim)
{
	if (sim->status == SIM_ENDED)
		return 0;
	return (size_t)(engine.stacks[sim - engine.sims] + MODEL_STACK - sim->low);
}

static struct saved *with_room(unsigned place)
{
	size_t bytes = engine.model->state_bytes + races_bytes();

	CHECK(place < MAX_PLACES);
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		bytes += stack_bytes(&engine.sims[i]);
	if (!saved[place] || saved[place]->room < bytes) {
		saved[place] = realloc(saved[place], sizeof *saved[place] + bytes);
		CHECK(saved[place]);
		saved[place]->room = bytes;
	}
	return saved[place];
}

void saved_keep(unsigned place)
{
	struct saved *to = with_room(place);
	uint8_t *bytes = to->bytes;

	memcpy(to->sims, engine.sims, sizeof to->sims);
	to->changes = engine.changes;
	to->races_bytes = races_bytes();
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		memcpy(bytes, engine.sims[i].low, stack_bytes(&engine.sims[i]));
		bytes += stack_bytes(&engine.sims[i]);
	}
	memcpy(bytes, engine.model->state, engine.model->state_bytes);
	races_keep(bytes + engine.model->state_bytes);
}

void saved_restore(unsigned place)
{
	const struct saved *from = saved[place];
	const uint8_t *bytes = from->bytes;

	memcpy(engine.sims, from->sims, sizeof engine.sims);
	engine.changes = from->changes;
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		memcpy(engine.sims[i].low, bytes, stack_bytes(&engine.sims[i]));
		bytes += stack_bytes(&engine.sims[i]);
	}
	memcpy(engine.model->state, bytes, engine.model->state_bytes);
	races_restore(bytes + engine.model->state_bytes, from->races_bytes);
}
