/* SPDX-License-Identifier: MIT
 *
 * fd.h - what weft knows of each descriptor number: generation, readiness,
 * who waits. The layer under weft_wait_fd(), io.h and the hooks.
 *
 * Readiness is sticky (D9): a bit is set by an edge from the poller, and taken
 * away only by someone who saw the kernel say "would block" (or a stream
 * transfer that fell short) *and* finds the tick unchanged since before his
 * call. A fresh number starts with both bits set: trying is how we learn.
 *
 *   ready:  | 31 .. 8 tick, +1 an event | 7 .. 0 enum poll_bits |
 *
 * F1 waiters, generation and poller change under the entry's lock.
 * F2 An event acts only if its generation is the entry's.
 * F3 Before close(2) runs, the generation has moved on and every waiter has
 *    been woken with -EBADF; so no waiter survives into the number's next life.
 * F4 The user's file status flags are never written (D12).
 * F5 A task parks on a number only when its own worker's poller was the last
 *    to arm it in this generation. Arming reports what is ready at that moment,
 *    so nothing that came before is lost, and another worker that does not look
 *    at its poller cannot delay this one. For a movable task any poller of its runtime
 *    will do: there others look when its worker does not (H3 of core/lookout.c).
 * F6 An event wakes every waiter of its directions, oldest first. The first to
 *    run takes what there is, and clears the bit if that was all; the others
 *    find it cleared and park again without a system call. Waking all is what
 *    makes a lost hand-over impossible when the first one gives up, is
 *    cancelled, or takes only a part.
 */
#ifndef WEFT_IO_FD_H
#define WEFT_IO_FD_H

#include <errno.h>

#include <core/park.h>
#include <poll/poll.h>
#include <weft/io.h>

struct fd_entry {
	struct spinlock lock;
	_Atomic uint32_t ready;
	_Atomic uint32_t flags; /* enum fd_flags */
	uint32_t generation;
	uint32_t poller;         /* id of the one that armed it last; 0: none in this generation */
	_Atomic uint32_t status; /* weft__fd_status when FD_STATUS and FD_TIMEOUTS were learnt */
	_Atomic int64_t receive_timeout_ns, send_timeout_ns; /* SO_RCVTIMEO, SO_SNDTIMEO; 0: none */
	struct list waiters;                                 /* struct waiter; see waiter_bits() */
	_Atomic uint32_t busy;                               /* see busy_enter() in wait.h */
};

_Static_assert(sizeof(struct fd_entry) == 64, "one cache line");

enum fd_flags {
	FD_INIT = 1,               /* list and ready bits are set up; until then all is zero */
	FD_KNOWN = 2,              /* the kind bits below are valid in this generation */
	FD_SOCKET = 4,             /* MSG_DONTWAIT works */
	FD_TCP = 8,                /* a short transfer means drained */
	FD_UNIX_STREAM = 16,       /* ... unless ancillary data ended it */
	FD_PIPE = 32,              /* writable means room for PIPE_BUF bytes */
	FD_FILE = 64,              /* a regular file, block device, directory: offload it */
	FD_TTY = 128,              /* a terminal: a write may stand still though it is writable */
	FD_UNPOLLABLE = 256,       /* epoll says EPERM: it is always ready */
	FD_STATUS = 512,           /* FD_NONBLOCK is valid, if status is current */
	FD_NONBLOCK = 1024,        /* the user has set O_NONBLOCK */
	FD_TIMEOUTS = 2048,        /* the two timeouts are valid, if status is current */
	FD_DUPLICATED = 4096,      /* another number shares its description */
	FD_SQUEEZED = 8192,        /* its last accept found no free descriptor or memory */
	FD_NO_NOWAIT_READ = 16384, /* RWF_NOWAIT is refused: poll(2) first */
	FD_NO_NOWAIT_WRITE = 32768,
	FD_LISTENING = 65536, /* accept is a meaningful thing to wait for */
	FD_LINGERS = 131072,  /* SO_LINGER with a time: close may wait */

	FD_STREAM = FD_TCP | FD_UNIX_STREAM,
	FD_KIND = FD_SOCKET | FD_STREAM | FD_PIPE | FD_FILE | FD_TTY | FD_UNPOLLABLE |
		  FD_NO_NOWAIT_READ | FD_NO_NOWAIT_WRITE
};

/* The table: a flat array of chunks, made on first use and never freed, for
 * every number the kernel can hand out (nr_open is below 2^30). */
#define FD_CHUNK_BITS 14
#define FD_CHUNKS     (1u << (30 - FD_CHUNK_BITS))
extern _Atomic(struct fd_entry *) weft__fd_chunks[FD_CHUNKS] WEFT_PRIVATE;

/** The entry of a number if there is one already; else NULL. */
static inline struct fd_entry *weft__fd_look(int fd)
{
	struct fd_entry *chunk;

	if (unlikely((unsigned)fd >> 30))
		return NULL;
	/* acquire pairs with the release in weft__fd_make() */
	chunk = atomic_load_explicit(&weft__fd_chunks[(unsigned)fd >> FD_CHUNK_BITS],
				     memory_order_acquire);
	return likely(chunk != NULL) ? &chunk[fd & ((1 << FD_CHUNK_BITS) - 1)] : NULL;
}

/** Makes the chunk of @fd. NULL: not a number of a descriptor, or no memory. */
struct fd_entry *weft__fd_make(int fd);

/** The entry of a number, made on first use; NULL: negative, or no memory. Never moves. */
static inline struct fd_entry *weft__fd(int fd)
{
	struct fd_entry *entry = weft__fd_look(fd);

	return likely(entry != NULL) ? entry : weft__fd_make(fd);
}

/** Why weft__fd() gave NULL, as an error code. */
static inline int fd_missing(int fd)
{
	return (unsigned)fd >> 30 ? -EBADF : -ENOMEM;
}

/** Learns the kind of @fd once a generation. 0 or -EBADF. */
int weft__fd_learn(struct fd_entry *entry, int fd);

static inline uint32_t fd_flags(const struct fd_entry *entry)
{
	return atomic_load_explicit(&((struct fd_entry *)entry)->flags, memory_order_relaxed);
}

/** The tick to remember before a system call that may say EAGAIN. */
static inline uint32_t fd_tick(const struct fd_entry *entry)
{
	/* acquire pairs with the event's release: its bytes are there */
	return atomic_load_explicit(&((struct fd_entry *)entry)->ready, memory_order_acquire);
}

/** The kernel said EAGAIN: takes @bits away, unless an event came since @tick. */
void weft__fd_drained(struct fd_entry *entry, uint32_t tick, unsigned bits);

/** A stream transfer fell short: as drained, unless an end or an error
 * (POLL_HANGUP) or urgent data (POLL_URGENT), which cut transfers short too, have
 * ever been reported. */
static inline void fd_short(struct fd_entry *entry, uint32_t tick, unsigned bits)
{
	if (likely(!(tick & (POLL_HANGUP | POLL_URGENT))))
		weft__fd_drained(entry, tick, bits);
}

/**
 * weft__fd_park - park until an event later than @tick
 * @bits:        POLL_READABLE or POLL_WRITABLE, or both for either
 * @tick:        from before the system call that said "not now"
 * @deadline_ns: absolute; WEFT_FOREVER; not WEFT_NOWAIT
 *
 * Returns at once when an event has come since @tick: no wake-up is lost
 * between the kernel's answer and the wait. Arms the descriptor at this
 * worker's poller if need be (F5).
 *
 * Return: 0 (try again now; may be spurious), -ETIMEDOUT, -ECANCELED, -EBADF
 * (closed meanwhile), -EPERM (cannot be polled), -ENOMEM. With the kernel
 * out of watches (ENOSPC) it looks again every few milliseconds, after one
 * warning.
 */
int weft__fd_park(struct fd_entry *entry, int fd, unsigned bits, uint32_t tick,
		  int64_t deadline_ns);

/** As park, by the sticky bits: 0 at once when one of @bits is set; -EAGAIN
 * when none is and @deadline_ns is WEFT_NOWAIT. */
int weft__fd_wait(int fd, unsigned bits, int64_t deadline_ns);

/** Makes an entry ready for use; learning does. */
void weft__fd_init(struct fd_entry *entry);

/** Before a connect: an end or error of an earlier attempt is none of this one. */
void weft__fd_fresh(struct fd_entry *entry);

/** As if the poller had said: readable and writable. */
void weft__fd_nudge(struct fd_entry *entry);

/** For a task that waits on several: park's two halves, with a waiter that does
 * not lie on a stack. Queue: 0, 1 (an event has come since @tick: not queued), -ENOSPC or
 * -ENOMEM (queued, but no event will come), or another error (not queued). */
int weft__fd_queue(struct fd_entry *entry, int fd, unsigned bits, uint32_t tick,
		   struct waiter *waiter, uint64_t ticket);
/** True: it was still queued. */
bool weft__fd_unqueue(struct fd_entry *entry, struct waiter *waiter);

/** Counts the changes by which what was learnt of O_NONBLOCK and timeouts may have
 * become wrong for other numbers (duplicates). */
extern _Atomic uint32_t weft__fd_status;

/* --- what the user does to his descriptors (called by io.h and the hooks) --- */

/**
 * weft__fd_opened - a number has a new life
 * @kind:        FD_KIND bits when they are known, plus FD_KNOWN; else 0
 * @nonblocking: 1 or 0 when known, else -1
 *
 * Optional, but it saves the questions of weft__fd_learn().
 */
void weft__fd_opened(int fd, unsigned kind, int nonblocking) WEFT_PRIVATE;

/** The FD_KIND bits (and FD_KNOWN) of what socket(2) and the like return. */
unsigned weft__fd_socket_kind(int domain, int type, int protocol) WEFT_PRIVATE;

/** What F3 asks for; call it before the real close, dup2 and the like. */
void weft__fd_forget(int fd) WEFT_PRIVATE;

/** The same before dup2, which is not at once over: who comes in between must not take
 * the new description for what the old one was. All kinds can be read and written as
 * those without a name are. weft__fd_duplicated() comes next. */
void weft__fd_replacing(int fd) WEFT_PRIVATE;

/** After dup(2) and the like made @to from @from. */
void weft__fd_duplicated(int from, int to) WEFT_PRIVATE;

/** After the user has set or cleared O_NONBLOCK (F_SETFL, FIONBIO) with success. */
void weft__fd_set_nonblocking(int fd, bool nonblocking) WEFT_PRIVATE;

/** After SO_RCVTIMEO (POLL_READABLE) or SO_SNDTIMEO (POLL_WRITABLE) was set; 0: none. */
void weft__fd_set_timeout(int fd, unsigned bit, int64_t timeout_ns) WEFT_PRIVATE;

/** After an option that changes how the stream is cut (TCP_ULP ...): ask it anew. */
void weft__fd_unstream(int fd) WEFT_PRIVATE;

/** True when the user has set O_NONBLOCK on @fd. Asks the kernel at most once
 * per generation; see weft__fd_set_nonblocking(). */
bool weft__fd_nonblocking(struct fd_entry *entry, int fd);

/** How long a POSIX call waits on a socket, from SO_RCVTIMEO (POLL_READABLE) or
 * SO_SNDTIMEO; 0: without end. Asks the kernel at most once per generation. */
int64_t weft__fd_timeout(struct fd_entry *entry, int fd, unsigned bit);

/** True when nobody has changed a shared description since @entry was asked. */
static inline bool fd_status_current(const struct fd_entry *entry)
{
	uint32_t now = atomic_load_explicit(&weft__fd_status, memory_order_relaxed);

	/* acquire pairs with the release in current(): flags of before are cleared */
	return atomic_load_explicit(&((struct fd_entry *)entry)->status, memory_order_acquire) ==
	       now;
}

/** True when it is known, without a system call, that O_NONBLOCK is not set. */
static inline bool fd_known_blocking(const struct fd_entry *entry)
{
	/* status first: what was learnt under it is in the flags that are read after it */
	return fd_status_current(entry) &&
	       (fd_flags(entry) & (FD_STATUS | FD_NONBLOCK)) == FD_STATUS;
}

void weft__fd_flags_change(struct fd_entry *entry, uint32_t clear, uint32_t set) WEFT_PRIVATE;

#endif
