/* SPDX-License-Identifier: MIT
 *
 * weft/chan.h - channels: values from one task to another, in order; and select, which
 * waits for several things at once.
 *
 * A channel carries values of one size, which are copied. With capacity 0 a sender and a
 * receiver meet (rendezvous); with n so many values wait in between; WEFT_UNBOUNDED never
 * lets a sender wait. Values come out in the order in which they went in; who has waited
 * longest is served first. Every function may be called by tasks of any runtime and by plain
 * threads, many at once: a task parks, a thread sleeps.
 *
 * A channel is counted: whoever uses it holds a reference, or knows that somebody does.
 *
 *	                     NULL channel     open                        closed
 *	weft_chan_send       waits            waits while full            -EPIPE
 *	weft_chan_recv       waits            waits while empty           buffered values, then -EPIPE
 *	weft_chan_close      -EINVAL          0: all who wait are woken   -EALREADY
 *	case of weft_select  never ready      as send and recv            ready, .result is -EPIPE
 *
 * What can be done at once is done, also when the deadline has passed, or the task has been
 * cancelled: only a wait is refused. A closed channel is noticed before that.
 *
 * Where nothing else is said: any task or thread, many at once; not a cancellation point; not
 * async-signal-safe.
 *
 * @chan: channel
 */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <weft/types.h>

WEFT_BEGIN_DECLS

/** A capacity: as many values as there is memory for. */
#define WEFT_UNBOUNDED SIZE_MAX

/**
 * weft_chan_new - make a channel
 * @ret_chan:   the channel; one reference, the caller's
 * @elem_bytes: size of a value, 0 to 65,536 bytes; 0: there is nothing but the event
 * @capacity:   values that wait without a receiver: 0 (rendezvous), a number, or WEFT_UNBOUNDED
 *
 * The room for all of a bounded channel's values is taken at once.
 *
 * Return: 0, -EINVAL (@ret_chan is NULL, or @elem_bytes too large), -ENOMEM.
 */
WEFT_API int weft_chan_new(weft_chan **ret_chan, size_t elem_bytes, size_t capacity);

/**
 * weft_chan_ref - one reference more
 * @chan: channel, or NULL (which does nothing)
 *
 * Return: @chan.
 */
WEFT_API weft_chan *weft_chan_ref(weft_chan *chan);

/**
 * weft_chan_free - drop a reference; the last one frees the channel
 * @chan: channel, or NULL
 *
 * Values that are still in it are dropped: weft_chan_recv_all() fetches them before. Ends the
 * process when somebody still waits in it: that one has no reference.
 */
WEFT_API void weft_chan_free(weft_chan *chan);

/**
 * weft_chan_send - put a value in, waiting while there is no room for it
 * @chan:        channel; NULL: waits until the deadline, or a cancel
 * @value:       elem_bytes bytes; NULL only when that is 0
 * @deadline_ns: absolute, weft_now() clock; WEFT_NOWAIT tries once; WEFT_FOREVER waits
 *
 * With capacity 0 it returns when a receiver has got the value; else when the value is in the
 * buffer.
 *
 * Return: 0, -EPIPE (closed, before or meanwhile), -EINVAL (@value is NULL), -EPERM (a timer's
 * channel: time.h), -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT, -ECANCELED, -ENOMEM (no memory for a
 * value in an unbounded channel, or to wait with). On every error nobody gets the value.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_chan_send(weft_chan *chan, const void *value, int64_t deadline_ns);

/**
 * weft_chan_recv - take the oldest value, waiting while there is none
 * @chan:        channel; NULL: waits until the deadline, or a cancel
 * @ret_value:   room for elem_bytes bytes; untouched on error. NULL: the value is dropped
 * @deadline_ns: as in weft_chan_send()
 *
 * Return: 0, -EPIPE (closed, and nothing is left in it), -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT,
 * -ECANCELED, -ENOMEM (no memory to wait with). No value is lost on any error.
 *
 * Cancellation point when it waits. Any task or thread.
 */
WEFT_API int weft_chan_recv(weft_chan *chan, void *ret_value, int64_t deadline_ns);

/** weft_chan_try_send - weft_chan_send() with WEFT_NOWAIT */
#define weft_chan_try_send(chan, value) weft_chan_send((chan), (value), WEFT_NOWAIT)

/**
 * weft_chan_try_recv - weft_chan_recv() with WEFT_NOWAIT
 *
 * A loop around it must wait or yield in between: else no sender ever runs.
 */
#define weft_chan_try_recv(chan, ret_value) weft_chan_recv((chan), (ret_value), WEFT_NOWAIT)

/**
 * weft_chan_recv_n - receive a number of values, waiting for each
 * @chan:        channel; NULL as in weft_chan_recv()
 * @ret_values:  room for @count values
 * @count:       how many, at most INT_MAX
 * @deadline_ns: as in weft_chan_send(), for all of them
 *
 * Return: @count; fewer when it ended (closed, deadline, cancel) after some had come. When there
 * was none: the error of weft_chan_recv(). -EINVAL: @count > INT_MAX, or @ret_values is NULL.
 * Cancellation point when it waits.
 */
WEFT_API int weft_chan_recv_n(weft_chan *chan, void *ret_values, size_t count, int64_t deadline_ns);

/**
 * weft_chan_recv_all - receive everything that is there, without waiting
 * @chan:       channel, or NULL: nothing is there
 * @ret_values: room for @room values
 * @room:       at most so many, at most INT_MAX
 *
 * Those of senders that wait are there, too.
 *
 * Return: how many it was, 0 when there was none; -EPIPE (closed, and nothing is left),
 * -EINVAL (as of weft_chan_recv_n()).
 */
WEFT_API int weft_chan_recv_all(weft_chan *chan, void *ret_values, size_t room);

/**
 * weft_chan_close - no more values
 * @chan: channel
 *
 * The last message, not an axe: what is in the buffer can still be received. Waiting senders
 * and receivers return -EPIPE; what the senders offered nobody gets. Either side may close: a
 * receiver says so that it has had enough. References close nothing; of several senders let a
 * weft_waitgroup (sync.h) tell who is the last.
 *
 * Return: 0, -EALREADY (closed before), -EINVAL (@chan is NULL).
 */
WEFT_API int weft_chan_close(weft_chan *chan);

/**
 * weft_chan_len - how many values are in the buffer just now
 *
 * Return: the number; of a timer's channel 1 when it is due; 0 for NULL.
 */
WEFT_API size_t weft_chan_len(weft_chan *chan);

/**
 * weft_chan_capacity - how many values can be in the buffer
 *
 * Return: the capacity it was made with; 0 for NULL.
 */
WEFT_API size_t weft_chan_capacity(const weft_chan *chan);

/**
 * weft_chan_closed - ask whether it has been closed
 *
 * Return: 1 when it has been, else 0.
 */
WEFT_API int weft_chan_closed(weft_chan *chan);

/* --- select --------------------------------------------------------------------------- */

/** What a case of weft_select() waits for. */
enum weft_case_kind {
	WEFT_CASE_NEVER,  /**< nothing: a case that is switched off */
	WEFT_CASE_SEND,   /**< room for a value in a channel */
	WEFT_CASE_RECV,   /**< a value of a channel; a timer's or ticker's channel too */
	WEFT_CASE_FD,     /**< a descriptor: enum weft_fd_events of io.h */
	WEFT_CASE_TIME,   /**< a time */
	WEFT_CASE_TASK,   /**< the end of a task: weft_join() will not wait */
	WEFT_CASE_PROMISE /**< a promise that is settled: weft_await() will not wait */
};

/** One case; made by the macros below, which are initialisers. */
typedef struct weft_case {
	enum weft_case_kind kind;
	unsigned events; /**< WEFT_CASE_FD: what to wait for */
	int fd;
	/** Of the case that has fired: 0; -EPIPE (the channel is closed); WEFT_CASE_FD: the
	 * events that are there, or -EBADF. What a task or promise has come to, weft_join() and
	 * weft_await() tell. */
	int result;
	void *object; /**< the channel, task or promise; NULL: never ready */
	void *value;  /**< what to send, or where to put what is received (NULL: nowhere) */
	int64_t when_ns;
} weft_case;

#define WEFT_SEND(chan, value)                                       \
	{                                                            \
		WEFT_CASE_SEND, 0, -1, 0, (chan), (void *)(value), 0 \
	}
#define WEFT_RECV(chan, value)                               \
	{                                                    \
		WEFT_CASE_RECV, 0, -1, 0, (chan), (value), 0 \
	}
#define WEFT_FD(fd, events)                                    \
	{                                                      \
		WEFT_CASE_FD, (events), (fd), 0, NULL, NULL, 0 \
	}
#define WEFT_TIME(when_ns)                                      \
	{                                                       \
		WEFT_CASE_TIME, 0, -1, 0, NULL, NULL, (when_ns) \
	}
#define WEFT_ENDED(task)                                  \
	{                                                 \
		WEFT_CASE_TASK, 0, -1, 0, (task), NULL, 0 \
	}
#define WEFT_SETTLED(promise)                                   \
	{                                                       \
		WEFT_CASE_PROMISE, 0, -1, 0, (promise), NULL, 0 \
	}

/**
 * weft_select - wait until one of several things can be done, and do that one
 * @cases:       what to wait for; the same channel may stand in several of them
 * @count:       how many; 0 waits for the deadline alone
 * @deadline_ns: absolute; WEFT_NOWAIT: only what can be done at once; WEFT_FOREVER
 *
 *	weft_case cases[] = {
 *		WEFT_RECV(jobs, &job),
 *		WEFT_SEND(results, &result),
 *		WEFT_TIME(weft_in_ms(100)),
 *	};
 *	switch (weft_select(cases, 3, WEFT_FOREVER)) { ... }
 *
 * Exactly one case fires: its value is sent or received, and no other's. When several could,
 * each of them is as likely as the others. A case that is waited for by many is served
 * in the order in which they came. While it waits for the end of a task it is that task's
 * joiner, and a second one gets -EBUSY; the handle stays to be joined. (All channels are looked at under all their locks, taken in
 * the order of their addresses, as in Go's select.)
 *
 * Return: the index of the case that has fired; -EAGAIN (WEFT_NOWAIT), -ETIMEDOUT, -ECANCELED,
 * -EINVAL (a case that makes no sense, or @count > 65,536), -EPERM (send to a timer's channel),
 * -ESRCH or -EBUSY or -EDEADLK (a task's case, as of weft_join()), -ENOMEM, or what epoll_ctl(2)
 * says of a descriptor.
 *
 * Cancellation point when it waits. Any task or thread; with a WEFT_FD or WEFT_ENDED case a plain
 * thread becomes a runtime (task.h).
 */
WEFT_API int weft_select(weft_case *cases, unsigned count, int64_t deadline_ns);

WEFT_END_DECLS

#endif
