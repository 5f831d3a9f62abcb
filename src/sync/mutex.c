/* SPDX-License-Identifier: MIT
 *
 * mutex.c - a lock that belongs to a task.
 *
 *   free --lock--> owned --unlock, nobody waits--> free
 *                    |
 *                    +--unlock, somebody waits--> free, with an heir --he comes--> owned
 *                    |                              |        ^
 *                    |                        another barges |
 *                    |                              v        | unlock
 *                    |                           owned ------+
 *                    +--unlock, barged too often--> owned by the heir
 *
 * The word is the owner's token, and SLOW while anybody waits, is on his way, or has locked it
 * more than once.
 *
 * M1 The heir is who waits longest: claimed and woken, or about to be. While there is one nobody
 *    else is woken. He is in no queue; when he comes too late he goes to its head.
 * M2 Free with SLOW set means that there is an heir. Who takes it then is counted.
 * M3 At the bound the mutex is never free: it is the heir's from the unlock on. If he is on his
 *    way he finds that out when he comes; he always does, for his wait has ended by being
 *    woken (Q3).
 */
#include <errno.h>

#include <base/clock.h>
#include <base/log.h>
#include <core/runtime.h>
#include <sync/mutex.h>

enum {
	RESULT_TRY = 0,  /* you are the heir */
	RESULT_GOT = 1,  /* it is yours */
	RESULT_DEAD = 2, /* it will be nobody's */
	DEPTH_MAX = UINT16_MAX - 1,
	LOOKS = 60,
	LOOK_EVERY = 64, /* barges, at the clock */
	FLAGS = WEFT_MUTEX_RECURSIVE | WEFT_MUTEX_SHIELDED
};

struct mutex {
	struct sync sync;
	struct waitq queue;
	struct task *heir;
	uint16_t flags; /* first in its word: WEFT_MUTEX_RECURSIVE_INIT */
	uint16_t depth; /* how often more than once */
	uint16_t barges;
	uint16_t since; /* when barges became WEFT_MUTEX_BARGES_FREE: millis() */
};

SYNC_FITS(struct mutex, weft_mutex);
_Static_assert(WEFT_MUTEX_BARGES <= UINT16_MAX, "they are counted in 16 bits");
_Static_assert(offsetof(struct mutex, flags) == 40 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the static initialisers say so");

static always_inline struct mutex *mutex_of(const weft_mutex *public)
{
	return (struct mutex *)(uintptr_t) public;
}

/* --- for those who look on ------------------------------------------------------------- */

static struct task *mutex_holder(const struct waitable *object)
{
	uint64_t word = word_seen(object);

	return token_is_gone(word) ? NULL : token_party(word);
}

static size_t mutex_describe(const struct waitable *object, char *buf, size_t size)
{
	if (!token_is_gone(word_seen(object)))
		return 0;
	return weft__format(buf, size, "held by a task that has ended");
}

static const struct waitable_kind mutex_kind = { .noun = "mutex",
						 .describe = mutex_describe,
						 .holder = mutex_holder };

/* --- unlock ------------------------------------------------------------------------------ */

/* HELD. What SLOW has to be. */
static uint64_t slow_bit(const struct mutex *mutex)
{
	return mutex->heir || mutex->depth ? WORD_SLOW : waitq_slow(&mutex->queue);
}

/* As coarse as the bound is, and fits its field. */
static uint16_t millis(void)
{
	return (uint16_t)((uint64_t)weft__now() / (WEFT_MUTEX_BARGES_NS / 2));
}

/* HELD. The heir has been passed quite often: has he been waiting for long, too? The clock is
 * looked at now and then. */
static noinline bool heir_is_late(struct mutex *mutex)
{
	if (mutex->barges == WEFT_MUTEX_BARGES_FREE)
		mutex->since = millis();
	return mutex->barges % LOOK_EVERY == 0 && (uint16_t)(millis() - mutex->since) > 2;
}

/* HELD. M3: shall the heir have it now? */
static bool is_due(struct mutex *mutex)
{
	if (likely(mutex->barges < WEFT_MUTEX_BARGES_FREE))
		return false;
	return mutex->barges >= WEFT_MUTEX_BARGES || heir_is_late(mutex);
}

/* HELD, and left: the mutex has no owner any more. */
static void pass_on(struct mutex *mutex)
{
	struct task *heir = mutex->heir, *woken = NULL;
	bool hand_over = is_due(mutex);

	if (!heir)
		heir = woken = waitq_next(&mutex->queue);
	if (!heir || hand_over)
		mutex->barges = 0;
	mutex->heir = hand_over ? NULL : heir;
	word_leave(&mutex->sync, (heir && hand_over ? party_token(heir) : 0) | slow_bit(mutex));
	if (woken)
		party_wake(woken, hand_over ? RESULT_GOT : RESULT_TRY);
}

static noinline int unlock_slow(struct mutex *mutex)
{
	const struct task *self = weft__thread.task ? weft__thread.task : weft__thread.guest;
	uint64_t word = word_enter(&mutex->sync);

	if (!self || !token_is_mine(word, self)) {
		word_leave(&mutex->sync, word);
		return -EPERM;
	}
	if (mutex->depth) {
		mutex->depth--;
		word_leave(&mutex->sync, (word & ~(uint64_t)WORD_SLOW) | slow_bit(mutex));
		return 0;
	}
	pass_on(mutex);
	return 0;
}

/* All but the one case: alone, and nobody waits. */
static coldpath int unlock_rare(struct mutex *mutex)
{
	const struct task *self = weft__thread.task;

	if (likely(self != NULL) && likely(cas64(&mutex->sync.word, party_token(self), 0)))
		return 0;
	return unlock_slow(mutex);
}

/* What this takes in a process of one thread is a handful of instructions, and above all few
 * jumps that are taken: hence the cold functions on the way out. */
int weft_mutex_unlock(weft_mutex *public)
{
	struct mutex *mutex = mutex_of(public);
	struct task *self = weft__thread.task;

	if (unlikely(!self || !weft__single_threaded()))
		return unlock_rare(mutex);
	if (unlikely(!cas64_alone(&mutex->sync.word, party_token(self), 0)))
		return unlock_rare(mutex);
	return 0;
}

/* --- lock --------------------------------------------------------------------------------- */

/* HELD, and left: the owner has ended. Those who wait are told so too. */
static coldpath int abandoned(struct mutex *mutex, uint64_t word)
{
	struct claimed claimed;

	claimed_init(&claimed);
	weft__waitq_claim(&mutex->queue, &claimed);
	word_leave(&mutex->sync, (word & ~(uint64_t)WORD_SLOW) | slow_bit(mutex));
	weft__claimed_wake(&claimed, RESULT_DEAD);
	return -EOWNERDEAD;
}

/* HELD, and left: the caller owns it already. */
static coldpath int lock_again(struct mutex *mutex, uint64_t word)
{
	int rc = 0;

	if (!(mutex->flags & WEFT_MUTEX_RECURSIVE)) {
		rc = -EDEADLK;
	} else if (mutex->depth == DEPTH_MAX) {
		rc = -EAGAIN;
	} else {
		mutex->depth++;
		word |= WORD_SLOW;
	}
	word_leave(&mutex->sync, word);
	return rc;
}

/* While its owner runs, on another CPU then, it may be free in no time, and to park and be woken
 * takes longer. So many looks are about as long as that. (An owner of our own worker does not
 * run; and who is passed meanwhile is counted as ever.) */
static void wait_awake(const struct mutex *mutex, const struct task *self)
{
	for (unsigned look = 0; look < LOOKS; look++) {
		const struct task *owner = token_party(word_held(&mutex->sync));

		if (!owner || owner == self || state_seen(owner) != TASK_RUNNING)
			return;
		cpu_relax();
	}
}

/* HELD, and left: the heir has come. False: it is another's again. */
static noinline bool inherit(struct mutex *mutex, struct task *self, uint64_t word)
{
	if (token_party(word) == self) {
		word_leave(&mutex->sync, word); /* M3 */
		return true;
	}
	mutex->heir = NULL;
	if (token_party(word))
		return false;
	mutex->barges = 0;
	word_leave(&mutex->sync, party_token(self) | slow_bit(mutex));
	return true;
}

/* HELD. */
static noinline void check_circle(struct mutex *mutex, const struct sync_wait *wait)
{
	weft__wait_cycle_check(wait->self, token_party(wait->word), mutex_kind.noun,
			       &mutex->sync.waitable);
}

/* HELD, and left: it is another's. */
static int lock_wait(struct mutex *mutex, const struct sync_wait *how)
{
	struct sync_wait wait = *how;
	int rc;

	for (;;) {
		if (unlikely(token_is_gone(wait.word)))
			return abandoned(mutex, wait.word);
		if (wait.deadline_ns == WEFT_FOREVER)
			check_circle(mutex, &wait);
		rc = weft__sync_wait(&mutex->sync, &mutex_kind, &wait);
		if (rc == RESULT_GOT)
			return 0;
		if (rc == RESULT_DEAD)
			return -EOWNERDEAD;
		if (rc < 0) {
			word_leave(&mutex->sync, word_plain(&mutex->sync) | slow_bit(mutex));
			return rc;
		}
		wait_awake(mutex, wait.self);
		wait.word = word_enter(&mutex->sync);
		if (inherit(mutex, wait.self, wait.word))
			return 0;
		wait.first = true;
	}
}

static noinline int lock_slow(struct mutex *mutex, int64_t deadline_ns, uint32_t bits)
{
	struct sync_wait wait = { .queue = &mutex->queue,
				  .deadline_ns = deadline_ns,
				  .bits = bits };
	int rc;

	wait.self = party_self(&rc);
	if (unlikely(!wait.self))
		return rc;
	if (deadline_ns != WEFT_NOWAIT)
		wait_awake(mutex, wait.self);
	wait.word = word_enter(&mutex->sync);
	if (!token_party(wait.word)) {
		if (wait.word & WORD_SLOW)
			mutex->barges++; /* M2 */
		word_leave(&mutex->sync, party_token(wait.self) | wait.word);
		return 0;
	}
	if (token_is_mine(wait.word, wait.self))
		return lock_again(mutex, wait.word);
	if (deadline_ns == WEFT_NOWAIT && !token_is_gone(wait.word)) {
		word_leave(&mutex->sync, wait.word);
		return -EAGAIN;
	}
	if (mutex->flags & WEFT_MUTEX_SHIELDED)
		wait.bits = WAIT_SHIELD;
	return lock_wait(mutex, &wait);
}

static coldpath int lock_rare(struct mutex *mutex, int64_t deadline_ns)
{
	const struct task *self = weft__thread.task;

	if (likely(self != NULL) && likely(cas64(&mutex->sync.word, 0, party_token(self))))
		return 0;
	return lock_slow(mutex, deadline_ns, 0);
}

int weft_mutex_lock(weft_mutex *public, int64_t deadline_ns)
{
	struct mutex *mutex = mutex_of(public);
	struct task *self = weft__thread.task;

	if (unlikely(!self || !weft__single_threaded()))
		return lock_rare(mutex, deadline_ns);
	if (unlikely(!cas64_alone(&mutex->sync.word, 0, party_token(self))))
		return lock_rare(mutex, deadline_ns);
	return 0;
}

/* --- init, fini ------------------------------------------------------------------------------ */

int weft_mutex_init(weft_mutex *public, unsigned flags)
{
	if (flags & ~(unsigned)FLAGS)
		return -EINVAL;
	*mutex_of(public) = (struct mutex){ .flags = (uint16_t)flags };
	return 0;
}

int weft_mutex_fini(weft_mutex *public)
{
	struct mutex *mutex = mutex_of(public);
	uint64_t word = word_enter(&mutex->sync);
	bool busy = token_party(word)
			    ? !token_is_gone(word) || mutex->heir || !waitq_idle(&mutex->queue)
			    : word & WORD_SLOW;

	word_leave(&mutex->sync, word);
	return busy ? -EBUSY : 0;
}

/* --- for condition variables ------------------------------------------------------------------- */

bool weft__mutex_is_mine(const weft_mutex *public, const struct task *self)
{
	return token_is_mine(word_held(&mutex_of(public)->sync), self);
}

int weft__mutex_drop(weft_mutex *public)
{
	struct mutex *mutex = mutex_of(public);
	int depth;

	word_enter(&mutex->sync);
	depth = mutex->depth;
	mutex->depth = 0;
	pass_on(mutex);
	return depth;
}

int weft__mutex_retake(weft_mutex *public, int depth)
{
	struct mutex *mutex = mutex_of(public);
	int rc = lock_slow(mutex, WEFT_FOREVER, WAIT_SHIELD);

	if (rc == 0 && depth) {
		uint64_t word = word_enter(&mutex->sync);

		mutex->depth = (uint16_t)depth;
		word_leave(&mutex->sync, word | WORD_SLOW);
	}
	return rc;
}
