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
	unsigned last, preemptions;
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
	const struct model_part *part;
	struct model_part room;
	size_t bytes = races_bytes();

	CHECK(place < MAX_PLACES);
	for (unsigned n = 0; (part = shared_part(n, &room)) != NULL; n++)
		bytes += part->bytes;
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
	const struct model_part *part;
	struct model_part room;
	uint8_t *bytes = to->bytes;

	memcpy(to->sims, engine.sims, sizeof to->sims);
	to->changes = engine.changes;
	to->last = engine.last;
	to->preemptions = engine.preemptions;
	to->races_bytes = races_bytes();
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		memcpy(bytes, engine.sims[i].low, stack_bytes(&engine.sims[i]));
		bytes += stack_bytes(&engine.sims[i]);
	}
	for (unsigned n = 0; (part = shared_part(n, &room)) != NULL; n++) {
		memcpy(bytes, part->at, part->bytes);
		bytes += part->bytes;
	}
	races_keep(bytes);
}

void saved_restore(unsigned place)
{
	const struct saved *from = saved[place];
	const struct model_part *part;
	struct model_part room;
	const uint8_t *bytes = from->bytes;

	memcpy(engine.sims, from->sims, sizeof engine.sims);
	engine.changes = from->changes;
	engine.last = from->last;
	engine.preemptions = from->preemptions;
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		memcpy(engine.sims[i].low, bytes, stack_bytes(&engine.sims[i]));
		bytes += stack_bytes(&engine.sims[i]);
	}
	for (unsigned n = 0; (part = shared_part(n, &room)) != NULL; n++) {
		memcpy(part->at, bytes, part->bytes);
		bytes += part->bytes;
	}
	races_restore(bytes, from->races_bytes);
}
