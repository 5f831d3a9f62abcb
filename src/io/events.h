/* SPDX-License-Identifier: MIT
 *
 * events.h - enum weft_fd_events in the words of poll(2), and back.
 */
#ifndef WEFT_IO_EVENTS_H
#define WEFT_IO_EVENTS_H

#include <errno.h>
#include <poll.h>

#include <weft/io.h>

enum { FD_EVENTS_ALL = WEFT_READABLE | WEFT_WRITABLE | WEFT_HANGUP | WEFT_PRIORITY };

static inline short events_to_poll(unsigned events)
{
	short wanted = 0;

	if (events & WEFT_READABLE)
		wanted |= POLLIN | POLLRDHUP;
	if (events & WEFT_WRITABLE)
		wanted |= POLLOUT;
	if (events & WEFT_PRIORITY)
		wanted |= POLLPRI;
	if (events & WEFT_HANGUP)
		wanted |= POLLRDHUP;
	return wanted;
}

/** Of what poll(2) has found: those that were asked for, and WEFT_HANGUP; or -EBADF. */
static inline int events_from_poll(short found, unsigned events)
{
	unsigned ready = 0;

	if (found & POLLNVAL)
		return -EBADF;
	if (found & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
		ready |= WEFT_READABLE;
	if (found & (POLLOUT | POLLHUP | POLLERR))
		ready |= WEFT_WRITABLE;
	if (found & (POLLRDHUP | POLLHUP | POLLERR))
		ready |= WEFT_HANGUP;
	if (found & POLLPRI)
		ready |= WEFT_PRIORITY;
	return (int)(ready & (events | WEFT_HANGUP));
}

#endif
