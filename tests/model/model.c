/* SPDX-License-Identifier: MIT
 *
 * model.c - every order of the steps of a few threads, depth first.
 *
 * A run starts from setup(). At each state the actions are counted: a step of each
 * thread that can make one and, under TSO, a flush of each buffer that is not empty. Where
 * there are several the trail says which to take; at its end the first is taken and the
 * place is noted. When a run is over, or has come to a state that was seen, the last
 * place that has another choice left takes it, and the next run follows the trail up to
 * there. The threads are deterministic, so that the same trail leads to the same state.
 *
 * The state is: the shared memory; each thread's buffer; and each thread's history, a
 * hash of all that its operations have returned, from which its own variables and
 * its place in the code follow.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../test.h"
#include "engine.h"

enum { MAX_STEPS = 2000, MAX_PRINTED = 120 };

struct engine engine;

/* Where a run could have gone on in several ways. */
struct choice {
	uint8_t taken, options;
};

struct note {
	const char *text;
	uint64_t value, result;
	enum model_op op;
	uint8_t thread;
};

static struct {
	struct choice trail[MAX_STEPS];
	unsigned trail_length;
	struct note notes[MAX_STEPS]; /* the steps of this run */
	unsigned steps, deepest;
	uint64_t runs, states, all_steps;
	weft_context explorer;
	_Alignas(64) uint8_t stacks[MODEL_THREADS][MODEL_STACK];
} search;

/* --- in a thread ----------------------------------------------------------------------- */

unsigned model_self(void)
{
	return (unsigned)(engine.current - engine.sims);
}

int model_mutant(void)
{
	return engine.mutant->flag;
}

static void leave(void)
{
	weft_context_switch(&engine.current->ctx, &search.explorer, NULL);
}

static void note_step(enum model_op op, unsigned thread, const char *text, uint64_t value,
		      uint64_t result)
{
	search.notes[search.steps++] = (struct note){ text, value, result, op, (uint8_t)thread };
}

void engine_step(enum model_op op, const char *text, uint64_t value, uint64_t result)
{
	struct sim *self = engine.current;

	if (!self)
		return;
	self->history = hash_mix(self->history, result + 1);
	note_step(op, model_self(), text, value, result);
	leave();
}

void model_fail(const char *what, const char *file, int line)
{
	if (!engine.failure) {
		snprintf(engine.failure_text, sizeof engine.failure_text, "%s:%d: %s",
			 strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, what);
		engine.failure = engine.failure_text;
	}
	if (engine.current)
		leave(); /* and is not continued */
}

static void begin(void *index, void *value)
{
	(void)value;
	engine.model->threads[(uintptr_t)index]();
	engine.current->status = SIM_ENDED;
	engine.current->history = 0;
	leave();
}

void model_checkpoint(uint64_t local)
{
	engine.current->history = hash_mix(local, 1);
}

/* Has memory changed since the last call returned? Then the loop may look again; the
 * first call lets it. */
void model_relax(void)
{
	struct sim *self = engine.current;

	if (!self)
		return;
	if (self->spins && self->changes == engine.changes) {
		self->status = SIM_RELAXES;
		leave();
	}
	self->spins = true;
	self->changes = engine.changes;
}

/* As a system call is: it orders, and nothing is left in the buffer. */
void model_post(_Atomic uint32_t *semaphore)
{
	model_rmw(semaphore, sizeof *semaphore, MODEL_ADD, 1, 5, "post");
}

void model_await(_Atomic uint32_t *semaphore)
{
	engine.current->semaphore = semaphore;
	engine.current->status = SIM_WAITS;
	leave();
	model_rmw(semaphore, sizeof *semaphore, MODEL_SET, 0, 5, "await");
}

bool model_blocked(unsigned thread)
{
	return engine.sims[thread].status == SIM_WAITS;
}

/* --- a state and its actions ------------------------------------------------------------- */

static bool can_step(const struct sim *sim)
{
	switch (sim->status) {
	case SIM_READY:
		return true;
	case SIM_WAITS:
		return *(volatile uint32_t *)sim->semaphore != 0;
	case SIM_RELAXES:
		return sim->changes != engine.changes;
	case SIM_ENDED:
		break;
	}
	return false;
}

struct action {
	uint8_t thread;
	bool flush;
};

static unsigned list_actions(struct action *actions)
{
	unsigned count = 0;

	for (uint8_t i = 0; i < MODEL_THREADS; i++) {
		if (can_step(&engine.sims[i]))
			actions[count++] = (struct action){ i, false };
		if (engine.sims[i].buffered)
			actions[count++] = (struct action){ i, true };
	}
	return count;
}

static void perform(struct action action)
{
	struct sim *sim = &engine.sims[action.thread];

	if (action.flush) {
		note_step(MODEL_FLUSH, action.thread, "its oldest store", sim->buffer[0].value, 0);
		memory_flush_one(sim);
		return;
	}
	sim->status = SIM_READY;
	engine.current = sim;
	weft_context_switch(&search.explorer, &sim->ctx, NULL);
	engine.current = NULL;
}

static uint64_t hash_memory(uint64_t hash)
{
	const unsigned char *bytes = engine.model->state;
	size_t count = engine.model->state_bytes, i = 0;
	uint64_t word;

	for (; i + sizeof word <= count; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		hash = hash_mix(hash, word);
	}
	for (; i < count; i++)
		hash = hash_mix(hash, bytes[i]);
	return hash;
}

static uint64_t hash_state(void)
{
	uint64_t hash = hash_memory(1);

	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		const struct sim *sim = &engine.sims[i];

		hash = hash_mix(hash, sim->history);
		hash = hash_mix(hash, sim->status << 4 | (unsigned)can_step(sim) << 1 |
					      (sim->spins && sim->changes != engine.changes));
		for (unsigned k = 0; k < sim->buffered; k++) {
			hash = hash_mix(hash, (uintptr_t)sim->buffer[k].at);
			hash = hash_mix(hash, sim->buffer[k].value);
		}
		hash = hash_mix(hash, sim->buffered);
	}
	return races_hash(hash);
}

/* --- a run ------------------------------------------------------------------------------ */

static void start_run(void)
{
	memset(engine.sims, 0, sizeof engine.sims);
	engine.current = NULL;
	engine.failure = NULL;
	engine.changes = 0;
	search.steps = 0;
	search.runs++;
	races_reset();
	engine.model->setup();
	for (uintptr_t i = 0; i < MODEL_THREADS; i++) {
		engine.sims[i].status = engine.model->threads[i] ? SIM_READY : SIM_ENDED;
		weft_context_make(&engine.sims[i].ctx, search.stacks[i], MODEL_STACK, begin,
				  (void *)i);
	}
}

/* Nothing can go on: is that as it should be? */
static void end_run(void)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		if (engine.sims[i].status == SIM_ENDED ||
		    (model_blocked(i) && (engine.model->may_block & 1u << i)))
			continue;
		snprintf(engine.failure_text, sizeof engine.failure_text, "thread %u is stuck", i);
		engine.failure = engine.failure_text;
		return;
	}
	if (engine.model->check)
		engine.model->check();
}

/* Takes one of several actions: as the trail says, else the first. False: seen before. */
static bool choose(unsigned place, unsigned options, unsigned *ret_taken)
{
	*ret_taken = 0;
	if (place < search.trail_length) {
		*ret_taken = search.trail[place].taken;
		return true;
	}
	if (seen_add(hash_state()))
		return false;
	search.states++;
	search.trail[place] = (struct choice){ 0, (uint8_t)options };
	search.trail_length++;
	return true;
}

static void run(void)
{
	struct action actions[2 * MODEL_THREADS];
	unsigned place = 0, options, taken;

	start_run();
	while (!engine.failure && (options = list_actions(actions)) != 0) {
		if (search.steps + 2 > MAX_STEPS) {
			model_fail("it goes on for ever", __FILE__, __LINE__);
			break;
		}
		taken = 0;
		if (options > 1 && !choose(place++, options, &taken))
			break;
		perform(actions[taken]);
	}
	if (!engine.failure && !options)
		end_run();
	search.all_steps += search.steps;
	if (search.deepest < search.steps)
		search.deepest = search.steps;
}

/* On to the last place that has another choice. False: all was explored. */
static bool go_back(void)
{
	while (search.trail_length) {
		struct choice *last = &search.trail[search.trail_length - 1];

		if (++last->taken < last->options)
			return true;
		search.trail_length--;
	}
	return false;
}

/* True: everything was explored, and nothing has failed. */
static bool explore(const struct model *model, const struct mutant *mutant, bool tso)
{
	engine.model = model;
	engine.mutant = mutant;
	engine.tso = tso;
	search.trail_length = search.deepest = 0;
	search.runs = search.states = search.all_steps = 0;
	do
		run();
	while (!engine.failure && go_back());
	seen_clear();
	return !engine.failure;
}

/* --- reports ---------------------------------------------------------------------------- */

static void print_counts(const char *what)
{
	char line[256];

	snprintf(line, sizeof line,
		 "%-28s %-4s %-7s %9" PRIu64 " states %9" PRIu64 " runs %11" PRIu64
		 " steps, longest %u",
		 engine.model->name, engine.tso ? "TSO" : "SC", what, search.states, search.runs,
		 search.all_steps, search.deepest);
	test_note(line);
}

static const char *op_name(enum model_op op)
{
	switch (op) {
	case MODEL_LOAD:
		return "load";
	case MODEL_STORE:
		return "store";
	case MODEL_CAS:
		return "cas";
	case MODEL_RMW:
		return "rmw";
	case MODEL_FENCE:
		return "fence";
	case MODEL_WAIT:
		return "wait";
	case MODEL_FLUSH:
		return "flush";
	}
	return "?";
}

static void print_steps(void)
{
	unsigned from = search.steps > MAX_PRINTED ? search.steps - MAX_PRINTED : 0;
	char line[256];

	for (unsigned i = from; i < search.steps; i++) {
		const struct note *note = &search.notes[i];

		snprintf(line, sizeof line, "%4u  thread %u  %-5s %-40s %#" PRIx64 " -> %#" PRIx64,
			 i, note->thread, op_name(note->op), note->text, note->value, note->result);
		test_note(line);
	}
	test_note(engine.failure);
}

void model_must_hold(const struct model *model)
{
	static const struct mutant none;

	for (int tso = 0; tso <= (int)model->tso; tso++) {
		bool held = explore(model, &none, tso);

		print_counts(held ? "holds" : "FAILS");
		if (!held) {
			print_steps();
			CHECK(!"the model holds in every order");
		}
	}
}

void model_must_fail(const struct model *model, const struct mutant *mutant)
{
	bool held = explore(model, mutant, model->tso);

	print_counts(held ? "MISSED" : "found");
	CHECK(!held);
	test_note(engine.failure);
}
