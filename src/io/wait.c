/* SPDX-License-Identifier: MIT
 *
 * wait.c - the slow half of wait.h, and the general loop.
 */
#include <limits.h>
#include <time.h>

#include <base/syscall.h>
#include <io/wait.h>
#include <weft/time.h>

/* Its kind is known. */

static noinline bool resolve_posix(struct fd_entry *entry, int fd, unsigned bit,
				   struct limit *limit)
{
	int64_t timeout_ns = 0;

	if (weft__fd_nonblocking(entry, fd))
		return false;
	if (fd_flags(entry) & FD_SOCKET)
		timeout_ns = weft__fd_timeout(entry, fd, bit);
	limit->deadline_ns = timeout_ns ? weft_in_ns(timeout_ns) : WEFT_FOREVER;
	return true;
}

bool weft__io_may_wait(struct fd_entry *entry, int fd, unsigned bit, struct limit *limit)
{
	if (limit->deadline_ns == IO_POSIX)
		return resolve_posix(entry, fd, bit, limit);
	return limit->deadline_ns != WEFT_NOWAIT;
}

int weft__io_park(struct fd_entry *entry, int fd, unsigned bit, uint32_t tick, struct limit *limit)
{
	int rc = weft__fd_learn(entry, fd);

	if (unlikely(rc < 0))
		return rc;
	if (unlikely(!weft__io_may_wait(entry, fd, bit, limit)))
		return -EAGAIN;
	return weft__fd_park(entry, fd, bit, tick, limit->deadline_ns);
}

int weft__io_timed_out(void)
{
	int rc = weft__park_refusal(thread_fresh()->task);

	return rc < 0 ? rc : -EAGAIN;
}

int weft__io_ready_now(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };
	struct timespec zero = { 0, 0 };
	long rc;

	/* A signal that comes just now ends even this one with EINTR. */
	do
		rc = weft__syscall(SYS_ppoll, &pollfd, 1, &zero, NULL, 0);
	while (rc == -EINTR);
	return (int)rc;
}

long weft__io_retry(int fd, unsigned bits, int64_t deadline_ns, long (*attempt)(void *arg),
		    void *arg)
{
	struct fd_entry *entry = weft__fd(fd);
	struct limit limit = limit_of(deadline_ns);
	long rc;

	if (unlikely(!entry))
		return fd_missing(fd);
	for (;;) {
		uint32_t tick = fd_tick(entry);

		if (worth_trying(entry, tick, bits, limit.deadline_ns)) {
			rc = attempt(arg);
			if (rc != -EAGAIN) {
				take_turn();
				return rc;
			}
			weft__fd_drained(entry, tick, bits);
		}
		rc = wait_ready(entry, fd, bits, tick, &limit);
		if (rc < 0)
			return rc;
	}
}

/* --- turns ----------------------------------------------------------------- */

enum {
	TURN_TRANSFERS = 128,
	WARM_LINES = 8 /* a parked receive: its frames, and the head of the buffer */
};

/*
 * With thousands of connections a task that is woken finds its stack and its
 * block in no cache: some 0.6 of an echoed message's 8 us. Our system calls leave
 * time to fetch them. So in each turn the frames of the task that comes next,
 * whose block is here already, and the block of the one after it.
 */
void weft__io_turn_began(struct worker *worker)
{
	const struct task *next = worker->queue.head;
	uintptr_t frames;

	worker->turn_began = worker->switches;
	worker->turn_left = TURN_TRANSFERS;
	if (!next)
		return;
	/* A number, not a pointer: main has no saved context before its first park. */
	frames = (uintptr_t)next->strand.ctx.sp;
	for (unsigned line = 0; line < WARM_LINES; line++)
		__builtin_prefetch((const void *)(frames + line * 64));
	if (next->next) {
		__builtin_prefetch(next->next);
		__builtin_prefetch((const char *)next->next + 64);
	}
}

void weft__io_turn_over(struct worker *worker)
{
	worker->turn_left = TURN_TRANSFERS;
	if (!weft__thread.task)
		return;
	worker_look_soon(worker); /* the poller, too: who else waits, waits for it */
	weft__yield_now(weft__thread.task);
}

/* --- vectors --------------------------------------------------------------- */

void weft__cursor_move(struct cursor *cursor, size_t bytes)
{
	bytes += cursor->skip;
	while (cursor->count && bytes >= cursor->vec->iov_len) {
		bytes -= cursor->vec->iov_len;
		cursor->vec++;
		cursor->count--;
	}
	cursor->skip = bytes;
}

size_t weft__cursor_window(const struct cursor *cursor, struct iovec window[CURSOR_WINDOW])
{
	size_t count = cursor->count < CURSOR_WINDOW ? cursor->count : CURSOR_WINDOW;

	for (size_t i = 0; i < count; i++)
		window[i] = cursor->vec[i];
	if (count) {
		window[0].iov_base = (char *)window[0].iov_base + cursor->skip;
		window[0].iov_len -= cursor->skip;
	}
	return count;
}

ssize_t weft__iov_bytes(const struct iovec *vec, size_t count)
{
	size_t sum = 0;

	if (count > IOV_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (__builtin_add_overflow(sum, vec[i].iov_len, &sum) || sum > SSIZE_MAX)
			return -EINVAL;
	return (ssize_t)sum;
}
