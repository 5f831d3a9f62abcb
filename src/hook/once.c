/* SPDX-License-Identifier: MIT
 *
 * once.c - pthread_once() and call_once(): the initialiser may wait, and tasks that come by
 * meanwhile wait as well. As statics.c, but for who calls the other way round.
 *
 * There is no way to ask libc without waiting. So this is all of it, on a word as glibc has it (2.36,
 * nptl/pthread_once.c says what it means): code that reaches libc's own functions sees the same.
 *
 *   0 --first to come--> generation | PENDING --made--> DONE
 *   ^                           |
 *   +---------abandoned---------+
 *
 * In the child of a fork(2) the generation is another, and what was PENDING is made anew.
 */
#include <dlfcn.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <threads.h>

#include <base/syscall.h>
#include <hook/allocator.h>
#include <hook/hook.h>
#include <hook/once.h>
#include <sync/lot.h>

const char weft__hook_link_once;

enum { PENDING = 1, DONE = 2, GENERATION = 4 };

_Static_assert(sizeof(pthread_once_t) == sizeof(uint32_t) && sizeof(once_flag) == sizeof(uint32_t),
	       "a word");

static _Atomic uint32_t generation;

void weft__once_forked(void)
{
	atomic_fetch_add_explicit(&generation, GENERATION, memory_order_relaxed);
}

static uint32_t pending(void)
{
	return atomic_load_explicit(&generation, memory_order_relaxed) | PENDING;
}

struct attempt {
	_Atomic uint32_t *word;
	bool mine; /* it is the caller's to make */
};

/* acquire, and at failure too: what was made. */
static bool attempt(void *arg)
{
	struct attempt *attempt = arg;
	uint32_t seen = atomic_load_explicit(attempt->word, memory_order_acquire);

	attempt->mine = false;
	while (!(seen & DONE)) {
		if (seen == pending())
			return false;
		attempt->mine = atomic_compare_exchange_weak_explicit(
			attempt->word, &seen, pending(), memory_order_acq_rel,
			memory_order_acquire);
		if (attempt->mine)
			return true;
	}
	return true;
}

/* std::call_once() of libstdc++ hands its function over in two variables of the thread, just before it
 * comes here: to other tasks of the thread that do the same meanwhile they are one pair. */
struct handed {
	void *callable, *call;
};

static void **of_thread(const char *name)
{
	return dlsym(RTLD_DEFAULT, name); /* in this thread; NULL without libstdc++.so */
}

static void handed_keep(struct handed *handed)
{
	void **callable = of_thread("_ZSt15__once_callable"),
	     **call = of_thread("_ZSt11__once_call");

	if (callable && call)
		*handed = (struct handed){ *callable, *call };
}

static void handed_back(const struct handed *handed)
{
	void **callable = of_thread("_ZSt15__once_callable"),
	     **call = of_thread("_ZSt11__once_call");

	if (callable && call) {
		*callable = handed->callable;
		*call = handed->call;
	}
}

/* Shielded: there is no way to say that it has not been made. */
static void wait_parked(struct task *self, struct attempt *att)
{
	struct handed handed = { 0 };
	struct lot_wait wait = { .address = (void *)att->word,
				 .kind = LOT_ONCE,
				 .deadline_ns = WEFT_FOREVER,
				 .clock = CLOCK_MONOTONIC,
				 .bits = WAIT_SHIELD,
				 .try = attempt,
				 .arg = att };

	handed_keep(&handed);
	while (weft__lot_wait(self, &wait) != LOT_DONE)
		wait.vain++;
	handed_back(&handed);
}

static void wait_asleep(struct attempt *att)
{
	while (!attempt(att))
		weft__syscall(SYS_futex, att->word, FUTEX_WAIT_PRIVATE, pending(), NULL);
}

/* seq_cst: P2 of lot.h. */
static void settle(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	weft__syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
	full_fence();
	lot_tell((void *)word, UINT_MAX);
}

void weft__once_abandon(struct making *making)
{
	if (making->settled)
		return;
	making->settled = true;
	settle(making->word, 0);
}

/* As pthread_cleanup_push() in C: the end may be a pthread_exit(), a pthread_cancel() or a weft_exit(),
 * and the unwinder may know of no cleanup but those that are registered. Not that macro, for an
 * exception must unregister it. Not inlined: it may return twice. */
static noinline void make(struct making *making, void (*fn)(void))
{
	if (sigsetjmp((struct __jmp_buf_tag *)(void *)making->buf.__cancel_jmp_buf, 0)) {
		weft__once_abandon(making);
		__pthread_unwind_next(&making->buf);
	}
	weft__once_call(fn, making);
}

static noinline int once_slow(_Atomic uint32_t *word, void (*fn)(void), const void *caller)
{
	struct attempt att = { .word = word };
	struct making making = { .word = word };
	struct task *self;

	if (!attempt(&att)) {
		self = hooked(HOOK_SYNC);
		if (self && !weft__hook_in_allocator(caller))
			wait_parked(self, &att);
		else
			wait_asleep(&att);
	}
	if (att.mine) {
		make(&making, fn);
		settle(word, DONE);
	}
	return 0;
}

static always_inline int once_at(void *once, void (*fn)(void), const void *caller)
{
	_Atomic uint32_t *word = once;

	/* acquire pairs with settle() */
	if (likely(atomic_load_explicit(word, memory_order_acquire) & DONE))
		return 0;
	return once_slow(word, fn, caller);
}

HOOK int pthread_once(pthread_once_t *once, void (*fn)(void))
{
	return once_at(once, fn, __builtin_return_address(0));
}
HOOK_ALIAS(__pthread_once, pthread_once);

HOOK void call_once(once_flag *flag, void (*fn)(void))
{
	once_at(flag, fn, __builtin_return_address(0));
}
