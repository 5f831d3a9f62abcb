/* SPDX-License-Identifier: MIT
 *
 * co_epoll.h - names that Tencent's libco has for epoll(7). weft's own poller is another one.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_EPOLL_H
#define WEFT_COMPAT_LIBCO_CO_EPOLL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/** Room for events. */
struct co_epoll_res {
	int size;
	struct epoll_event *events;
	struct kevent *eventlist; /* not on Linux: NULL */
};

/** NULL when there is no memory. */
struct co_epoll_res *co_epoll_res_alloc(int count);
void co_epoll_res_free(struct co_epoll_res *res);

int co_epoll_create(int size);
int co_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
/** Blocks the thread. */
int co_epoll_wait(int epfd, struct co_epoll_res *res, int maxevents, int timeout_ms);

#endif
