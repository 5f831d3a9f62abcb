/* SPDX-License-Identifier: MIT
 *
 * guest.c - see guest.h.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <time.h>

#include <base/only_once.h>
#include <base/syscall.h>
#include <core/guest.h>
#include <core/wake.h>
#include <stack/slab.h>

/* Bit 62 tells the ids of guests from those of tasks; below it the thread's number, and a
 * number that makes each id another one, also in the same block. */
#define GUEST_ID (UINT64_C(1) << 62)

enum {
	SLEEPS = 0,
	WOKEN = 1,
	LOOKS = 60 /* before it sleeps: the time that a partner on another CPU may need */
};

static pthread_key_t key;
static struct only_once once;
static int key_error;

/* --- the block -------------------------------------------------------------------- */

static void guest_end(void *arg)
{
	struct task *guest = arg;

	weft__thread.guest = NULL;
	/* From here on no ticket and no onlooker finds it. */
	atomic_store_explicit(&guest->id, 0, memory_order_relaxed);
	weft__block_give(guest);
}

static void make_key(void)
{
	key_error = pthread_key_create(&key, guest_end);
}

static void guest_init(struct task *guest)
{
	static _Atomic uint32_t next;
	uint64_t tid = (uint64_t)weft__syscall(SYS_gettid, 0);
	uint32_t number = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
	uint64_t id = GUEST_ID | tid << 32 | number;

	guest->flags = TASK_GUEST;
	task_set_state(guest, TASK_RUNNING);
	task_set_origin(guest, NULL, OWNER_GUEST);
	atomic_store_explicit(&guest->wait, first_wait(id), memory_order_relaxed);
	atomic_store_explicit(&guest->joiner, JOINER_DETACHED, memory_order_relaxed);
	atomic_store_explicit(&guest->id, id, memory_order_relaxed);
}

coldpath struct task *weft__guest_self(int *ret_error)
{
	struct task *guest = weft__thread.guest;

	if (likely(guest != NULL))
		return guest;
	only_once(&once, make_key);
	*ret_error = -ENOMEM;
	if (key_error)
		return NULL;
	guest = weft__block_take();
	if (!guest)
		return NULL;
	if (pthread_setspecific(key, guest) != 0) {
		weft__block_give(guest);
		return NULL;
	}
	guest_init(guest);
	weft__thread.guest = guest;
	return guest;
}

/* --- waiting ------------------------------------------------------------------------ */

/* acquire pairs with the release in weft__guest_ready(): the result, and whatever was
 * delivered. */
static bool is_woken(struct task *guest)
{
	return atomic_load_explicit(&guest->refs, memory_order_acquire) == WOKEN;
}

static bool woken_soon(struct task *guest)
{
	for (unsigned look = 0; look < LOOKS; look++) {
		if (is_woken(guest))
			return true;
		cpu_relax();
	}
	return false;
}

/* 0, -EAGAIN, -EINTR, or -ETIMEDOUT. */
static int sleep_once(struct task *guest, int64_t deadline_ns)
{
	int64_t when_ns = deadline_ns < 0 ? 0 : deadline_ns;
	struct timespec until = { .tv_sec = (time_t)(when_ns / 1000000000),
				  .tv_nsec = (long)(when_ns % 1000000000) };

	return (int)weft__syscall(SYS_futex, &guest->refs, FUTEX_WAIT_BITSET_PRIVATE, SLEEPS,
				  deadline_ns == WEFT_FOREVER ? NULL : &until, NULL,
				  FUTEX_BITSET_MATCH_ANY);
}

int weft__guest_park(struct task *guest, int64_t deadline_ns)
{
	uint64_t ticket =
		ticket_of(guest, atomic_load_explicit(&guest->wait, memory_order_relaxed));
	int rc;

	task_set_state(guest, WAIT_OBJECT);
	if (!woken_soon(guest)) {
		while (!is_woken(guest)) {
			if (sleep_once(guest, deadline_ns) != -ETIMEDOUT)
				continue;
			if (wait_claim(guest, ticket)) {
				task_set_state(guest, TASK_RUNNING);
				return -ETIMEDOUT;
			}
			deadline_ns = WEFT_FOREVER; /* somebody has: it is on its way */
		}
	}
	rc = guest->result;
	task_set_state(guest, TASK_RUNNING);
	/* relaxed: nobody writes it before the next wait is open */
	atomic_store_explicit(&guest->refs, SLEEPS, memory_order_relaxed);
	return rc;
}

void weft__guest_ready(struct task *guest)
{
	atomic_store_explicit(&guest->refs, WOKEN, memory_order_release);
	weft__syscall(SYS_futex, &guest->refs, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
