/* SPDX-License-Identifier: MIT
 *
 * poll.h - the contract of a poller: what the kernel says about descriptors.
 *
 * One poller a worker; only its worker registers and waits, any thread wakes. When the
 * worker is stuck, another one may look on its behalf.
 * Registration is edge-triggered and for both directions at once. Each event
 * carries the generation it was registered with, so that an event of a
 * closed descriptor is recognised by its number's next owner.
 */
#ifndef WEFT_POLL_POLL_H
#define WEFT_POLL_POLL_H

#include <base/compiler.h>

enum poll_bits {
	POLL_READABLE = 1, /* EPOLLIN; and whatever makes a read return at once */
	POLL_WRITABLE = 2, /* EPOLLOUT; and whatever makes a write return at once */
	POLL_HANGUP = 4,   /* EPOLLRDHUP, EPOLLHUP, EPOLLERR: a transfer may fall short for it */
	POLL_URGENT = 8,   /* EPOLLPRI */
	POLL_ERROR = 16    /* EPOLLHUP, EPOLLERR: both directions are at an end */
};

struct epoll_event;

struct poller {
	int epoll_fd;
	int wake_fd;    /* eventfd; a write ends the wait */
	uint32_t id;    /* never 0, of no other poller of this process before or after */
	uint64_t polls; /* calls to wait, for weft_stats() */
	struct epoll_event *events; /* room for what one wait reports */
};

/** Called for each ready descriptor, on the polling thread. */
typedef void poll_ready_fn(int fd, uint32_t generation, unsigned bits);

/**
 * Called for a descriptor whose event is a few places further on in the batch:
 * to ask for its memory, which a server of thousands has not in its caches
 * @stage: 0, and some events later 1, which may look at what 0 asked for
 */
typedef void poll_soon_fn(int fd, unsigned stage);

/** NULL, or what the io layer wants to be told. */
extern _Atomic(poll_soon_fn *) weft__on_fd_soon;

/** @count ids for pollers, one after the other. Return: the first. */
uint32_t weft__poller_ids(uint32_t count);

/** Both descriptors are moved to high numbers (FD_SETSIZE stays free). @id: from
 * weft__poller_ids(), or 0. 0 or -errno. */
int weft__poller_init(struct poller *poller, uint32_t id);
void weft__poller_fini(struct poller *poller);

/** In the child of fork(2), which shares all epoll sets with its parent: closes those,
 * and gives @poller new ones and a new id. 0 or -errno. */
int weft__poller_reopen(struct poller *poller);

/** 0, -EPERM (not pollable: a regular file), -EBADF, -ENOSPC, -ENOMEM. EEXIST re-arms. */
int weft__poller_add(struct poller *poller, int fd, uint32_t generation);
/** Forgets it; also fine when it was never added or is closed. */
void weft__poller_remove(struct poller *poller, int fd);

/**
 * weft__poller_wait - report what is ready, or as much of it as one buffer holds
 * @timeout_ns: 0 looks only; < 0 waits without end
 *
 * Return: events delivered, 0 also for a timeout, a signal or a wake.
 */
int weft__poller_wait(struct poller *poller, int64_t timeout_ns, poll_ready_fn *ready);

/** Reports, without waiting, what @other's worker has not asked for; on @poller's
 * thread. @other must not end meanwhile. Return: events delivered. */
int weft__poller_wait_for(struct poller *poller, struct poller *other, poll_ready_fn *ready);

/** Ends the wait under way, or the next one. Any thread, async-signal-safe; saturation is fine. */
void weft__poller_wake(struct poller *poller);

/** True when @fd is one of the two of any poller of this process. Any thread. */
bool weft__poller_owns(int fd) WEFT_PRIVATE;

#endif
