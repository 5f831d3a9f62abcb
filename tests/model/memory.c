/* SPDX-License-Identifier: MIT
 *
 * memory.c - what an operation does to memory.
 *
 * Sequential consistency: everything happens at once. TSO, as x86 has it (Owens, Sarkar,
 * Sewell, "A better x86 memory model: x86-TSO", 2009): a store that is not seq_cst goes
 * into its thread's buffer, oldest first out, and comes to memory some time later; a load
 * sees its own thread's buffer first; read-modify-writes, seq_cst stores and fences wait
 * until the buffer is empty.
 */
#include <stdatomic.h>
#include <string.h>

#include "engine.h"

static uint64_t peek(const volatile void *at, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)at, size);
	return value;
}

static void poke(volatile void *at, unsigned size, uint64_t value)
{
	if (peek(at, size) != value)
		engine.changes++;
	memcpy((void *)at, &value, size);
}

void memory_flush_one(struct sim *sim)
{
	struct buffered *oldest = &sim->buffer[0];

	poke(oldest->at, oldest->size, oldest->value);
	races_stored(oldest->at, &oldest->released);
	sim->buffered--;
	memmove(sim->buffer, sim->buffer + 1, sim->buffered * sizeof *sim->buffer);
}

static void drain(struct sim *sim)
{
	while (sim && sim->buffered)
		memory_flush_one(sim);
}

/* What the current thread sees there. *ret_own: it is its own store, not yet in memory. */
static uint64_t look(const volatile void *at, unsigned size, bool *ret_own)
{
	struct sim *sim = engine.current;

	for (unsigned i = sim ? sim->buffered : 0; i-- > 0;) {
		if (sim->buffer[i].at == at) {
			*ret_own = true;
			return sim->buffer[i].value;
		}
	}
	*ret_own = false;
	return peek(at, size);
}

static void put(volatile void *at, unsigned size, uint64_t value, int order, bool buffered)
{
	struct sim *sim = engine.current;
	struct clocks released = races_store(order);

	if (!sim || !engine.tso || !buffered) {
		drain(sim);
		poke(at, size, value);
		races_stored(at, &released);
		return;
	}
	if (sim->buffered == MODEL_BUFFER)
		memory_flush_one(sim);
	sim->buffer[sim->buffered++] = (struct buffered){ at, size, value, released };
}

/* The error that is planted here, if any. */
static enum mutant_effect planted(enum model_op op, const volatile void *at)
{
	const struct mutant *mutant = engine.mutant;

	if (!engine.current || !(mutant->op & op) || (mutant->at && mutant->at != at) ||
	    (mutant->threads && !(mutant->threads & 1u << model_self())))
		return MUTANT_NONE;
	return mutant->effect;
}

uint64_t model_load(volatile void *at, unsigned size, int order, const char *text)
{
	bool own;
	uint64_t value = look(at, size, &own);

	if (planted(MODEL_LOAD, at) == MUTANT_NO_ORDER)
		order = memory_order_relaxed;
	if (!own)
		races_load(at, order);
	engine_step(MODEL_LOAD, text, 0, value);
	return value;
}

void model_store(volatile void *at, unsigned size, uint64_t value, int order, const char *text)
{
	switch (planted(MODEL_STORE, at)) {
	case MUTANT_SKIP:
		return;
	case MUTANT_NO_ORDER:
	case MUTANT_RELAXED:
		order = memory_order_relaxed;
		break;
	default:
		break;
	}
	put(at, size, value, order, order != memory_order_seq_cst);
	engine_step(MODEL_STORE, text, value, 0);
}

static uint64_t do_math(enum model_math math, uint64_t old, uint64_t operand)
{
	switch (math) {
	case MODEL_ADD:
		return old + operand;
	case MODEL_SUB:
		return old - operand;
	case MODEL_OR:
		return old | operand;
	case MODEL_AND:
		return old & operand;
	case MODEL_SET:
		return operand;
	}
	return old;
}

/* A read-modify-write is one step on memory itself, unless the mutant takes it apart. */
uint64_t model_rmw(volatile void *at, unsigned size, enum model_math math, uint64_t operand,
		   int order, const char *text)
{
	enum mutant_effect effect = planted(MODEL_RMW, at);
	uint64_t old;

	if (effect == MUTANT_SPLIT || effect == MUTANT_RELAXED) {
		old = model_load(at, size, order, text);
		model_store(at, size, do_math(math, old, operand), memory_order_release, text);
		return old;
	}
	if (effect == MUTANT_NO_ORDER)
		order = memory_order_relaxed;
	drain(engine.current);
	old = peek(at, size);
	if (effect != MUTANT_SKIP)
		poke(at, size, do_math(math, old, operand));
	races_rmw(at, order);
	engine_step(MODEL_RMW, text, operand, old);
	return old;
}

bool model_cas(volatile void *at, unsigned size, void *expected, uint64_t desired, int order,
	       int failed, const char *text)
{
	enum mutant_effect effect = planted(MODEL_CAS, at);
	uint64_t wanted = peek(expected, size), old;

	if (effect == MUTANT_SPLIT || effect == MUTANT_RELAXED) {
		old = model_load(at, size, order, text);
		if (old == wanted)
			model_store(at, size, desired, memory_order_release, text);
		memcpy(expected, &old, size);
		return old == wanted;
	}
	if (effect == MUTANT_NO_ORDER)
		order = failed = memory_order_relaxed;
	if (effect == MUTANT_KEEP)
		desired = (desired & ~engine.mutant->keep) | (wanted & engine.mutant->keep);
	drain(engine.current);
	old = peek(at, size);
	if (old == wanted) {
		poke(at, size, desired);
		races_rmw(at, order);
	} else {
		races_load(at, failed);
		memcpy(expected, &old, size);
	}
	engine_step(MODEL_CAS, text, desired, old);
	return old == wanted;
}

void model_fence(int order)
{
	if (planted(MODEL_FENCE, NULL) == MUTANT_SKIP)
		return;
	if (order == memory_order_seq_cst)
		drain(engine.current);
	races_fence(order);
	engine_step(MODEL_FENCE, "fence", 0, 0);
}
