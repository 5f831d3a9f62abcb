/* SPDX-License-Identifier: MIT
 *
 * engine.h - what the files of the engine share: the simulated threads.
 *
 *   model.c   choices, runs, states, reports
 *   memory.c  what an operation does to memory and to a thread's store buffer
 *   races.c   which operation happens before which: plain data
 *   seen.c    the set of states that were met
 *   saved.c   a state as a whole, to come back to
 */
#ifndef WEFT_TESTS_MODEL_ENGINE_H
#define WEFT_TESTS_MODEL_ENGINE_H

#include <weft/context.h>

#include "model.h"

enum { MODEL_BUFFER = 4, MODEL_STACK = 32768 };

/** What a thread knows of the others, and itself, has done. */
struct clocks {
	uint16_t of[MODEL_THREADS];
};

/** A plain store that only its own thread sees yet. */
struct buffered {
	volatile void *at;
	unsigned size;
	uint64_t value;
	struct clocks released;
};

enum sim_status { SIM_READY, SIM_WAITS, SIM_RELAXES, SIM_ENDED };

struct sim {
	weft_context ctx;
	uint8_t *low; /* of its stack, what is above is in use */
	enum sim_status status;
	_Atomic uint32_t *semaphore; /* SIM_WAITS */
	bool spins;                  /* it has called model_relax() ... */
	uint64_t changes;            /* ... and this was engine.changes when that returned */
	uint64_t history;            /* of all that its operations returned */
	unsigned buffered;
	struct buffered buffer[MODEL_BUFFER];  /* oldest first */
	struct clocks now, acquired, released; /* races.c; the latter two for fences */
};

struct engine {
	const struct model *model;
	const struct mutant *mutant;
	bool tso;
	struct sim sims[MODEL_THREADS];
	struct sim *current; /* NULL: setup and check, whose operations are no steps */
	uint64_t changes;    /* of memory, in this run */
	unsigned last;       /* thread that made the last step */
	unsigned preemptions;
	const char *failure; /* of this run, or NULL */
	char failure_text[160];
	_Alignas(64) uint8_t stacks[MODEL_THREADS][MODEL_STACK];
};

extern struct engine engine;

/** The current thread has made an operation: notes it, and lets any thread be next. */
void engine_step(enum model_op op, const char *text, uint64_t value, uint64_t result);

/** Writes the oldest store of a thread's buffer to memory. */
void memory_flush_one(struct sim *sim);

/** Keeps the present state under a number, and brings it back. Stacks are put back to where
 * they were, so that pointers into them stay true. */
void saved_keep(unsigned place);
void saved_restore(unsigned place);

void races_reset(void);
size_t races_bytes(void);
void races_keep(uint8_t *to);
void races_restore(const uint8_t *from, size_t bytes);
struct clocks races_store(int order);
void races_stored(const volatile void *at, const struct clocks *released);
void races_load(const volatile void *at, int order);
void races_rmw(const volatile void *at, int order);
void races_fence(int order);
uint64_t races_hash(uint64_t hash);

/** Adds a state; true when it is there already. */
bool seen_add(uint64_t hash);
void seen_clear(void);

/** The @n-th part of what the threads share; NULL: there are no more. */
static inline const struct model_part *shared_part(unsigned n, struct model_part *room)
{
	if (!n) {
		*room = (struct model_part){ engine.model->state, engine.model->state_bytes };
		return room;
	}
	if (!engine.model->parts || !engine.model->parts[n - 1].bytes)
		return NULL;
	return &engine.model->parts[n - 1];
}

static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

#endif
