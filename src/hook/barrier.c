/* SPDX-License-Identifier: MIT
 *
 * barrier.c - pthread_barrier_wait(): tasks and threads in one round.
 *
 * Z1 The barrier is libc's, and threads wait in libc. A task does what glibc does there, in the same
 *    words, and waits in the lot. The way is glibc's (nptl/pthread_barrier_wait.c of 2.23 on
 *    describes it): who comes takes a number; whose number ends a round moves over to there
 *    and wakes all; who has seen over reach his number counts himself out, and touches it no
 *    more. The last to go out of so many begins anew at 0.
 * Z2 Whoever comes back from libc tells the lot: he may have ended a round.
 * Z3 libc's pthread_barrier_destroy() waits until all have gone out, and they may be tasks of this
 *    thread. So a task lets others run until they have.
 *
 * Barriers shared by processes are libc's alone, and block the thread.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>

#include <base/syscall.h>
#include <hook/hook.h>
#include <sync/libc.h>
#include <sync/lot.h>
#include <weft/task.h>

const char weft__hook_link_barrier;

static struct libc_barrier *inside(pthread_barrier_t *barrier)
{
	return (struct libc_barrier *)(void *)barrier;
}

/* The numbers that are given before it begins anew: whole rounds. */
static uint32_t numbers(const struct libc_barrier *barrier)
{
	const uint32_t most = UINT_MAX / 2;

	return most - most % barrier->count;
}

static void wake_threads(_Atomic uint32_t *word)
{
	weft__syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

/* acq_rel: what all did before the round comes before what any does after it. */
static uint32_t take_number(struct libc_barrier *barrier)
{
	for (;;) {
		uint32_t number =
			atomic_fetch_add_explicit(&barrier->in, 1, memory_order_acq_rel) + 1;

		if (likely(number <= numbers(barrier)))
			return number;
		/* Who is late in going out is about to begin anew. */
		while (atomic_load_explicit(&barrier->in, memory_order_relaxed) > numbers(barrier))
			weft_task_yield();
	}
}

struct round {
	struct libc_barrier *barrier;
	uint32_t number;
};

/* acquire pairs with end_round() */
static bool is_over(void *arg)
{
	const struct round *round = arg;

	return atomic_load_explicit(&round->barrier->over, memory_order_acquire) >= round->number;
}

/* Ends all rounds that are complete by @number. seq_cst: P2 of lot.h. */
static void end_round(struct libc_barrier *barrier, uint32_t number)
{
	uint32_t over = atomic_load_explicit(&barrier->over, memory_order_relaxed);
	uint32_t end = number - number % barrier->count;

	while (over < end) {
		if (!atomic_compare_exchange_weak(&barrier->over, &over, end))
			continue;
		wake_threads(&barrier->over);
		full_fence();
		lot_tell(barrier, UINT_MAX);
		return;
	}
}

static void go_out(struct libc_barrier *barrier)
{
	uint32_t last = numbers(barrier);

	/* TSan hears of threads by this word alone (told.c). */
	if (WEFT_TSAN)
		(void)atomic_load_explicit(&barrier->in, memory_order_acquire);
	/* acq_rel: all have gone out before it begins anew, or is freed. */
	if (atomic_fetch_add_explicit(&barrier->out, 1, memory_order_acq_rel) + 1 != last)
		return;
	atomic_store_explicit(&barrier->over, 0, memory_order_relaxed);
	atomic_store_explicit(&barrier->out, 0, memory_order_relaxed);
	/* release pairs with take_number() */
	atomic_store_explicit(&barrier->in, 0, memory_order_release);
	wake_threads(&barrier->in);
}

static int wait_in_lot(struct task *self, struct libc_barrier *barrier)
{
	struct round round = { .barrier = barrier, .number = take_number(barrier) };
	struct lot_wait wait = { .address = barrier,
				 .kind = LOT_BARRIER,
				 .deadline_ns = WEFT_FOREVER,
				 .clock = CLOCK_MONOTONIC,
				 .bits = WAIT_SHIELD,
				 .try = is_over,
				 .arg = &round };
	bool serial = round.number % barrier->count == 0;

	end_round(barrier, round.number);
	if (!is_over(&round))
		while (weft__lot_wait(self, &wait) != LOT_DONE)
			;
	go_out(barrier);
	return serial ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

/* --- the names ---------------------------------------------------------------------------------- */

HOOK int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	struct task *self = hooked(HOOK_SYNC);
	int rc;

	if (unlikely(self != NULL) && !inside(barrier)->shared)
		return wait_in_lot(self, inside(barrier));
	rc = weft__real.pthread_barrier_wait(barrier);
	full_fence();
	lot_tell(barrier, UINT_MAX);
	return rc;
}

HOOK int pthread_barrier_destroy(pthread_barrier_t *public)
{
	struct libc_barrier *barrier = inside(public);
	uint32_t in;

	if (!hooked(HOOK_SYNC) || barrier->shared)
		return weft__real.pthread_barrier_destroy(public);
	/* acquire pairs with go_out() */
	in = atomic_load_explicit(&barrier->in, memory_order_acquire);
	if (in % barrier->count)
		return EBUSY; /* libc would wait for them */
	while (atomic_load_explicit(&barrier->out, memory_order_acquire) != in) {
		weft_task_yield();
		in = atomic_load_explicit(&barrier->in, memory_order_acquire);
	}
	return weft__real.pthread_barrier_destroy(public);
}
