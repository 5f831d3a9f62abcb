/* SPDX-License-Identifier: MIT
 *
 * once.c - what is done by the first who comes, and awaited by all others.
 *
 *   0 --somebody--> his token --body returns >= 0--> DONE
 *   ^                  |
 *   +--------- fails, or ends inside it; the next one tries
 */
#include <errno.h>

#include <core/runtime.h>
#include <sync/word.h>
#include <weft/coroutine.h>
#include <weft/sync.h>

enum { ONCE_DONE = WORD_ONE };
enum { RESULT_TRY = 0, RESULT_DONE = 1 };

struct once {
	struct sync sync;
	struct waitq queue;
};

SYNC_FITS(struct once, weft_once_flag);

static struct task *once_holder(const struct waitable *object)
{
	uint64_t word = word_seen(object);

	return token_is_gone(word) ? NULL : token_party(word);
}

static const struct waitable_kind once_kind = { .noun = "once", .holder = once_holder };

static void finish(struct once *once, bool done)
{
	struct claimed claimed;
	struct task *next;

	claimed_init(&claimed);
	word_enter(&once->sync);
	if (done)
		weft__waitq_claim(&once->queue, &claimed);
	else if ((next = waitq_next(&once->queue)) != NULL)
		claimed_add(&claimed, next);
	word_leave(&once->sync, done ? ONCE_DONE : waitq_slow(&once->queue));
	weft__claimed_wake(&claimed, done ? RESULT_DONE : RESULT_TRY);
}

static void fail(void *arg)
{
	finish(arg, false);
}

/* The word is the caller's token. */
static int run(struct once *once, weft_fn *fn, void *arg)
{
	weft_cleanup cleanup;
	/* In a plain thread, or without memory, nobody tells when it ends in there. */
	bool pushed = weft_cleanup_push(&cleanup, fail, once) == 0;
	int rc = fn(arg);

	if (pushed)
		weft_cleanup_pop(&cleanup, 0);
	finish(once, rc >= 0);
	return rc < 0 ? rc : 0;
}

/* HELD, and left: somebody runs it. Return: RESULT_, or a negative errno. */
static noinline int wait_for_other(struct once *once, struct task *self, uint64_t word)
{
	struct sync_wait wait = {
		.self = self, .queue = &once->queue, .word = word, .deadline_ns = WEFT_FOREVER
	};
	int rc;

	if (token_is_mine(word, self)) {
		word_leave(&once->sync, word);
		return -EDEADLK;
	}
	weft__wait_cycle_check(self, token_party(word), once_kind.noun, &once->sync.waitable);
	rc = weft__sync_wait(&once->sync, &once_kind, &wait);
	if (rc < 0)
		word_leave(&once->sync, word_plain(&once->sync) | waitq_slow(&once->queue));
	return rc;
}

static noinline int once_slowly(struct once *once, weft_fn *fn, void *arg)
{
	int rc = RESULT_TRY;
	struct task *self = party_self(&rc);

	if (unlikely(!self))
		return rc;
	do {
		uint64_t word = word_enter(&once->sync);

		if (word == ONCE_DONE) {
			word_leave(&once->sync, word);
			return 0;
		}
		if (!token_party(word) || token_is_gone(word)) {
			word_leave(&once->sync, party_token(self) | (word & WORD_SLOW));
			return run(once, fn, arg);
		}
		rc = wait_for_other(once, self, word);
	} while (rc == RESULT_TRY);
	return rc == RESULT_DONE ? 0 : rc;
}

int weft_once(weft_once_flag *public, weft_fn *fn, void *arg)
{
	struct once *once = (struct once *)(void *)public;

	/* acquire pairs with the release at the end of the body's run */
	if (likely(atomic_load_explicit(&once->sync.word, memory_order_acquire) == ONCE_DONE))
		return 0;
	return once_slowly(once, fn, arg);
}
