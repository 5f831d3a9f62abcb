/* SPDX-License-Identifier: MIT
 *
 * mutex.c - sync/mutex.c and word.c as they are: three parties take a mutex in turn, while the
 * wait of one of them is cancelled or ends by its deadline. Nobody is in it beside another,
 * nobody waits for ever, and in the end it is free. Built with the bound on barging as it is,
 * which is never reached here, and with 1, so that it is handed over.
 */
#include "turns.h"

#include <base/syscall.h>
#include <weft/sync.h>

#ifdef BARGES
#undef WEFT_MUTEX_BARGES
#undef WEFT_MUTEX_BARGES_FREE
#define WEFT_MUTEX_BARGES      BARGES
#define WEFT_MUTEX_BARGES_FREE BARGES
#endif

#undef weft__syscall
#define weft__syscall(...) model_relax()
#define cpu_relax()        model_relax()

#include <base/clock.h>
#define weft__now() ((int64_t)0)

#define LOOKS LOOKS_OF_WORD /* each has its own */
#include <sync/word.c>
#undef LOOKS
#include <sync/mutex.c>

enum mutants { NO_CLAIM = 1, FORGETS_WAITERS };

static struct {
	weft_mutex mutex;
} shared;

static const struct model_part parts[] = { PARTIES_PART, TURNS_PART, { NULL, 0 } };

static _Atomic uint64_t *word(void)
{
	return &mutex_of(&shared.mutex)->sync.word;
}

static void setup(void)
{
	memset(&shared, 0, sizeof(shared));
	turns_setup();
}

/* Of guests no circle is looked for. */
void weft__wait_cycle_find(const struct task *self, const struct task *task, const char *noun,
			   const struct waitable *object)
{
	(void)self, (void)task, (void)noun, (void)object;
	parties_never();
}

/* --- threads ----------------------------------------------------------------------------------- */

static int turns_lock(void)
{
	return weft_mutex_lock(&shared.mutex, WEFT_FOREVER);
}

static void turns_unlock(void)
{
	if (model_mutant() == FORGETS_WAITERS)
		atomic_store(word(), 0);
	else
		MODEL_CHECK(weft_mutex_unlock(&shared.mutex) == 0);
}

static void cancel_waiter(void)
{
	struct task *task = &parties.tasks[WAITER];

	if (model_mutant() != NO_CLAIM)
		party_cancel(WAITER);
	else if (atomic_load(&task->wait) & WAIT_WAITING)
		party_wake(task, -ECANCELED);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void check(void)
{
	struct mutex *mutex = mutex_of(&shared.mutex);

	MODEL_CHECK(turns.taken == turns_check());
	MODEL_CHECK(atomic_load(word()) == 0);
	MODEL_CHECK(!mutex->heir && waitq_idle(&mutex->queue));
}

#define MUTEX_MODEL(...)                                                       \
	{                                                                      \
		__VA_ARGS__, .setup = setup, .check = check, .state = &shared, \
			     .state_bytes = sizeof(shared), .parts = parts,    \
			     .preemptions = PREEMPTIONS, .tso = true           \
	}

static const struct model canceled =
	MUTEX_MODEL(.name = "mutex, waiter cancelled",
		    .threads = { holder, waiter, other, cancel_waiter });
static const struct model late = MUTEX_MODEL(.name = "mutex, waiter's deadline",
					     .threads = { holder, waiter, other, expire_waiter });

TEST_LIMIT(mutex, handed_on_while_a_waiter_is_cancelled, 60)
{
	model_must_hold(&canceled);
}

TEST_LIMIT(mutex, handed_on_while_a_deadline_passes, 60)
{
	model_must_hold(&late);
}

/* --- planted errors -------------------------------------------------------------------------------- */

TEST(mutex, found_taken_by_two)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << HOLDER,
						     .at = word(),
						     .effect = MUTANT_SPLIT });
}

TEST(mutex, found_given_back_without_order)
{
	model_must_fail(
		&canceled,
		&(struct mutant){ .op = MODEL_CAS, .at = word(), .effect = MUTANT_NO_ORDER });
}

TEST(mutex, found_left_without_order)
{
	model_must_fail(
		&canceled,
		&(struct mutant){ .op = MODEL_STORE, .at = word(), .effect = MUTANT_NO_ORDER });
}

TEST(mutex, found_waiters_forgotten)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = FORGETS_WAITERS });
}

TEST(mutex, found_cancel_without_a_claim)
{
	model_must_fail(&canceled, &(struct mutant){ .flag = NO_CLAIM });
}

TEST(mutex, found_waiter_claimed_by_two)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_CAS,
						     .threads = 1 << ENDER,
						     .at = &parties.tasks[WAITER].wait,
						     .effect = MUTANT_SPLIT });
}

TEST(mutex, found_heir_not_woken)
{
	model_must_fail(&canceled, &(struct mutant){ .op = MODEL_RMW,
						     .at = &parties.ready[WAITER],
						     .effect = MUTANT_SKIP });
}
