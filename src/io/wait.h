/* SPDX-License-Identifier: MIT
 *
 * wait.h - what the loops of blocking calls have in common.
 *
 *	struct limit limit = limit_of(deadline_ns);
 *
 *	for (;;) {
 *		uint32_t tick = fd_tick(entry);
 *
 *		if (worth_trying(entry, tick, POLL_READABLE, limit.deadline_ns)) {
 *			rc = one system call that does not block;
 *			if (rc != -EAGAIN)
 *				return rc;
 *			weft__fd_drained(entry, tick, POLL_READABLE);
 *		}
 *		rc = wait_ready(entry, fd, POLL_READABLE, tick, &limit);
 *		if (rc < 0)
 *			return rc;
 *	}
 */
#ifndef WEFT_IO_WAIT_H
#define WEFT_IO_WAIT_H

#include <core/worker.h>
#include <io/blocking.h>

/** How long a call may wait. IO_POSIX is resolved when it is about to. */
struct limit {
	int64_t deadline_ns;
	bool posix;
};

/* As one number, for frames that shall be small: a resolved IO_POSIX is the deadline's
 * negative. */
static inline int64_t limit_code(const struct limit *limit)
{
	return limit->posix && limit->deadline_ns > 0 ? -limit->deadline_ns : limit->deadline_ns;
}

static inline struct limit limit_of(int64_t code)
{
	return (struct limit){ code < IO_POSIX ? -code : code, code < 0 };
}

/** False when the answer is known to be EAGAIN, and waiting is what comes next.
 * Who must not wait asks the kernel always: an event may not be here yet. */
static always_inline bool worth_trying(const struct fd_entry *entry, uint32_t tick, unsigned bit,
				       int64_t deadline_ns)
{
	if (likely(tick & bit))
		return true;
	if (unlikely(!(fd_flags(entry) & FD_INIT)))
		return true;
	if (deadline_ns == IO_POSIX)
		return !fd_known_blocking(entry);
	return deadline_ns == WEFT_NOWAIT;
}

/** Waits for the next attempt, as weft__fd_park() (which is its last act, so
 * that it leaves no frame on a parked stack); -EAGAIN when it must not wait. */
int weft__io_park(struct fd_entry *entry, int fd, unsigned bit, uint32_t tick, struct limit *limit);

/** What a socket's own timeout (IO_POSIX) comes to when its wait has returned -ETIMEDOUT: -EAGAIN;
 * but a deadline that the task has pushed stays one. */
int weft__io_timed_out(void) __attribute__((cold));

/**
 * wait_ready - wait for the next attempt
 *
 * Return: 0: try again; -EAGAIN: WEFT_NOWAIT, the user's O_NONBLOCK or the
 * socket's timeout (IO_POSIX); -ETIMEDOUT (a real deadline), or as
 * weft__fd_park().
 */
static always_inline int wait_ready(struct fd_entry *entry, int fd, unsigned bit, uint32_t tick,
				    struct limit *limit)
{
	int rc = weft__io_park(entry, fd, bit, tick, limit);

	return unlikely(rc == -ETIMEDOUT && limit->posix) ? weft__io_timed_out() : rc;
}

/** Fills in what IO_POSIX means for this descriptor. False: must not wait. */
bool weft__io_may_wait(struct fd_entry *entry, int fd, unsigned bit, struct limit *limit);

/** poll(2) of one descriptor, without waiting: 1, 0, or -errno. */
int weft__io_ready_now(int fd, short events);

/**
 * Some calls can be kept from waiting only by asking before. Between the two
 * the entry's busy word keeps other threads of this process out: false when
 * one is in there; it will raise an event when it leaves.
 */
static inline bool busy_enter(struct fd_entry *entry)
{
	if (likely(cas32(&entry->busy, 0, 1)))
		return true;
	if (cas32(&entry->busy, 1, 2))
		return false;
	return cas32(&entry->busy, 0, 1);
}

static inline void busy_leave(struct fd_entry *entry)
{
	if (unlikely(!cas32(&entry->busy, 1, 0))) {
		atomic_store_explicit(&entry->busy, 0, memory_order_release);
		weft__fd_nudge(entry);
	}
}

/** The running task's first transfer since it got its turn. */
void weft__io_turn_began(struct worker *worker);
/** Its last: lets others run first. */
void weft__io_turn_over(struct worker *worker);

/**
 * take_turn - count a transfer
 *
 * After TURN_TRANSFERS without a wait others get their turn: a task whose
 * descriptors are always ready would keep the thread otherwise.
 */
static always_inline void take_turn(void)
{
	struct worker *worker = thread_fresh()->worker;

	if (unlikely(!worker))
		return;
	if (worker->turn_began != worker->switches)
		weft__io_turn_began(worker);
	else if (unlikely(worker->turn_left-- <= 1))
		weft__io_turn_over(worker);
}

/** A position in a vector of buffers, and a window on what is left. */
struct cursor {
	const struct iovec *vec;
	size_t count, skip; /* buffers left; bytes used up of the first */
};

enum { CURSOR_WINDOW = 8 };

/** Moves on by @bytes. */
void weft__cursor_move(struct cursor *cursor, size_t bytes);

/** Fills @window with the next buffers. Return: how many. */
size_t weft__cursor_window(const struct cursor *cursor, struct iovec window[CURSOR_WINDOW]);

/** Bytes in all of @vec, or -EINVAL when that overflows or @count is out of bounds. */
ssize_t weft__iov_bytes(const struct iovec *vec, size_t count);

#endif
