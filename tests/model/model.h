/* SPDX-License-Identifier: MIT
 *
 * model.h - runs a few simulated threads in every possible order.
 *
 * The threads are contexts of one real thread. Their atomic operations are calls of this
 * engine (shim/stdatomic.h stands in for <stdatomic.h>, so that the real source is
 * what is run), and each is a step: after it, any thread may be the next. The
 * engine goes through all choices, depth first: it runs a model from its start along the
 * choices made so far, makes the next one, and comes back for the others. A state that was
 * seen before is not followed again.
 *
 *	static const struct model ping = {
 *		.name = "ping", .setup = ping_setup, .threads = { left, right },
 *		.check = ping_check, .state = &shared, .state_bytes = sizeof shared,
 *	};
 *	TEST(ping, all_orders) { model_must_hold(&ping); }
 *	TEST(ping, found_without_fence)
 *	{
 *		model_must_fail(&ping, &(struct mutant){ .op = MODEL_FENCE, .effect = MUTANT_SKIP });
 *	}
 *
 * What a model must keep to: docs/design/model.md.
 */
#ifndef WEFT_TESTS_MODEL_H
#define WEFT_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_THREADS = 4 };

/** Of an operation; bits, so that a mutant can name several. */
enum model_op {
	MODEL_LOAD = 1 << 0,
	MODEL_STORE = 1 << 1,
	MODEL_CAS = 1 << 2,
	MODEL_RMW = 1 << 3,
	MODEL_FENCE = 1 << 4,
	MODEL_WAIT = 1 << 5,
	MODEL_FLUSH = 1 << 6
};

enum mutant_effect {
	MUTANT_NONE,
	MUTANT_SKIP,    /* it does not happen: a store, a fence */
	MUTANT_RELAXED, /* a seq_cst store becomes a plain one, which waits in the buffer */
	MUTANT_SPLIT,   /* a read-modify-write becomes a load and a plain store */
	MUTANT_KEEP,    /* of a swap's new value the bits in keep stay as they were */
	MUTANT_NO_ORDER /* it happens, but orders no plain data: memory_order_relaxed */
};

/** An error planted into each operation that matches. */
struct mutant {
	unsigned op;      /* model_op bits; 0: no operation */
	unsigned threads; /* bits; 0: all */
	const void *at;   /* address; NULL: any */
	enum mutant_effect effect;
	uint64_t keep;
	int flag; /* for the model itself: model_mutant() */
};

/** Ends with one of 0 bytes. */
struct model_part {
	void *at;
	size_t bytes;
};

struct model {
	const char *name;
	void (*setup)(void); /* puts state back to where it begins */
	void (*threads[MODEL_THREADS])(void);
	void (*check)(void); /* after everything that could run has run; may be NULL */
	void *state;         /* all that the threads share, and nothing else: here, ... */
	size_t state_bytes;
	const struct model_part *parts; /* ... and in parts of other objects, or NULL */
	unsigned may_block;             /* threads that may wait for ever: bits */
	unsigned preemptions; /* so often a thread that could go on is left; 0: no bound */
	bool tso;             /* plain stores wait in a buffer of each thread */
	bool no_races;        /* model_reads() and model_writes() are not looked at */
};

/* --- for tests --------------------------------------------------------------------- */

/** Explores all, prints the counts; the test fails, with the steps that led to it, when a
 * check fails or a thread is stuck. Both memory models. */
void model_must_hold(const struct model *model);

/** The same with an error planted, under the model's own memory model: the test fails when
 * nothing is found. */
void model_must_fail(const struct model *model, const struct mutant *mutant);

/* --- for threads of a model ------------------------------------------------------------ */

#define MODEL_CHECK(expr)                                      \
	do {                                                   \
		if (!(expr))                                   \
			model_fail(#expr, __FILE__, __LINE__); \
	} while (0)

/** The present run has failed. Returns only outside of threads. */
void model_fail(const char *what, const char *file, int line);

/** mutant.flag of the error that is planted; 0: none. */
int model_mutant(void);

/** Which thread this is: 0 .. MODEL_THREADS - 1. */
unsigned model_self(void);

/** For check(): does the thread still wait? */
bool model_blocked(unsigned thread);

/** A semaphore, as an eventfd is one: model_post() adds 1; model_await() waits until it is
 * not 0 and makes it 0. */
void model_post(_Atomic uint32_t *semaphore);
void model_await(_Atomic uint32_t *semaphore);

/** Plain data that the threads hand to each other, by any address that stands for it: fails
 * unless what was done to it before happens before this, by the orders that the code
 * asked for and not by luck. Not a step. */
void model_reads(const void *data);
void model_writes(const void *data);

/** Nothing to do before another thread has changed something: for loops that spin. */
void model_relax(void);

/** All that the thread knows from here on is @local: loops that come back to the same
 * state are recognised. */
void model_checkpoint(uint64_t local);

/* --- operations; for the shim ------------------------------------------------------------- */

uint64_t model_load(volatile void *at, unsigned size, int order, const char *text);
void model_store(volatile void *at, unsigned size, uint64_t value, int order, const char *text);
bool model_cas(volatile void *at, unsigned size, void *expected, uint64_t desired, int order,
	       int failed, const char *text);

enum model_math { MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND, MODEL_SET };
uint64_t model_rmw(volatile void *at, unsigned size, enum model_math math, uint64_t operand,
		   int order, const char *text);
void model_fence(int order);

#endif
