/* SPDX-License-Identifier: MIT
 *
 * post.c - see post.h.
 */
#include <linux/futex.h>

#include <base/helper.h>
#include <base/lock.h>
#include <base/syscall.h>
#include <core/inbox.h>
#include <core/runtime.h>
#include <sync/post.h>

enum { STACK_BYTES = 256 << 10, BUCKETS = 1 << LOT_BITS, WORDS = (BUCKETS + 31) / 32 };

static struct {
	_Atomic uint32_t news; /* a futex: how often there has been something to do */
	_Atomic uint32_t marks[WORDS];
	_Atomic(struct task *) claimed; /* as an inbox: they have no worker */
	struct lock opening;
	_Atomic uint32_t is_open;
} office;

/* --- anybody ---------------------------------------------------------------------------------- */

/* release pairs with the acquire in work(): what was done before. */
static void ring(void)
{
	atomic_fetch_add_explicit(&office.news, 1, memory_order_release);
	weft__syscall(SYS_futex, &office.news, FUTEX_WAKE_PRIVATE, 1);
}

/* seq_cst: the object was made free before (P2). */
static void mark(const struct lot_bucket *bucket)
{
	unsigned index = (unsigned)(bucket - weft__lot);

	atomic_fetch_or(&office.marks[index / 32], 1u << index % 32);
	ring();
}

/* J2. He is claimed, and has his result. */
static void deliver(struct task *task)
{
	unsigned index = task_worker(task);

	if (index == OWNER_NONE) {
		inbox_push(&office.claimed, task);
		ring();
	} else {
		weft__inbox_push(weft__worker(index), task);
	}
}

void weft__lot_post(const void *address)
{
	struct task *task;

	if (!weft__lot_take_now(address, &task)) {
		mark(lot_bucket(address));
	} else if (task) {
		task->result = LOT_WOKEN;
		deliver(task);
	}
}

/* --- the office -------------------------------------------------------------------------------- */

static void look_at_marked(unsigned word)
{
	/* acquire pairs with mark() */
	uint32_t bits = atomic_exchange_explicit(&office.marks[word], 0, memory_order_acquire);

	while (bits) {
		weft__lot_wake_posted(&weft__lot[word * 32 + (unsigned)__builtin_ctz(bits)]);
		bits &= bits - 1;
	}
}

static void work(void)
{
	struct task *task = inbox_take(&office.claimed);

	while (task) {
		struct task *next = task->next;

		party_wake(task, LOT_WOKEN);
		task = next;
	}
	for (unsigned i = 0; i < WORDS; i++)
		look_at_marked(i);
}

static void *office_main(void *unused)
{
	(void)unused;
	for (;;) {
		/* acquire pairs with ring() */
		uint32_t seen = atomic_load_explicit(&office.news, memory_order_acquire);

		work();
		weft__syscall(SYS_futex, &office.news, FUTEX_WAIT_PRIVATE, seen, NULL);
	}
	return NULL;
}

static noinline int open_office(void)
{
	int rc = 0;

	lock_take(&office.opening);
	if (!atomic_load_explicit(&office.is_open, memory_order_relaxed)) {
		rc = weft__helper_start(office_main, STACK_BYTES);
		if (rc == 0)
			atomic_store_explicit(&office.is_open, 1, memory_order_relaxed);
	}
	lock_drop(&office.opening);
	return rc;
}

int weft__post_office_open(void)
{
	/* relaxed: it is asked for nothing but that it is there */
	if (likely(atomic_load_explicit(&office.is_open, memory_order_relaxed)))
		return 0;
	return open_office();
}

/* Whom it had to wake are not here, and its thread is not. */
void weft__post_office_forked(void)
{
	for (unsigned i = 0; i < WORDS; i++)
		atomic_store_explicit(&office.marks[i], 0, memory_order_relaxed);
	atomic_store_explicit(&office.claimed, NULL, memory_order_relaxed);
	atomic_store_explicit(&office.is_open, 0, memory_order_relaxed);
	office.opening = (struct lock){ LOCK_FREE };
}
