/* SPDX-License-Identifier: MIT
 *
 * wait_word.c - the word on which a task waits: each wait has one winner, a late ticket
 * does nothing, a cancel is never lost, and a task that may move becomes ready when
 * both its registers are saved and its result is delivered: once.
 */
#include <core/wait_word.h>

#include "../test.h"
#include "model.h"

enum { BY_TIMER = 1, BY_EVENT, BY_CANCEL, BY_DEADLINE };
enum {
	MUTANT_EARLY = 1,
	MUTANT_NO_RENDEZVOUS,
	MUTANT_STALE,
	MUTANT_LATE_FLAG, /* a deadline says that it has passed after it has marked the word */
	MUTANT_NO_LOOK    /* a pop does not look for others that have passed */
};

static struct {
	_Atomic uint32_t wait;
	_Atomic uint32_t ready;  /* how often it was put into a queue: a worker waits for it */
	_Atomic uint32_t ticket; /* the epoch that the task has handed out, + 1; 0: none */
	int result;
	bool saved;     /* its registers are in memory */
	int wins[3];    /* of each wait */
	int outcome[3]; /* what each wait returned; -1: it did not begin */
	bool cancelled;
	_Atomic uint32_t outer_passed; /* D2 of core/deadline.h */
	_Atomic uint32_t inner;        /* its timer: enum timer_state */
} shared;

static void setup(void)
{
	memset(&shared, 0, sizeof shared);
}

static uint32_t epoch_of(uint32_t word)
{
	return word >> WAIT_EPOCH_SHIFT;
}

#define WAIT_MODEL(...)                                                        \
	{                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared, \
			     .state_bytes = sizeof shared, .tso = true         \
	}

/* --- a sticky task: the winner makes it ready at once (K1) --------------------------------- */

/* Whoever won wait @number. */
static void deliver(unsigned number, int result)
{
	model_writes(&shared.result);
	MODEL_CHECK(++shared.wins[number] == 1);
	shared.result = result;
	model_post(&shared.ready);
}

/* Two waits, one after the other; the ticket of each is there for others to find. */
static void sticky_task(void)
{
	for (unsigned number = 1; number <= 2; number++) {
		uint32_t word = wait_word_begin(&shared.wait, 0);

		if (!word) {
			shared.outcome[number] = -1;
			continue;
		}
		MODEL_CHECK(epoch_of(word) == number);
		atomic_store_explicit(&shared.ticket, epoch_of(word), memory_order_release);
		model_await(&shared.ready);
		model_reads(&shared.result);
		shared.outcome[number] = shared.result;
		model_checkpoint(number);
	}
}

/* It holds the ticket of the first wait, and may be as late as it likes. */
static void timer(void)
{
	uint32_t epoch = 1;

	if (model_mutant() == MUTANT_STALE)
		epoch = epoch_of(atomic_load_explicit(&shared.wait, memory_order_relaxed));
	if (wait_word_claim(&shared.wait, epoch))
		deliver(1, BY_TIMER);
}

/* It takes the ticket that it finds. */
static void event(void)
{
	uint32_t epoch = atomic_load_explicit(&shared.ticket, memory_order_acquire);

	if (epoch && wait_word_claim(&shared.wait, epoch))
		deliver(epoch, BY_EVENT);
}

static void cancel(void)
{
	if (wait_word_cancel(&shared.wait))
		deliver(epoch_of(atomic_load_explicit(&shared.wait, memory_order_relaxed)),
			BY_CANCEL);
	shared.cancelled = true;
}

/* A wait that went to sleep and was not woken is the only one that may be open. */
static void check(void)
{
	for (unsigned number = 1; number <= 2; number++)
		MODEL_CHECK(shared.wins[number] == (shared.outcome[number] > 0));
	if (shared.cancelled) {
		MODEL_CHECK(!model_blocked(0));
		MODEL_CHECK(shared.outcome[1] && shared.outcome[2]);
		MODEL_CHECK(atomic_load(&shared.wait) & WAIT_CANCELED);
	}
	if (model_blocked(0))
		MODEL_CHECK(atomic_load(&shared.wait) & WAIT_WAITING);
	else
		MODEL_CHECK(!(atomic_load(&shared.wait) & WAIT_WAITING));
}

static const struct model sticky =
	WAIT_MODEL(.name = "wait word, three parties",
		   .threads = { sticky_task, timer, event, cancel }, .may_block = 1);

TEST_LIMIT(wait_word, one_winner_of_three, 60)
{
	model_must_hold(&sticky);
}

TEST(wait_word, found_claim_stores_where_it_should_swap)
{
	model_must_fail(&sticky, &(struct mutant){ .op = MODEL_CAS,
						   .threads = 2,
						   .at = &shared.wait,
						   .effect = MUTANT_SPLIT });
}

TEST(wait_word, found_begin_stores_where_it_should_swap)
{
	model_must_fail(&sticky, &(struct mutant){ .op = MODEL_CAS,
						   .threads = 1,
						   .at = &shared.wait,
						   .effect = MUTANT_SPLIT });
}

TEST(wait_word, found_cancel_stores_where_it_should_or)
{
	model_must_fail(&sticky, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 8,
						   .at = &shared.wait,
						   .effect = MUTANT_SPLIT });
}

/* A ticket without a number: the late timer ends the second wait. */
TEST(wait_word, found_no_epochs)
{
	model_must_fail(&sticky, &(struct mutant){ .flag = MUTANT_STALE });
}

/* --- a shielded wait does not end by a cancel --------------------------------------------------- */

static void shielded_task(void)
{
	uint32_t word = wait_word_begin(&shared.wait, WAIT_SHIELD);

	MODEL_CHECK(word);
	model_await(&shared.ready);
	model_reads(&shared.result);
	shared.outcome[1] = shared.result;
	shared.outcome[2] = wait_word_begin(&shared.wait, 0) ? 0 : -1;
}

/* An offload: it ends the wait some day. */
static void offload(void)
{
	while (!wait_word_claim(&shared.wait, 1))
		model_relax();
	deliver(1, BY_EVENT);
}

static void check_shielded(void)
{
	MODEL_CHECK(shared.outcome[1] == BY_EVENT);
	MODEL_CHECK(atomic_load(&shared.wait) & WAIT_CANCELED);
}

static const struct model shielded = { .name = "wait word, shielded",
				       .threads = { shielded_task, offload, cancel },
				       .setup = setup,
				       .check = check_shielded,
				       .state = &shared,
				       .state_bytes = sizeof shared,
				       .tso = true };

TEST(wait_word, a_shielded_wait_outlives_a_cancel)
{
	model_must_hold(&shielded);
}

/* --- deadlines that a task has pushed (E5) ----------------------------------------------------- */

enum timer_state { ARMED, FIRING, FIRED, DISARMED };

static void expire(void)
{
	if (wait_word_expire(&shared.wait))
		deliver(epoch_of(atomic_load_explicit(&shared.wait, memory_order_relaxed)),
			BY_DEADLINE);
}

/* As the wheel's lock has it: it fires as a whole before it is disarmed, or not at all. */
static void inner_deadline(void)
{
	if (!cas32(&shared.inner, ARMED, FIRING))
		return;
	expire();
	atomic_store_explicit(&shared.inner, FIRED, memory_order_release);
}

static void outer_deadline(void)
{
	if (model_mutant() != MUTANT_LATE_FLAG)
		atomic_store_explicit(&shared.outer_passed, 1, memory_order_release);
	expire();
	if (model_mutant() == MUTANT_LATE_FLAG)
		atomic_store_explicit(&shared.outer_passed, 1, memory_order_release);
}

static void wait_under_deadline(unsigned number)
{
	if (!wait_word_begin(&shared.wait, 0)) {
		shared.outcome[number] = -1;
		return;
	}
	model_await(&shared.ready);
	model_reads(&shared.result);
	shared.outcome[number] = shared.result;
}

/* leave_list() and settle() of core/deadline.c. */
static void pop_inner(void)
{
	if (!cas32(&shared.inner, ARMED, DISARMED))
		while (atomic_load_explicit(&shared.inner, memory_order_acquire) != FIRED)
			model_relax();
	if (!(atomic_load_explicit(&shared.wait, memory_order_relaxed) & WAIT_EXPIRED))
		return;
	wait_word_unexpire(&shared.wait);
	if (model_mutant() != MUTANT_NO_LOOK &&
	    atomic_load_explicit(&shared.outer_passed, memory_order_acquire))
		MODEL_CHECK(!wait_word_expire(&shared.wait));
}

/* A wait under both, a pop, a wait under what is left. */
static void bounded_task(void)
{
	wait_under_deadline(1);
	pop_inner();
	wait_under_deadline(2);
}

/* The inner one may be disarmed in time: then outer or cancel end what is open. */
static void check_bounded(void)
{
	uint32_t word = atomic_load(&shared.wait);

	MODEL_CHECK(!model_blocked(0));
	MODEL_CHECK(shared.outcome[1] && shared.outcome[2]);
	/* By epoch, and one that is refused has none. */
	MODEL_CHECK(shared.wins[1] + shared.wins[2] ==
		    (shared.outcome[1] > 0) + (shared.outcome[2] > 0));
	MODEL_CHECK(!(word & WAIT_WAITING));
	MODEL_CHECK(word & WAIT_EXPIRED);
	MODEL_CHECK(!shared.cancelled || (word & WAIT_CANCELED));
}

static const struct model bounded = { .name = "wait word, two deadlines and a cancel",
				      .threads = { bounded_task, inner_deadline, outer_deadline,
						   cancel },
				      .setup = setup,
				      .check = check_bounded,
				      .state = &shared,
				      .state_bytes = sizeof shared,
				      .tso = true };

TEST_LIMIT(wait_word, a_pop_takes_back_its_own_deadline_alone, 60)
{
	model_must_hold(&bounded);
}

TEST(wait_word, found_pop_stores_where_it_should_and)
{
	model_must_fail(&bounded, &(struct mutant){ .op = MODEL_RMW,
						    .threads = 1,
						    .at = &shared.wait,
						    .effect = MUTANT_SPLIT });
}

TEST(wait_word, found_deadline_passed_after_the_mark)
{
	model_must_fail(&bounded, &(struct mutant){ .flag = MUTANT_LATE_FLAG });
}

TEST(wait_word, found_pop_does_not_look_at_the_others)
{
	model_must_fail(&bounded, &(struct mutant){ .flag = MUTANT_NO_LOOK });
}

/* With no other around it, and no cancel: waits work again, whenever it came. */
static void check_alone(void)
{
	MODEL_CHECK(model_blocked(0));
	MODEL_CHECK(shared.outcome[1] == BY_DEADLINE || shared.outcome[1] == -1);
	MODEL_CHECK(!shared.outcome[2]);
	MODEL_CHECK(atomic_load(&shared.wait) == (2u << WAIT_EPOCH_SHIFT | WAIT_WAITING) ||
		    shared.outcome[1] == -1);
	MODEL_CHECK(!(atomic_load(&shared.wait) & WAIT_EXPIRED));
}

static const struct model alone = { .name = "wait word, one deadline",
				    .threads = { bounded_task, inner_deadline },
				    .setup = setup,
				    .check = check_alone,
				    .state = &shared,
				    .state_bytes = sizeof shared,
				    .may_block = 1,
				    .tso = true };

TEST(wait_word, waits_work_again_after_the_pop)
{
	model_must_hold(&alone);
}

/* --- a task that may move: SAVED and DELIVERED (E4) ------------------------------------------------ */

static void make_ready(void)
{
	model_post(&shared.ready);
}

/* The CPU of the task: it opens a wait, is switched away from, and what follows on that
 * CPU says so. Registers are written by the switch. */
static void mover(void)
{
	uint32_t word = wait_word_begin(&shared.wait, 0);

	atomic_store_explicit(&shared.ticket, epoch_of(word), memory_order_release);
	if (model_mutant() == MUTANT_NO_RENDEZVOUS)
		wait_word_saved(&shared.wait); /* before they are */
	model_writes(&shared.saved);
	shared.saved = true;
	if (model_mutant() != MUTANT_NO_RENDEZVOUS && wait_word_saved(&shared.wait))
		make_ready();
}

static void deliver_to_mover(int result)
{
	bool second = false;

	if (model_mutant() == MUTANT_EARLY)
		second = wait_word_delivered(&shared.wait);
	model_writes(&shared.result);
	shared.result = result;
	MODEL_CHECK(++shared.wins[1] == 1);
	if (model_mutant() != MUTANT_EARLY)
		second = wait_word_delivered(&shared.wait);
	if (second)
		make_ready();
}

/* The timer ends the wait in any case. */
static void timer_of_mover(void)
{
	while (!atomic_load_explicit(&shared.ticket, memory_order_acquire))
		model_relax();
	if (wait_word_claim(&shared.wait, 1))
		deliver_to_mover(BY_TIMER);
}

static void event_of_mover(void)
{
	if (wait_word_claim(&shared.wait, 1))
		deliver_to_mover(BY_EVENT);
}

/* Another worker picks it up, runs it, and it waits again: its bits are those of the new
 * wait, and nobody is left of the last. */
static void other_worker(void)
{
	model_await(&shared.ready);
	model_reads(&shared.saved);
	model_reads(&shared.result);
	MODEL_CHECK(shared.saved && shared.result);
	model_writes(&shared.saved);
	shared.saved = false;
	model_writes(&shared.result);
	shared.result = 0;
	MODEL_CHECK(wait_word_begin(&shared.wait, 0));
}

static void check_mover(void)
{
	uint32_t word = atomic_load(&shared.wait);

	MODEL_CHECK(shared.wins[1] == 1);
	MODEL_CHECK(!atomic_load(&shared.ready));
	MODEL_CHECK(epoch_of(word) == 2);
	MODEL_CHECK((word & WAIT_WAITING) && !(word & (WAIT_SAVED | WAIT_DELIVERED)));
}

static const struct model moving = { .name = "wait word, saved, delivered",
				     .threads = { mover, timer_of_mover, event_of_mover,
						  other_worker },
				     .setup = setup,
				     .check = check_mover,
				     .state = &shared,
				     .state_bytes = sizeof shared,
				     .tso = true };

TEST(wait_word, the_second_of_two_makes_it_ready)
{
	model_must_hold(&moving);
}

TEST(wait_word, found_delivered_before_the_result)
{
	model_must_fail(&moving, &(struct mutant){ .flag = MUTANT_EARLY });
}

TEST(wait_word, found_saved_before_the_registers)
{
	model_must_fail(&moving, &(struct mutant){ .flag = MUTANT_NO_RENDEZVOUS });
}

TEST(wait_word, found_saved_is_not_one_step)
{
	model_must_fail(&moving, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 1,
						   .at = &shared.wait,
						   .effect = MUTANT_SPLIT });
}

TEST(wait_word, found_delivered_is_not_one_step)
{
	model_must_fail(&moving, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 2 | 4,
						   .at = &shared.wait,
						   .effect = MUTANT_SPLIT });
}

TEST(wait_word, found_saved_without_order)
{
	model_must_fail(&moving, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 1,
						   .at = &shared.wait,
						   .effect = MUTANT_NO_ORDER });
}

TEST(wait_word, found_delivered_without_order)
{
	model_must_fail(&moving, &(struct mutant){ .op = MODEL_RMW,
						   .threads = 2 | 4,
						   .at = &shared.wait,
						   .effect = MUTANT_NO_ORDER });
}

/* A wait begins with what the last one left. */
TEST(wait_word, found_bits_of_the_last_wait_kept)
{
	model_must_fail(&moving, &(struct mutant){ .op = MODEL_CAS,
						   .threads = 8,
						   .at = &shared.wait,
						   .effect = MUTANT_KEEP,
						   .keep = WAIT_SAVED | WAIT_DELIVERED });
}
