/* SPDX-License-Identifier: MIT
 *
 * model.c - every order of the steps of a few threads, depth first.
 *
 * A run starts from setup(). At each state the actions are counted: a step of each
 * thread that can make one and, under TSO, a flush of each buffer that is not empty. Where
 * there are several the state is kept, the trail notes the place, and the first is taken.
 * When a run is over, or has come to a state that was seen, the last place that has
 * another choice left is gone back to, and the next run starts from there.
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
	uint16_t steps; /* of the run, up to here */
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

/* What lies below its caller's frame: this one, and what a portable switch keeps there. */
enum { BELOW = WEFT_SWITCH_INLINE ? 512 : 4096 };

static __attribute__((noinline)) void leave(void)
{
	engine.current->low = (uint8_t *)__builtin_frame_address(0) - BELOW;
	weft_context_switch(&engine.current->ctx, &search.explorer, NULL);
}

static void note_step(enum model_op op, unsigned thread, const char *text, uint64_t value,
		      uint64_t result)
{
	search.all_steps++;
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

/* Would a step of @thread, which can make one, leave another that could go on? */
static bool preempts(unsigned thread)
{
	return thread != engine.last && can_step(&engine.sims[engine.last]);
}

static unsigned list_actions(struct action *actions)
{
	unsigned limit = engine.model->preemptions, count = 0;

	for (uint8_t i = 0; i < MODEL_THREADS; i++) {
		if (can_step(&engine.sims[i]) &&
		    (!limit || engine.preemptions < limit || !preempts(i)))
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
	engine.preemptions += preempts(action.thread);
	engine.last = action.thread;
	sim->status = SIM_READY;
	engine.current = sim;
	weft_context_switch(&search.explorer, &sim->ctx, NULL);
	engine.current = NULL;
}

/* Four lanes, so that the multiplications need not wait for each other. */
static uint64_t hash_part(const struct model_part *part)
{
	const unsigned char *bytes = part->at;
	size_t count = part->bytes, i = 0;
	uint64_t lanes[4] = { 1, 2, 3, 4 }, words[4];

	for (; i + sizeof words <= count; i += sizeof words) {
		memcpy(words, bytes + i, sizeof words);
		for (unsigned k = 0; k < 4; k++)
			lanes[k] = hash_mix(lanes[k], words[k]);
	}
	for (; i < count; i++)
		lanes[0] = hash_mix(lanes[0], bytes[i]);
	return hash_mix(hash_mix(hash_mix(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

static uint64_t hash_state(void)
{
	const struct model_part *part;
	struct model_part room;
	uint64_t hash = 1;

	for (unsigned n = 0; (part = shared_part(n, &room)) != NULL; n++)
		hash = hash_mix(hash, hash_part(part));

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
	if (engine.model->preemptions)
		hash = hash_mix(hash, engine.preemptions << 8 | engine.last);
	return races_hash(hash);
}

/* --- a run ------------------------------------------------------------------------------ */

static void start(void)
{
	memset(engine.sims, 0, sizeof engine.sims);
	engine.current = NULL;
	engine.failure = NULL;
	engine.changes = 0;
	engine.last = engine.preemptions = 0;
	search.steps = search.trail_length = search.deepest = 0;
	search.runs = search.states = search.all_steps = 0;
	races_reset();
	engine.model->setup();
	for (uintptr_t i = 0; i < MODEL_THREADS; i++) {
		struct sim *sim = &engine.sims[i];

		sim->status = engine.model->threads[i] ? SIM_READY : SIM_ENDED;
		sim->low = engine.stacks[i] + MODEL_STACK - BELOW;
		weft_context_make(&sim->ctx, engine.stacks[i], MODEL_STACK, begin, (void *)i);
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

/* Notes a place with several ways to go on. False: this state was seen before. */
static bool note_choice(unsigned options)
{
	if (seen_add(hash_state()))
		return false;
	search.states++;
	saved_keep(search.trail_length);
	search.trail[search.trail_length++] =
		(struct choice){ 0, (uint8_t)options, (uint16_t)search.steps };
	return true;
}

/* From the present state on, after the action @taken there. */
static void run(unsigned taken)
{
	struct action actions[2 * MODEL_THREADS];
	unsigned options = list_actions(actions);

	search.runs++;
	while (options) {
		if (search.steps + 2 > MAX_STEPS)
			model_fail("it goes on for ever", __FILE__, __LINE__);
		else
			perform(actions[taken]);
		if (engine.failure)
			break;
		taken = 0;
		options = list_actions(actions);
		if (options > 1 && !note_choice(options))
			break;
	}
	if (!options)
		end_run();
	if (search.deepest < search.steps)
		search.deepest = search.steps;
}

/* Back to the last place that has another choice, which is taken. False: none is left. */
static bool go_back(unsigned *ret_taken)
{
	while (search.trail_length) {
		struct choice *last = &search.trail[search.trail_length - 1];

		if (++last->taken < last->options) {
			saved_restore(search.trail_length - 1);
			search.steps = last->steps;
			*ret_taken = last->taken;
			return true;
		}
		search.trail_length--;
	}
	return false;
}

/* True: everything was explored, and nothing has failed. */
static bool explore(const struct model *model, const struct mutant *mutant, bool tso)
{
	struct action actions[2 * MODEL_THREADS];
	unsigned taken = 0, options;

	engine.model = model;
	engine.mutant = mutant;
	engine.tso = tso;
	start();
	options = list_actions(actions);
	if (options > 1)
		note_choice(options);
	do
		run(taken);
	while (!engine.failure && go_back(&taken));
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
